"""Whether what forward is wrong by is a function that is computed roughly, and nothing else.

Over one step, a primitive that is off by d(z) moves each result by d(z) times its sensitivity to
that value, wherever the cell applies it. So the errors of many rows are a linear image of one
unknown curve for each primitive. A wrong formula, however small, is no such image.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from derive.evaluate import evaluate, lagged
from derive.expressions import Apply
from derive.gradients import Gradients
from verify.adapters.restricting import within
from verify.complex_step import STEP, variables
from verify.kernels import Array, Example, Kernel, as_array, as_value, sizes_of
from verify.properties.calling import BrokenError
from verify.properties.trial import Trial
from verify.recurrence import Plain
from verify.strategies import make_example

__all__ = ["explained"]

# Rows that the curves are fitted to, and knots of each curve.
ROWS, KNOTS = 128, 16

# What a fit leaves of errors that it explains.
LEFT = 0.25


@dataclass(frozen=True)
class _Place:
    """One application of a primitive to one entry: its arguments, and what moves with it."""

    name: str
    arguments: Array
    moves: dict[str, Array]


def explained(kernel: Kernel, derived: Gradients, off: float) -> bool:
    """Whether curves no further than `off` from the primitives explain the errors of forward."""
    made = _example(derived)
    trial = Trial(kernel, made, derived)
    example = within(trial.limits, made)
    trial = Trial(kernel, example, derived)
    try:
        got, right = trial.forward(example).values, trial.reference().values
    except BrokenError:
        return False
    errors = {n: np.asarray(a - right[n], np.float64) for n, a in got.items() if n != "y"}
    places = list(_places(example, derived))
    if not errors or not places or example.steps != 1:
        return False
    given = np.concatenate([e.ravel() for e in errors.values()])
    names = sorted({p.name for p in places})
    knots = {n: _knots([p for p in places if p.name == n]) for n in names}
    matrix = np.zeros((given.size, KNOTS * len(names)))
    for place in places:
        first = KNOTS * names.index(place.name)
        moves = np.stack([place.moves[n] for n in errors])  # results, rows, entries
        hats = _hats(place.arguments, knots[place.name])  # rows, knots
        shares = moves[..., None] * hats[None, :, None, :]
        matrix[:, first : first + KNOTS] += shares.reshape(-1, KNOTS)
    if matrix.shape[0] < 4 * matrix.shape[1]:
        return False  # too few rows to tell anything
    if not (np.isfinite(given).all() and np.isfinite(matrix).all()):
        return False
    curve, *_ = np.linalg.lstsq(matrix, given, rcond=1e-6)
    left = given - matrix @ curve
    fits = float(np.linalg.norm(left)) <= LEFT * float(np.linalg.norm(given))
    return fits and float(np.abs(curve).max()) <= 2 * off


def _example(derived: Gradients) -> Example:
    cell = derived.cell
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in range(2, 100) if size not in fixed)
    sizes = dict(zip(cell.dimensions, free, strict=False))
    return make_example(cell, steps=1, batch=ROWS, sizes=sizes, seed=17, regime="mixed")


def _knots(places: list[_Place]) -> Array:
    every = np.concatenate([p.arguments for p in places])
    return np.linspace(every.min(), every.max(), KNOTS)


def _hats(arguments: Array, knots: Array) -> Array:
    """Piecewise linear functions, one at each knot, at the arguments."""
    width = max(float(knots[1] - knots[0]), np.finfo(np.float64).tiny)
    return np.maximum(0.0, 1.0 - np.abs(arguments[:, None] - knots[None]) / width)


def _places(example: Example, derived: Gradients) -> list[_Place]:
    """Every entry of every application."""
    found, (known, _) = [], _step(example, derived)
    for a in derived.forward:
        if not isinstance(a.value, Apply):
            continue
        z = np.broadcast_to(known[a.value.argument.name].real, known[a.name].shape)
        for place in np.ndindex(z.shape[1:]):
            _, moves = _step(example, derived, a.name, place)
            found.append(_Place(a.value.name, np.asarray(z[:, *place], np.float64), moves))
    return found


def _step(
    example: Example, derived: Gradients, moved: str = "", place: tuple[int, ...] = ()
) -> tuple[Mapping[str, Array], dict[str, Array]]:
    """(every name of the step, what each final state moves by when one entry of a name does)."""
    cell, sizes, field = example.cell, sizes_of(example), Plain(np.clongdouble)
    known = {p.name: field.given(as_value(example.params[p.name], p)) for p in cell.parameters}
    known |= {v.name: field.given(as_value(example.inputs[v.name][0], v)) for v in cell.inputs}
    every = variables(example)
    states = {s.name: field.given(as_value(every[f"{s.name}_0"], s)) for s in cell.states}
    known |= lagged(states)
    for a in derived.forward:
        value = evaluate(a.value, known, sizes, field)
        if a.name == moved:
            moved_by = np.zeros(np.shape(value)[1:], np.clongdouble)
            moved_by[place] = 1j * STEP
            value = np.asarray(value) + moved_by
        known[a.name] = value
    moves = {
        f"{s.name}_T": as_array(np.asarray(known[s.name].imag / STEP, np.float64), s).reshape(
            example.batch, -1
        )
        for s in cell.states
    }
    return known, moves
