"""Ranges of exponentials and of relu, by the sign of what stands in relu.

exp(a - max(a, b)) is at most 1: max is a sum with a relu in it. Coq goes through the signs and
decides linear inequalities; `Ranges` decides the same, told no more than Coq is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf

from derive.backends.coq.context import Context
from derive.expressions import (
    Apply,
    Expr,
    MatAdd,
    MatrixSymbol,
    OneMatrix,
    ZeroMatrix,
    coefficient,
    spread_of,
)
from derive.ranges import EVERYTHING, Interval, Ranges

__all__ = ["Below", "Folded", "folded"]

# The interval as `derive prove` prints it, what is said of a value in Coq, and its proof.
Folded = tuple[str, str, str]


def folded(c: Context) -> dict[str, Folded]:
    """By name, the ranges that are found so."""
    return dict(_folded(c))


def _folded(c: Context) -> Iterator[tuple[str, Folded]]:
    values = {a.name: a.value for a in c.gradients.forward}
    for name, value in values.items():
        if not isinstance(value, Apply) or value.name not in ("exp", "relu"):
            continue
        below = Below(values)
        if not below.is_linear(value.argument):
            continue
        interval = Ranges(c.gradients, below.given).of(name)
        names = ", ".join(f"v_{n}" for n in below.opened)
        rest = f"unfold {names}; unfold_entries; " if names else ""
        rest += "rewrite ?bsum_one; by_signs."
        start = f"unfold v_{name}; unfold_entries; "
        if value.name == "exp" and interval.high <= 1:
            yield name, ("(0, 1]", "0 < {} <= 1", f"{start}apply exp_at_most_one; {rest}")
        elif value.name == "relu" and interval.within(-1, 1, strict=True):
            yield name, ("[0, 1)", "0 <= {} < 1", start + rest)


@dataclass
class Below:
    """What stands below an expression.

    Attributes:
        opened: names of sums, of relu and of exponentials.
        given: what is known of the other names: nothing; and that an exponential is positive.
    """

    values: Mapping[str, Expr]
    opened: dict[str, None] = field(default_factory=dict)
    given: dict[str, Interval] = field(default_factory=dict)

    def is_linear(self, expr: Expr) -> bool:
        """Whether it adds up names, spread or not, each times a number."""
        number, rest = coefficient(expr)
        scalar = spread_of(rest)
        match rest if scalar is None else scalar:
            case MatAdd() as total:
                found = all(self.is_linear(arg) for arg in total.args)
            case MatrixSymbol() as symbol:
                self._name(symbol.name)
                found = True
            case other:
                found = isinstance(other, OneMatrix | ZeroMatrix)
        return found and bool(number.is_Rational)

    def _name(self, name: str) -> None:
        value = self.values.get(name)
        if value is None or name in self.opened or name in self.given:
            return
        inner = Below(self.values, dict(self.opened), dict(self.given))
        bent = isinstance(value, Apply) and value.name == "relu"
        if isinstance(value, Apply) and value.name == "exp":
            self.opened[name] = None
            self.given[name] = Interval(Fraction(0), inf)
        elif inner.is_linear(value.argument if bent else value):
            self.opened = {name: None, **inner.opened}
            self.given = inner.given
        else:
            self.given[name] = EVERYTHING
