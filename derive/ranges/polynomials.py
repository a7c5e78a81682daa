"""Polynomials in atoms, and their least and largest values on a box of intervals."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from math import inf

from derive.ranges.intervals import Interval, Number

__all__ = [
    "Monomial",
    "Polynomial",
    "corners",
    "linear_in",
    "multiple",
    "parabola",
    "piece",
    "plus",
    "removed",
    "replaced",
    "times",
    "value_at",
    "without",
]

Monomial = tuple[str, ...]  # atoms, sorted, as often as they are factors
Polynomial = Mapping[Monomial, Number]


def linear_in(poly: Polynomial, atom: str) -> tuple[Polynomial, Polynomial] | None:
    """(a, b) with poly = a * atom + b, neither of which has the atom; None if there are none."""
    slope, rest = {}, {}
    for monomial, number in poly.items():
        match monomial.count(atom):
            case 0:
                rest[monomial] = number
            case 1:
                slope[tuple(a for a in monomial if a != atom)] = number
            case _:
                return None
    return slope, rest


def piece(kind: str, inside: Polynomial, sign: int) -> Polynomial:
    """|d| or relu(d) where d has that sign."""
    if kind == "relu" and sign < 0:
        return {}
    return times({(): Fraction(sign)}, inside)


def removed(monomial: Monomial, factors: Monomial) -> Monomial | None:
    """The monomial without these factors; None if it has not all of them."""
    for factor in factors:
        if factor not in monomial:
            return None
        monomial = without(monomial, factor)
    return monomial


def without(monomial: Monomial, atom: str) -> Monomial:
    """The monomial with one factor less."""
    place = monomial.index(atom)
    return (*monomial[:place], *monomial[place + 1 :])


def plus(*polys: Polynomial) -> Polynomial:
    """The sum."""
    total: dict[Monomial, Fraction] = {}
    for poly in polys:
        for monomial, number in poly.items():
            total[monomial] = total.get(monomial, Fraction(0)) + number
    return {m: n for m, n in total.items() if n}


def times(*polys: Polynomial) -> Polynomial:
    """The product."""
    total: Polynomial = {(): Fraction(1)}
    for poly in polys:
        total = plus(
            *(
                {tuple(sorted(a + b)): x * y}
                for (a, x), (b, y) in product(total.items(), poly.items())
            )
        )
    return total


def replaced(poly: Polynomial, atom: str, value: Polynomial) -> Polynomial:
    """The polynomial with another one in an atom's place."""
    terms = []
    for monomial, number in poly.items():
        others = tuple(a for a in monomial if a != atom)
        terms.append(times({others: number}, *[value] * monomial.count(atom)))
    return plus(*terms)


def multiple(poly: Polynomial, positive: Polynomial) -> Interval | None:
    """The interval of a number times `positive`, which is at least zero; None if it is not."""
    if not poly:
        return Interval(Fraction(0), Fraction(0), False, False)
    if not positive or poly.keys() != positive.keys():
        return None
    ratios = {poly[m] / positive[m] for m in poly}
    if len(ratios) != 1:
        return None
    zero = Fraction(0)
    up = ratios.pop() > 0
    return Interval(zero, inf, False) if up else Interval(-inf, zero, True, False)


def value_at(poly: Polynomial, at: Mapping[str, Number]) -> Fraction:
    """The value where each atom has one."""
    total = Fraction(0)
    for monomial, number in poly.items():
        for atom in monomial:
            number = number * at[atom]
        total += number
    return total


def corners(poly: Polynomial, names: list[str], box: list[Interval]) -> Interval:
    """The interval of a polynomial of degree one in each atom, from the corners of the box."""
    values = {
        corner: value_at(
            poly,
            {n: i.high if up else i.low for n, i, up in zip(names, box, corner, strict=True)},
        )
        for corner in product((False, True), repeat=len(names))
    }

    def is_open(extreme: Fraction) -> bool:
        """Whether each corner that reaches it has an open end that it cannot do without."""
        for corner, value in values.items():
            if value == extreme and not any(
                (i.open_high if up else i.open_low)
                and values[(*corner[:k], not up, *corner[k + 1 :])] != extreme
                for k, (i, up) in enumerate(zip(box, corner, strict=True))
            ):
                return False
        return True

    low, high = min(values.values()), max(values.values())
    return Interval(low, high, is_open(low), is_open(high))


def parabola(poly: Polynomial, name: str, box: Interval) -> Interval:
    """A x^2 + b x + c: least and largest at an end, or where its slope is zero."""
    a, b = poly[(name, name)], poly.get((name,), Fraction(0))
    top = -b / (2 * a)
    found = [(value_at(poly, {name: box.low}), box.open_low)]
    found.append((value_at(poly, {name: box.high}), box.open_high))
    if box.low < top < box.high:
        found.append((value_at(poly, {name: top}), False))
    low, high = min(v for v, _ in found), max(v for v, _ in found)
    return Interval(
        low,
        high,
        all(is_open for v, is_open in found if v == low),
        all(is_open for v, is_open in found if v == high),
    )
