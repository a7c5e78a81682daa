"""The forms that are compared at given sizes: against SymPy's derivative, and by hand."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
import pytest
from core import CORE, GROWN_CORE
from unrolled import Unrolled

from derive.concrete.derivatives import derivatives
from derive.concrete.forms import NAMINGS, forms
from derive.concrete.polynomials import Polynomial, Ring
from derive.gradients import gradients
from derive.primitives import PRIMITIVES
from derive.zoo import load

# Numbers modulo a prime: a polynomial that is not zero is zero there once in 10^17 draws or so.
PRIME = (1 << 61) - 1


class Residues:
    """Any values for leaves, and any functions: what is equal for them is equal as polynomials."""

    def __init__(self) -> None:
        self.values: dict[Any, int] = {}
        self.random = np.random.default_rng(5)

    def of(self, *key: Any) -> int:
        if key not in self.values:
            self.values[key] = int(self.random.integers(PRIME))
        return self.values[key]

    def rational(self, number: Any) -> int:
        exact = Fraction(number)
        return exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME


def plain(entry: str) -> str:
    """An entry's name as the oracle has it: b[0,0] for b[0]."""
    name = entry.replace(" ", "")
    return name if "," in name or "[" not in name else f"{name[:-1]},0]"


def residue_of(ring: Ring, residues: Residues) -> Callable[[Polynomial], int]:
    """Our polynomials' values."""
    values: list[int] = []

    def of(polynomial: Polynomial) -> int:
        terms = polynomial.terms.items()
        return sum(residues.rational(c) * prod(values[g] for g in p) for p, c in terms) % PRIME

    for definition in ring.definitions:
        inside = [of(argument) for argument in definition.arguments]
        named = definition.kind == "name"
        values.append(inside[0] if named else residues.of(plain(definition.what), *inside))
    return of


QUICK = [("rnn", 2), ("lstm", 2), ("gla", 1), ("slstm", 1)]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *QUICK,
        *(
            pytest.param(name, size, marks=pytest.mark.slow)
            for name, size in [*((n, 2) for n in CORE), *((n, 1) for n in GROWN_CORE)]
            if (name, size) not in QUICK
        ),
    ],
)
def test_the_left_side_is_sympys_derivative_of_the_unrolled_loss(name: str, size: int) -> None:
    """For any functions with these slopes: all values are drawn at random."""
    cell = load(name)
    sizes = dict.fromkeys(cell.dimensions, size)
    oracle, residues = Unrolled(cell, sizes, 2), Residues()
    truth = oracle.gradients
    leaves = {leaf: residues.of(leaf) for leaf in leaves_of(oracle)}
    functions = {
        called: lambda *z, called=called: residues.of(called, *map(residues.rational, z))
        for called in (*PRIMITIVES, "logsumexp")
    }
    theirs = oracle.generators.evaluated(leaves, functions)
    key = {f"{s.name}_0": f"{s.name}@0" for s in cell.states}
    expected = {
        f"{key.get(name, name)}[{i},{j}]": residues.rational(theirs(array[i, j]))
        for name, array in truth.items()
        for i, j in np.ndindex(*array.shape)
    }
    for naming in NAMINGS:
        found = forms(gradients(cell), sizes, 2, replace(naming, most=10_000_000))
        ring = next(iter(found.sides.values()))[0].ring
        ours = residue_of(ring, residues)
        assert {plain(k): ours(left) for k, (left, _) in found.sides.items()} == expected


def leaves_of(oracle: Unrolled) -> list[str]:
    return [what for kind, what in oracle.generators._known if kind == "leaf"]


def test_the_chain_rule_on_generators_follows_every_way() -> None:
    ring = Ring(1_000)
    a, b = ring.leaf("a"), ring.leaf("b")
    inner = ring.named(a * b + 2)
    outer = ring.applied("exp", inner * a)
    value = outer * inner + a
    found = derivatives(value, lambda generator, by: by)
    assert found["a"] == outer * inner * (inner + a * b) + outer * b + 1
    assert found["b"] == outer * inner * a * a + outer * a


def test_terms_are_printed_as_formulas() -> None:
    ring = Ring(1_000)
    a, b = ring.leaf("a[0]"), ring.leaf("b[0]")
    polynomial = a * a * b * Fraction(-1, 2) + ring.applied("tanh", a + b) - b + 3
    assert list(polynomial) == ["3", "-1/2*a[0]**2*b[0]", "-b[0]", "tanh(...)"]
