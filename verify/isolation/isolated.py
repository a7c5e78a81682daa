"""An implementation in a child process, as a kernel: it may die, and the run goes on."""

import pickle
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.errors import UsageError
from verify.adapters.limits import FULL, Limits, NotGivenError
from verify.isolation.conduct import Observation
from verify.isolation.process import Child, EndedError
from verify.isolation.wire import Opaque, pack, unpack

__all__ = ["Isolated", "RaisedError", "Source", "isolated"]

# Loading may import a framework.
START_SECONDS = 120.0

# After a call that did not return, others get so many times what the slowest had, and a second.
PATIENCE = 20


class RaisedError(Exception):
    """The implementation raised; `finding` says what and where."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.finding = f"raised {said}"


@dataclass(frozen=True)
class Source:
    """Which implementation, for `verify.loading.load_implementation`, in any process.

    Attributes:
        text: how it is named.
        cell: the cell's name or its file, which an adapter needs.
        convention: the name of a row of `verify.conventions`.
    """

    text: str
    cell: str | None = None
    convention: str | None = None

    def options(self) -> dict[str, Any]:
        """What loading is told beside the text."""
        given = {"cell": self.cell, "convention": self.convention}
        return {n: v for n, v in given.items() if v is not None}


class _Tape:
    """A tape that lies in the child.

    Attributes:
        request: the forward call, to be repeated if the child dies.
        results: what it gave, in which later changes are written.
    """

    def __init__(self, request: bytes, results: dict[str, Any]) -> None:
        self.request = request
        self.results = results
        self.number = -1
        self.child: Child | None = None


class Isolated:
    """The contract of `verify.kernels` through a child process, which is started anew if it dies.

    Close it, or use it as a context.
    """

    def __init__(self, source: Source, seconds: float, memory: int) -> None:
        self.source = source
        self.seconds = seconds
        self.memory = memory
        self.limits: Limits = FULL
        self.has_backward = False
        self._limit, self._slowest = seconds, 0.0
        self._seen: dict[Observation, int] = {}
        self._fresh: list[Observation] = []
        self._noting = True
        self._dropped: list[int] = []
        self._child: Child | None = None
        self._ready()

    def __enter__(self) -> "Isolated":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    @property
    def backward(self) -> Any:
        """The implementation's backward, None if it has none."""
        return self._backward if self.has_backward else None

    def observed(self) -> list[Observation]:
        """What was observed for the first time since this was asked last."""
        fresh, self._fresh = self._fresh, []
        return fresh

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """What calls do in here is not noted: their arguments are not those of the contract."""
        self._noting = False
        try:
            yield
        finally:
            self._noting = True

    def count(self, observation: Observation) -> int:
        """In how many calls that was observed."""
        return self._seen[observation]

    def forward(self, params: Any, x: Any, state_0: Any = None, *, lengths: Any = None) -> Any:
        """The implementation's forward.

        Raises:
            RaisedError: it raised.
            EndedError: the process died, or the call took too long.
            NotGivenError: it says that it does not take this.
        """
        given = (params, x, state_0, lengths)
        request = pickle.dumps(("forward", *pack(given), self._drop()), protocol=5)
        value, number, _ = self._answer(self._ask(request), given)
        if number is None:
            return value
        y, states, _ = value
        results = {"y": y}
        if isinstance(states, Mapping):
            results |= {f"{n}_T": a for n, a in states.items()}
        tape = _Tape(request, results)
        self._hold(tape, number)
        return y, states, tape

    def _backward(self, params: Any, tape: Any, dy: Any = None, dstate_T: Any = None) -> Any:
        child = self._ready()
        if tape.child is not child:
            _, number, _ = self._answer(self._ask(tape.request), None)
            self._hold(tape, number)
        given = (params, dy, dstate_T)
        sent = pack(given)
        message = ("backward", sent[0], tape.number, *sent[1:], self._drop())
        request = pickle.dumps(message, protocol=5)
        value, _, moved = self._answer(self._ask(request), given)
        for name, array in moved.items():
            np.copyto(tape.results[name], array)
        return value

    def _hold(self, tape: _Tape, number: int) -> None:
        tape.number, tape.child = number, self._child
        weakref.finalize(tape, _forget, self._dropped, number)

    def _drop(self) -> list[int]:
        """Tapes that nobody here has any more."""
        dropped = list(self._dropped)
        self._dropped.clear()
        return dropped

    def _ready(self) -> Child:
        if self._child is not None:
            return self._child
        self._dropped = []
        child = Child()
        try:
            kind, *said = child.ask(
                pickle.dumps(("load", self.source, self.memory), protocol=5), START_SECONDS
            )
        except EndedError as error:
            raise UsageError(f"loading '{self.source.text}': the process {error.finding}") from None
        except BaseException:
            child.end()
            raise
        if kind == "refused":
            child.end()
            raise UsageError(said[0])
        self.has_backward, self.limits, found = said
        self._note(found)
        self._child = child
        return child

    def _ask(self, request: bytes) -> Any:
        child = self._ready()
        try:
            answer = child.ask(request, self._limit)
        except EndedError as error:
            self._child = None
            if error.late:
                self._limit = min(self._limit, max(1.0, PATIENCE * self._slowest))
            raise
        except BaseException:  # a keyboard interrupt leaves an answer in the pipe
            self.close()
            raise
        self._slowest = max(self._slowest, child.seconds)
        return answer

    def _answer(self, answer: Any, given: Any) -> tuple[Any, Any, dict[str, Any]]:
        """The value of a call; arguments and results are changed where the child changed them."""
        kind, *rest, changed, moved, found = answer
        self._note(found)
        for old, new in zip(given or (), changed, strict=False):
            if new is not None:
                _write(old, unpack(new))
        if kind == "raised":
            said, absent = rest
            raise NotGivenError(said) if absent else RaisedError(said)
        value, number = rest
        return _shown(value), number, moved

    def _note(self, found: list[Observation]) -> None:
        for observation in found if self._noting else ():
            if observation not in self._seen:
                self._fresh.append(observation)
            self._seen[observation] = self._seen.get(observation, 0) + 1


def _forget(dropped: list[int], number: int) -> None:
    dropped.append(number)


def _write(old: Any, new: Any) -> None:
    """What the implementation did to an argument, done to ours."""
    if isinstance(old, dict):
        for name in [n for n in old if n not in new]:
            del old[name]
        for name, array in new.items():
            same = name in old and np.shape(old[name]) == np.shape(array)
            if same and np.asarray(array).dtype == old[name].dtype:
                np.copyto(old[name], array)
            else:
                old[name] = array
    elif isinstance(old, np.ndarray) and np.shape(new) == old.shape:
        np.copyto(old, new)


def _shown(value: Any) -> Any:
    """With an object of that name for what did not cross over."""
    if isinstance(value, Opaque):
        return type(value.kind, (), {})()
    if isinstance(value, dict):
        return {n: _shown(v) for n, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_shown(v) for v in value)
    return value


def isolated(
    text: str,
    *,
    cell: str | None = None,
    convention: str | None = None,
    seconds: float = 10.0,
    memory: int = 4096,
) -> Isolated:
    """An implementation by its name, in a process of its own.

    Args:
        cell, convention: as for `verify.loading.load_implementation`.
        seconds: how long a call may take.
        memory: how much a call may take beyond what is in use after loading, in MiB.

    Raises:
        UsageError: it cannot be loaded, or loading ends the process.
    """
    if seconds <= 0 or memory <= 0:
        raise UsageError(f"limits of {seconds:g} s and {memory} MiB: both must be positive")
    return Isolated(Source(text, cell, convention), seconds, memory)
