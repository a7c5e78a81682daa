"""A gradient against its own forward along a line: the Taylor remainder, and the complex step.

With d the displacement, R(e) = L(p + e d) - L(p - e d) - 2 e <g, d> holds odd powers of e from the
third on if g is the gradient of L, and falls with slope 3; what is wrong with g stays in it with
slope 1. Romberg's table takes the third and later powers out, so that a small share of one entry
is seen far above the rounding of L. One line goes through all entries of all arrays.
Source: Taylor tests as of dolfin-adjoint (Farrell, Ham, Funke & Rognes 2013, SIAM J. Sci. Comput.
35:C369-C393); Squire & Trapp (1998), SIAM Rev. 40:110-112, for the complex step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verify.complex_step import STEP, variables
from verify.differences import STEPS, Box, ForwardPass, Quotient, extrapolated, pairs_of
from verify.kernels import Array, Arrays, Example

__all__ = ["Remainder", "complex_slope", "direction", "remainder", "restricted"]

Named = dict[str, Array]

# The bend of a loss across a line may be so many times that along it.
UNEVEN = 4


@dataclass(frozen=True)
class Remainder:
    """What is left of the change of the loss along a line after a gradient's share is taken away.

    Attributes:
        value: the slope of the loss less that of the gradient.
        error: how far the value may be off, by rounding of the loss and by what was cut off.
        order: the power of the step with which the remainder falls in the end; None if it is lost
            in rounding.
    """

    value: float
    error: float
    order: float | None


def direction(arrays: Arrays, seed: int) -> Named:
    """A displacement of every entry: random signs, no two sizes alike, so that errors add up."""
    rng, found = np.random.default_rng(seed), {}
    for name, array in arrays.items():
        sizes = rng.uniform(0.5, 1.0, array.shape)
        found[name] = sizes * rng.choice([-1.0, 1.0], array.shape)
    return found


def restricted(along: Arrays, name: str, places: Array | None = None) -> Named:
    """The displacement of one array alone, or of some of its entries, by flat place."""
    if places is None:
        return {name: along[name]}
    kept = np.zeros(along[name].shape)
    kept.flat[places] = along[name].flat[places]
    return {name: kept}


def remainder(
    forward: ForwardPass,
    example: Example,
    grads: Arrays,
    along: Arrays,
    *,
    noise: float,
    widest: float = np.inf,
    steps: Sequence[float] = STEPS,
) -> Remainder:
    """The Taylor remainder of a gradient along a line, extrapolated to no step.

    Args:
        forward: the contract's forward.
        grads: the gradient that is judged; all names of `along` are in it.
        along: displacements by gradient name.
        noise: how far outputs and final states may take the loss by rounding; what adding them up
            takes it is added.
        widest: up to where the loss is known to be smooth; larger steps are left out.
        steps: halved from one to the next, the largest first.
    """
    box = Box(forward, example)
    line = _Line(box, grads, along, np.longdouble(noise + 2 * box.summing))  # and the gradient's
    taken: list[tuple[float, Quotient]] = []

    def quotients() -> Iterator[Quotient]:
        for step in steps:
            if step <= widest:
                taken.append((step, line.quotient(step)))
                yield taken[-1][1]

    value, error = extrapolated(quotients())
    return Remainder(float(value), float(error), _order(taken))


def _order(taken: list[tuple[float, Quotient]]) -> float | None:
    """Of the two smallest steps whose remainder stands clear of rounding."""
    clear = [(s, abs(q.slope)) for s, q in taken if abs(q.slope) > 8 * q.noise]
    if len(clear) < 2:
        return None
    (wide, before), (narrow, after) = clear[-2:]
    return 1 + float(np.log(before / after) / np.log(wide / narrow))


@dataclass(frozen=True)
class _Line:
    box: Box
    grads: Arrays
    along: Arrays
    noise: np.longdouble

    def quotient(self, step: float) -> Quotient:
        """The remainder over the step's width, where the two ends are as they were rounded."""
        every = {n: np.asarray(a) for n, a in variables(self.box.example).items()}
        losses, shares, ends = [], [], []
        for side in (step, -step):
            moved = {
                n: (np.nan_to_num(every[n]) + side * d).astype(every[n].dtype)
                for n, d in self.along.items()
            }
            gone = {n: a.astype(np.longdouble) - np.nan_to_num(every[n]) for n, a in moved.items()}
            shares.append(sum(np.sum(d * self.grads[n]) for n, d in gone.items()))
            losses.append(self.box.at(moved))
            ends.append(gone)
        right, left = (
            (at - self.box.centre - share) / side
            for at, share, side in zip(losses, shares, (step, -step), strict=True)
        )
        bend = abs(losses[0] - 2 * self.box.centre + losses[1]) / step**2
        noise = self.noise / step + UNEVEN * bend * _uneven(*ends) / step
        return Quotient((right + left) / 2, noise, right - left)


def _uneven(one: Arrays, other: Arrays) -> np.longdouble:
    """How much of a step its two ends differ by, as they were rounded."""
    apart = sum(np.sum((a + other[n]) ** 2) for n, a in one.items())
    whole = sum(np.sum(a**2) for a in one.values())
    return np.sqrt(apart / whole) if whole else np.longdouble(0)


def complex_slope(forward: ForwardPass, example: Example, along: Arrays) -> tuple[float, float]:
    """(slope of the loss along a line, what its terms add up to), by one run at complex numbers.

    Raises:
        TypeError: forward gives real numbers.
    """
    every = variables(example)
    lifted = {n: a.astype(np.complex128) for n, a in every.items()}
    for name, d in along.items():
        lifted[name] = np.nan_to_num(every[name]) + 1j * STEP * d
    names = [s.name for s in example.cell.states]
    moved = replace(
        example,
        params={n: lifted[n] for n in example.params},
        inputs={n: lifted[n] for n in example.inputs},
        state_0={n: lifted[f"{n}_0"] for n in names},
    )
    y, state_T, _ = forward(moved.params, moved.x, moved.state_0, lengths=example.lengths)
    slope, size = np.longdouble(0), np.longdouble(0)
    for bar, value in pairs_of(example, np.asarray(y), state_T):
        if value.dtype.kind != "c":
            raise TypeError("forward gives real numbers")
        parts = bar * value.imag / STEP
        slope += np.sum(parts)
        size += np.sum(np.abs(parts))
    return float(slope), float(size)
