"""How far a difference may step before it meets a kink or a jump of the equations."""

import numpy as np
import numpy.typing as npt

from derive.expressions import Apply
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES, Primitive
from verify.complex_step import moved_runs
from verify.differences import STEPS, Reach
from verify.kernels import Array, Example
from verify.recurrence import Forward, Plain, alive
from verify.references import forward_in
from verify.rounding import piece

__all__ = ["smooth_reach"]

Kinked = list[tuple[Primitive, str]]


def smooth_reach(example: Example, derived: Gradients) -> Reach | None:
    """For an entry, the largest step up to which no argument changes its piece; None: any step.

    A step of 0 means that the smallest one already meets a kink.

    Args:
        derived: of the example's cell.
    """
    applied = [a.value for a in derived.forward if isinstance(a.value, Apply)]
    rows = [(PRIMITIVES[value.name], value.argument.name) for value in applied]
    kinked = [(row, name) for row, name in rows if row.kinks or row.branch is not None]
    if not kinked:
        return None
    field = Plain(np.longdouble)
    here = forward_in(example, derived, field)

    def reach(name: str, flat: int) -> float:
        moves = [(name, flat, sign * step) for step in STEPS for sign in (1, -1)]
        there = moved_runs(example, moves, derived.forward, field)
        meets = _changed(example, kinked, here, there, len(moves))
        largest = 0.0
        for step, right, left in zip(STEPS[::-1], meets[-2::-2], meets[::-2], strict=True):
            if right or left:
                break
            largest = step
        return largest

    return reach


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
                changed |= (mask & apart).any(axis=(1, 2, 3))
    return changed


def _piece(row: Primitive, z: Array) -> Array:
    """A number for the piece between kinks, jumps and poles; a kink is a piece of its own."""
    with np.errstate(all="ignore"):
        return sum((np.sign(z - kink) for kink in row.kinks), 200.0 * piece(row.name, z))
