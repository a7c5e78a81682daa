"""Gradients of <dy, y> + <dstate_T, state_T> without deriving anything: by evaluation alone.

Complex step runs the cell's own equations at complex arguments; central differences ask any
forward pass, and say how far each of their entries may be off. Neither knows a slope that is
declared: where a cell stops a gradient, they are the derivative of its value, not its gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from derive.cell import Cell
from derive.expressions import Apply
from derive.primitives import PRIMITIVES
from verify.complex_step import complex_step, complex_step_gradients, variables
from verify.kernels import Array, Arrays, Example
from verify.recurrence import alive

__all__ = [
    "COARSE_STEPS",
    "STEPS",
    "Box",
    "Differences",
    "ForwardPass",
    "Quotient",
    "central_differences",
    "complex_step",
    "complex_step_gradients",
    "declared_slopes",
    "extrapolated",
    "loss",
    "pairs_of",
    "variables",
]

# The table decides which of them count, and stops where noise has taken over: small steps are for
# losses that change fast, such as a norm of something near zero.
STEPS = tuple(2.0**-k for k in range(2, 22))

# For float32, where small steps are lost in rounding.
COARSE_STEPS = tuple(2.0**-k for k in range(12))

# The largest step for an entry, by gradient name and flat place.
Reach = Callable[[str, int], float]

# Noise is what is left in the sixth difference of ten values this far apart, where anything
# smooth has vanished. Of equal independent errors that difference keeps the square root of
# binomial(12, 6) times one. Source: Moré & Wild (2011), SIAM J. Sci. Comput. 33:1292-1314.
NOISE_STEP, NOISE_POINTS, NOISE_ORDER, NOISE_LINES = 2.0**-14, 10, 6, 4
NOISE_GAIN = float(np.sqrt(924.0))
# Noise is not the same everywhere: the largest of the differences, and three times that.
NOISE_REACH = 3.0


def declared_slopes(cell: Cell) -> tuple[str, ...]:
    """The primitives in a cell whose slope is a convention, so that no difference can tell it."""
    used = {node.name for e in cell.equations for node in e.value.atoms(Apply)}
    return tuple(sorted(name for name in used if PRIMITIVES[name].declared))


class ForwardPass(Protocol):
    """The contract's forward, of anybody's making."""

    def __call__(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        """Outputs at every step, final states, and anything else."""


@dataclass(frozen=True)
class Differences:
    """Central differences with an estimate of the error of each entry.

    Attributes:
        value, error: by gradient name, shaped like the array; entries that were not evaluated are
            nan, with infinite error.
        entries: flat places that were evaluated, by name.
        noise: the rounding noise measured in the scalar loss.
    """

    value: dict[str, Array]
    error: dict[str, Array]
    entries: dict[str, Array]
    noise: float


def loss(example: Example, y: Array, state_T: Arrays) -> np.longdouble:
    """<dy, y> + <dstate_T, state_T> in long double; steps beyond a row's length do not count."""
    return np.longdouble(sum(np.sum(bar * value) for bar, value in pairs_of(example, y, state_T)))


def pairs_of(example: Example, y: Array, state_T: Arrays) -> Iterator[tuple[Array, Array]]:
    """(cotangent in long double, value) for each part of the loss."""
    if example.dy is not None:
        mask = alive(example.steps, example.batch, example.lengths)[..., 0]
        yield np.where(mask, example.dy, 0).astype(np.longdouble), np.where(mask, y, 0)
    for name, bar in (example.dstate_T or {}).items():
        yield bar.astype(np.longdouble), np.asarray(state_T[name])


def central_differences(
    forward: ForwardPass,
    example: Example,
    names: Sequence[str] | None = None,
    *,
    entries: int = 64,
    seed: int = 0,
    reach: Reach | None = None,
    steps: Sequence[float] = STEPS,
) -> Differences:
    """Gradients of a black box's own forward pass, entry by entry, with error estimates.

    Central differences at halved steps are extrapolated (Romberg's table). The error of a table
    entry is twice its distance from the two that it is made of, plus what the measured rounding
    noise can do to it, plus what the slopes to its two sides still differ by when they are
    extrapolated alike: at a kink closer than the steps, central differences agree with each other
    on the mean of two slopes. The entry with the smallest error is taken, if the rows of smaller
    steps do not contradict it; where quotients move apart to the end, the error is infinite. Two
    kinks closer than all steps, one to each side, can hide each other, and waves shorter than the
    steps can look slow: nothing that is seen from outside tells these from a slope.

    Args:
        forward: the contract's forward; called once for each perturbation, with fresh arrays.
        names: gradient names (states with `_0`); None means all.
        entries: at most so many of each array, chosen by `seed`; the result says which.
        reach: how far the loss is known to be smooth around an entry; larger steps are left out.
        steps: halved from one to the next, the largest first.

    Raises:
        UsageError: a name that has no gradient.

    Source: Ridders (1982), Adv. Eng. Software 4:75-76, doi:10.1016/S0141-1195(82)80057-0.
    """
    box, rng = Box(forward, example), np.random.default_rng(seed)
    noise, centre = box.noise(rng, names), box.at({})
    value, error, chosen = {}, {}, {}
    for name, array in variables(example, names).items():
        value[name] = np.full(array.shape, np.nan, np.longdouble)
        error[name] = np.full(array.shape, np.inf, np.longdouble)
        count = min(entries, array.size)
        chosen[name] = np.sort(rng.choice(array.size, count, replace=False))
        for flat in chosen[name]:
            widest = np.inf if reach is None else reach(name, int(flat))
            taken = [step for step in steps if step <= widest]
            quotients = box.quotients(name, array, int(flat), taken, centre, noise)
            value[name].flat[flat], error[name].flat[flat] = extrapolated(quotients)
    return Differences(value, error, chosen, float(noise))


@dataclass(frozen=True)
class Box:
    """The scalar loss of a forward pass, as a function of changed arrays."""

    forward: ForwardPass
    example: Example

    def run(self, changed: Arrays) -> tuple[Array, Arrays]:
        """(y, state_T) on fresh arrays, so that a forward that writes to them does no harm."""
        example = self.example
        every = {**variables(example), **changed}
        params = {name: np.array(every[name]) for name in example.params}
        inputs = {name: np.array(every[name]) for name in example.inputs}
        names = [s.name for s in example.cell.states]
        state_0 = None
        if example.state_0 is not None or any(f"{name}_0" in changed for name in names):
            state_0 = {name: np.array(every[f"{name}_0"]) for name in names}
        lengths = None if example.lengths is None else np.array(example.lengths)
        x = replace(example, inputs=inputs).x
        y, state_T, _ = self.forward(params, x, state_0, lengths=lengths)
        return y, state_T

    @property
    def centre(self) -> np.longdouble:
        """The loss where nothing is changed."""
        return self._here[0]

    @property
    def summing(self) -> float:
        """How far the loss may be off by being added up, in long double."""
        return self._here[1]

    @cached_property
    def _here(self) -> tuple[np.longdouble, float]:
        y, state_T = self.run({})
        parts = [np.abs(bar * value) for bar, value in pairs_of(self.example, y, state_T)]
        terms = sum(part.size for part in parts)
        lost = terms * np.finfo(np.longdouble).eps * sum(np.sum(part) for part in parts)
        return loss(self.example, y, state_T), float(lost)

    def at(self, changed: Arrays) -> np.longdouble:
        """The loss."""
        return loss(self.example, *self.run(changed))

    def quotients(
        self,
        name: str,
        array: Array,
        flat: int,
        steps: Sequence[float],
        centre: np.longdouble,
        noise: np.longdouble,
    ) -> Iterator["Quotient"]:
        """Central difference quotients at halved steps."""
        here = np.longdouble(array.flat[flat])
        if not np.isfinite(here):  # padding, as a rule; anything may stand there
            here = np.longdouble(0)
        for size in steps:
            losses, places = [], []
            for step in (size, -size):
                moved = np.array(array)
                moved.flat[flat] = here + step
                places.append(np.longdouble(moved.flat[flat]) - here)
                losses.append(self.at({name: moved}))
            width = places[0] - places[1]
            # The two steps are not quite equal where the dtype cannot hold them.
            uneven = abs(places[0] + places[1]) / 2
            bend = abs(losses[0] - 2 * centre + losses[1]) / (width / 2) ** 2
            right, left = ((at - centre) / s for at, s in zip(losses, places, strict=True))
            yield Quotient(
                slope=(losses[0] - losses[1]) / width,
                noise=2 * noise / width + uneven * bend,
                corner=right - left,
            )

    def noise(self, rng: np.random.Generator, names: Sequence[str] | None) -> np.longdouble:
        """Rounding noise of the loss around the example, along random lines through it.

        Parameters without a name among `names` stay: an implementation may not have them.
        """
        asked = self.example.params if names is None else names
        arrays = {n: a for n, a in variables(self.example).items() if n in self.example.params}
        arrays = {n: a for n, a in arrays.items() if n in asked}
        arrays |= dict(self.example.inputs)
        left = []
        for _ in range(NOISE_LINES):
            signs = {n: NOISE_STEP * rng.choice([-1.0, 1.0], a.shape) for n, a in arrays.items()}
            line = [
                self.at({n: (a + k * signs[n]).astype(a.dtype) for n, a in arrays.items()})
                for k in range(NOISE_POINTS)
            ]
            left.append(np.diff(np.array(line), NOISE_ORDER))
        spread = np.max(np.abs(left)) / NOISE_GAIN
        y, state_T = self.run({})
        held = sum(
            np.sum(abs(bar) * np.spacing(np.abs(value))) / 2
            for bar, value in pairs_of(self.example, y, state_T)
        )
        return np.longdouble(NOISE_REACH * spread + held)


@dataclass(frozen=True)
class Quotient:
    """A central difference quotient or an entry of Romberg's table made of such.

    Attributes:
        noise: what rounding noise can do to the slope.
        corner: slope to the right less slope to the left; where the loss is smooth, it is odd in
            the step, and goes to zero with it.
    """

    slope: np.longdouble
    noise: np.longdouble
    corner: np.longdouble

    def refined(self, wider: "Quotient", k: int) -> "Quotient":
        """Column k of the table: the next term of the series in the step is gone."""
        even, odd = np.longdouble(4) ** k, np.longdouble(2) ** (2 * k - 1)
        return Quotient(
            slope=(even * self.slope - wider.slope) / (even - 1),
            noise=(even * self.noise + wider.noise) / (even - 1),
            corner=(odd * self.corner - wider.corner) / (odd - 1),
        )


def extrapolated(quotients: Iterator[Quotient]) -> tuple[np.longdouble, np.longdouble]:
    """(value, error) of the best entry of Romberg's table; stops where noise has taken over."""
    value, error = np.longdouble(np.nan), np.longdouble(np.inf)
    rows: list[list[Quotient]] = []
    for quotient in quotients:
        if not np.isfinite(quotient.slope):
            rows = []
            continue
        row = [quotient]
        for k, wider in enumerate(rows[-1] if rows else (), 1):
            row.append(row[-1].refined(wider, k))
        if len(row) > 2:  # larger steps that agree by chance do not outlast smaller ones
            error = max(error, abs(row[2].slope - value) - row[2].noise)
        for k in range(2, len(row)):
            apart = max(abs(row[k].slope - near.slope) for near in (row[k - 1], rows[-1][k - 1]))
            # Twice, as quotients across a jump double when the step is halved.
            here = 2 * apart + row[k].noise + abs(row[k].corner)
            if here < error:
                value, error = row[k].slope, here
        rows.append(row)
        if len(row) > 2 and error < 2 * quotient.noise:
            break
    return value, error if _settles([row[0] for row in rows[-3:]]) else np.longdouble(np.inf)


def _settles(last: Sequence[Quotient]) -> bool:
    """Whether quotients at the smallest steps come closer to each other, or differ by noise."""
    if len(last) < 3:
        return False
    first, second = (abs(b.slope - a.slope) for a, b in pairwise(last))
    return bool(second <= max(first, last[2].noise + last[1].noise))
