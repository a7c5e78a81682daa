"""Sizes, indices and monomials: how sums of products of arrays are written in one way.

A monomial is (powers, factors, bounds): powers of sizes, as n ** -1; factors (atom, axes), as
W[i, #0 + n]; and how far its summed indices #0, #1, ... go. Free indices are 'i' and 'j'; an axis
of size one has the index '0'.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations, product
from math import factorial, prod
from typing import Any, TypeAlias

Size: TypeAlias = tuple[tuple[str, int], ...]  # (("", 1), ("n", 2)) is 1 + 2n; () is 0
Axis: TypeAlias = tuple[str, Size]
Factor: TypeAlias = tuple[str, tuple[Axis, Axis]]
Powers: TypeAlias = tuple[tuple[str, Fraction], ...]
Monomial: TypeAlias = tuple[Powers, tuple[Factor, ...], tuple[Size, ...]]
Poly: TypeAlias = dict[Monomial, Fraction]

MAX_ORDERS = 5_040
ONLY: Axis = ("0", ())
SINGLE: Size = (("", 1),)


class UncheckedError(Exception):
    """Not false, but beyond what this checker decides."""


def number(value: Fraction | int) -> Poly:
    """A constant."""
    return {((), (), ()): Fraction(value)} if value else {}


ONE = number(1)


def add(*polys: Poly, sign: int = 1) -> Poly:
    """The sum; all but the first are multiplied by `sign`."""
    total = dict(polys[0])
    for poly in polys[1:]:
        for monomial, value in poly.items():
            total[monomial] = total.get(monomial, Fraction(0)) + sign * value
    return {monomial: value for monomial, value in total.items() if value}


def gather(total: Poly, poly: Poly) -> None:
    """Add to a sum in its place: a copy of a long one for each term would take too long."""
    for monomial, value in poly.items():
        total[monomial] = total.get(monomial, Fraction(0)) + value
        if not total[monomial]:
            del total[monomial]


def less(a: Size, b: Size) -> Size:
    """The size a without b."""
    found = dict(a)
    for name, count in b:
        found[name] = found.get(name, 0) - count
    return tuple(sorted((name, count) for name, count in found.items() if count))


def at_most(a: Size, b: Size) -> bool:
    """Whether a <= b whatever the sizes are: each is at least 1."""
    gap = less(b, a)
    return sum(count for _, count in gap) >= 0 and all(count > 0 for name, count in gap if name)


def powers_of(a: Powers, b: Powers) -> Powers:
    """The powers of a product."""
    found: dict[str, Fraction] = {}
    for name, exponent in (*a, *b):
        found[name] = found.get(name, Fraction(0)) + exponent
    return tuple(sorted((name, exponent) for name, exponent in found.items() if exponent))


def moved(factors: tuple[Factor, ...], at: Mapping[str, Axis]) -> tuple[Factor, ...]:
    """Factors with other labels; offsets add."""
    if not at:
        return factors

    def axis(label: str, offset: Size) -> Axis:
        to, more = at.get(label, (label, ()))
        return (to, less(offset, less((), more)) if more else offset)

    return tuple((atom, (axis(*axes[0]), axis(*axes[1]))) for atom, axes in factors)


def canonical(
    factors: tuple[Factor, ...], bounds: tuple[Size, ...]
) -> tuple[tuple[Factor, ...], tuple[Size, ...]]:
    """Factors sorted, summed indices in the order that gives the smallest text."""
    if len(bounds) < 2:
        return tuple(sorted(factors)), bounds
    colour = {f"#{k}": str(size) for k, size in enumerate(bounds)}
    carried = [f for f in factors if f[1][0][0] in colour or f[1][1][0] in colour]
    while (classes := len(set(colour.values()))) < len(bounds):
        seen: dict[str, list[Any]] = {b: [] for b in colour}
        for atom, ((a, first), (b, second)) in carried:
            shown = (colour.get(a, a), first, colour.get(b, b), second)
            for place, label in enumerate((a, b)):
                if label in seen:
                    seen[label].append((atom, place, shown))
        marks = {b: f"{colour[b]} {sorted(found)}" for b, found in seen.items()}
        ranked = sorted(set(marks.values()))
        colour = {b: f"%{ranked.index(mark):03}" for b, mark in marks.items()}
        if len(ranked) == classes:
            break
    alike = [[b for b in colour if colour[b] == rank] for rank in sorted(set(colour.values()))]
    if prod(factorial(len(c)) for c in alike) > MAX_ORDERS:
        raise UncheckedError("too many sums that may be exchanged")
    found = []
    for order in product(*(permutations(c) for c in alike)):
        labels = [b for c in order for b in c]
        at = {b: (f"#{k}", ()) for k, b in enumerate(labels)}
        ranges = tuple(bounds[int(b[1:])] for b in labels)
        found.append((tuple(sorted(moved(factors, at))), ranges))
    return min(found)
