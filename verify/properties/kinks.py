"""How far a difference may step before it meets a kink or a jump of the equations."""

import numpy as np
import numpy.typing as npt

from derive.expressions import Apply
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES, Primitive
from verify.complex_step import moved_runs, runs_of, variables
from verify.differences import STEPS, Reach
from verify.kernels import Array, Arrays, Example
from verify.recurrence import Forward, Plain, alive
from verify.references import forward_in
from verify.rounding import piece

__all__ = ["smooth_along", "smooth_reach"]

Kinked = list[tuple[Primitive, str]]

# To both sides, the largest steps first.
_MOVES = tuple(sign * step for step in STEPS for sign in (1, -1))


def smooth_along(example: Example, derived: Gradients, along: Arrays) -> float | None:
    """As `smooth_reach`, for a displacement of many entries; None: any step."""
    kinked = _kinked(derived)
    if not kinked:
        return None
    field, every = Plain(np.longdouble), variables(example)
    moved = {n: np.nan_to_num(every[n]) + np.multiply.outer(_MOVES, d) for n, d in along.items()}
    here, there = (
        forward_in(example, derived, field),
        runs_of(example, moved, derived.forward, field),
    )
    return _widest(_changed(example, kinked, here, there, len(_MOVES)))


def _kinked(derived: Gradients) -> Kinked:
    """Applications of primitives that have a kink or a jump, and the names of their arguments."""
    applied = [a.value for a in derived.forward if isinstance(a.value, Apply)]
    rows = [(PRIMITIVES[value.name], value.argument.name) for value in applied]
    return [(row, name) for row, name in rows if row.kinks or row.branch is not None]


def smooth_reach(example: Example, derived: Gradients) -> Reach | None:
    """For an entry, the largest step up to which no argument changes its piece; None: any step.

    A step of 0 means that the smallest one already meets a kink.

    Args:
        derived: of the example's cell.
    """
    kinked = _kinked(derived)
    if not kinked:
        return None
    field = Plain(np.longdouble)
    here = forward_in(example, derived, field)

    def reach(name: str, flat: int) -> float:
        moves = [(name, flat, move) for move in _MOVES]
        there = moved_runs(example, moves, derived.forward, field)
        return _widest(_changed(example, kinked, here, there, len(moves)))

    return reach


def _widest(changed: npt.NDArray[np.bool_]) -> float:
    """The largest step up to which no move changes anything."""
    largest = 0.0
    for step, sides in zip(STEPS[::-1], changed.reshape(-1, 2)[::-1], strict=True):
        if sides.any():
            break
        largest = step
    return largest


def _changed(
    example: Example, kinked: Kinked, here: Forward, there: Forward, moves: int
) -> npt.NDArray[np.bool_]:
    """For which moves some argument lies on another piece than it does without."""
    changed = np.zeros(moves, bool)
    lives = alive(example.steps, example.batch, example.lengths)
    for mask, before, after in zip(lives, here.known, there.known, strict=True):
        for row, name in kinked:
            if after[name].ndim == 4:  # else no move reaches it
                apart = _piece(row, after[name]) != _piece(row, before[name])
                changed |= (mask & apart).any(axis=(-3, -2, -1))
    return changed


def _piece(row: Primitive, z: Array) -> Array:
    """A number for the piece between kinks, jumps and poles; a kink is a piece of its own."""
    with np.errstate(all="ignore"):
        return sum((np.sign(z - kink) for kink in row.kinks), 200.0 * piece(row.name, z))
