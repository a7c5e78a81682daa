"""Changing expressions and derivations in one place."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from derive.cell import Cell, Equation
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    Name,
    Transpose,
    add,
    apply,
    coefficient,
    log_sum_exp,
    matmul,
    parts_of,
    power,
    scale,
    stack,
    times,
    transpose,
)
from derive.gradients import Adjoint, Gradients, Term
from verify.deviations.model import Model

__all__ = [
    "PARTS",
    "Place",
    "adjoints",
    "mapped",
    "places",
    "title",
    "with_equation",
    "with_renamed",
    "with_terms",
]

# The parts of a derivation, and what a cotangent in each is called.
PARTS = {
    "parameters": "the gradient of {}",
    "inputs": "the gradient of {}",
    "states": "what is carried back to {}",
    "backward": "the cotangent of {}",
}

# A subexpression, what stands around it, and how the whole looks with another in its place.
Place = tuple[Expr, Expr | None, Callable[[Expr], Expr]]


def places(expr: Expr) -> Iterator[Place]:
    """Every subexpression, from the outside in."""
    yield from _places(expr, None, lambda e: e)


def _places(expr: Expr, parent: Expr | None, rebuild: Callable[[Expr], Expr]) -> Iterator[Place]:
    yield expr, parent, rebuild
    number, rest = coefficient(expr)
    if number != 1:
        yield from _places(rest, parent, lambda e: rebuild(scale(number, e)))
        return
    match expr:
        case MatAdd():
            yield from _each(expr, add, rebuild)
        case HadamardProduct():
            yield from _each(expr, times, rebuild)
        case MatMul():
            yield from _each(expr, matmul, rebuild)
        case HadamardPower():
            exponent = int(expr.args[1])
            yield from _places(expr.args[0], expr, lambda e: rebuild(power(e, exponent)))
        case Transpose():
            yield from _places(expr.args[0], expr, lambda e: rebuild(transpose(e)))
        case Apply():
            name = expr.name
            yield from _places(expr.argument, expr, lambda e: rebuild(apply(name, e)))
        case LogSumExp():
            yield from _places(expr.argument, expr, lambda e: rebuild(log_sum_exp(e)))
        case BlockMatrix():
            pieces = parts_of(expr)
            for k, piece in enumerate(pieces):
                put = lambda e, k=k: rebuild(stack((*pieces[:k], e, *pieces[k + 1 :])))
                yield from _places(piece, expr, put)


def _each(
    expr: Expr, join: Callable[..., Expr], rebuild: Callable[[Expr], Expr]
) -> Iterator[Place]:
    args = expr.args
    for k, arg in enumerate(args):
        put = lambda e, k=k: rebuild(join(*args[:k], e, *args[k + 1 :]))
        yield from _places(arg, expr, put)


def with_equation(model: Model, name: str, value: Expr) -> Model:
    """The model with one equation changed in forward, and derived anew."""
    equations = tuple(
        Equation(e.name, value if e.name == name else e.value) for e in model.equations.equations
    )
    return _with(model, replace(model.equations, equations=equations))


def with_renamed(model: Model, names: dict[Name, Name]) -> Model:
    """The model whose equations read other names, all at once."""
    equations = tuple(Equation(e.name, e.value.xreplace(names)) for e in model.equations.equations)
    return _with(model, replace(model.equations, equations=equations))


def _with(model: Model, cell: Cell) -> Model:
    return replace(model, equations=cell, formulas=None)


def adjoints(model: Model, part: str) -> tuple[Adjoint, ...]:
    """The cotangents in a part of the derivation."""
    found: tuple[Adjoint, ...] = getattr(model.derived, part)
    return found


def title(part: str, adjoint: Adjoint) -> str:
    """What a cotangent is called."""
    return PARTS[part].format(adjoint.of.name)


def with_terms(model: Model, part: str, place: int, terms: tuple[Term, ...]) -> Model:
    """The model with other terms in one cotangent."""
    found = list(adjoints(model, part))
    found[place] = replace(found[place], terms=terms)
    parts: dict[str, Any] = {part: tuple(found)}
    return replace(model, formulas=replace(model.derived, **parts))


def mapped(
    g: Gradients, change: Callable[[Adjoint, Term], Expr], parts: tuple[str, ...]
) -> Gradients:
    """The derivation with every term of some parts changed."""
    found: dict[str, Any] = {
        part: tuple(
            replace(a, terms=tuple(replace(t, value=change(a, t)) for t in a.terms))
            for a in getattr(g, part)
        )
        for part in parts
    }
    return replace(g, **found)
