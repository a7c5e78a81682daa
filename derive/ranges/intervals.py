"""Intervals with open and closed ends, and what primitives and arithmetic make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any, TypeAlias

from derive.primitives import PRIMITIVES

__all__ = [
    "EVERYTHING",
    "MONOTONE",
    "Interval",
    "Number",
    "added",
    "closed",
    "image",
    "multiplied",
    "power",
    "scaled",
]

Number: TypeAlias = Any  # a Fraction, or an infinite float

# Non-decreasing where they are defined; tests hold their slopes against it.
MONOTONE = ("sigmoid", "tanh", "exp", "softplus", "log", "sqrt", "relu", "heaviside", "sign")


@dataclass(frozen=True)
class Interval:
    """low .. high; an end that is open is not attained."""

    low: Number = -inf
    high: Number = inf
    open_low: bool = True
    open_high: bool = True

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are numbers."""
        return self.low > -inf and self.high < inf

    @property
    def size(self) -> Number:
        """The largest absolute value, or its least upper bound."""
        return max(abs(self.low), abs(self.high))

    @property
    def is_strict(self) -> bool:
        """Whether no absolute value reaches `size`."""
        low = self.open_low or abs(self.low) < self.size
        return low and (self.open_high or abs(self.high) < self.size)

    def within(self, low: Number, high: Number, strict: bool = False) -> bool:
        """Whether it lies in low .. high; `strict`: without these ends."""
        below = self.high < high or (self.high == high and (self.open_high or not strict))
        above = self.low > low or (self.low == low and (self.open_low or not strict))
        return below and above

    def hull(self, other: "Interval") -> "Interval":
        """The least interval that holds both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        both = (self, other)
        return Interval(
            low,
            high,
            all(i.open_low for i in both if i.low == low),
            all(i.open_high for i in both if i.high == high),
        )

    def __str__(self) -> str:
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"{left}{_shown(self.low)}, {_shown(self.high)}{right}"


EVERYTHING = Interval()


def _shown(number: Number) -> str:
    return str(number) if isinstance(number, Fraction) else ("oo" if number > 0 else "-oo")


def closed(interval: Interval) -> Interval:
    """With ends that may be attained."""
    return Interval(interval.low, interval.high, interval.low == -inf, interval.high == inf)


def image(name: str, argument: Interval) -> Interval:
    """The interval of a primitive's values."""
    low, high = (Fraction(v) if abs(v) < inf else v for v in PRIMITIVES[name].range)
    whole = Interval(low, high, name not in _ATTAINED, name not in _ATTAINED)
    if name == "reciprocal" and argument.low >= 0:
        top = 1 / argument.low if argument.low > 0 else inf
        bottom = 1 / argument.high if argument.high < inf else Fraction(0)
        low_open = argument.open_high or argument.high == inf
        return Interval(bottom, top, low_open, argument.open_low or top == inf)
    if name in ("heaviside", "sign"):
        return _stepped(name, argument)
    if name == "relu":
        zero, flat = Fraction(0), argument.low <= 0
        low_open = argument.open_low and not (flat and argument.low < 0)
        top_open = argument.open_high and argument.high > 0
        return Interval(max(argument.low, zero), max(argument.high, zero), low_open, top_open)
    if name == "abs":
        least = (
            Fraction(0)
            if argument.low <= 0 <= argument.high
            else min(abs(argument.low), abs(argument.high))
        )
        return Interval(least, argument.size, False, argument.is_strict)
    if name not in MONOTONE:
        return whole
    low_end, high_end = _end(name, argument.low), _end(name, argument.high)
    return Interval(
        whole.low if low_end is None else low_end,
        whole.high if high_end is None else high_end,
        whole.open_low if low_end is None else argument.open_low,
        whole.open_high if high_end is None else argument.open_high,
    )


def _stepped(name: str, argument: Interval) -> Interval:
    """0 or 1, or -1, 0 or 1."""
    low = Fraction(-1) if name == "sign" and argument.low < 0 else Fraction(0)
    if argument.low > 0 or (argument.low == 0 and argument.open_low):
        low = Fraction(1)
    high = Fraction(1) if argument.high > 0 else Fraction(0)
    if name == "sign" and (argument.high < 0 or (argument.high == 0 and argument.open_high)):
        high = Fraction(-1)
    return Interval(low, high, False, False)


_ATTAINED = ("relu", "abs", "heaviside", "sign", "sin", "cos", "frac", "sqrt")


def _end(name: str, at: Number) -> Number | None:
    """The value of a non-decreasing primitive at an end, where it is exact; None elsewhere."""
    known = _ENDS.get(name, {})
    return known.get(at)


_ENDS: Mapping[str, Mapping[Number, Number]] = {
    "sigmoid": {-inf: Fraction(0), 0: Fraction(1, 2), inf: Fraction(1)},
    "tanh": {-inf: Fraction(-1), 0: Fraction(0), inf: Fraction(1)},
    "exp": {-inf: Fraction(0), 0: Fraction(1), inf: inf},
    "softplus": {-inf: Fraction(0), inf: inf},
    "log": {0: -inf, 1: Fraction(0), inf: inf},
    "sqrt": {0: Fraction(0), 1: Fraction(1), inf: inf},
}


def added(a: Interval, b: Interval) -> Interval:
    """The interval of a sum."""
    return Interval(
        a.low + b.low, a.high + b.high, a.open_low or b.open_low, a.open_high or b.open_high
    )


def scaled(number: Fraction, a: Interval) -> Interval:
    """The interval of a multiple."""
    if number == 0:
        return Interval(Fraction(0), Fraction(0), False, False)
    if number > 0:
        return Interval(number * a.low, number * a.high, a.open_low, a.open_high)
    return Interval(number * a.high, number * a.low, a.open_high, a.open_low)


def multiplied(a: Interval, b: Interval) -> Interval:
    """The interval of a product of two values."""
    ends = []
    for x, x_open in ((a.low, a.open_low), (a.high, a.open_high)):
        for y, y_open in ((b.low, b.open_low), (b.high, b.open_high)):
            if x == 0 or y == 0:  # also where the other end is infinite: it is not attained
                closed_zero = (x == 0 and not x_open) or (y == 0 and not y_open)
                ends.append((Fraction(0), not closed_zero))
            else:
                ends.append((x * y, x_open or y_open))
    low, high = min(v for v, _ in ends), max(v for v, _ in ends)
    return Interval(
        low,
        high,
        all(is_open for v, is_open in ends if v == low),
        all(is_open for v, is_open in ends if v == high),
    )


def power(a: Interval, exponent: int) -> Interval:
    """The interval of a whole power."""
    found = a
    for _ in range(exponent - 1):
        found = multiplied(found, a)
    if exponent % 2 == 0 and a.high < 0:
        return Interval(a.high**exponent, a.low**exponent, a.open_high, a.open_low)
    if exponent % 2 == 0 and a.low < 0:
        return Interval(Fraction(0), a.size**exponent, a.high == 0 and a.open_high, a.is_strict)
    return found
