"""How calls misbehave: arguments written to, tapes used up, states kept, dtypes and strides."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from verify.deviations.deviation import Variant
from verify.deviations.model import Model
from verify.kernels import Array, Arrays, Kernel

__all__ = [
    "accumulating",
    "argument_written",
    "argument_written_backward",
    "empty_refused",
    "left_in_float64",
    "nan_padding",
    "none_refused",
    "one_tape",
    "state_kept",
    "strides_ignored",
    "tape_used",
]


class _Wrapped:
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


def _variant(model: Model, label: str, wrap: Callable[[Kernel], Kernel]) -> Variant:
    return Variant(label, replace(model, wrap=(*model.wrap, wrap)))


def _write(array: Any) -> None:
    if isinstance(array, np.ndarray) and array.size:
        array.flat[0] += 1


def _inputs(x: Any) -> list[Any]:
    return list(x.values()) if isinstance(x, dict) else [x]


def argument_written(model: Model) -> Iterator[Variant]:
    """Forward writes to its arguments."""
    kinds: dict[str, Callable[[Arrays, Any, Any], list[Any]]] = {
        "x": lambda params, x, state_0: _inputs(x),
        "a parameter": lambda params, x, state_0: list(params.values())[:1],
        "an initial state": lambda params, x, state_0: list((state_0 or {}).values())[:1],
    }
    for label, chosen in kinds.items():

        class Writes(_Wrapped):
            written = staticmethod(chosen)

            def forward(
                self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
            ) -> tuple[Array, Arrays, Any]:
                found = super().forward(params, x, state_0, lengths=lengths)
                for array in self.written(params, x, state_0):
                    _write(array)
                return found

        yield _variant(model, label, Writes)


def argument_written_backward(model: Model) -> Iterator[Variant]:
    """Backward writes to its arguments."""
    kinds: dict[str, Callable[[Arrays, Any, Any], list[Any]]] = {
        "dy": lambda params, dy, ends: [dy],
        "a parameter": lambda params, dy, ends: list(params.values())[:1],
        "a cotangent of a final state": lambda params, dy, ends: list((ends or {}).values())[:1],
    }
    for label, chosen in kinds.items():

        class Writes(_Wrapped):
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

        yield _variant(model, label, Writes)


class _TapeUsed(_Wrapped):
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
    yield _variant(model, "cached values overwritten", _TapeUsed)


class _Accumulates(_Wrapped):
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
    yield _variant(model, "parameters", _Accumulates)


class _OneTape(_Wrapped):
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
    yield _variant(model, "the last run's", _OneTape)


class _Keeps(_Wrapped):
    state: dict[str, Array] | None = None

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        kept = self.state
        if state_0 is None and kept is not None and _rows(kept) == _inputs(x)[0].shape[1]:
            state_0 = {n: a.astype(_inputs(x)[0].dtype) for n, a in kept.items()}
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


class _KeepsAll(_Wrapped):
    calls = 0

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        self.calls += 1
        return (y + y.dtype.type(self.calls - 1)).astype(y.dtype), state_T, tape


def state_kept(model: Model) -> Iterator[Variant]:
    """Something is kept from call to call."""
    yield _variant(model, "final states start the next call that is given none", _Keeps)
    yield _variant(model, "outputs drift", _KeepsAll)


class _Wide(_Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        return y.astype(np.float64), state_T, tape


class _WideGradients(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = super().backward(params, tape, dy, dstate_T)
        return {n: a.astype(np.float64) for n, a in found.items()}


def left_in_float64(model: Model) -> Iterator[Variant]:
    """Results in float64 for inputs in float32."""
    yield _variant(model, "outputs", _Wide)
    yield _variant(model, "gradients", _WideGradients)


def _flat(array: Any) -> Any:
    if not isinstance(array, np.ndarray) or array.flags.c_contiguous:
        return array
    return array.ravel(order="K").reshape(array.shape)


class _FlatInputs(_Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        flat = {n: _flat(a) for n, a in x.items()} if isinstance(x, dict) else _flat(x)
        return super().forward(params, flat, state_0, lengths=lengths)


class _FlatUpstream(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        return super().backward(params, tape, _flat(dy), dstate_T)


def strides_ignored(model: Model) -> Iterator[Variant]:
    """Arrays read as they lie in memory."""
    yield _variant(model, "of x", _FlatInputs)
    yield _variant(model, "of dy", _FlatUpstream)


class _NoSteps(_Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        if not len(_inputs(x)[0]):
            raise ValueError("need at least one array to stack")
        return super().forward(params, x, state_0, lengths=lengths)


class _NoRows(_Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        if not _inputs(x)[0].shape[1]:
            raise ValueError("zero-size array")
        return super().forward(params, x, state_0, lengths=lengths)


def empty_refused(model: Model) -> Iterator[Variant]:
    """No steps, or no rows, refused."""
    yield _variant(model, "T = 0", _NoSteps)
    yield _variant(model, "B = 0", _NoRows)


class _NeedsUpstream(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        if dy is None:
            raise TypeError("'NoneType' object is not subscriptable")
        return super().backward(params, tape, dy, dstate_T)


class _NeedsFinals(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        if dstate_T is None:
            raise TypeError("'NoneType' object is not subscriptable")
        return super().backward(params, tape, dy, dstate_T)


class _OnesForNone(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        y = tape[1].outputs
        ends = {
            n[:-2]: np.ones_like(tape[0].dtype.type(0) + _own(v)) for n, v in y.items() if n != "y"
        }
        shaped = {
            s.name: ends[s.name].reshape(ends[s.name].shape[: 1 + len(s.shape)])
            for s in tape[0].cell.states
        }
        return super().backward(params, tape, dy, shaped if dstate_T is None else dstate_T)


def _own(values: list[Any]) -> Array:
    found: Array = np.asarray(values[0])
    return found


def none_refused(model: Model) -> Iterator[Variant]:
    """A missing cotangent refused, or taken for ones."""
    yield _variant(model, "dy = None", _NeedsUpstream)
    yield _variant(model, "dstate_T = None", _NeedsFinals)
    yield _variant(model, "dstate_T = None means ones", _OnesForNone)


class _TimesZero(_Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        with np.errstate(all="ignore"):
            lost = 0 * _inputs(x)[0].reshape(*y.shape[:2], -1).sum(axis=-1)
        return y + lost.reshape(*y.shape[:2], *(1,) * (y.ndim - 2)), state_T, tape


class _TimesZeroBackward(_Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = dict(super().backward(params, tape, dy, dstate_T))
        for name, array in tape[0].inputs.items():
            found[name] = found[name] + 0 * array
        return found


def nan_padding(model: Model) -> Iterator[Variant]:
    """What lies beyond a row's end multiplied by zero instead of left out."""
    yield _variant(model, "in outputs", _TimesZero)
    yield _variant(model, "in gradients", _TimesZeroBackward)
