"""Forward shapes a value otherwise: clipped, with a piecewise function, with one more."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    HadamardProduct,
    MatMul,
    OneMatrix,
    add,
    apply,
    constant,
    power,
    scale,
    times,
)
from derive.language.printing import text_of_expression
from verify.deviations.deviation import Family, Variant
from verify.deviations.editing import places, with_equation
from verify.deviations.model import Model

__all__ = [
    "Place",
    "activation_added",
    "activations",
    "approximated",
    "argument_clipped",
    "clipped",
    "groups",
    "leaky",
    "piecewise",
    "plus",
    "relu",
    "size_of",
    "value_clipped",
    "value_shifted",
    "with_each",
]

Change = Callable[[Expr], Expr]

# An activation, and the equation that it stands in.
Place = tuple[str, Apply]


def plus(expr: Expr, number: Fraction | int) -> Expr:
    """A number added to every entry."""
    return add(expr, constant(sp.Rational(number), expr.shape))


def relu(expr: Expr) -> Expr:
    """The positive part."""
    return apply("relu", expr)


def clipped(z: Expr, low: Fraction | int, high: Fraction | int) -> Expr:
    """The value, but at least `low` and at most `high`."""
    above = scale(sp.S.NegativeOne, relu(plus(z, -high)))
    return plus(add(relu(plus(z, -low)), above), low)


def activations(model: Model) -> list[Place]:
    """Where functions of pre-activations, and others that people write out, stand."""
    names = ("sigmoid", "tanh", "relu", "exp", "softplus")
    found = [
        (equation.name, node)
        for equation in model.equations.equations
        for node, _, _ in places(equation.value)
        if isinstance(node, Apply) and node.name in names
    ]
    return list(dict.fromkeys(found))


def groups(found: Sequence[Place]) -> Iterator[tuple[str, list[Place]]]:
    """Each activation, all of one function, and all."""
    for name, node in found:
        yield f"{node.name} in {name}", [(name, node)]
    kinds = list(dict.fromkeys(node.name for _, node in found))
    for kind in kinds:
        chosen = [place for place in found if place[1].name == kind]
        if len(chosen) > 1:
            yield f"every {kind}", chosen
    if len(kinds) > 1:
        yield "every activation", list(found)
        first = [(name, node) for name, node in found if _linear(node)]
        if 1 < len(first) < len(found):
            yield "every activation of a matrix product", first


def _linear(node: Apply) -> bool:
    """Whether it is applied to a pre-activation."""
    return any(isinstance(inner, MatMul) for inner, _, _ in places(node.argument))


def with_each(model: Model, chosen: Sequence[Place], change: Callable[[Apply], Expr]) -> Model:
    """The model with each of these functions changed where it stands."""
    for equation in model.equations.equations:
        new = {node: change(node) for name, node in chosen if name == equation.name}
        if new:
            model = with_equation(model, equation.name, equation.value.xreplace(new))
    return model


def argument_clipped(model: Model) -> Iterator[Family]:
    """Arguments of activations clipped: pre-activations, or C before its tanh."""
    for label, chosen in groups(activations(model)):

        def at(number: Fraction, chosen: list[Place] = chosen) -> Model:
            bounded: Callable[[Apply], Expr] = lambda node: apply(
                node.name, clipped(node.argument, -abs(number), abs(number))
            )
            return with_each(model, chosen, bounded)

        yield Family(f"the argument of {label} clipped at {{}}", at, "threshold", (Fraction(1, 2),))


def value_clipped(model: Model) -> Iterator[Family]:
    """A state clipped within the step, before it is read."""
    states = {s.name for s in model.equations.states}
    for equation in model.equations.equations:
        if equation.name in states:

            def at(
                number: Fraction, name: str = equation.name, value: Expr = equation.value
            ) -> Model:
                return with_equation(model, name, clipped(value, -abs(number), abs(number)))

            label = f"{equation.name} clipped at {{}}"
            yield Family(label, at, "ceiling", (Fraction(1, 5),))
            yield Family(label, at, "threshold", ())


def value_shifted(model: Model) -> Iterator[Family]:
    """A constant added to the value of each equation."""
    for equation in model.equations.equations:

        def at(number: Fraction, name: str = equation.name, value: Expr = equation.value) -> Model:
            return with_equation(model, name, plus(value, number))

        label = f"{{}} added to {equation.name}"
        yield Family(label, at, "shift", (Fraction(1, 10**6), Fraction(1, 2)))


def size_of(z: Expr) -> Expr:
    """The absolute value."""
    return add(relu(z), relu(scale(sp.S.NegativeOne, z)))


def _ramp(share: Fraction) -> Change:
    """clip(share z + 1/2, 0, 1)."""
    return lambda z: clipped(plus(scale(sp.Rational(share), z), Fraction(1, 2)), 0, 1)


def _branch(sign: int) -> Change:
    return lambda z: apply("sigmoid", scale(sp.Integer(sign), size_of(z)))


_PIECEWISE: dict[str, tuple[tuple[str, Change], ...]] = {
    "sigmoid": (
        ("clip(z / 5 + 1/2, 0, 1)", _ramp(Fraction(1, 5))),
        ("clip(z / 6 + 1/2, 0, 1)", _ramp(Fraction(1, 6))),
        ("clip(z / 4 + 1/2, 0, 1)", _ramp(Fraction(1, 4))),
        ("sigmoid(|z|), the wrong branch of a stable formula,", _branch(1)),
        ("sigmoid(-|z|), the wrong branch of a stable formula,", _branch(-1)),
    ),
    "tanh": (("clip(z, -1, 1)", lambda z: clipped(z, -1, 1)),),
}


def _rational(z: Expr) -> Expr:
    """The fraction z (27 + z**2) / (27 + 9 z**2) between -3 and 3, where it is -1 and 1."""
    z = clipped(z, -3, 3)
    square = power(z, 2)
    below = apply("reciprocal", plus(scale(sp.Integer(9), square), 27))
    return times(z, plus(square, 27), below)


def _softsign(z: Expr) -> Expr:
    return times(z, apply("reciprocal", plus(size_of(z), 1)))


def _half(change: Change) -> Change:
    """What a formula for tanh gives for sigmoid: (1 + tanh(z / 2)) / 2."""
    return lambda z: scale(_HALF, plus(change(scale(_HALF, z)), 1))


_HALF = sp.Rational(1, 2)

# Formulas in the place of both functions.
_APPROXIMATE: tuple[tuple[str, Change], ...] = (
    ("z (27 + z**2) / (27 + 9 z**2), cut at 3,", _rational),
    ("z / (1 + |z|)", _softsign),
)


def approximated(model: Model) -> Iterator[Variant]:
    """A formula that is near tanh in its place, or in that of sigmoid, or of both."""
    found = [p for p in activations(model) if p[1].name in ("tanh", "sigmoid")]
    for label, chosen in groups(found):
        for said, change in _APPROXIMATE:
            instead = "" if "tanh" in label else "tanh in "
            new = with_each(model, chosen, _near(change))
            yield Variant(f"{said} for {instead}{label}", new)


def _near(change: Change) -> Callable[[Apply], Expr]:
    """The formula where tanh or sigmoid stands."""
    of = {"tanh": change, "sigmoid": _half(change)}
    return lambda node: of[node.name](node.argument)


def leaky(model: Model) -> Iterator[Family]:
    """A relu with a slope below zero."""
    for label, chosen in groups([p for p in activations(model) if p[1].name == "relu"]):

        def at(number: Fraction, chosen: list[Place] = chosen) -> Model:
            below: Change = lambda z: scale(-sp.Rational(number), relu(scale(sp.S.NegativeOne, z)))
            return with_each(
                model, chosen, lambda node: add(relu(node.argument), below(node.argument))
            )

        yield Family(f"slope {{}} below zero in {label}", at, "curve", (Fraction(1, 100),))


def _of_argument(change: Change) -> Callable[[Apply], Expr]:
    return lambda node: change(node.argument)


def piecewise(model: Model) -> Iterator[Variant]:
    """Hard sigmoid, hard tanh, one branch of a stable formula."""
    for label, chosen in groups([p for p in activations(model) if p[1].name in _PIECEWISE]):
        for name in dict.fromkeys(node.name for _, node in chosen):
            alone = [place for place in chosen if place[1].name == name]
            if len(alone) == len(chosen):
                for said, change in _PIECEWISE[name]:
                    yield Variant(
                        f"{said} for {label}", with_each(model, chosen, _of_argument(change))
                    )


def activation_added(model: Model) -> Iterator[Variant]:
    """One more activation: around an equation, or around a factor of a product."""
    for equation in model.equations.equations:
        wholes = [equation.value]
        for node, _, _ in places(equation.value):
            if isinstance(node, HadamardProduct):
                wholes += [
                    times(*node.args[:k], *node.args[k + 1 :]) for k in range(len(node.args))
                ]
                wholes += list(node.args)
        for inner in dict.fromkeys(wholes):
            for name in ("tanh", "sigmoid", "relu"):
                if isinstance(inner, Apply | OneMatrix):
                    continue
                value = _wrapped(equation.value, inner, name)
                if value != equation.value:
                    label = f"{name}({_short(inner)}) in {equation.name}"
                    yield Variant(label, with_equation(model, equation.name, value))


def _wrapped(value: Expr, inner: Expr, name: str) -> Expr:
    if value == inner:
        return apply(name, inner)
    for node, _, rebuild in places(value):
        if isinstance(node, HadamardProduct):
            for k, factor in enumerate(node.args):
                rest = times(*node.args[:k], *node.args[k + 1 :])
                if rest == inner:
                    return rebuild(times(factor, apply(name, inner)))
                if factor == inner:
                    return rebuild(times(rest, apply(name, inner)))
    return value


def _short(expr: Expr) -> str:
    return text_of_expression(expr)
