"""Slopes: left out, of another function, at the wrong argument, of the activated value."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    MatrixSymbol,
    OneMatrix,
    add,
    apply,
    constant,
    power,
    scale,
    times,
)
from derive.gradients import Term, bar
from derive.primitives import PRIMITIVES
from derive.rules import slope
from verify.deviations.deviation import Family, Variant
from verify.deviations.model import Model

__all__ = [
    "activated",
    "at_argument",
    "negated",
    "of_another",
    "omitted",
    "other_formula",
    "raised",
    "several",
    "stale",
]

# Of more activations at once than these only all, and all of one function, are tried.
MOST = 6

Variants = Callable[[Model], Iterator[Variant]]
Slope = Callable[[str, Expr, Expr], Expr | None]


Chosen = dict[int, tuple[str, str, Term]]


def _sloped(wrong: Slope, groups: Callable[[Model, Chosen], Iterator[Variant]]) -> Variants:
    """Models with another slope at one activation, or at several.

    `wrong` has (function, argument, output) and gives None where it has nothing to say.
    """

    def variants(model: Model) -> Iterator[Variant]:
        found: Chosen = {}
        adjoints = list(model.derived.backward)
        values = {a.name: a.value for a in model.forward}
        for place, adjoint in enumerate(adjoints):
            for k, term in enumerate(adjoint.terms):
                value = values.get(term.through)
                if not isinstance(value, Apply) or "activation" not in term.rules:
                    continue
                output = MatrixSymbol(term.through, *value.shape)
                new = wrong(value.name, value.argument, output)
                if new is None or len(term.rules) != 1:
                    continue
                instead = replace(term, value=times(bar(output), new))
                if instead.value != term.value:
                    found[place * 100 + k] = (value.name, term.through, instead)
        yield from groups(model, found)

    return variants


def _chosen(model: Model, found: Chosen) -> Iterator[Variant]:
    """One activation, all of one function, all."""
    groups: list[tuple[str, list[int]]] = [
        (f"{name} in {through}", [key]) for key, (name, through, _) in found.items()
    ]
    for name in dict.fromkeys(name for name, _, _ in found.values()):
        keys = [key for key, row in found.items() if row[0] == name]
        if len(keys) > 1:
            groups.append((f"every {name}", keys))
    if len({row[0] for row in found.values()}) > 1:
        groups.append(("every activation", list(found)))
    for label, keys in groups:
        yield Variant(label, _with(model, found, keys))


def _some(model: Model, found: Chosen) -> Iterator[Variant]:
    """Two or more activations, where there are not too many."""
    for size in range(2, len(found)) if len(found) <= MOST else ():
        for keys in combinations(found, size):
            names = {found[key][0] for key in keys}
            if len(names) == 1 and size == sum(row[0] in names for row in found.values()):
                continue
            label = ", ".join("{} in {}".format(*found[key][:2]) for key in keys)
            yield Variant(label, _with(model, found, list(keys)))


def _with(model: Model, found: Chosen, keys: list[int]) -> Model:
    adjoints = list(model.derived.backward)
    for key in keys:
        place, k = divmod(key, 100)
        terms = adjoints[place].terms
        new = (*terms[:k], found[key][2], *terms[k + 1 :])
        adjoints[place] = replace(adjoints[place], terms=new)
    return replace(model, formulas=replace(model.derived, backward=tuple(adjoints)))


def _slope_as(name: str, argument: Expr, output: Expr) -> Expr:
    return slope(name, argument, output, PRIMITIVES)


# Slope left out: phi' = 1.
_ONE: Slope = lambda name, z, y: OneMatrix(*y.shape)
omitted = _sloped(_ONE, _chosen)

# The formula in the output, given the argument: 1 - C**2 for 1 - tanh(C)**2.
_AT_ARGUMENT: Slope = lambda name, z, y: (
    _slope_as(name, z, z) if y in _slope_as(name, z, y).atoms(MatrixSymbol) else None
)
at_argument = _sloped(_AT_ARGUMENT, _chosen)

# The derivative of a value that is activated already: 1 - tanh(tanh(z))**2.
_ACTIVATED: Slope = lambda name, z, y: _slope_as(name, y, apply(name, y))
activated = _sloped(_ACTIVATED, _chosen)

negated = _sloped(lambda name, z, y: scale(-1, _slope_as(name, z, y)), _chosen)

_OTHERS = {"sigmoid": "tanh", "tanh": "sigmoid", "relu": "tanh"}


def _another(name: str, z: Expr, y: Expr) -> Expr | None:
    if name == "softplus":  # that of sigmoid, for log sigmoid(z) = -softplus(-z)
        return _slope_as("sigmoid", z, apply("sigmoid", z))
    return _slope_as(_OTHERS[name], z, y) if name in _OTHERS else None


of_another = _sloped(_another, _chosen)

# What is said after the activations.
_SEVERAL: tuple[tuple[str, Slope], ...] = (
    ("left out", _ONE),
    ("with the argument for the value", _AT_ARGUMENT),
    ("of the activated value", _ACTIVATED),
)


def several(model: Model) -> Iterator[Variant]:
    """The same slip in the slopes of some activations, but not of all of one kind."""
    for said, wrong in _SEVERAL:
        for variant in _sloped(wrong, _some)(model):
            yield replace(variant, label=f"{variant.label}, {said}")


def raised(model: Model) -> Iterator[Family]:
    """A constant added to a slope."""
    names = [variant.label for variant in omitted(model)]
    for label in names:

        def at(number: Fraction, label: str = label) -> Model:
            more: Slope = lambda name, z, y: add(
                _slope_as(name, z, y), constant(sp.Rational(number), y.shape)
            )
            found = (v.model for v in _sloped(more, _chosen)(model) if v.label == label)
            return next(found, model)

        yield Family(f"{label}, plus {{}}", at, "affine", (Fraction(1, 100),))


_FORMULAS: tuple[tuple[str, Callable[[Expr], Expr]], ...] = (
    ("y", lambda y: y),
    ("1 - y", lambda y: add(OneMatrix(*y.shape), scale(-1, y))),
    ("1 + y**2", lambda y: add(OneMatrix(*y.shape), power(y, 2))),
    ("y**2", lambda y: power(y, 2)),
    ("sigmoid(y)", lambda y: apply("sigmoid", y)),
)

_HALF = sp.Rational(1, 2)

# Of some functions: powers of what divides, and halves, lost.
_OF_ONE: dict[str, tuple[tuple[str, Callable[[Expr], Expr]], ...]] = {
    "reciprocal": (
        ("-y", lambda y: scale(-1, y)),
        ("-y**3", lambda y: scale(-1, power(y, 3))),
    ),
    "sqrt": (
        ("1/2", lambda y: scale(_HALF, OneMatrix(*y.shape))),
        ("y / 2", lambda y: scale(_HALF, y)),
        ("2 y", lambda y: scale(2, y)),
        ("1 / y**2", lambda y: power(apply("reciprocal", y), 2)),
        ("1 / (2 y**2)", lambda y: scale(_HALF, power(apply("reciprocal", y), 2))),
    ),
}


def _in_output(formula: Callable[[Expr], Expr], of: str = "") -> Slope:
    return lambda name, z, y: formula(y) if of in ("", name) else None


# Applied to a cotangent that has been multiplied by it already.
_TWICE: Slope = lambda name, z, y: power(_slope_as(name, z, y), 2)


def other_formula(model: Model) -> Iterator[Variant]:
    """Half of a formula, one with a wrong sign, the right one twice."""
    rows = [(text, _in_output(formula)) for text, formula in _FORMULAS]
    for of, formulas in _OF_ONE.items():
        rows += [(text, _in_output(formula, of)) for text, formula in formulas]
    for text, wrong in rows:
        for variant in _sloped(wrong, _chosen)(model):
            yield replace(variant, label=f"{variant.label}, slope {text}")
    for variant in _sloped(_TWICE, _chosen)(model):
        yield replace(variant, label=f"{variant.label}, the slope twice")


def stale(model: Model) -> Iterator[Variant]:
    """The slope at the value of the step before or after."""
    for when in ("t-1", "t+1"):

        def moved(name: str, z: Expr, y: Expr, when: str = when) -> Expr:
            names = {s: MatrixSymbol(f"{s.name}[{when}]", *s.shape) for s in (z, y)}
            return _slope_as(name, z, y).xreplace(names)

        for variant in _sloped(moved, _chosen)(model):
            yield replace(variant, label=f"{variant.label}, at {when}")
