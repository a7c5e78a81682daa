"""An implementation on one example -> an interval that the error of each result lies in.

The precision of the balls is doubled until they are negligible beside what the implementation is
off by. What no precision decides is a jump or a pole that an argument lies on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.errors import RuleError
from verify.enclosing.balls import as_balls, each, exact_results, precision
from verify.kernels import Array
from verify.properties import Trial

__all__ = ["Enclosure", "Entry", "Result", "enclose"]

# Precisions in bits: the first, that from which one must help to be followed by another, the last.
FIRST, ENOUGH, LAST = 53, 424, 6784

# A ball is negligible if it is as small beside the error or a unit in the last place.
NEGLIGIBLE = 2.0**-10

# What is computed as zero has no such unit: then beside the bound, as far below it.
BELOW_BOUND = 2.0**-20


@dataclass(frozen=True)
class Entry:
    """An entry that is certified to be off by more than the bound.

    Attributes:
        low, high: between these lies |got - exact|.
    """

    index: tuple[int, ...]
    got: float
    low: float
    high: float
    bound: float


@dataclass(frozen=True)
class Result:
    """What is certified of one result; floats are rounded to the safe side.

    Attributes:
        name: 'y', 'h_T', or 'gradient of U'.
        entries: how many it has.
        largest: no decided entry is off by more, in absolute terms.
        ulps: nor by more units in the last place of what was computed, where that is not zero.
        share: nor by a larger part of its rounding bound.
        worst: the entry that is furthest beyond its bound; None if none is.
        outside: how many are.
        undecided: entries of which neither is certified, that they are within nor beyond.
        unbounded: entries whose bound is infinite: they overflow, or lie on a jump.
        wide: entries whose error is enclosed, but not closely.
    """

    name: str
    entries: int
    largest: float
    ulps: float
    share: float
    worst: Entry | None
    outside: int
    undecided: int
    unbounded: int
    wide: int


@dataclass(frozen=True)
class Enclosure:
    """All results of one example, `bits` being the precision that it took."""

    label: str
    bits: int
    results: tuple[Result, ...]


@dataclass(frozen=True)
class _Computed:
    """A result of the implementation, and what the reference says of it."""

    name: str
    got: Array
    value: Array
    bound: Array

    @property
    def unit(self) -> Array:
        """A unit in the last place, zero where there is none; in double precision."""
        with np.errstate(all="ignore"):
            unit = np.spacing(np.abs(self.got)).astype(np.float64)
        return np.where(np.isfinite(self.got) & (self.got != 0), unit, 0.0)


@dataclass(frozen=True)
class _Errors:
    """Errors of a result, each between `low` and `high`: balls of radius zero, or no numbers."""

    of: _Computed
    low: Array
    high: Array
    known: Array
    inside: Array
    outside: Array
    narrow: Array

    @property
    def bounded(self) -> Array:
        return np.isfinite(self.of.bound)

    @property
    def undecided(self) -> Array:
        return self.bounded & ~self.inside & ~self.outside

    @property
    def unsettled(self) -> Array:
        """Where more precision may tell more."""
        return self.undecided | (~self.narrow & np.isfinite(self.of.got))


def enclose(trial: Trial) -> Enclosure:
    """The error of every result of an implementation on an example.

    Raises:
        BrokenError: forward or backward raised, or gave something else than the contract says.
        UsageError: python-flint is not installed.
        RuleError: our own failure: a reference is certified to be outside of its own bound.
    """
    computed, bits, before = dict(_computed(trial)), FIRST, np.array([])
    while True:
        with precision(bits):
            families = exact_results(trial.example, trial.derived)
        with precision(2 * bits + 128):  # nothing is lost in comparing
            found = [_errors(c, families[k][n]) for (k, n), c in computed.items()]
            widths = np.concatenate([_widths(errors) for errors in found])
            stuck = bits >= ENOUGH and widths.shape == before.shape and bool(_same(widths, before))
            if not widths.size or stuck or bits >= LAST:
                results = tuple(_result(errors) for errors in found)
                return Enclosure(trial.example.label, bits, results)
        bits, before = 2 * bits, widths


def _computed(trial: Trial) -> Iterator[tuple[tuple[int, str], _Computed]]:
    """Results by family and name."""
    right, got = trial.reference(), trial.base.values
    for name, value in got.items():
        expected = right.values[name], right.value_bounds[name]
        yield (0, name), _Computed(name, value, *expected)
    if not callable(getattr(trial.kernel, "backward", None)):
        return
    for name, value in trial.base_grads.items():
        expected = right.grads[name], right.grad_bounds[name]
        yield (1, name), _Computed(f"gradient of {name}", value, *expected)


def _errors(computed: _Computed, exact: Array) -> _Errors:
    bound, finite = as_balls(computed.bound), np.isfinite(computed.bound)
    known = _true(exact, lambda z: z.is_finite())
    _check_reference(computed, exact, bound, finite & known)
    off = as_balls(computed.got) - exact
    low = each(lambda z: z.abs_lower(), off)
    high = each(lambda z: z.abs_upper(), off)
    lost = ~np.isfinite(computed.got)
    inside = finite & known & ~lost & _most(high, bound)
    outside = finite & known & (lost | _more(low, bound))
    near = np.where(finite & (computed.unit == 0), bound * BELOW_BOUND, as_balls(computed.unit))
    room = high - low
    narrow = _most(room, near * NEGLIGIBLE) | _most(room, low * NEGLIGIBLE)
    return _Errors(computed, low, high, known & ~lost, inside, outside, known & narrow)


def _check_reference(computed: _Computed, exact: Array, bound: Array, where: Array) -> None:
    """The reference holds itself to its bound, or nothing can be judged by it."""
    off = each(lambda z: z.abs_lower(), as_balls(computed.value) - exact)
    if (where & _more(off, bound)).any():
        raise RuleError(
            f"our own failure: the reference of {computed.name} is certified to be outside of its "
            "own rounding bound"
        )


def _widths(errors: _Errors) -> Array:
    """By how much errors that are not settled are not known; infinite where they are no numbers."""
    unsettled = errors.unsettled
    rooms = zip(errors.high[unsettled], errors.low[unsettled], strict=True)
    pairs = [(high - low, high) for high, low in rooms]
    return np.array([_logarithm(room) if high.is_finite() else np.inf for room, high in pairs])


def _logarithm(room: Any) -> float:
    """The binary exponent, which is a float where the number itself may be none."""
    mantissa, exponent = room.mid().man_exp()
    return float(int(exponent) + int(mantissa).bit_length())


def _same(widths: Array, before: Array) -> bool:
    """Whether doubling the precision has narrowed nothing, by a factor of two or more."""
    return bool(((widths >= before - 1) | (widths == before)).all())


def _result(errors: _Errors) -> Result:
    got, bound, high = errors.of.got, errors.of.bound, errors.high
    decided = errors.known & _true(high, lambda z: z.is_finite())
    up = np.zeros(got.shape)
    up[decided] = [_above(z) for z in high[decided]]
    units = errors.of.unit
    with np.errstate(all="ignore"):
        ulps = np.where(units > 0, up / units, 0.0)
        part = np.nextafter((up / bound).astype(np.float64), np.inf)
        share = np.where((up > 0) & np.isfinite(bound), part, 0.0)
    return Result(
        name=errors.of.name,
        entries=int(got.size),
        largest=float(up.max(initial=0.0)),
        ulps=float(ulps.max(initial=0.0)),
        share=float(share.max(initial=0.0)),
        worst=_worst(errors, share),
        outside=int(errors.outside.sum()),
        undecided=int(errors.undecided.sum()),
        unbounded=int((~errors.bounded).sum()),
        wide=int((errors.known & ~errors.narrow & ~errors.undecided).sum()),
    )


def _worst(errors: _Errors, share: Array) -> Entry | None:
    if not errors.outside.any():
        return None
    lost = ~np.isfinite(errors.of.got)
    place = np.argmax(np.where(errors.outside, np.where(lost, np.inf, share), -1.0))
    index = tuple(int(k) for k in np.unravel_index(place, share.shape))
    nothing = bool(lost[index])
    return Entry(
        index=index,
        got=float(errors.of.got[index]),
        low=np.inf if nothing else _below(errors.low[index]),
        high=np.inf if nothing else _above(errors.high[index]),
        bound=float(errors.of.bound[index]),
    )


def _above(ball: Any) -> float:
    """A float that is not below it."""
    return 0.0 if ball.is_zero() else float(np.nextafter(float(ball), np.inf))


def _below(ball: Any) -> float:
    """A float that is not above it, of a number that is not negative."""
    return max(0.0, float(np.nextafter(float(ball), 0.0)))


def _true(values: Array, test: Callable[[Any], bool]) -> Array:
    return np.asarray(each(test, values), bool)


def _most(a: Array, b: Array) -> Array:
    """Where a <= b is certain; of what is no number nothing is."""
    return np.asarray(a <= b, bool)


def _more(a: Array, b: Array) -> Array:
    """Where a > b is certain."""
    return np.asarray(a > b, bool)
