"""Where values lie, by exact arithmetic on the ends of intervals.

An entry is a polynomial in *atoms*: values of functions, lagged states, parameters, sums. Atoms are
taken as independent, each somewhere in its interval, so that what is found here holds for the cell;
where nothing is found, nothing is said. A polynomial of degree one in each atom is least and
largest at corners of the box of their intervals.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import product
from math import inf
from typing import Any

from derive.certificates.algebra import Algebra
from derive.certificates.indices import Factor, Poly, Size, moved
from derive.certificates.intervals import (
    EVERYTHING,
    POSITIVE,
    UNIT,
    VALUES,
    ZERO,
    Interval,
    image,
    inverse,
    multiplied,
    spanned,
)
from derive.certificates.terms import (
    Terms,
    multiple,
    parabola,
    piece,
    plus,
    removed,
    replaced,
    times,
    value_at,
)

__all__ = ["Ranges"]

MAX_CORNERS, MAX_FOLDED = 1 << 10, 6


class Ranges:
    """Intervals of one step of a cell; `given` says those of names such as 'C[t-1]'."""

    def __init__(
        self,
        algebra: Algebra,
        equations: Mapping[str, Poly],
        given: Mapping[str, Interval] | None = None,
        signs: Mapping[Factor, int] | None = None,
    ) -> None:
        self.algebra, self.equations, self.given = algebra, equations, given or {}
        self.signs = signs or {}
        self.boxes: dict[Any, Interval] = {}
        self.folded: dict[Any, tuple[str, Terms]] = {}  # d of the atoms |d| and relu(d)
        self.shares: dict[Any, Terms] = {}  # d of the atoms 1 / d
        self.whole: dict[str, Poly] = {}  # names that are no function of something
        for name, poly in equations.items():
            if self.algebra.function(poly) is None:
                self.whole[name] = self.algebra.substituted(poly, self.whole)

    def cases(self, poly: Poly) -> Iterator[Interval]:
        """The interval for each sign of what stands in |d| and relu(d): together, all values."""
        self.of(poly)
        folded = list(self.folded)[:MAX_FOLDED]
        for signs in product((1, -1), repeat=len(folded)):
            at = dict(zip(folded, signs, strict=True))
            yield Ranges(self.algebra, self.equations, self.given, at).of(poly)

    def of(self, poly: Poly) -> Interval:
        """The interval of a polynomial's entries."""
        return self.range(self.terms(poly))

    def terms(self, poly: Poly) -> Terms:
        """A polynomial in atoms."""
        found: Terms = {}
        for (powers, factors, bounds), value in self.algebra.substituted(poly, self.whole).items():
            outer = [f for f in factors if not any(label[0] == "#" for label, _ in f[1])]
            term: Terms = {(): value}
            if bounds:
                inside = tuple(f for f in factors if f not in outer)
                term = times(term, self.sum(powers, inside, bounds))
            else:
                for name, exponent in powers:
                    self.boxes[name, exponent] = Interval(ZERO)
                    term = times(term, {((name, exponent),): UNIT})
            for factor in outer:
                term = times(term, self.atom(factor))
            found = plus(found, term)
        return self.shared(found)

    def sum(self, powers: Any, factors: tuple[Factor, ...], bounds: tuple[Size, ...]) -> Terms:
        """A sum over products as an atom: a mean lies where they lie."""
        for factor in factors:
            self.box(factor)
        box = self._range({tuple(sorted(factors, key=repr)): UNIT})
        mean = len(bounds) == 1 and powers == tuple((n, Fraction(-k)) for n, k in bounds[0] if n)
        if mean and len(bounds[0]) == 1 == bounds[0][0][1]:
            box = Interval(box.low, box.high, box.low == -inf, box.high == inf)
        elif box.low or box.high:
            box = POSITIVE if box.low >= 0 else EVERYTHING
        self.boxes[powers, factors, bounds] = box
        return {((powers, factors, bounds),): UNIT} if box.low or box.high else {}

    def atom(self, factor: Factor) -> Terms:
        """A factor: an atom, or what it is where its interval says so."""
        box = self.box(factor)
        if box.low == box.high:
            return {(): box.low} if box.low else {}
        if factor in self.folded:
            function, inside = self.folded[factor]
            inner = self.range(inside)
            sign = 1 if inner.low >= 0 else -1 if inner.high <= 0 else self.signs.get(factor)
            if sign:
                return piece(function, inside, sign)
        return {(factor,): UNIT}

    def box(self, factor: Factor) -> Interval:
        """The interval of a factor."""
        if factor not in self.boxes:
            self.boxes[factor] = self._box(factor)
        return self.boxes[factor]

    def _box(self, factor: Factor) -> Interval:
        name, axes = factor
        if name in self.given:
            return self.given[name]
        atom = name if "#" in name else self.algebra.function(self.equations.get(name, {}))
        if atom is None:
            return EVERYTHING
        function = atom.partition("#")[0]
        if function == "rows":
            return VALUES[function][0]
        poly, _ = self.algebra.meaning[atom]
        row, column = ((label.replace("#", "~"), offset) for label, offset in axes)
        at = {"i": row, "j": column}  # '~0' is summed outside of it
        inside = self.terms({(p, moved(f, at), b): value for (p, f, b), value in poly})
        argument = self.range(inside)
        if function in ("abs", "relu"):
            self.folded[factor] = function, inside
        if function == "stop_gradient":
            return argument
        if function == "reciprocal":
            self.shares[factor] = inside
            return inverse(argument)
        return image(function, argument)

    def range(self, terms: Terms) -> Interval:
        """The interval of a polynomial in atoms; |d| is d where d >= 0, and -d elsewhere."""
        folded = next((atom for m in terms for atom in m if atom in self.folded), None)
        whole = self._range(terms)
        if folded is None or terms == {(folded,): 1}:
            return whole
        function, inside = self.folded[folded]
        ends = []
        for sign in (1, -1):
            put = replaced(terms, folded, piece(function, inside, sign))
            found = multiple(put, piece("abs", inside, sign)) or self.range(put)
            ends += [(found.low, found.open_low), (found.high, found.open_high)]
        hull = spanned(ends)
        return hull if hull.within(whole) else whole

    def _range(self, terms: Terms) -> Interval:
        self.algebra.worked(20 * len(terms))
        corners = self.corners(terms)
        atoms = {atom for m in terms for atom in m}
        if corners is not None:
            values = {corner: value for corner, (value,) in corners.items()}
            return spanned([(v, self._needs_open(corner, values)) for corner, v in values.items()])
        if len(atoms) == 1 and self.boxes[min(atoms)].size < inf and max(map(len, terms)) == 2:
            return parabola(terms, min(atoms), self.boxes[min(atoms)])
        total = Interval(ZERO, ZERO, False, False)
        for monomial, value in terms.items():
            box = multiplied([self.boxes[atom] for atom in monomial])
            if all(monomial.count(atom) % 2 == 0 for atom in monomial) and box.low < 0:  # a square
                box = Interval(ZERO, box.high, False, box.open_high)
            box = box if value > 0 else Interval(box.high, box.low, box.open_high, box.open_low)
            total = Interval(
                total.low + value * box.low,
                total.high + value * box.high,
                total.open_low or box.open_low,
                total.open_high or box.open_high,
            )
        return total

    def corners(self, *parts: Terms) -> dict[Any, tuple[Fraction, ...]] | None:
        """The values of polynomials at the corners of their atoms' box, a corner being (atom, up?).

        None if the box has no numbers at an end, or one is not of degree one in each atom.
        """
        atoms = sorted({atom for terms in parts for m in terms for atom in m}, key=repr)
        linear = all(len(set(m)) == len(m) for terms in parts for m in terms)
        finite = all(self.boxes[atom].size < inf for atom in atoms)
        if not linear or not finite or 1 << len(atoms) > MAX_CORNERS:
            return None
        found = {}
        for ups in product((False, True), repeat=len(atoms)):
            corner = tuple(zip(atoms, ups, strict=True))
            at = {a: self.boxes[a].high if up else self.boxes[a].low for a, up in corner}
            found[corner] = tuple(value_at(terms, at) for terms in parts)
        return found

    def _needs_open(self, corner: Any, values: Mapping[Any, Fraction]) -> bool:
        """Whether a corner has an open end that its value cannot do without."""
        for k, (atom, up) in enumerate(corner):
            box, other = self.boxes[atom], (*corner[:k], (atom, not up), *corner[k + 1 :])
            if (box.open_high if up else box.open_low) and values[other] != values[corner]:
                return True
        return False

    def shared(self, terms: Terms) -> Terms:
        """With a / (x a + y b) as one atom in 0 .. 1 / x, from which b / (x a + y b) follows."""
        for name, whole in self.shares.items():
            pairs = sorted(whole.items(), key=repr)
            if len(pairs) != 2 or any(len(m) != 1 or value <= 0 for m, value in pairs):
                continue
            ((a,), x), ((b,), y) = pairs
            if any(self.boxes[atom].low < 0 for atom in (a, b)):
                continue
            ends = [self.boxes[atom].low > 0 or self.boxes[atom].open_low for atom in (a, b)]
            self.boxes[a, name] = Interval(ZERO, 1 / x, *ends)
            share: Terms = {((a, name),): UNIT}
            found: Terms = {}
            for monomial, value in terms.items():
                part: Terms = {monomial: value}
                for atom, is_a in ((a, True), (b, False)):
                    rest = removed(monomial, (name, atom))
                    if rest is not None:
                        other = {(): 1 / y, ((a, name),): -x / y}
                        part = times({rest: value}, share if is_a else other)
                        break
                found = plus(found, part)
            terms = found
        return terms
