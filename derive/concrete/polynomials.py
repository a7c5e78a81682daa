"""Exact polynomials over generators that are defined as they are met: a normal form.

A generator is a leaf, a function of polynomials, or a polynomial under a name. One definition has
one generator: so equal polynomials are equal values, and functions of equal arguments are one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from derive.normal_form import TooLargeError

__all__ = ["Definition", "Polynomial", "Ring", "total"]

Number = int | Fraction
Product = tuple[int, ...]  # generators in order, each as often as its exponent says


@dataclass(frozen=True)
class Definition:
    """What a generator stands for.

    Attributes:
        kind: 'leaf', 'function' or 'name'.
        what: the leaf's or the function's name; '' for a polynomial under a name.
        arguments: the function's arguments, or the polynomial.
        place: keeps it apart from the same at another place.
    """

    kind: str
    what: str
    arguments: tuple["Polynomial", ...]
    place: int


class Ring:
    """The generators, in the order in which they were met.

    Args:
        most: how many terms all operations together may make.
    """

    def __init__(self, most: int) -> None:
        self.definitions: list[Definition] = []
        self._numbers: dict[Definition, int] = {}
        self._called: dict[int, str] = {}
        self._most, self._made = most, 0

    def number(self, value: Number) -> "Polynomial":
        """A constant."""
        return Polynomial(self, {(): value})

    def generator(self, number: int) -> "Polynomial":
        """The generator of that number in `definitions`."""
        return Polynomial(self, {(number,): 1})

    def leaf(self, name: str) -> "Polynomial":
        """An independent quantity."""
        found = self._defined(Definition("leaf", name, (), 0))
        self.call(next(iter(found.terms))[0], name)
        return found

    def applied(self, function: str, *arguments: "Polynomial", place: int = 0) -> "Polynomial":
        """A function of polynomials, which are never expanded again."""
        return self._defined(Definition("function", function, arguments, place))

    def named(self, value: "Polynomial", place: int = 0) -> "Polynomial":
        """A polynomial under a name; a generator is one already, and a number needs none."""
        if value.is_number or value.generator is not None:
            return value
        return self._defined(Definition("name", "", (value,), place))

    def call(self, number: int, text: str) -> None:
        """Say what a generator is called in print; the first name stays."""
        self._called.setdefault(number, text)

    def called(self, number: int) -> str:
        """What a generator is called."""
        return self._called.get(number, f"{self.definitions[number].what}(...)")

    def spend(self, terms: int) -> None:
        """Count terms that are about to be made.

        Raises:
            TooLargeError: they are too many.
        """
        self._made += terms
        if self._made > self._most:
            raise TooLargeError(f"more than {self._most} terms")

    def _defined(self, definition: Definition) -> "Polynomial":
        number = self._numbers.setdefault(definition, len(self.definitions))
        if number == len(self.definitions):
            self.definitions.append(definition)
        return self.generator(number)


class Polynomial:
    """Numbers by products of a ring's generators."""

    def __init__(self, ring: Ring, terms: Mapping[Product, Number]) -> None:
        self.ring = ring
        self.terms = {product: number for product, number in terms.items() if number != 0}

    @property
    def is_number(self) -> bool:
        """Whether no generator stands in it."""
        return not self.terms or self.terms.keys() == {()}

    @property
    def generator(self) -> int | None:
        """The generator that it is, and nothing more."""
        product, number = next(iter(self.terms.items()), ((), 0))
        return product[0] if len(self.terms) == len(product) == number == 1 else None

    def partials(self) -> Iterator[tuple[int, "Polynomial"]]:
        """The derivative by each generator that stands in it, the others held fixed."""
        found: defaultdict[int, dict[Product, Number]] = defaultdict(dict)
        for product, number in self.terms.items():
            for generator, exponent in Counter(product).items():
                place = product.index(generator)
                found[generator][product[:place] + product[place + 1 :]] = number * exponent
        self.ring.spend(sum(map(len, found.values())))
        for generator, terms in found.items():
            yield generator, Polynomial(self.ring, terms)

    def __add__(self, other: "Polynomial | Number") -> "Polynomial":
        return total(self.ring, (self, self._of(other)))

    def __sub__(self, other: "Polynomial | Number") -> "Polynomial":
        terms = defaultdict(int, self.terms)
        for product, number in self._of(other).terms.items():
            terms[product] -= number
        return Polynomial(self.ring, terms)

    def __mul__(self, other: "Polynomial | Number") -> "Polynomial":
        other = self._of(other)
        self.ring.spend(len(self.terms) * len(other.terms))
        terms: defaultdict[Product, Number] = defaultdict(int)
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                terms[tuple(sorted(left + right))] += a * b
        return Polynomial(self.ring, terms)

    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: int) -> "Polynomial":
        result = self.ring.number(1)
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

    def __iter__(self) -> Iterator[str]:
        """Its terms as text: '-2*f@1[0]**2*h@0[1]'."""
        for product, number in sorted(self.terms.items(), key=lambda term: term[0]):
            powers = Counter(map(self.ring.called, product)).items()
            factors = [name if k == 1 else f"{name}**{k}" for name, k in powers]
            if abs(number) == 1 and factors:
                yield ("-" if number < 0 else "") + "*".join(factors)
            else:
                yield "*".join([str(number), *factors])

    def _of(self, value: "Polynomial | Number") -> "Polynomial":
        return value if isinstance(value, Polynomial) else self.ring.number(value)


def total(ring: Ring, polynomials: Iterable[Polynomial]) -> Polynomial:
    """The sum."""
    terms: defaultdict[Product, Number] = defaultdict(int)
    for polynomial in polynomials:
        ring.spend(len(polynomial.terms))
        for product, number in polynomial.terms.items():
            terms[product] += number
    return Polynomial(ring, terms)
