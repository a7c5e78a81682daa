"""The contract that every implementation meets, and the example that it is run on.

    y, state_T, tape = forward(params, x, state_0=None, *, lengths=None)
    grads            = backward(params, tape, dy=None, dstate_T=None)

`x` is (T, B, m); for a cell with several inputs it is a dict of such arrays by name. `y` is
(T, B, n), the first state; states are dicts by name, (B, n) for a vector and (B, p, q) for a
matrix; a scalar is a vector of size one; `None` means zeros. `grads` has an entry for each
parameter, for each input, and for each initial state, under its name with `_0`.

Arrays have the axes of the contract; values, as `derive.evaluate` has them, always end in rows and
columns. `as_value` and `as_array` are the only way from one to the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from derive.cell import Cell, Variable
from derive.evaluate import whole

__all__ = [
    "Array",
    "Arrays",
    "Example",
    "Kernel",
    "as_array",
    "as_value",
    "columns_of",
    "shape_of",
    "sizes_of",
]

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


class Kernel(Protocol):
    """Forward and backward for a batch of sequences."""

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        """Outputs at every step, final states, and whatever `backward` needs."""

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        """Gradients of <dy, y> + <dstate_T, state_T>."""


@dataclass(frozen=True)
class Example:
    """Everything that one run of an implementation is given.

    Attributes:
        params: by name, shaped as the cell says.
        inputs: by name, (T, B, m) each.
        state_0: by name, (B, n) or (B, p, q) each; None means zeros.
        lengths: (B,) whole numbers from 0 to T; None means T for all.
        dy: cotangents of the outputs, (T, B, n); None means zeros.
        dstate_T: cotangents of the final states, by name; None means zeros.
        label: how it was made: regime, structure and seed, for a person.
    """

    cell: Cell
    params: Arrays
    inputs: Arrays
    state_0: Arrays | None = None
    lengths: Array | None = None
    dy: Array | None = None
    dstate_T: Arrays | None = None
    label: str = field(default="", compare=False)

    @property
    def x(self) -> Any:
        """The inputs as the contract passes them: one array, or a dict if there are several."""
        first = self.cell.inputs[0].name
        return self.inputs[first] if len(self.cell.inputs) == 1 else dict(self.inputs)

    @property
    def steps(self) -> int:
        """T."""
        return next(iter(self.inputs.values())).shape[0]

    @property
    def batch(self) -> int:
        """B."""
        return next(iter(self.inputs.values())).shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the inputs, which is that of every result."""
        return next(iter(self.inputs.values())).dtype


def as_value(array: Array, variable: Variable) -> Array:
    """An array of a variable, with any leading axes, as (..., rows, columns)."""
    return array[..., None] if len(variable.shape) == 1 else array


def as_array(value: Array, variable: Variable) -> Array:
    """The inverse of `as_value`: a vector loses its column axis."""
    return value[..., 0] if len(variable.shape) == 1 else value


def shape_of(variable: Variable, sizes: Mapping[Any, int]) -> tuple[int, ...]:
    """A variable's shape in numbers, as arrays of the contract have it."""
    return tuple(whole(size, sizes) for size in variable.shape)


def columns_of(variable: Variable, sizes: Mapping[Any, int]) -> tuple[int, int]:
    """A variable's shape in numbers, as values have it."""
    rows, *columns = shape_of(variable, sizes)
    return rows, columns[0] if columns else 1


def sizes_of(example: Example) -> dict[Any, int]:
    """What the cell's symbolic dimensions are in this example."""
    cell, found = example.cell, {}
    pairs = [(v.shape, example.inputs[v.name].shape[2:]) for v in cell.inputs]
    pairs += [(p.shape, example.params[p.name].shape) for p in cell.parameters]
    for state in cell.states:
        if example.state_0 is not None:
            pairs.append((state.shape, example.state_0[state.name].shape[1:]))
    if example.dy is not None:
        pairs.append((cell.output.shape, example.dy.shape[2:]))
    for symbolic, actual in pairs:
        for dim, size in zip(symbolic, actual, strict=True):
            if dim.is_Symbol:
                found[dim] = int(size)
    return found
