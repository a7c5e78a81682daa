"""Free numbers of deviations, estimated from what an implementation gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verify.deviations.deviation import Family
from verify.deviations.machine import quick, quick_run
from verify.deviations.model import Model
from verify.deviations.one_step import OneStep
from verify.diagnosis.observing import Observation, flat
from verify.kernels import Array

__all__ = ["ESTIMATES", "SLOW", "simplest"]

Estimate = Callable[[Family, Model, Sequence[Observation], frozenset[str]], Iterator[Fraction]]

# Where a curve is tried first, and how often it is followed to its root.
STARTS, ROUNDS = (-1.0, 0.25, 0.6, 1.0, 2.0, 4.0), 12

# A number is said if it is so many times larger than what rounding may make of nothing.
SHARP = 4

# Thresholds that people write, where nothing tells one.
USUAL = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 25, 30, 32, 40, 45, 50, 60, 64, 80, 88, 100)

# A denominator that somebody may have written: 0.99995 has 20000.
WRITTEN = 10**5


def simplest(low: float, high: float) -> Fraction:
    """The fraction with the smallest denominator in [low, high].

    Source: Stern (1858) and Brocot (1861); Graham, Knuth & Patashnik (1994), Concrete
    Mathematics, section 4.5.
    """
    if low > 0:
        return _between(Fraction(low), Fraction(high))
    return -_between(Fraction(-high), Fraction(-low)) if high < 0 else Fraction(0)


def _between(low: Fraction, high: Fraction) -> Fraction:
    whole = low.numerator // low.denominator
    if whole == low:
        return low
    if whole + 1 <= high:
        return Fraction(whole + 1)
    return whole + 1 / _between(1 / (high - whole), 1 / (low - whole))


def _near(number: float, reach: float) -> Fraction:
    """A number that a person would write, if one is near; else the number itself."""
    found = simplest(number - reach, number + reach)
    if found.denominator <= WRITTEN:
        return found
    short = (Fraction(f"{number:.{digits}e}") for digits in range(3))
    return next((s for s in short if abs(s - Fraction(number)) <= reach), Fraction(number))


def _column(seen: Mapping[str, Array], names: Sequence[str]) -> Array:
    return np.concatenate([np.ravel(seen[n]).astype(np.float64) for n in names])


@dataclass(frozen=True)
class _Runs:
    """What models give on an example, in some results."""

    o: Observation
    names: Sequence[str]
    step: OneStep | None

    @classmethod
    def of(cls, base: Model, o: Observation, names: Sequence[str]) -> "_Runs":
        fits = OneStep.fits(base, o.example)
        return cls(o, names, OneStep(base, quick_run(base, o.example)) if fits else None)

    def __call__(self, model: Model) -> Array:
        if self.step is not None and self.step.knows(model):
            value = self.step.asked(model)
            with suppress(KeyError):  # it reads another step
                return _column({n: value(n) for n in self.names}, self.names)
        backwards = any(n.startswith("d ") for n in self.names)
        return _column(flat(quick(model, self.o.example, backwards)), self.names)


def _shortest(seen: Sequence[Observation], names: frozenset[str]) -> Observation | None:
    """The observation with the fewest steps that is wrong in these results, if it can be, in
    float64.
    """
    kept = [o for o in seen if o.wrong & names and _finite(o, names)]
    return min(kept, key=lambda o: (-o.example.dtype.itemsize, o.example.steps), default=None)


def _finite(o: Observation, names: frozenset[str]) -> bool:
    """Whether there are numbers to estimate from."""
    return all(bool(np.isfinite(o.results[n]).all()) for n in names & o.results.keys())


def _error(o: Observation, names: Sequence[str], got: Array) -> Array:
    """What rounding may do to an observation and to a quick run."""
    bound = np.nan_to_num(_column(o.right.bounds, names), nan=np.inf)
    return 4 * bound + 8 * float(np.finfo(o.example.dtype).eps) * np.abs(got)


def affine(
    family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
) -> Iterator[Fraction]:
    """Over one step, results are affine in a factor of one term: two points tell it."""
    o = _shortest(seen, names)
    if o is None or o.example.steps != 1:
        return
    kept = sorted(names & o.results.keys())
    run = _Runs.of(base, o, kept)
    zero, one = (run(family.at(Fraction(k))) for k in (0, 1))
    got = _column(o.results, kept)
    error = _error(o, kept, got)
    top, bottom = got - zero, one - zero
    with np.errstate(all="ignore"):
        sharp = np.nan_to_num(np.abs(bottom) / error, nan=0.0, posinf=0.0)
    if sharp.max(initial=0.0) < 1e3:  # less than three digits would be known
        return
    k = int(np.argmax(sharp))
    weights = np.where(
        sharp > 0, (sharp / sharp[k] / np.where(sharp > 0, np.abs(bottom), 1)) ** 2, 0.0
    )
    number = float((weights * top * bottom).sum() / (weights * bottom**2).sum())
    if bool((np.abs(top - number * bottom) <= 1e-6 * np.abs(top).max() + error).all()):
        yield _near(number, (1 + abs(number)) / float(sharp[k]))


def _curve(*starts: float) -> Estimate:
    """The root of a smooth curve, by Gauss and Newton from several starts."""

    def estimate(
        family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
    ) -> Iterator[Fraction]:
        yield from _root(family, base, seen, names, starts)

    return estimate


def _threshold(
    family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
) -> Iterator[Fraction]:
    """As a curve, where something is clipped; else what people write."""
    found = list(_root(family, base, seen, names, STARTS[1:]))
    yield from found or (Fraction(number) for number in USUAL)


def _root(
    family: Family,
    base: Model,
    seen: Sequence[Observation],
    names: frozenset[str],
    starts: Sequence[float],
) -> Iterator[Fraction]:
    o = _shortest(seen, names)
    if o is None:
        return
    kept = sorted(names & o.results.keys())
    got = _column(o.results, kept)
    error, tried, run = _error(o, kept, got), set(), _Runs.of(base, o, kept)
    for start in starts:
        number, step, before = start, 1e-6, np.inf
        for _ in range(ROUNDS):
            here, there = (run(family.at(Fraction(c))) for c in (number, number + step))
            slope = (there - here) / step
            size = float(slope @ slope)
            if not np.isfinite(size) or size == 0:
                break
            move = float(slope @ (got - here)) / size
            number += float(np.clip(move, -1, 1))
            left = float(np.linalg.norm(got - here))
            if number == 0 or abs(move) < 1e-15 * (1 + abs(number)):
                break
            if abs(move) < 1 and not left < before / 2:  # near a root each step halves it at least
                break
            before = left
        if number == 0 or not np.isfinite(number):
            continue
        off = np.abs(run(family.at(Fraction(number))) - got)
        if not bool((off <= 1e-9 * np.abs(got).max() + error).all()):
            continue
        with np.errstate(all="ignore"):
            reach = float(np.nanmin(np.where(slope != 0, error / np.abs(slope), np.inf)))
        if reach > abs(number) / SHARP:  # it would be known to less than a digit
            continue
        found = _near(number, max(reach, 1e-15 * abs(number)))
        if found not in tried:
            tried.add(found)
            yield found
        return


@np.errstate(all="ignore")  # what is no number is no top
def _met_twice(o: Observation, group: Sequence[str]) -> float | None:
    """The largest absolute value of these results, if more than one entry has it."""
    if not set(group) <= set(o.results):
        return None
    sizes = np.abs(_column(o.results, group))
    top = float(sizes.max(initial=0.0))
    return top if top > 0 and np.isfinite(top) and int((sizes == top).sum()) > 1 else None


def _ceiling(groups: Callable[[Model, Sequence[str]], list[list[str]]]) -> Estimate:
    """The largest absolute value in each group of results."""

    def estimate(
        family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
    ) -> Iterator[Fraction]:
        tried = set()
        for group in groups(base, sorted(names)):
            for o in seen:
                top = _met_twice(o, group) if o.wrong & names else None
                if top is not None:
                    found = _near(top, 4 * float(np.finfo(o.example.dtype).eps) * top)
                    if found not in tried:
                        tried.add(found)
                        yield found

    return estimate


def _gradients(base: Model, names: Sequence[str]) -> list[list[str]]:
    """All gradients, those of parameters, and each."""
    parameters = [f"d {p.name}" for p in base.cell.parameters]
    given = [n for n in names if n.startswith("d ")]
    return [given, [n for n in given if n in parameters], *([n] for n in given)]


def _norm(together: bool) -> Estimate:
    """The largest norm of gradients of parameters."""

    def estimate(
        family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
    ) -> Iterator[Fraction]:
        kept = [f"d {p.name}" for p in base.cell.parameters]
        tops = []
        for o in seen:
            if o.wrong & names and o.example.dtype == np.float64:
                here = [n for n in kept if n in o.results]
                sizes = [float(np.linalg.norm(np.ravel(o.results[n]))) for n in here]
                tops += [float(np.linalg.norm(sizes))] if together else sizes
        top = max(tops, default=0.0)
        if top > 0 and np.isfinite(top):
            yield _near(top, 64 * np.finfo(float).eps * top)

    return estimate


# Those that run a model many times.
SLOW = ("curve", "shift", "small", "threshold")

ESTIMATES: Mapping[str, Estimate] = {
    "affine": affine,
    "curve": _curve(*STARTS),
    "shift": _curve(1e-6, 0.5, -0.5),
    "small": _curve(1e-6),
    "threshold": _threshold,
    "ceiling": _ceiling(lambda base, names: [[n] for n in names]),
    "gradient ceiling": _ceiling(_gradients),
    "norm": _norm(together=True),
    "norm of one": _norm(together=False),
}
