"""What an implementation should compute, with a bound of the rounding error it may make.

Values are long doubles; a bound is rigorous for any sensible evaluation of the cell's formulas at
the precision asked for. Outside of it is wrong; inside is right; there is nothing to tune.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.kernels import (
    Array,
    Arrays,
    Example,
    Kernel,
    as_array,
    as_value,
    columns_of,
    sizes_of,
)
from verify.log_space import over_time
from verify.recurrence import Backward, Field, Forward, Plain, alive, backward, forward
from verify.rounding import Bounded, Bounds, Precision

__all__ = [
    "Bounded",
    "Precision",
    "Reference",
    "forward_in",
    "reference",
    "reference_kernel",
    "run_in",
]

# The bounds are themselves computed in long double; this covers their own rounding.
INFLATION = 1.001


@dataclass(frozen=True)
class Reference:
    """Values in long double and bounds of the absolute error, entry by entry.

    Attributes:
        y, y_bound: (T, B, n).
        state_T, state_T_bound: (B, n) or (B, p, q) by name.
        grads, grads_bound: by name: parameters, inputs, and initial states with `_0`.
    """

    y: Array
    state_T: Arrays
    grads: Arrays
    y_bound: Array
    state_T_bound: Arrays
    grads_bound: Arrays


def reference(
    example: Example, gradients: Gradients, dtype: npt.DTypeLike | Precision | None = None
) -> Reference:
    """Outputs, final states and gradients of <dy, y> + <dstate_T, state_T>, with bounds.

    Args:
        gradients: of the example's cell.
        dtype: precision of the implementation to be judged; None means that of the inputs. If it
            is coarser than theirs, the bound allows for rounding the inputs first.
    """
    dtype = example.dtype if dtype is None else dtype
    kind = dtype if isinstance(dtype, Precision) else Precision.of(dtype)
    with np.errstate(all="ignore"):
        field = Bounded(kind)
        if kind.logarithms or kind.telescoped:
            plain = forward_in(example, gradients, Plain(np.longdouble))
            field = over_time(example, gradients, plain, kind)
        run, back = _both(example, gradients, field)
        value: Callable[[Bounds], Array] = lambda a: a.value
        bound: Callable[[Bounds], Array] = lambda a: _bound(field.error(a))
        return Reference(
            *_results(example, run, value),
            _gradients(example, back, value),
            *_results(example, run, bound),
            _gradients(example, back, bound),
        )


def run_in(
    example: Example, gradients: Gradients, field: Plain
) -> tuple[Array, dict[str, Array], dict[str, Array]]:
    """(y, state_T, grads) of the same formulas in another arithmetic."""
    run, back = _both(example, gradients, field)
    read = _copied(example)
    return *_results(example, run, read), _gradients(example, back, read)


def forward_in(example: Example, gradients: Gradients, field: Field) -> Forward:
    """A forward run in some arithmetic, with every name of each step."""
    mask = alive(example.steps, example.batch, example.lengths)
    return _forward(example, gradients, mask, field)


def reference_kernel(cell: Cell) -> Kernel:
    """A slow right implementation of the contract, for testing tests: the cell, interpreted.

    It computes in the dtype of the inputs; the forward pass takes complex arrays as well.
    """
    return _Interpreted(cell)


class _Interpreted:
    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.derived = gradients(cell)

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        inputs = x if isinstance(x, Mapping) else {self.cell.inputs[0].name: x}
        example = Example(self.cell, params, inputs, state_0, lengths)
        mask = alive(example.steps, example.batch, lengths)
        run = _forward(example, self.derived, mask, Plain(example.dtype))
        y, state_T = _results(example, run, _copied(example))
        return y, state_T, (example, run)

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        example, run = tape
        example = replace(example, dy=dy, dstate_T=dstate_T)
        mask = alive(example.steps, example.batch, example.lengths)
        back = _backward(example, self.derived, run, mask, Plain(example.dtype))
        return _gradients(example, back, _copied(example))


def _copied(example: Example) -> Callable[[Array], Array]:
    return lambda a: np.array(a, example.dtype)


def _both(example: Example, derived: Gradients, field: Field) -> tuple[Forward, Backward]:
    mask = alive(example.steps, example.batch, example.lengths)
    run = _forward(example, derived, mask, field)
    return run, _backward(example, derived, run, mask, field)


def _forward(example: Example, derived: Gradients, mask: Array, field: Field) -> Forward:
    cell = example.cell
    params = {p.name: field.given(as_value(example.params[p.name], p)) for p in cell.parameters}
    inputs = {
        v.name: [field.given(as_value(x, v)) for x in example.inputs[v.name]] for v in cell.inputs
    }
    state_0 = _states(example, example.state_0, field)
    sizes = sizes_of(example)
    return forward(cell, derived.forward, params, inputs, state_0, mask, sizes, field)


def _backward(
    example: Example, derived: Gradients, run: Forward, mask: Array, field: Field
) -> Backward:
    sizes = sizes_of(example)
    if example.dy is None:
        dy = [field.zeros((1, 1, 1))] * example.steps
    else:
        dy = [field.given(as_value(step, derived.cell.output)) for step in example.dy]
    dstate_T = _states(example, example.dstate_T, field)
    return backward(derived, run, dy, dstate_T, mask, sizes, field)


def _states(example: Example, given: Arrays | None, field: Field) -> dict[str, Any]:
    """One value for each state, (B, rows, columns); what is not given is zero."""
    sizes, found = sizes_of(example), {}
    for state in example.cell.states:
        array = None if given is None else given.get(state.name)
        zeros = field.zeros((example.batch, *columns_of(state, sizes)))
        found[state.name] = zeros if array is None else field.given(as_value(array, state))
    return found


def _results(
    example: Example, run: Forward, read: Callable[[Any], Array]
) -> tuple[Array, dict[str, Array]]:
    """(y, state_T) as arrays of the contract's shapes."""
    cell, output = example.cell, example.cell.output
    shape = (example.batch, *columns_of(output, sizes_of(example)))
    y = as_array(_stacked([read(v) for v in run.outputs], shape), output)
    return y, {s.name: as_array(read(run.state_T[s.name]), s) for s in cell.states}


def _gradients(example: Example, back: Backward, read: Callable[[Any], Array]) -> dict[str, Array]:
    """All gradients as arrays of the contract's shapes and keys."""
    cell, found = example.cell, {}
    for p in cell.parameters:
        found[p.name] = as_array(read(back.parameters[p.name]), p)
    for v in cell.inputs:
        steps = [read(value) for value in back.inputs[v.name]]
        shape = (example.batch, *columns_of(v, sizes_of(example)))
        found[v.name] = as_array(_stacked(steps, shape), v)
    return found | {f"{s.name}_0": as_array(read(back.states[s.name]), s) for s in cell.states}


def _stacked(steps: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Steps as one array with the time in front; there may be none."""
    return np.stack(steps) if steps else np.zeros((0, *shape))


def _bound(error: Array) -> Array:
    """A bound that is no number says nothing: it is infinite."""
    return np.where(np.isnan(error), np.inf, error * INFLATION)
