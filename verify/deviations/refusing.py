"""How calls misbehave on what the contract allows: dtypes, strides, None, padding."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verify.deviations.conduct import Wrapped, inputs_of, wrapped
from verify.deviations.deviation import Variant
from verify.deviations.model import Model
from verify.kernels import Array, Arrays

__all__ = ["axis_squeezed", "left_in_float64", "nan_padding", "none_refused", "strides_ignored"]


class _Wide(Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        return y.astype(np.float64), state_T, tape


class _WideGradients(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = super().backward(params, tape, dy, dstate_T)
        return {n: a.astype(np.float64) for n, a in found.items()}


def left_in_float64(model: Model) -> Iterator[Variant]:
    """Results in float64 for inputs in float32."""
    yield wrapped(model, "outputs", _Wide)
    yield wrapped(model, "gradients", _WideGradients)


class _Squeezed(Wrapped):
    states, outputs = True, True

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, ends, tape = super().forward(params, x, state_0, lengths=lengths)
        if y.shape[1] == 1:
            ends = {n: a[0] if self.states else a for n, a in ends.items()}
            y = y[:, 0] if self.outputs else y
        return y, ends, tape


class _SqueezedStates(_Squeezed):
    outputs = False


class _SqueezedOutputs(_Squeezed):
    states = False


def axis_squeezed(model: Model) -> Iterator[Variant]:
    """A batch of one row without its axis."""
    yield wrapped(model, "in final states", _SqueezedStates)
    yield wrapped(model, "in y", _SqueezedOutputs)
    yield wrapped(model, "in y and final states", _Squeezed)


def _flat(array: Any) -> Any:
    if not isinstance(array, np.ndarray) or array.flags.c_contiguous:
        return array
    return array.ravel(order="K").reshape(array.shape)


class _FlatInputs(Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        flat = {n: _flat(a) for n, a in x.items()} if isinstance(x, dict) else _flat(x)
        return super().forward(params, flat, state_0, lengths=lengths)


class _FlatUpstream(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        return super().backward(params, tape, _flat(dy), dstate_T)


def strides_ignored(model: Model) -> Iterator[Variant]:
    """Arrays read as they lie in memory."""
    yield wrapped(model, "of x", _FlatInputs)
    yield wrapped(model, "of dy", _FlatUpstream)


class _NeedsUpstream(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        if dy is None:
            raise TypeError("'NoneType' object is not subscriptable")
        return super().backward(params, tape, dy, dstate_T)


class _NeedsFinals(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        if dstate_T is None:
            raise TypeError("'NoneType' object is not subscriptable")
        return super().backward(params, tape, dy, dstate_T)


class _OnesForNone(Wrapped):
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
    yield wrapped(model, "dy = None", _NeedsUpstream)
    yield wrapped(model, "dstate_T = None", _NeedsFinals)
    yield wrapped(model, "dstate_T = None means ones", _OnesForNone)


class _TimesZero(Wrapped):
    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        y, state_T, tape = super().forward(params, x, state_0, lengths=lengths)
        with np.errstate(all="ignore"):
            lost = 0 * inputs_of(x)[0].reshape(*y.shape[:2], -1).sum(axis=-1)
        return y + lost.reshape(*y.shape[:2], *(1,) * (y.ndim - 2)), state_T, tape


class _TimesZeroBackward(Wrapped):
    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        found = dict(super().backward(params, tape, dy, dstate_T))
        for name, array in tape[0].inputs.items():
            found[name] = found[name] + 0 * array
        return found


def nan_padding(model: Model) -> Iterator[Variant]:
    """What lies beyond a row's end multiplied by zero instead of left out."""
    yield wrapped(model, "in outputs", _TimesZero)
    yield wrapped(model, "in gradients", _TimesZeroBackward)
