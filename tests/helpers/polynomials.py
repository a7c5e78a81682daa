"""Exact polynomials over generators that may be named as they are met: a normal form.

A generator stands for a leaf, for a function of a polynomial, or for a polynomial that was given
a name. The same thing always gets the same generator, so equal polynomials are equal values.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

__all__ = ["Generators", "Polynomial", "SwellError", "total"]

Number = int | Fraction

# A product of generators is one whole number with a field of this many bits for each exponent:
# products of products are then sums of numbers. `degree` keeps a field from running over.
_BITS = 12


MAX_PRODUCTS = 100_000


class SwellError(Exception):
    """A product has more terms than a test should wait for."""


class Polynomial:
    """Numbers by products of generators; `degree` is at least that of every product."""

    def __init__(self, terms: Mapping[int, Number], degree: int) -> None:
        assert degree < 1 << _BITS
        self.terms = {product: number for product, number in terms.items() if number != 0}
        self.degree = degree

    def __add__(self, other: "Polynomial | Number") -> "Polynomial":
        return total((self, _polynomial(other)))

    def __mul__(self, other: "Polynomial | Number") -> "Polynomial":
        other = _polynomial(other)
        if len(self.terms) * len(other.terms) > MAX_PRODUCTS:
            raise SwellError(f"a product of {len(self.terms)} by {len(other.terms)} terms")
        terms: defaultdict[int, Number] = defaultdict(int)
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                terms[left + right] += a * b
        return Polynomial(terms, self.degree + other.degree)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> "Polynomial":
        return self * -1

    def __sub__(self, other: "Polynomial | Number") -> "Polynomial":
        return self + _polynomial(other) * -1

    def __pow__(self, exponent: int) -> "Polynomial":
        result = _polynomial(1)
        for _ in range(exponent):
            result = result * self
        return result

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(frozenset(self.terms.items()))

    def __repr__(self) -> str:
        return f"Polynomial({self.terms})"


def total(polynomials: Iterable[Polynomial]) -> Polynomial:
    """The sum."""
    terms: defaultdict[int, Number] = defaultdict(int)
    degree = 0
    for polynomial in polynomials:
        degree = max(degree, polynomial.degree)
        for product, number in polynomial.terms.items():
            terms[product] += number
    return Polynomial(terms, degree)


class Generators:
    """Numbers generators in the order in which they are met."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any], Polynomial] = {}

    def leaf(self, name: str) -> Polynomial:
        """An independent quantity."""
        return self._generator(("leaf", name))

    def applied(self, function: str, *arguments: Polynomial) -> Polynomial:
        """A function of polynomials: opaque, the arguments are never expanded again."""
        return self._generator(("function", (function, arguments)))

    def named(self, value: Polynomial) -> Polynomial:
        """A name for a sum, so that products of it stay short; a single term stays as it is."""
        return value if len(value.terms) <= 1 else self._generator(("sum", value))

    def evaluated(
        self, leaves: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]
    ) -> Callable[[Polynomial], Any]:
        """Polynomials as numbers, where leaves and functions are the ones given."""
        values: list[Any] = []

        def value_of(polynomial: Polynomial) -> Any:
            return sum(
                c * prod(values[g] for g in _factors(p)) for p, c in polynomial.terms.items()
            )

        for kind, what in self._known:
            match kind:
                case "leaf":
                    values.append(leaves[what])
                case "function":
                    values.append(functions[what[0]](*map(value_of, what[1])))
                case _:
                    values.append(value_of(what))
        return value_of

    def _generator(self, key: tuple[str, Any]) -> Polynomial:
        if key not in self._known:
            self._known[key] = Polynomial({1 << (_BITS * len(self._known)): 1}, 1)
        return self._known[key]


def _polynomial(value: Polynomial | Number) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial({0: value}, 0)


def _factors(product: int) -> Iterator[int]:
    """The generators of a product, each as often as its exponent says."""
    place = 0
    while product:
        for _ in range(product & ((1 << _BITS) - 1)):
            yield place
        product >>= _BITS
        place += 1
