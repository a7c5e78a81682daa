"""How calls misbehave: arguments written to, tapes used up, states kept."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from verify.deviations.deviation import Variant
from verify.deviations.model import Model
from verify.kernels import Array, Arrays, Kernel

__all__ = [
    "Wrapped",
    "accumulating",
    "argument_written",
    "argument_written_backward",
    "inputs_of",
    "one_tape",
    "state_kept",
    "tape_used",
    "wrapped",
]


class Wrapped:
    """A kernel; subclasses misbehave."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        return self.kernel.forward(params, x, state_0, lengths=lengths)

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        return self.kernel.backward(params, tape, dy, dstate_T)


def wrapped(model: Model, label: str, wrap: Callable[[Kernel], Kernel]) -> Variant:
    """The model, with its kernel changed."""
    return Variant(label, replace(model, wrap=(*model.wrap, wrap)))


def _write(array: Any) -> None:
    if isinstance(array, np.ndarray) and array.size:
        array.flat[0] += 1


def inputs_of(x: Any) -> list[Any]:
    """The arrays of inputs, of which there may be several."""
    return list(x.values()) if isinstance(x, dict) else [x]


def argument_written(model: Model) -> Iterator[Variant]:
    """Forward writes to its arguments."""
    kinds: dict[str, Callable[[Arrays, Any, Any], list[Any]]] = {
        "x": lambda params, x, state_0: inputs_of(x),
        "a parameter": lambda params, x, state_0: list(params.values())[:1],
        "an initial state": lambda params, x, state_0: list((state_0 or {}).values())[:1],
    }
    for label, chosen in kinds.items():

        class Writes(Wrapped):
            written = staticmethod(chosen)

            def forward(
                self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
            ) -> tuple[Array, Arrays, Any]:
                found = super().forward(params, x, state_0, lengths=lengths)
                for array in self.written(params, x, state_0):
                    _write(array)
                return found

        yield wrapped(model, label, Writes)


def argument_written_backward(model: Model) -> Iterator[Variant]:
    """Backward writes to its arguments."""
    kinds: dict[str, Callable[[Arrays, Any, Any], list[Any]]] = {
        "dy": lambda params, dy, ends: [dy],
        "a parameter": lambda params, dy, ends: list(params.values())[:1],
        "a cotangent of a final state": lambda params, dy, ends: list((ends or {}).values())[:1],
    }
    for label, chosen in kinds.items():

        class Writes(Wrapped):
            written = staticmethod(chosen)

            def backward(
                self,
                params: Arrays,
                tape: Any,
                dy: Array | None = None,
                dstate_T: Arrays | None = None,
            ) -> Arrays:
                found = super().backward(params, tape, dy, dstate_T)
                for array in self.written(params, dy, dstate_T):
                    _write(array)
                return found

        yield wrapped(model, label, Writes)


class _TapeUsed(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = super().backward(params, tape, dy, dstate_T)
        names = {a.name for a in tape[1].example.cell.equations}
        for step in tape[1].known:
            for name in names & step.keys():
                step[name] = step[name] * 0.5
        return found


def tape_used(model: Model) -> Iterator[Variant]:
    """Backward spoils what forward kept."""
    yield wrapped(model, "cached values overwritten", _TapeUsed)


class _Accumulates(Wrapped):
    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.kept: dict[int, tuple[Any, dict[str, Array]]] = {}

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = dict(super().backward(params, tape, dy, dstate_T))
        before = self.kept.get(id(tape), (tape, {}))[1]
        total = {n: a + before[n] if n in before else a for n, a in found.items()}
        self.kept[id(tape)] = tape, {n: total[n] for n in params}
        return total


def accumulating(model: Model) -> Iterator[Variant]:
    """Gradients of parameters added to those of the call before on the same tape."""
    yield wrapped(model, "parameters", _Accumulates)


class _OneTape(Wrapped):
    tape: Any = None

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, self.tape = super().forward(params, x, state_0, lengths=lengths)
        return y, state_T, None

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        return super().backward(params, self.tape, dy, dstate_T)


def one_tape(model: Model) -> Iterator[Variant]:
    """One cache for all forward runs."""
    yield wrapped(model, "the last run's", _OneTape)


class _Keeps(Wrapped):
    state: dict[str, Array] | None = None

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        kept = self.state
        if state_0 is None and kept is not None and _rows(kept) == inputs_of(x)[0].shape[1]:
            state_0 = {n: a.astype(inputs_of(x)[0].dtype) for n, a in kept.items()}
            if any(not _fits(a, state_0[n]) for n, a in kept.items()):
                state_0 = None
        try:
            found = super().forward(params, x, state_0, lengths=lengths)
        except ValueError:  # other sizes than in the last call
            found = super().forward(params, x, None, lengths=lengths)
        self.state = {n: np.array(a) for n, a in found[1].items()}
        return found


def _rows(states: dict[str, Array]) -> int:
    return len(next(iter(states.values())))


def _fits(a: Array, b: Array) -> bool:
    return a.shape == b.shape


class _KeepsAll(Wrapped):
    calls = 0

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        self.calls += 1
        return (y + y.dtype.type(self.calls - 1)).astype(y.dtype), state_T, tape


def state_kept(model: Model) -> Iterator[Variant]:
    """Something is kept from call to call."""
    yield wrapped(model, "final states start the next call that is given none", _Keeps)
    yield wrapped(model, "outputs drift", _KeepsAll)
