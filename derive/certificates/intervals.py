"""Intervals with open and closed ends, exact; and the values that functions have, taken as true."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

__all__ = [
    "EVERYTHING",
    "POSITIVE",
    "UNIT",
    "VALUES",
    "ZERO",
    "Interval",
    "image",
    "inverse",
    "multiplied",
    "spanned",
]

ZERO, UNIT = Fraction(0), Fraction(1)


class Interval(NamedTuple):
    """low .. high; an open end is not reached."""

    low: Any = -inf
    high: Any = inf
    open_low: bool = True
    open_high: bool = True

    @property
    def size(self) -> Any:
        return max(abs(self.low), abs(self.high))

    def within(self, other: "Interval") -> bool:
        """Whether each of its values is one of the other's."""
        low = self.low > other.low or (
            self.low == other.low and (self.open_low or not other.open_low)
        )
        return low and (
            self.high < other.high
            or (self.high == other.high and (self.open_high or not other.open_high))
        )


EVERYTHING = Interval()
POSITIVE = Interval(ZERO, inf, False)
# The values of each function, and what it is at points, where it never decreases. Taken as true.
VALUES: Mapping[str, tuple[Interval, Mapping[Fraction, Fraction]]] = {
    "sigmoid": (Interval(ZERO, UNIT), {ZERO: Fraction(1, 2)}),
    "tanh": (Interval(-UNIT, UNIT), {ZERO: ZERO}),
    "exp": (Interval(ZERO), {ZERO: UNIT}),
    "softplus": (Interval(ZERO), {}),
    "log": (EVERYTHING, {UNIT: ZERO}),
    "sqrt": (POSITIVE, {ZERO: ZERO, UNIT: UNIT}),
    "relu": (POSITIVE, {ZERO: ZERO}),
    "abs": (POSITIVE, {}),
    "heaviside": (Interval(ZERO, UNIT, False, False), {}),
    "sign": (Interval(-UNIT, UNIT, False, False), {}),
    "sin": (Interval(-UNIT, UNIT, False, False), {}),
    "cos": (Interval(-UNIT, UNIT, False, False), {}),
    "frac": (Interval(ZERO, UNIT, False), {}),
    "rows": (Interval(ZERO, UNIT, False, False), {}),
}


def spanned(ends: Sequence[tuple[Any, bool]]) -> Interval:
    """The least interval with these values; an end is open if it is so wherever it is reached."""
    low, high = min(v for v, _ in ends), max(v for v, _ in ends)
    return Interval(
        low, high, all(o for v, o in ends if v == low), all(o for v, o in ends if v == high)
    )


def inverse(box: Interval) -> Interval:
    """The interval of 1 / d for d >= 0."""
    if box.low < 0:
        return EVERYTHING
    top = 1 / box.low if box.low > 0 else inf
    bottom = 1 / box.high if box.high < inf else ZERO
    return Interval(bottom, top, box.open_high or box.high == inf, box.open_low or top == inf)


def image(function: str, argument: Interval) -> Interval:
    """The interval of a function's values."""
    if function not in VALUES:
        return EVERYTHING
    low, high, open_low, open_high = VALUES[function][0]
    for at, value in sorted(VALUES[function][1].items()):
        if at <= argument.low:
            low, open_low = value, argument.low == at and argument.open_low
    for at, value in sorted(VALUES[function][1].items(), reverse=True):
        if at >= argument.high:
            high, open_high = value, argument.high == at and argument.open_high
    if function == "heaviside":  # 1 above 0, and 0 elsewhere
        low = UNIT if argument.low > 0 or (argument.low == 0 and argument.open_low) else low
        high = ZERO if argument.high <= 0 else high
    if function == "relu":
        low, high = max(argument.low, ZERO), max(argument.high, ZERO)
        open_low = argument.open_low and argument.low > 0
        open_high = argument.open_high and argument.high > 0
    return Interval(low, high, open_low, open_high)


def multiplied(boxes: list[Interval]) -> Interval:
    """The interval of a product of values that are independent."""
    found = Interval(UNIT, UNIT, False, False)
    for box in boxes:
        ends = []
        for x, x_open in ((found.low, found.open_low), (found.high, found.open_high)):
            for y, y_open in ((box.low, box.open_low), (box.high, box.open_high)):
                shut = (x == 0 and not x_open) or (y == 0 and not y_open)
                # where the other end is infinite it is not reached, so the product is 0 as well
                ends.append((x * y, x_open or y_open) if x and y else (ZERO, not shut))
        found = spanned(ends)
    return found
