"""Where values lie: a small sound procedure over the single-assignment form.

An entry of a name is a polynomial in *atoms*: values of primitives, lagged states, parameters, sums
over products with matrices. Atoms are taken as independent, each somewhere in its interval; so what
holds here holds for the cell, and what does not may still hold: then nothing is said.

A polynomial of degree one in each atom has its least and its largest value at corners of the box.
That is exact for f * a + (1 - f) * b. An end is open if every corner that reaches it needs an open
end of an atom: f * a < 1 where f < 1. All numbers are rational or infinite.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from math import inf

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
)
from derive.gradients import Gradients
from derive.ranges.intervals import (
    EVERYTHING,
    Interval,
    added,
    closed,
    image,
    multiplied,
    power,
    scaled,
)
from derive.ranges.polynomials import (
    Monomial,
    Polynomial,
    corners,
    multiple,
    parabola,
    piece,
    plus,
    removed,
    replaced,
    times,
    value_at,
    without,
)

__all__ = ["Ranges", "cases"]

MOST_CORNERS = 1 << 10
MOST_FOLDED = 4
_FOLDED = ("abs", "relu")


class Ranges:
    """Intervals of names and expressions of one step.

    Args:
        gradients: the step; None for expressions of given names alone.
        given: intervals that hypotheses give names, such as 'C[t-1]'.
        signs: for atoms |d| and relu(d): 1 where d >= 0 is assumed, -1 where d <= 0 is.
    """

    def __init__(
        self,
        gradients: Gradients | None,
        given: Mapping[str, Interval] | None = None,
        signs: Mapping[str, int] | None = None,
    ) -> None:
        self.signs = dict(signs or {})
        self.values = {a.name: a.value for a in gradients.forward} if gradients else {}
        self.given = dict(given or {})
        self.atoms: dict[str, Interval] = {}
        self.inside: dict[str, tuple[str, Polynomial]] = {}  # the d of atoms |d| and relu(d)
        self.shares: dict[str, Polynomial] = {}  # the d of atoms 1 / d
        self.polys: dict[str, Polynomial] = {}

    def of(self, name: str) -> Interval:
        """The interval of a name's entries."""
        return self.range(self.polynomial_of(name))

    def polynomial_of(self, name: str) -> Polynomial:
        """A name as a polynomial in atoms."""
        if name not in self.polys:
            value = self.values.get(name)
            if name in self.given or value is None:
                self.polys[name] = self._atom(name, self.given.get(name, EVERYTHING))
            elif isinstance(value, Apply):
                self.polys[name] = self._applied(value, name)
            else:
                self.polys[name] = self._shared(self.polynomial(value))
        return self.polys[name]

    def polynomial(self, expr: Expr) -> Polynomial:
        """An entry of an expression as a polynomial in atoms."""
        number, rest = coefficient(expr)
        if number != 1:
            if _is_mean(number, rest):
                return self._atom(
                    f"mean({rest})", closed(self.range(self.polynomial(rest.args[1])))
                )
            if not number.is_Rational:
                size = Interval(Fraction(0), inf) if _is_positive(number) else EVERYTHING
                return times(self._atom(f"({number})", size), self.polynomial(rest))
            return times({(): Fraction(int(number.p), int(number.q))}, self.polynomial(rest))
        match expr:
            case MatrixSymbol():
                return self.polynomial_of(expr.name)
            case OneMatrix():
                return {(): Fraction(1)}
            case ZeroMatrix():
                return {}
            case MatAdd():
                return plus(*(self.polynomial(arg) for arg in expr.args))
            case HadamardProduct():
                return times(*(self.polynomial(arg) for arg in expr.args))
            case HadamardPower():
                return times(*[self.polynomial(expr.args[0])] * int(expr.args[1]))
            case MatMul() if expr.args[0].shape[1] == 1:
                return times(*(self.polynomial(arg) for arg in expr.args))
            case MatMul():
                both = [self.range(self.polynomial(arg)) for arg in expr.args]
                positive = all(i.low >= 0 for i in both)
                size = Interval(Fraction(0), inf, False) if positive else EVERYTHING
                return self._atom(str(expr), size)
            case Transpose():
                return self._atom(str(expr), closed(self.range(self.polynomial(expr.args[0]))))
            case Apply():
                return self._applied(expr, str(expr))
        return self._atom(str(expr), EVERYTHING)

    def range(self, poly: Polynomial) -> Interval:
        """The interval of a polynomial."""
        folded = next((a for m in poly for a in m if a in self.inside), None)
        if folded is None or poly == {(folded,): 1}:
            return self._range(poly)
        whole, cases = self._range(poly), []
        kind, inside = self.inside[folded]
        for sign in (1, -1):  # |d| is d where d >= 0, and -d elsewhere
            put = replaced(poly, folded, piece(kind, inside, sign))
            positive = times({(): Fraction(sign)}, inside)
            cases.append(multiple(put, positive) or self.range(put))
        hull = cases[0].hull(cases[1])
        return hull if hull.within(whole.low, whole.high) else whole

    def _range(self, poly: Polynomial) -> Interval:
        names = sorted({atom for monomial in poly for atom in monomial})
        box = [self.atoms[name] for name in names]
        linear = all(len(set(monomial)) == len(monomial) for monomial in poly)
        if linear and all(i.is_bounded for i in box) and 2 ** len(names) <= MOST_CORNERS:
            return corners(poly, names, box)
        if len(names) == 1 and box[0].is_bounded and max(map(len, poly)) == 2:
            return parabola(poly, names[0], box[0])
        total = Interval(Fraction(0), Fraction(0), False, False)
        for monomial, number in poly.items():
            total = added(total, scaled(number, self._product(monomial)))
        return total

    def reduced(self, poly: Polynomial) -> Polynomial:
        """With d * (1 / d) = 1, for every atom 1 / d: equal results are equal values."""
        for name, whole in self.shares.items():
            if not whole:
                continue
            lead = max(whole, key=lambda m: (len(m), m))
            others = {m: -n / whole[lead] for m, n in whole.items() if m != lead}
            changed = True
            while changed:
                changed = False
                terms: list[Polynomial] = []
                for monomial, number in poly.items():
                    rest = removed(monomial, (name, *lead))
                    if rest is None:
                        terms.append({monomial: number})
                        continue
                    changed = True
                    terms.append({rest: number / whole[lead]})
                    terms.append(times({(*rest, name): number}, others))
                poly = plus(*({tuple(sorted(m)): n for m, n in t.items()} for t in terms))
        return poly

    def corners(self, polys: tuple[Polynomial, ...]) -> Iterator[tuple[Fraction, ...]] | None:
        """The values of polynomials of degree one at the corners of the box of their atoms.

        None if an atom that they have is unbounded, or squared, or there are too many.
        """
        names = sorted({atom for poly in polys for monomial in poly for atom in monomial})
        box = [self.atoms[name] for name in names]
        linear = all(len(set(m)) == len(m) for poly in polys for m in poly)
        bounded = all(i.is_bounded for i in box)
        if not linear or not bounded or 2 ** len(names) > MOST_CORNERS:
            return None
        ends = product(*((i.low, i.high) for i in box))
        return (
            tuple(value_at(poly, dict(zip(names, corner, strict=True))) for poly in polys)
            for corner in ends
        )

    def _product(self, monomial: Monomial) -> Interval:
        found = Interval(Fraction(1), Fraction(1), False, False)
        for atom in sorted(set(monomial)):
            found = multiplied(found, power(self.atoms[atom], monomial.count(atom)))
        return found

    def _atom(self, name: str, interval: Interval) -> Polynomial:
        if interval.low == interval.high:
            return {(): interval.low} if interval.low else {}
        self.atoms.setdefault(name, interval)
        return {(name,): Fraction(1)}

    def _applied(self, expr: Apply, name: str) -> Polynomial:
        inside = self.polynomial(expr.argument)
        if expr.name == "stop_gradient":
            return inside
        argument = self.range(inside)
        if expr.name in _FOLDED:
            sign = self.signs.get(name, 1 if argument.low >= 0 else -1 if argument.high <= 0 else 0)
            if sign:
                return piece(expr.name, inside, sign)
            self.inside[name] = (expr.name, inside)
        if expr.name == "reciprocal":
            self.shares[name] = inside
        return self._atom(name, image(expr.name, argument))

    def _shared(self, poly: Polynomial) -> Polynomial:
        """With a / (a + b) as one atom in (0, 1), and b / (a + b) as 1 less it."""
        for name, whole in self.shares.items():
            if len(whole) != 2 or any(len(m) != 1 for m in whole):
                continue
            if any(self.atoms[a].low < 0 for (a,) in whole) or any(n <= 0 for n in whole.values()):
                continue
            ((a,), x), ((b,), y) = sorted(whole.items())
            ends = [i.low > 0 or i.open_low for i in (self.atoms[a], self.atoms[b])]
            share = self._atom(f"{a}/({a} + {b})", Interval(Fraction(0), 1 / x, *ends))
            other = times({(): 1 / y}, plus({(): Fraction(1)}, times({(): -x}, share)))
            terms = []
            for monomial, number in poly.items():
                for atom, value in ((a, share), (b, other)):
                    if name in monomial and atom in monomial:
                        rest = without(without(monomial, name), atom)
                        terms.append(times({rest: number}, value))
                        break
                else:
                    terms.append({monomial: number})
            poly = plus(*terms)
        return poly


def cases(gradients: Gradients, given: Mapping[str, Interval] | None = None) -> Iterator[Ranges]:
    """Ranges for each sign of what stands in |d| and relu(d): together they are all values."""
    first = Ranges(gradients, given)
    for assignment in gradients.forward:
        first.of(assignment.name)
    folded = sorted(first.inside)[:MOST_FOLDED]
    for signs in product((1, -1), repeat=len(folded)):
        yield Ranges(gradients, given, dict(zip(folded, signs, strict=True)))


def _is_mean(number: sp.Expr, rest: Expr) -> bool:
    sums = isinstance(rest, MatMul) and isinstance(rest.args[0], OneMatrix)
    return sums and number * rest.args[0].shape[1] == 1


def _is_positive(number: sp.Expr) -> bool:
    positive = {s: sp.Symbol(s.name, positive=True) for s in number.free_symbols}
    return number.subs(positive).is_positive is True  # None: for some sizes it is, or not known
