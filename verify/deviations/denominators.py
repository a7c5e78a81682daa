"""Denominators, roots and logarithms otherwise: an epsilon, a clamp, N - 1."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    MatAdd,
    OneMatrix,
    add,
    apply,
    coefficient,
    scale,
)
from derive.language.printing import text_of_expression
from verify.deviations.deviation import Family, Variant
from verify.deviations.editing import places, with_equation
from verify.deviations.model import Model
from verify.deviations.shaping import Place, activations, groups, plus, relu, size_of, with_each

__all__ = ["at_least_one", "epsilon", "epsilon_outside", "one_less"]

Change = Callable[[Expr], Expr]


def _under(model: Model) -> Iterator[tuple[str, Apply, Change]]:
    for equation in model.equations.equations:
        nodes = [node for node, _, _ in places(equation.value) if isinstance(node, Apply)]
        for node in dict.fromkeys(n for n in nodes if n.name in _SAID):
            yield equation.name, node, _put(equation.value, node)


def _put(value: Expr, node: Apply) -> Change:
    return lambda new: value.xreplace({node: new})


_SAMPLE = Fraction(1, 1000)
_SAID = {"reciprocal": "a denominator", "sqrt": "a root", "log": "a logarithm"}


def epsilon(model: Model) -> Iterator[Family]:
    """A constant added in a denominator, a root or a logarithm."""
    for name, node, rebuild in _under(model):

        def at(
            number: Fraction, name: str = name, node: Apply = node, rebuild: Change = rebuild
        ) -> Model:
            new = apply(node.name, plus(node.argument, number))
            return with_equation(model, name, rebuild(new))

        label = f"{{}} added in {_SAID[node.name]} of {name}"
        yield Family(label, at, "small", (_SAMPLE,))
    found = [(name, node) for name, node, _ in _under(model)]
    for kind, said in _SAID.items():
        chosen = [place for place in found if place[1].name == kind]
        if len(chosen) > 1:

            def each(number: Fraction, chosen: list[Place] = chosen) -> Model:
                more: Callable[[Apply], Expr] = lambda node: apply(
                    node.name, plus(node.argument, number)
                )
                return with_each(model, chosen, more)

            label = f"{{}} added in {said} of {', '.join(dict.fromkeys(n for n, _ in chosen))}"
            yield Family(label, each, "small", (_SAMPLE,))
    for label, chosen in groups([p for p in activations(model) if p[1].name == "sigmoid"]):

        def inside(number: Fraction, chosen: list[Place] = chosen) -> Model:
            return with_each(model, chosen, lambda node: _over(plus(_over(node), number)))

        yield Family(f"{{}} added in the denominator of {label}", inside, "small", (_SAMPLE,))


def _over(expr: Expr) -> Expr:
    return apply("reciprocal", expr)


def epsilon_outside(model: Model) -> Iterator[Variant]:
    """A constant in a root added after it."""
    found: list[Place] = []
    for name, node, _ in _under(model):
        if node.name == "sqrt" and _outside(node) != node:
            found.append((name, node))
    for place in (*([p] for p in found), found) if len(found) > 1 else [[p] for p in found]:
        names = ", ".join(dict.fromkeys(name for name, _ in place))
        yield Variant(f"in {names}", with_each(model, place, _outside))


def _outside(node: Apply) -> Expr:
    inner = node.argument
    parts = list(inner.args) if isinstance(inner, MatAdd) else [inner]
    constants = [a for a in parts if isinstance(coefficient(a)[1], OneMatrix)]
    rest = [a for a in parts if a not in constants]
    return add(apply("sqrt", add(*rest)), *constants) if rest and constants else node


def at_least_one(model: Model) -> Iterator[Variant]:
    """A denominator that is at least one, or its absolute value is."""
    for name, node, rebuild in _under(model):
        if node.name == "reciprocal":
            for said, size in (("{}", node.argument), ("|{}|", size_of(node.argument))):
                new = plus(relu(plus(size, -1)), 1)
                label = f"max({said.format(_short(node.argument))}, 1) in {name}"
                yield Variant(label, with_equation(model, name, rebuild(apply("reciprocal", new))))


def one_less(model: Model) -> Iterator[Variant]:
    """A mean of squares divided by N - 1 for N: one, and every one."""
    every: dict[str, Expr] = {}
    for equation in model.equations.equations:
        value = every.get(equation.name, equation.value)
        for node, _, _ in places(equation.value):
            if isinstance(node, Apply) and node.name == "sqrt":
                number, rest = _counted(node.argument)
                if number is not None:
                    new = apply("sqrt", node.argument.xreplace({rest: _fewer(rest, number)}))
                    value = value.xreplace({node: new})
        if value != equation.value:
            every[equation.name] = value
            yield Variant(f"in {equation.name}", with_equation(model, equation.name, value))
    new_model = model
    for name, value in every.items():
        new_model = with_equation(new_model, name, value)
    if len(every) > 1:
        yield Variant(f"in {', '.join(every)}", new_model)


def _counted(expr: Expr) -> tuple[sp.Expr | None, Expr]:
    for part in expr.args if isinstance(expr, MatAdd) else (expr,):
        number, _ = coefficient(part)
        if sp.sympify(number).free_symbols:
            return number, part
    return None, expr


def _fewer(part: Expr, number: sp.Expr) -> Expr:
    return scale(1 / (1 / number - 1), coefficient(part)[1])


def _short(expr: Expr) -> str:
    return text_of_expression(expr)
