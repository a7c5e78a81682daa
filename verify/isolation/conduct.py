"""What an implementation does to the process around it, as rows, and watching for it."""

import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["CONDUCT", "LOADING", "WATCHED", "Conduct", "Observation", "Watch", "Watched"]


@dataclass(frozen=True)
class Conduct:
    """Something that an implementation may do beside computing.

    Attributes:
        reason: why it should not.
        remark: whether it is said and leaves the verdict alone.
    """

    name: str
    reason: str
    remark: bool


@dataclass(frozen=True)
class Observation:
    """What one call did: `kind` names a row of `CONDUCT`, `call` is 'import', 'forward' or so."""

    kind: str
    call: str
    text: str


@dataclass(frozen=True)
class Watched:
    """A part of the process that a layer has no business with.

    Attributes:
        module: it exists where that module is loaded.
        read: its value, which can be compared.
        write: puts it back.
        shown: a changed value for a person, '' if it says nothing.
        loading: whether importing may change it: it is usual, and the caller's choice.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    module: str = "sys"
    shown: Callable[[Any, Any], str] = lambda before, now: f": {now}, was {before}"
    loading: bool = False


CONDUCT: Mapping[str, Conduct] = {
    row.name: row
    for row in (
        Conduct(
            "global state",
            "what a layer computes is in its arguments and results; the process is its caller's",
            remark=False,
        ),
        Conduct(
            "earlier results",
            "results belong to the caller: a later call writes to none of them",
            remark=False,
        ),
        Conduct("prints", "results come back as values; print is in the caller's way", remark=True),
        Conduct("warns", "a warning is raised for a caller to read", remark=True),
        Conduct("threads", "a thread that goes on belongs to nobody", remark=True),
        Conduct("on import", "importing a module should leave the process as it was", remark=True),
    )
}


LOADING = "import"  # what loading an implementation is called


def _numpy_state() -> tuple[Any, ...]:
    name, key, *rest = np.random.get_state()
    return name, np.asarray(key).tobytes(), *rest


def _set_numpy_state(state: tuple[Any, ...]) -> None:
    name, key, *rest = state
    np.random.set_state((name, np.frombuffer(key, np.uint32), *rest))


def _torch(name: str) -> Any:
    return getattr(sys.modules["torch"], name)


_SILENT: Callable[[Any, Any], str] = lambda before, now: ""


def _variables(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    names = {n for n in {*before, *now} if before.get(n) != now.get(n)}
    return f": {', '.join(sorted(names))}"


def _own_environment() -> dict[str, str]:
    """All but what PyTorch's compiler notes there for itself when it is first imported."""
    return {n: v for n, v in os.environ.items() if not n.startswith("TORCHINDUCTOR_")}


def _environment(values: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def _errors(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    return ": " + ", ".join(f"{n}='{now[n]}'" for n in now if now[n] != before[n])


WATCHED: tuple[Watched, ...] = (
    Watched("NumPy's error state", np.geterr, lambda v: void(np.seterr(**v)), shown=_errors),
    Watched("NumPy's random state", _numpy_state, _set_numpy_state, shown=_SILENT, loading=True),
    Watched("Python's random state", random.getstate, random.setstate, shown=_SILENT, loading=True),
    Watched("the working directory", os.getcwd, os.chdir),
    Watched("the environment", _own_environment, _environment, shown=_variables, loading=True),
    Watched("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Watched(
        "torch's random state",
        lambda: _torch("get_rng_state")().numpy().tobytes(),
        lambda v: _torch("set_rng_state")(
            _torch("frombuffer")(bytearray(v), dtype=_torch("uint8"))
        ),
        "torch",
        _SILENT,
    ),
    Watched(
        "torch's default dtype",
        lambda: _torch("get_default_dtype")(),
        lambda v: _torch("set_default_dtype")(v),
        "torch",
    ),
    Watched(
        "torch's gradient mode",
        lambda: _torch("is_grad_enabled")(),
        lambda v: void(_torch("set_grad_enabled")(v)),
        "torch",
    ),
)


def void(_: Any) -> None:
    """Forget a value."""


class Watch:
    """What the process is like; what a call changes is put back."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def call(
        self, name: str, call: Callable[[], Any], said: Callable[[], str]
    ) -> tuple[Any, BaseException | None, list[Observation]]:
        """Call something.

        Args:
            said: what was printed since it was asked last.

        Returns:
            Its value, what it raised, and what was observed; one of the first two is None.
        """
        rows = [row for row in WATCHED if row.module in sys.modules]
        for row in rows:
            if row.name not in self._known:
                self._known[row.name] = _now(row)
        threads = threading.active_count()
        value = raised = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                value = call()
            except BaseException as error:
                raised = error
        found = [Observation("warns", name, _warning(w)) for w in caught]
        for row in rows:
            old, now = self._known[row.name], _now(row)
            if now == old:
                continue
            if not (row.loading and name == LOADING):
                found.append(Observation("global state", name, row.name + row.shown(old, now)))
            with suppress(Exception):
                row.write(old)
        if threading.active_count() > threads:
            found.append(Observation("threads", name, "a thread that goes on"))
        printed = said()
        if printed:
            found.append(Observation("prints", name, repr(printed[:60])))
        return value, raised, list(dict.fromkeys(found))


def _now(row: Watched) -> Any:
    """Its value; None if there is none, as for a working directory that was removed."""
    try:
        return row.read()
    except Exception:
        return None


def _warning(caught: warnings.WarningMessage) -> str:
    text = " ".join(str(caught.message).split())[:120]
    place = f"{Path(caught.filename).name}, line {caught.lineno}"
    return f"{caught.category.__name__}: {text} ({place})"
