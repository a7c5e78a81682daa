"""How near an example is to where a slope is declared: differences do not tell slopes there."""

import numpy as np

from derive.expressions import Apply
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES, Primitive
from verify.kernels import Array, Example
from verify.recurrence import Plain, alive
from verify.references import forward_in
from verify.rounding import apart

__all__ = ["NEAR", "near_kink"]

# The smallest step of a difference is 2**-11; arguments may move by some times as much.
NEAR = 2.0**-6


def near_kink(example: Example, derived: Gradients) -> str | None:
    """A primitive with an argument within NEAR of a kink or of its domain's end; None if none has.

    Args:
        derived: of the example's cell.
    """
    lives = alive(example.steps, example.batch, example.lengths)
    with np.errstate(all="ignore"):
        run = forward_in(example, derived, Plain(np.longdouble))
        for value in (a.value for a in derived.forward):
            if isinstance(value, Apply):
                row, name = PRIMITIVES[value.name], value.argument.name
                steps = zip(lives, run.known, strict=True)
                if any((mask & _near(row, known[name])).any() for mask, known in steps):
                    return row.name
    return None


def _near(row: Primitive, z: Array) -> Array:
    near = apart(row, z - NEAR, z + NEAR)
    for kink in row.kinks:
        near = near | (np.abs(z - kink) < NEAR)
    return near
