"""Gradients by complex step on the cell's own equations: an oracle that derives nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.errors import UsageError
from derive.single_assignment import Assignment
from verify.kernels import Array, Arrays, Example, as_value, shape_of, sizes_of
from verify.recurrence import Forward, Plain, alive, forward

__all__ = ["Move", "complex_step", "complex_step_gradients", "moved_runs", "runs_of", "variables"]

# Far below the square root of any rounding error, far above underflow.
STEP = 2.0**-100
CHUNK = 256

# An entry of an array, by gradient name and flat place, and what is added to it.
Move = tuple[str, int, complex]


def variables(example: Example, names: Sequence[str] | None = None) -> dict[str, Array]:
    """What a loss can be differentiated by, under the names of the contract's grads.

    Args:
        names: which of them; None means all, in the cell's order. A state that is not given is
            zeros.

    Raises:
        UsageError: a name that has no gradient.
    """
    cell, sizes = example.cell, sizes_of(example)
    found = {p.name: example.params[p.name] for p in cell.parameters}
    found |= {v.name: example.inputs[v.name] for v in cell.inputs}
    for state in cell.states:
        zeros = np.zeros((example.batch, *shape_of(state, sizes)), example.dtype)
        found[f"{state.name}_0"] = (example.state_0 or {}).get(state.name, zeros)
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise UsageError(f"no gradient '{unknown[0]}'; there are {', '.join(found)}")
    return found if names is None else {name: found[name] for name in names}


def complex_step_gradients(
    example: Example, dtype: npt.DTypeLike = np.clongdouble
) -> dict[str, Array]:
    """All gradients of the example by complex step: keys and shapes as the contract's grads."""
    return complex_step(example, None, dtype)


def complex_step(
    example: Example,
    names: Sequence[str] | None = None,
    dtype: npt.DTypeLike = np.clongdouble,
) -> dict[str, Array]:
    """Gradients of <dy, y> + <dstate_T, state_T>: Im L(v + i s) / s, exact but for rounding.

    The cell's equations are evaluated as they are written, neither in single assignment nor with
    any derived formula. Perturbed copies are leading batch entries of one evaluation.

    Args:
        names: gradient names (states with `_0`); None means all.
        dtype: a complex dtype; clongdouble has more digits than most of what is judged by it.

    Returns:
        Real arrays by name, shaped as the contract's grads.

    Raises:
        UsageError: a name that has no gradient.

    Source: Squire & Trapp (1998), SIAM Rev. 40:110-112, doi:10.1137/S003614459631241X.
    """
    field, arrays = Plain(dtype), variables(example, names)
    equations = [Assignment(e.name, e.value, e.name) for e in example.cell.equations]
    real = np.empty(0, dtype).real.dtype
    found = {name: np.zeros(array.shape, real) for name, array in arrays.items()}
    places = [(name, flat) for name, array in arrays.items() for flat in range(array.size)]
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        moves = [(name, flat, 1j * STEP) for name, flat in chunk]
        run = moved_runs(example, moves, equations, field)
        slopes = _imaginary_loss(example, run, len(chunk)) / STEP
        for (name, flat), slope in zip(chunk, slopes, strict=True):
            found[name].flat[flat] = slope
    return found


def _moved(arrays: Arrays, moves: Sequence[Move], dtype: np.dtype[Any]) -> dict[str, Array]:
    """A copy of each array for each move, its entry moved."""
    copies = {
        name: np.repeat(arrays[name].astype(dtype)[None], len(moves), axis=0)
        for name in dict.fromkeys(name for name, _, _ in moves)
    }
    for place, (name, flat, step) in enumerate(moves):
        copies[name][place].flat[flat] += step
    return copies


def moved_runs(
    example: Example, moves: Sequence[Move], assignments: Sequence[Assignment], field: Plain
) -> Forward:
    """Forward once for each move, all at once; as `runs_of`."""
    return runs_of(example, _moved(variables(example), moves, field.dtype), assignments, field)


def runs_of(
    example: Example, moved: Arrays, assignments: Sequence[Assignment], field: Plain
) -> Forward:
    """Forward for several copies of some arrays, all at once.

    Args:
        moved: by gradient name, with a leading axis over the copies.
        assignments: one step, as the cell has it or in single assignment.

    Returns:
        Values with a leading axis over the copies, which what they do not reach does not have.
    """
    cell, every = example.cell, variables(example)
    params = {}
    for p in cell.parameters:
        array = as_value(field.given(moved.get(p.name, every[p.name])), p)
        params[p.name] = array[:, None] if p.name in moved else array  # an axis for the batch
    inputs = {}
    for v in cell.inputs:
        array = as_value(field.given(moved.get(v.name, every[v.name])), v)
        inputs[v.name] = list(np.moveaxis(array, -4, 0))
    state_0 = {}
    for s in cell.states:
        name = f"{s.name}_0"
        state_0[s.name] = as_value(field.given(moved.get(name, every[name])), s)
    mask = alive(example.steps, example.batch, example.lengths)
    return forward(cell, assignments, params, inputs, state_0, mask, sizes_of(example), field)


def _imaginary_loss(example: Example, run: Forward, copies: int) -> Array:
    """Im L for each copy."""
    cell, given = example.cell, example.dstate_T or {}
    pairs = [
        (as_value(given[s.name], s), run.state_T[s.name]) for s in cell.states if s.name in given
    ]
    if example.dy is not None:
        mask = alive(example.steps, example.batch, example.lengths)
        upstream = np.where(mask, as_value(example.dy, cell.output), 0)
        pairs += list(zip(upstream, run.outputs, strict=True))
    zero = np.zeros(copies, np.longdouble)
    return sum((np.sum(bar * value.imag, axis=(-3, -2, -1)) for bar, value in pairs), zero)
