"""Both sides of the claim as polynomials: the derivative of the loss, and the derived sweep."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from derive.cell import Cell
from derive.concrete.derivatives import derivatives
from derive.concrete.entries import entries, entry, filled
from derive.concrete.polynomials import Polynomial, Ring
from derive.concrete.recurrence import Grid, Named, loss, swept, upstreams, wanted
from derive.evaluate import Sizes
from derive.expressions import Expr
from derive.gradients import Gradients

__all__ = ["NAMINGS", "Forms", "Naming", "forms"]

Sides = tuple[Polynomial, Polynomial]


@dataclass(frozen=True)
class Naming:
    """What is a generator beside leaves and functions.

    With cotangents named, polynomials stay as short as the formulas are, for any T: by induction,
    as long as both sides find the same cotangents, these have the same names. Steps are kept apart
    then: a value that is the same at every step has a cotangent at each.

    Attributes:
        values: whether the values of equations are.
        cotangents: whether their cotangents are.
        most: how many terms may be made.
    """

    what: str
    values: bool
    cotangents: bool
    most: int


# A later one is tried where sides differ under those before it.
NAMINGS = (
    Naming("activations, named values and cotangents", True, True, 2_000_000),
    Naming("activations and named values", True, False, 200_000),
    Naming("activations", False, False, 200_000),
)


@dataclass(frozen=True)
class Forms:
    """Both sides, entry by entry: (derivative of the loss, derived sweep).

    Attributes:
        sides: every entry of every gradient, by name.
        cotangents: those of named values, in the order of the sweep, where they have names.
        generators: how many there are.
    """

    naming: Naming
    sides: Mapping[str, Sides]
    cotangents: Mapping[str, Sides]
    generators: int

    @cached_property
    def differing(self) -> dict[str, Polynomial]:
        """Left minus right where that is not zero."""
        return {name: a - b for name, (a, b) in self.sides.items() if a != b}

    @property
    def first(self) -> tuple[str, Polynomial] | None:
        """The first cotangent of the sweep that is not the derivative, with left minus right."""
        every = self.cotangents.items()
        return next(((name, a - b) for name, (a, b) in every if a != b), None)

    @property
    def terms(self) -> int:
        """Of the left side."""
        return sum(len(left.terms) for left, _ in self.sides.values())


def forms(derived: Gradients, sizes: Sizes, steps: int, naming: Naming) -> Forms:
    """Both sides in normal form.

    Raises:
        TooLargeError: more terms would be made than `naming` allows.
    """
    cell, ring = derived.cell, Ring(naming.most)
    shapes = wanted(cell, sizes, steps)
    every = {**shapes, **upstreams(cell, sizes, steps)}
    ring.spend(sum(rows * columns for rows, columns in every.values()))
    given = {name: _leaves(name, shape, ring) for name, shape in every.items()}
    left, right = _Left(cell, sizes, naming, ring), _Right(cell, sizes, naming, ring)
    found = derivatives(loss(cell, given, steps, left), left.kept)
    grads, zero = swept(derived, given, steps, right), ring.number(0)
    sides = {
        name: (found.get(name, zero), grads[array].item(at))
        for array, shape in shapes.items()
        for at in np.ndindex(*shape)
        for name in [entry(array, at, shape)]
    }
    for way, text in ((left, "dL/d{}"), (right, "bar({})")):  # the same, or of the sweep alone
        for generator, by in way.by.items():
            kept = ring.named(by, ring.definitions[generator].place)
            _call(kept, text.format(ring.called(generator)))
    cotangents = {
        f"dL/d{ring.called(g)}": (left.by.get(g, zero), bar) for g, bar in right.by.items()
    }
    return Forms(naming, sides, cotangents, len(ring.definitions))


def _leaves(name: str, shape: tuple[int, int], ring: Ring) -> Grid:
    return filled(shape, lambda at: ring.leaf(entry(name, at, shape)))


class _Way:
    """How values are found as polynomials."""

    def __init__(self, cell: Cell, sizes: Sizes, naming: Naming, ring: Ring) -> None:
        self.sizes, self.naming, self.ring = sizes, naming, ring
        self.equations = {e.name for e in cell.equations}
        self.by: dict[int, Polynomial] = {}  # cotangents of generators, before they have names

    def place(self, t: int) -> int:
        """What keeps generators of different steps apart."""
        return t if self.naming.cotangents else 0

    def value(self, expr: Expr, values: Named, t: int) -> Grid:
        return entries(expr, values, self.sizes, self.ring, self.place(t))

    def named(self, name: str, value: Grid, t: int) -> Grid:
        if self.naming.values and name in self.equations:
            value = self._each_named(value, t)
        for at in np.ndindex(*value.shape):
            _call(value.item(at), entry(f"{name}@{t}", at, value.shape))
        return value

    def cotangent(self, name: str, value: Grid, t: int) -> Grid:
        return value

    def _each_named(self, value: Grid, t: int) -> Grid:
        return filled(value.shape, lambda at: self.ring.named(value.item(at), self.place(t)))


class _Left(_Way):
    """For the chain rule on generators."""

    def kept(self, generator: int, by: Polynomial) -> Polynomial:
        """The name of the derivative by a generator."""
        if not self.naming.cotangents:
            return by
        self.by[generator] = by
        return self.ring.named(by, self.ring.definitions[generator].place)


class _Right(_Way):
    """For the sweep.

    A generator's cotangent is that of the value that was it first: others, such as a stack that it
    stands in, pass theirs on to that one.
    """

    def __init__(self, cell: Cell, sizes: Sizes, naming: Naming, ring: Ring) -> None:
        super().__init__(cell, sizes, naming, ring)
        self.seen: set[int] = set()
        self.first: dict[tuple[str, int, tuple[int, ...]], int] = {}

    def named(self, name: str, value: Grid, t: int) -> Grid:
        value = super().named(name, value, t)
        for at in np.ndindex(*value.shape):
            generator = value.item(at).generator
            if generator is None or generator in self.seen:
                continue
            self.seen.add(generator)
            if self.ring.definitions[generator].kind != "leaf":
                self.first[name, t, at] = generator
        return value

    def cotangent(self, name: str, value: Grid, t: int) -> Grid:
        if not self.naming.cotangents:
            return value

        def kept(at: tuple[int, ...]) -> Polynomial:
            bar: Polynomial = value.item(at)
            generator = self.first.get((name, t, at))
            if generator is None:
                return bar
            self.by[generator] = bar
            return self.ring.named(bar, self.place(t))

        return filled(value.shape, kept)


def _call(value: Polynomial, text: str) -> None:
    if value.generator is not None:
        value.ring.call(value.generator, text)
