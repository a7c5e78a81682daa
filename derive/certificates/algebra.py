"""Polynomials in arrays with indices: what the checker of certificates calculates with.

A polynomial is {monomial: coefficient}, exact. A scalar has no free index, so that it meets a
vector or a matrix as it is. An atom of a monomial is a name, or 'f#k' for a function of a
polynomial, or 'rows#k', which is 1 where lo <= index < hi and 0 elsewhere.

Taken as true: the laws of a ring, the product and the chain rule, and the slopes in `SLOPES`.
No SymPy, and nothing of what derives.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isqrt
from typing import Any

from derive.certificates.indices import (
    ONE,
    ONLY,
    SINGLE,
    Axis,
    Factor,
    Monomial,
    Poly,
    Size,
    UncheckedError,
    add,
    at_most,
    canonical,
    gather,
    less,
    moved,
    powers_of,
)

__all__ = ["SLOPES", "Algebra"]

MAX_FACTORS = 48  # of a monomial
MAX_WORK = 12_000_000  # products of monomials and their factors, for one cell: half a minute
MAX_BITS = 2_000  # of a coefficient


class Algebra:
    """Operations on polynomials; functions of which there are names are written with these."""

    def __init__(self) -> None:
        self.named: dict[str, Factor] = {}
        self.atoms: dict[Any, str] = {}
        self.meaning: dict[str, Any] = {}
        self.work = 0

    def times(self, a: Poly, b: Poly, at: Mapping[str, Axis] | None = None) -> Poly:
        """The product; `at` says what the free indices of b are in a."""
        total: Poly = {}
        turned: dict[int, list[tuple[Monomial, Fraction]]] = {}  # b beside that many sums
        for (powers, factors, bounds), value in a.items():
            past = len(bounds)
            if past not in turned:
                shift = {
                    f"#{k}": (f"#{k + past}", ()) for k in range(max(map(_sums, b), default=0))
                }
                there = {**shift, **(at or {})}
                turned[past] = [((p, moved(f, there), n), w) for (p, f, n), w in b.items()]
            for (more, others, inner), factor in turned[past]:
                term = (powers_of(powers, more), factors + others, bounds + inner)
                self._collect(total, term, value * factor)
        return {monomial: value for monomial, value in total.items() if value}

    def _collect(self, total: Poly, term: Monomial, value: Fraction) -> None:
        self.worked(20 + len(term[1]) * (1 + len(term[2])))
        if len(term[1]) > MAX_FACTORS:
            raise UncheckedError(f"a product of more than {MAX_FACTORS} factors")
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise UncheckedError("a number with too many digits")
        settled = self._settled(term)
        if settled is None:
            return
        powers, factors, bounds = settled
        for k, size in enumerate(bounds):  # a sum of equal terms is so many of them
            if not any(axis[0] == f"#{k}" for _, axes in factors for axis in axes):
                last = {f"#{p}": (f"#{p - 1}", ()) for p in range(k + 1, len(bounds))}
                rest = (powers, moved(factors, last), bounds[:k] + bounds[k + 1 :])
                for name, count in size:
                    counted = powers_of(rest[0], ((name, Fraction(1)),)) if name else rest[0]
                    self._collect(total, (counted, *rest[1:]), value * count)
                return
        monomial = (powers, *canonical(factors, bounds))
        total[monomial] = total.get(monomial, Fraction(0)) + value

    def worked(self, steps: int) -> None:
        """Count work; what would take too long is not done."""
        self.work += steps
        if self.work > MAX_WORK:
            raise UncheckedError("it takes more work than this checker does")

    def _settled(self, term: Monomial) -> Monomial | None:
        """The monomial without 'rows' of summed indices, which go from lo to hi then."""
        powers, factors, bounds = term
        seen: dict[str, tuple[Size, Size]] = {}
        kept = []
        for atom, axes in factors:
            if not atom.startswith("rows#"):
                kept.append((atom, axes))
                continue
            (label, offset), _ = axes
            lo, hi = (less(end, offset) for end in self.meaning[atom])
            known = seen.setdefault(label, (lo, hi))
            if known != (lo, hi):
                if at_most(hi, known[0]) or at_most(known[1], lo):
                    return None
                raise UncheckedError("parts of stacks that overlap")
        at: dict[str, Axis] = {}
        for label, (lo, hi) in seen.items():
            if label == "0":
                if at_most(SINGLE, lo) or at_most(hi, ()):
                    return None
                if not (at_most(lo, ()) and at_most(SINGLE, hi)):
                    raise UncheckedError("a part of a stack that may be empty")
            elif label.startswith("#"):
                k = int(label[1:])
                if at_most(hi, ()) or at_most(bounds[k], lo):
                    return None
                if not (at_most((), lo) and at_most(hi, bounds[k])):
                    raise UncheckedError("a part of a stack that only overlaps")
                at[label] = (label, lo)
                bounds = (*bounds[:k], less(hi, lo), *bounds[k + 1 :])
            else:
                kept.append((self._intern("rows", lo, hi), ((label, ()), ONLY)))
        for k, size in enumerate(bounds):
            if size == SINGLE:
                at[f"#{k}"] = ("0", at.get(f"#{k}", ONLY)[1])
        return powers, moved(tuple(kept), at), bounds

    def _intern(self, function: str, *of: Any) -> str:
        key = (function, *of)
        if key not in self.atoms:
            self.atoms[key] = f"{function}#{len(self.atoms)}"
            self.meaning[self.atoms[key]] = of
        return self.atoms[key]

    def power(self, poly: Poly, exponent: int) -> Poly:
        """A whole power."""
        found = ONE
        for _ in range(exponent):
            found = self.times(found, poly)
        return found

    def at(self, poly: Poly, **axes: Axis) -> Poly:
        """Other free indices."""
        return self.times(ONE, poly, axes)

    def summed(self, poly: Poly, label: str, size: Size) -> Poly:
        """The sum over a free index."""
        total: Poly = {}
        for (powers, factors, bounds), value in poly.items():
            inside = moved(factors, {label: (f"#{len(bounds)}", ())})
            self._collect(total, (powers, inside, (*bounds, size)), value)
        return {monomial: value for monomial, value in total.items() if value}

    def rows(self, poly: Poly, lo: Size, hi: Size) -> Poly:
        """`poly` moved to the rows lo ... hi of a stack; zero elsewhere."""
        where: Factor = (self._intern("rows", lo, hi), (("i", ()), ONLY))
        return self.times({((), (where,), ()): Fraction(1)}, poly, {"i": ("i", less((), lo))})

    def apply(self, function: str, poly: Poly, size: Size = ()) -> Poly:
        """A function of each entry; numbers are taken out of 1 / z and square roots."""
        if len(poly) == 1 and function in ("reciprocal", "sqrt"):
            ((powers, factors, bounds), value), *_ = poly.items()
            if function == "reciprocal":
                outer: Poly = {(tuple((n, -e) for n, e in powers), (), ()): 1 / value}
                rest: Poly = {((), factors, bounds): Fraction(1)}
                return self.times(outer, self._function(function, rest)) if factors else outer
            root = Fraction(isqrt(abs(value.numerator)), isqrt(value.denominator))
            if root * root == value and not factors:
                return {(tuple((n, e / 2) for n, e in powers), (), ()): root}
        return self._function(function, poly, size)

    def _function(self, function: str, poly: Poly, size: Size = ()) -> Poly:
        atom = self._intern(function, tuple(sorted(poly.items())), size)
        used = {axis[0] for _, factors, _ in poly for _, axes in factors for axis in axes}
        if size:
            used = used - {"i"}
        row, column = ((label, ()) if label in used else ONLY for label in ("i", "j"))
        return {((), (self.named.get(atom, (atom, (row, column))),), ()): Fraction(1)}

    def call(self, name: str, poly: Poly, axes: tuple[Axis, Axis]) -> None:
        """Write a function with a name from now on, if `poly` is one and has these indices."""
        atom = self.function(poly)
        if atom and all(factors == ((atom, axes),) for _, factors, _ in poly):
            self.named.setdefault(atom, (name, axes))

    def function(self, poly: Poly) -> str | None:
        """The atom of a polynomial that is one function of something; None if it is not."""
        for (powers, factors, bounds), value in poly.items():
            if len(poly) == value == len(factors) == 1 and not powers and not bounds:
                atom = factors[0][0]
                return atom if "#" in atom and not atom.startswith("rows#") else None
        return None

    def substituted(self, poly: Poly, values: Mapping[str, Poly]) -> Poly:
        """Names replaced by values, inside of functions as well."""
        return self._replaced(poly, dict(values))

    def _replaced(self, poly: Poly, values: dict[str, Poly]) -> Poly:
        total: Poly = {}
        for (powers, factors, bounds), value in poly.items():
            factors = moved(factors, {f"#{k}": (f"${k}", ()) for k in range(len(bounds))})
            for atom, _ in factors:
                if "#" in atom and atom not in values and not atom.startswith("rows#"):
                    key, size = self.meaning[atom]
                    inner = self._replaced(dict(key), values)
                    values[atom] = self.apply(atom.partition("#")[0], inner, size)
            kept = tuple(f for f in factors if f[0] not in values)
            term: Poly = {(powers, kept, ()): value}
            for atom, (row, column) in factors:
                if atom in values:
                    term = self.times(term, values[atom], {"i": row, "j": column})
            for k, size in enumerate(bounds):
                term = self.summed(term, f"${k}", size)
            gather(total, term)
        return total

    def differential(
        self, poly: Poly, moving: dict[str, Poly], through: Callable[[str], bool] = lambda f: True
    ) -> Poly:
        """How `poly` moves when names move; functions that are not `through` stand still."""
        total: Poly = {}
        for (powers, factors, bounds), value in poly.items():
            for place, (atom, axes) in enumerate(factors):
                if "#" in atom and atom not in moving:
                    moving[atom] = self._chain(atom, moving, through)
                if moving.get(atom):
                    others = factors[:place] + factors[place + 1 :]
                    at = {"i": axes[0], "j": axes[1]}
                    term = self.times({(powers, others, bounds): value}, moving[atom], at)
                    gather(total, term)
        return total

    def _chain(self, atom: str, moving: dict[str, Poly], through: Callable[[str], bool]) -> Poly:
        function = atom.partition("#")[0]
        if function == "rows" or not through(function):
            return {}
        key, size = self.meaning[atom]
        argument = dict(key)
        inner = self.differential(argument, moving, through)
        if not inner:
            return {}
        y = self._function(function, argument, size)
        if function == "logsumexp":
            share = self.apply("exp", add(argument, y, sign=-1))
            return self.summed(self.times(share, inner), "i", size)
        return self.times(SLOPES[function](self, argument, y), inner)


def _sums(monomial: Monomial) -> int:
    return len(monomial[2])


SLOPES: Mapping[str, Callable[[Algebra, Poly, Poly], Poly]] = {  # of y = f(z), from z and y
    "sigmoid": lambda a, z, y: add(y, a.times(y, y), sign=-1),
    "tanh": lambda a, z, y: add(ONE, a.times(y, y), sign=-1),
    "exp": lambda a, z, y: y,
    "softplus": lambda a, z, y: a.apply("sigmoid", z),
    "log": lambda a, z, y: a.apply("reciprocal", z),
    "sqrt": lambda a, z, y: a.apply("reciprocal", add(y, y)),
    "reciprocal": lambda a, z, y: add({}, a.times(y, y), sign=-1),
    "relu": lambda a, z, y: a.apply("heaviside", z),
    "abs": lambda a, z, y: a.apply("sign", z),
    "heaviside": lambda a, z, y: {},  # declared, as is that of sign, frac and stop_gradient
    "sign": lambda a, z, y: {},
    "sin": lambda a, z, y: a.apply("cos", z),
    "cos": lambda a, z, y: add({}, a.apply("sin", z), sign=-1),
    "frac": lambda a, z, y: ONE,
    "stop_gradient": lambda a, z, y: {},
}
