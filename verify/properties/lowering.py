"""Whether an implementation is right in a lower precision than that of its inputs, and in which.

Nothing is excused for being small. A row of `verify.precisions` is found only where results lie
within its bounds on every example, come near to them, and are wrong in the way of rounding: at
points close to each other the errors jump as much as they are large, while a formula that is wrong
is wrong smoothly. What results of a fast function are wrong by must be the same function of its
argument wherever it is applied.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

import numpy as np

from derive.gradients import Gradients
from verify.differences import NOISE_GAIN, NOISE_ORDER, NOISE_POINTS
from verify.kernels import Array, Example, Kernel
from verify.precisions import LOWER, Lower, representable
from verify.properties.approximations import explained
from verify.properties.calling import BrokenError
from verify.properties.changing import mapped
from verify.properties.trial import Trial

__all__ = ["Lowered", "detect"]

# Errors of rounding differ from point to point by what they are, up to such a factor.
JUMPS = 16.0

# Errors come that near to the bounds of the precision that they are of.
NEAR = 1 / 256

# Points this far apart at least, and further than the precision tells apart.
STEP = 2.0**-14

# So many examples are looked at, and the errors of so many that are wrong.
EXAMPLES, SURE = 6, 3

Results = dict[str, Array]
Noise = dict[str, float]
Wrong = tuple["_Look", set[str]]


class Lowered:
    """An implementation that is judged in a lower precision, a row of `verify.precisions`."""

    def __init__(self, kernel: Kernel, precision: str) -> None:
        self.own = kernel
        self.computes_in = precision

    def __getattr__(self, name: str) -> object:
        return getattr(self.own, name)


@np.errstate(all="ignore")
def detect(
    kernel: Kernel, derived: Gradients, examples: Sequence[Example], *, backwards: bool
) -> str:
    """The row that an implementation is right in; '' if there is none.

    If no row is right of everything, one that is right of forward is: gradients may be wrong. If
    none is, what all values end in is certain, though they are wrong.

    Args:
        examples: what it was tried on; it is wrong on some at the precision of the inputs.
        backwards: whether it has gradients.
    """
    looked = list(_looked(kernel, derived, examples, backwards))
    forward: Callable[[str], bool] = lambda name: not name.startswith("d ")
    found = _found(looked, lambda name: True) or _found(looked, forward)
    return found or next((row.name for row in _ended(looked)), "")


def _looked(
    kernel: Kernel, derived: Gradients, examples: Sequence[Example], backwards: bool
) -> Iterator["_Look"]:
    for example in examples[:EXAMPLES]:
        trial = Trial(kernel, example, derived)
        try:
            yield _Look(trial, _results(trial, example, backwards), backwards)
        except BrokenError:
            continue


def _results(trial: Trial, example: Example, backwards: bool) -> Results:
    found = trial.full(example) if backwards else trial.forward(example)
    return {**found.values, **{f"d {n}": a for n, a in found.grads.items()}}


@dataclass
class _Look:
    """What an implementation gives on an example."""

    trial: Trial
    got: Results
    backwards: bool
    rows: dict[str, Results] = field(default_factory=dict)
    noise: dict[float, Noise] = field(default_factory=dict)

    @cached_property
    def right(self) -> Results:
        """What it should be."""
        return _named(self.trial.reference().values, self.trial.reference().grads)

    def bounds(self, row: Lower | None) -> Results:
        """How far rounding may take it, in a row's precision."""
        key = row.name if row else ""
        if key not in self.rows:
            trial = self.trial
            if row is not None:
                kernel: Kernel = Lowered(trial.kernel, row.name)  # type: ignore[assignment]
                trial = Trial(kernel, trial.example, trial.derived)
            found = trial.reference()
            self.rows[key] = _named(found.value_bounds, found.grad_bounds)
        return self.rows[key]

    def error(self, name: str) -> Array:
        """By how much a result is wrong."""
        with np.errstate(all="ignore"):
            return np.abs(self.got[name].astype(np.longdouble) - self.right[name])

    def wrong(self, name: str, row: Lower | None = None) -> bool:
        """Whether an entry is outside of its bound."""
        bound = self.bounds(row)[name]
        return bool((np.isfinite(bound) & ~(self.error(name) <= bound)).any())

    def near(self, name: str, row: Lower) -> float:
        """How near the errors come to their bounds."""
        bound = self.bounds(row)[name]
        open_ = np.isfinite(bound) & (bound > 0)
        return float(np.max(self.error(name)[open_] / bound[open_], initial=0.0))

    def jumps(self, name: str, step: float) -> float:
        """The noise of a result along a line with points so far apart, against its error."""
        if step not in self.noise:
            try:
                self.noise[step] = _noise(self, step)
            except (BrokenError, KeyError):  # something is not given there
                self.noise[step] = {}
        error = float(np.sqrt(np.mean(self.error(name) ** 2)))
        return self.noise[step].get(name, 0.0) / error


def _named(values: Mapping[str, Array], grads: Mapping[str, Array]) -> Results:
    return {**values, **{f"d {n}": a for n, a in grads.items()}}


def _noise(look: _Look, step: float) -> Noise:
    """What is left in the sixth difference of points on a line through everything, by result."""
    rng = np.random.default_rng(0)
    sides: dict[int, Array] = {}
    lines: dict[str, list[Array]] = {n: [] for n in look.got}
    for k in range(NOISE_POINTS):
        order = count()

        def move(a: Array, k: int = k, order: Iterator[int] = order) -> Array:
            number = next(order)
            if number not in sides:
                # no multiples of what the precision tells apart, or each rounds as the last did
                sides[number] = rng.choice([-1.0, 1.0], a.shape) * rng.uniform(0.5, 1.0, a.shape)
            return np.asarray(a + k * step * sides[number], a.dtype)

        moved = mapped(look.trial.example, params=move, inputs=move, states=move, dy=move)
        found = _results(look.trial, moved, look.backwards)
        for name, points in lines.items():
            points.append(found[name].astype(np.longdouble))
    left = {n: np.diff(np.stack(points), NOISE_ORDER, axis=0) for n, points in lines.items()}
    return {n: float(np.sqrt(np.mean(d**2))) / NOISE_GAIN for n, d in left.items()}


def _found(looked: Sequence[_Look], asked: Callable[[str], bool]) -> str:
    """The first row that is right in the results that are asked for."""
    wrong = [(o, {n for n in o.got if asked(n) and o.wrong(n)}) for o in looked]
    wrong = sorted((pair for pair in wrong if pair[1]), key=lambda pair: -len(pair[1]))
    if not wrong:
        return ""
    for row in _rows(wrong):
        first, names = wrong[0]
        if any(first.wrong(n, row) for n in names) or not _alike(wrong, row):
            continue
        holds = all(not o.wrong(n, row) for o, _ in wrong for n in o.got if asked(n))
        near = 0.0 if row.digits and _partly([o for o, _ in wrong], row.digits) else NEAR
        if holds and near <= _near(wrong, row) <= row.typical:
            return row.name
    return ""


def _rows(wrong: Sequence[Wrong]) -> list[Lower]:
    """The rows in the order in which they are tried: formats first that all values end in."""
    looked = [o for o, _ in wrong]
    first = _ended(looked)
    parts = [r for r in LOWER.values() if r.digits and not r.ends and _partly(looked, r.digits)]
    first += [row for row in parts if row not in first]
    forward = all(any(not n.startswith("d ") for n in names) for _, names in wrong)
    others = (row for row in LOWER.values() if row not in first and not row.ends)
    # Who computes coarsely does so in forward; sums over time lose most on the way back.
    return [*first, *(row for row in others if forward or row.over_time)]


def _partly(looked: Sequence[_Look], digits: int) -> bool:
    """Whether some result ends in so few digits wherever it is wrong."""
    wide = [o for o in looked if o.trial.example.dtype == np.float64]
    names = {n for o in wide for n in o.got}
    return any(representable([o.got[n] for o in wide if n in o.got], digits) for n in names)


def _ended(looked: Sequence[_Look]) -> list[Lower]:
    """The formats that all values of float64 examples end in, the coarsest first."""
    wide = [o for o in looked if o.trial.example.dtype == np.float64]
    values = [a for o in wide for n, a in o.got.items() if not n.startswith("d ")]
    found = [r for r in LOWER.values() if r.digits and representable(values, r.digits)]
    return sorted(found, key=lambda row: row.digits or 0)


def _near(wrong: Sequence[Wrong], row: Lower) -> float:
    """How near errors come to the bounds."""
    return max(o.near(n, row) for o, names in wrong for n in names)


def _alike(wrong: Sequence[Wrong], row: Lower) -> bool:
    """Whether errors are such as the row's."""
    if row.smooth:
        trial = wrong[0][0].trial
        return explained(trial.kernel, trial.derived, row.precision.off)
    unit = max(row.precision.unit, row.precision.operands)
    step = max(STEP, 8 * unit)
    pairs = [(o, n) for o, names in wrong[:SURE] for n in names]
    return all(o.jumps(n, step) >= 1 / JUMPS for o, n in pairs)
