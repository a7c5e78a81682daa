"""Free numbers of deviations, estimated from what an implementation gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from verify.deviations.deviation import Family
from verify.deviations.machine import quick
from verify.deviations.model import Model
from verify.diagnosis.observing import Observation, Seen, flat
from verify.kernels import Array

__all__ = ["ESTIMATES", "simplest"]

Estimate = Callable[[Family, Model, Sequence[Observation], frozenset[str]], Iterator[Fraction]]


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


def _ratio(top: Array, bottom: Array, error: Array) -> Fraction | None:
    """The number c with top = c * bottom, from its best entry; None if no entry tells it."""
    with np.errstate(all="ignore"):
        sharp = np.where(np.isfinite(error) & np.isfinite(top), np.abs(bottom) / error, 0)
    sharp = np.nan_to_num(sharp, posinf=0.0)
    if not sharp.size or float(sharp.max()) < 1e3:  # less than three digits would be known
        return None
    k = int(np.argmax(sharp))
    found, reach = float(top[k] / bottom[k]), float(2 / sharp[k])
    return simplest(found - reach * (1 + abs(found)), found + reach * (1 + abs(found)))


def _column(seen: Mapping[str, Array], names: Sequence[str]) -> Array:
    parts = [np.ravel(seen[n]) for n in names]
    return np.concatenate(parts) if parts else np.zeros(0)


def affine(
    family: Family, base: Model, seen: Sequence[Observation], names: frozenset[str]
) -> Iterator[Fraction]:
    """Over one step, results are affine in a factor of one term: two points tell it."""
    for o in sorted(seen, key=lambda o: o.example.steps):
        if o.example.steps != 1 or not o.wrong & names:
            continue
        zero, one = (_run(family.at(Fraction(k)), o) for k in (0, 1))
        found = _ratio_of(o, zero, one, names)
        if found is not None:
            yield found
        return


def _run(model: Model, o: Observation) -> Seen:
    return flat(quick(model, o.example, any(n.startswith("d ") for n in o.results)))


def _ratio_of(o: Observation, zero: Seen, one: Seen, names: frozenset[str]) -> Fraction | None:
    kept = sorted(names & o.results.keys())
    got, start, end = (_column(r, kept) for r in (o.results, zero, one))
    error = _column(o.right.bounds, kept) + np.finfo(float).eps * np.abs(got)
    return _ratio(got - start, end - start, error)


ESTIMATES: Mapping[str, Estimate] = {"affine": affine}
