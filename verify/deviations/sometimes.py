"""Wrong only for some batches, lengths, dtypes or sizes; and honest lower precision."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verify.deviations import equations, slopes
from verify.deviations.deviation import Variant
from verify.deviations.machine import kernel_of
from verify.deviations.model import Model
from verify.kernels import Array, Arrays, Example, Kernel
from verify.rounding import Precision

__all__ = ["lower_precision", "sometimes_backward", "sometimes_forward"]

When = Callable[[Example], bool]

WHEN: tuple[tuple[str, When], ...] = (
    ("for B = 3", lambda e: e.batch == 3),
    ("for B >= 2", lambda e: e.batch >= 2),
    ("for T = 1", lambda e: e.steps == 1),
    ("for T >= 4", lambda e: e.steps >= 4),
    ("in float32", lambda e: e.dtype == np.float32),
    ("where lengths are unequal", lambda e: e.lengths is not None),
    ("without initial states", lambda e: e.state_0 is None),
)

_wide = np.finfo(np.float32)
PRECISIONS: Mapping[str, Precision] = {
    "float32": Precision.of(np.float32),
    "bfloat16": Precision(2.0**-9, float(_wide.tiny), float(_wide.max)),
}


class _Sometimes:
    """One kernel where a condition holds, else another."""

    def __init__(self, model: Model, wrong: Kernel, right: Kernel, when: When) -> None:
        self.model, self.wrong, self.right, self.when = model, wrong, right, when

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        cell = self.model.cell
        inputs = x if isinstance(x, Mapping) else {cell.inputs[0].name: x}
        chosen = self.when(Example(cell, params, inputs, state_0, lengths))
        kernel = self.wrong if chosen else self.right
        y, state_T, tape = kernel.forward(params, x, state_0, lengths=lengths)
        return y, state_T, (kernel, tape)

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        kernel, inner = tape
        found: Arrays = kernel.backward(params, inner, dy, dstate_T)
        return found


def _sometimes(model: Model, wrong: Callable[[Model], Iterator[Variant]]) -> Iterator[Variant]:
    first = next(wrong(model), None)
    if first is None:
        return
    for label, when in WHEN:

        def wrap(kernel: Kernel, when: When = when) -> Kernel:
            return _Sometimes(model, kernel, kernel_of(model), when)

        new = replace(first.model, wrap=(*first.model.wrap, wrap))
        yield Variant(f"{first.label}, {label}", new)


def sometimes_forward(model: Model) -> Iterator[Variant]:
    """An activation missing where a condition holds."""
    yield from _sometimes(model, equations.activation_missing)


def sometimes_backward(model: Model) -> Iterator[Variant]:
    """A slope left out where a condition holds."""
    yield from _sometimes(model, slopes.omitted)


class _Narrow:
    """Everything rounded to float32, or further, on the way in; computed there; and given back."""

    def __init__(self, kernel: Kernel, bits: int) -> None:
        self.kernel, self.bits = kernel, bits

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        dtype = next(iter(params.values())).dtype
        inputs = self._each(x) if isinstance(x, Mapping) else self._cut(x)
        y, state_T, tape = self.kernel.forward(
            self._each(params),
            inputs,
            None if state_0 is None else self._each(state_0),
            lengths=lengths,
        )
        wide = {n: a.astype(dtype) for n, a in state_T.items()}
        return y.astype(dtype), wide, (tape, dtype)

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        inner, dtype = tape
        found = self.kernel.backward(
            self._each(params),
            inner,
            None if dy is None else self._cut(dy),
            None if dstate_T is None else self._each(dstate_T),
        )
        return {n: a.astype(dtype) for n, a in found.items()}

    def _each(self, arrays: Arrays) -> dict[str, Array]:
        return {n: self._cut(a) for n, a in arrays.items()}

    def _cut(self, array: Array) -> Array:
        """float32, with only so many bits of the fraction kept."""
        narrow = np.array(array, np.float32)
        return (
            narrow.view(np.uint32) & np.uint32(0xFFFFFFFF << (23 - self.bits) & 0xFFFFFFFF)
        ).view(np.float32)


def lower_precision(model: Model) -> Iterator[Variant]:
    """Computed in a coarser format."""
    for (label, precision), bits in zip(PRECISIONS.items(), (23, 8), strict=True):

        def wrap(kernel: Kernel, bits: int = bits) -> Kernel:
            return _Narrow(kernel, bits)

        yield Variant(label, replace(model, precision=precision, wrap=(*model.wrap, wrap)))
