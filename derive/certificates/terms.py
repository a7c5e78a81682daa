"""Polynomials in atoms, an atom being whatever has an interval: ranges are found with them."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from math import inf
from typing import Any, TypeAlias

from derive.certificates.intervals import POSITIVE, ZERO, Interval, spanned

__all__ = [
    "Terms",
    "multiple",
    "parabola",
    "piece",
    "plus",
    "removed",
    "replaced",
    "split",
    "times",
    "value_at",
]

Terms: TypeAlias = dict[tuple[Any, ...], Fraction]  # atoms, sorted, as often as they are factors


def split(terms: Terms, atom: Any) -> tuple[Terms, Terms] | None:
    """(a, b) with terms = a * atom + b; None if the atom is squared."""
    if any(m.count(atom) > 1 for m in terms):
        return None
    kept = {tuple(x for x in m if x != atom): v for m, v in terms.items() if atom in m}
    return kept, {m: v for m, v in terms.items() if atom not in m}


def plus(*parts: Terms) -> Terms:
    """The sum."""
    total: Terms = {}
    for terms in parts:
        for monomial, value in terms.items():
            total[monomial] = total.get(monomial, ZERO) + value
    return {monomial: value for monomial, value in total.items() if value}


def times(a: Terms, b: Terms) -> Terms:
    """The product."""
    return plus(
        *(
            {tuple(sorted((*m, *n), key=repr)): v * w}
            for (m, v), (n, w) in product(a.items(), b.items())
        )
    )


def replaced(terms: Terms, atom: Any, by: Terms) -> Terms:
    """With something else in an atom's place."""
    found: Terms = {}
    for monomial, value in terms.items():
        part: Terms = {tuple(a for a in monomial if a != atom): value}
        for _ in range(monomial.count(atom)):
            part = times(part, by)
        found = plus(found, part)
    return found


def removed(monomial: tuple[Any, ...], factors: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The monomial without these factors; None if it has not all of them."""
    kept = list(monomial)
    for factor in factors:
        if factor not in kept:
            return None
        kept.remove(factor)
    return tuple(kept)


def piece(function: str, inside: Terms, sign: int) -> Terms:
    """|d| or relu(d), where d has that sign."""
    return {} if function == "relu" and sign < 0 else {m: sign * v for m, v in inside.items()}


def multiple(terms: Terms, positive: Terms) -> Interval | None:
    """The interval of a number times what is at least zero; None if it is none."""
    ratios = {value / positive[m] for m, value in terms.items() if m in positive}
    if not terms:
        return Interval(ZERO, ZERO, False, False)
    if len(ratios) != 1 or terms.keys() != positive.keys():
        return None
    return POSITIVE if ratios.pop() > 0 else Interval(-inf, ZERO, True, False)


def value_at(terms: Terms, at: Mapping[Any, Any]) -> Fraction:
    """The value where each atom has one."""
    total = ZERO
    for monomial, value in terms.items():
        for atom in monomial:
            value = value * at[atom]
        total += value
    return total


def parabola(terms: Terms, atom: Any, box: Interval) -> Interval:
    """A quadratic of one atom: least and largest at an end, or where its slope is zero."""
    top = -terms.get((atom,), ZERO) / (2 * terms[atom, atom])
    ends = [(box.low, box.open_low), (box.high, box.open_high)]
    ends += [(top, False)] if box.low < top < box.high else []
    return spanned([(value_at(terms, {atom: at}), is_open) for at, is_open in ends])
