"""Differentials of a step along chosen paths, as matrix expressions linear in one tangent.

A Jacobian is read off a differential: f * d is diag(f) applied to d. This is the forward direction;
the reverse sweep of `derive.gradients` does not use it, and the theorem `adjoint` compares the two.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from derive.cell import Variable, lag
from derive.expressions import (
    Apply,
    Expr,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    ZeroMatrix,
    coefficient,
    constant,
    scale,
    times,
)
from derive.gradients import Gradients
from derive.language.printing import text_of_expression
from derive.notation import Notation, notation_of
from derive.rules import push

__all__ = [
    "Operator",
    "Writer",
    "activated",
    "additive",
    "differential",
    "earlier",
    "is_diagonal",
    "is_zero",
    "ones",
    "operators",
    "tangent",
]


def tangent(name: Name) -> Name:
    """The direction in which a name moves."""
    return MatrixSymbol(f"d({name.name})", *name.shape)


def is_zero(expr: Expr) -> bool:
    """Whether an expression is the zero matrix as built."""
    return isinstance(expr, ZeroMatrix)


def differential(
    gradients: Gradients,
    of: Name,
    moving: Mapping[Name, Expr],
    through: Callable[[str], bool] = lambda name: True,
) -> Expr:
    """How `of` moves within one step when names move as given.

    Args:
        gradients: the step.
        of: a name that the step assigns.
        moving: tangents of lagged states, inputs, parameters, or of names assigned in the step.
        through: names that may move in their turn; the others are held fixed.
    """
    tangents = dict(moving)
    for assignment in gradients.forward:
        symbol = assignment.symbol
        if symbol not in moving and through(assignment.name):
            moved = push(assignment.value, symbol, tangents)
            if not is_zero(moved):
                tangents[symbol] = moved
    return tangents.get(of, ZeroMatrix(*of.shape))


def additive(gradients: Gradients, state: Variable, direction: Expr) -> Expr:
    """The part of the differential of s_t that comes from s_{t-1} where its sum names it."""
    own = next(a for a in gradients.forward if a.name == state.name)
    return push(own.value, own.symbol, {state.before: direction})


def ones(name: Name) -> Expr:
    """A vector of ones of the shape of `name`."""
    return constant(sp.S.One, name.shape)


def earlier(expr: Expr, timeless: Collection[str], steps: int = 1) -> Expr:
    """The same expression some time steps earlier."""
    names = {
        leaf: MatrixSymbol(_earlier(leaf.name, timeless, steps), *leaf.shape)
        for leaf in expr.atoms(MatrixSymbol)
    }
    return expr.xreplace(names)


def _earlier(name: str, timeless: Collection[str], steps: int) -> str:
    wrapped = re.fullmatch(r"d\((.+)\)", name)
    if wrapped:
        return f"d({_earlier(wrapped[1], timeless, steps)})"
    if name in timeless:
        return name
    stem, _, back = name.partition("[t-")
    return lag(stem, steps + int(back[:-1] or 0) if back else steps)


@dataclass(frozen=True)
class Operator:
    """One path of a Jacobian: number * diag(...) P diag(...) ..., applied to a tangent."""

    number: sp.Expr
    links: tuple[Expr, ...]
    value: Expr


def operators(expr: Expr, direction: Expr) -> Iterator[Operator]:
    """The paths of a differential that is linear in `direction`."""
    yield from _operators(expr, direction, sp.S.One, (), lambda e: e)


def _operators(
    expr: Expr,
    direction: Expr,
    number: sp.Expr,
    links: tuple[Expr, ...],
    rebuild: Callable[[Expr], Expr],
) -> Iterator[Operator]:
    if isinstance(expr, ZeroMatrix):
        return
    if expr == direction:
        yield Operator(number, links, scale(number, rebuild(expr)))
        return
    factor, rest = coefficient(expr)
    if factor != 1:
        yield from _operators(rest, direction, number * factor, links, rebuild)
        return
    match expr:
        case MatAdd():
            for term in expr.args:
                yield from _operators(term, direction, number, links, rebuild)
        case HadamardProduct():
            inner = [a for a in expr.args if a.has(direction)]
            outer = times(*(a for a in expr.args if not a.has(direction)))
            yield from _operators(
                inner[0], direction, number, (*links, outer), lambda e: rebuild(times(outer, e))
            )
        case MatMul():
            matrix = expr.args[0]
            yield from _operators(
                expr.args[1],
                direction,
                number,
                (*links, matrix),
                lambda e: rebuild(MatMul(matrix, e)),
            )
        case _:
            yield Operator(number, (*links, expr), scale(number, rebuild(expr)))


def is_diagonal(expr: Expr, direction: Expr) -> bool:
    """Whether every path of a differential is diagonal: elementwise factors only."""
    return all(
        link.shape[1] == 1 and not link.has(direction)
        for operator in operators(expr, direction)
        for link in operator.links
    )


class Writer:
    """Claims as text (f_t, C_{t-1}) and as TeX."""

    def __init__(self, gradients: Gradients) -> None:
        self.timeless = frozenset(p.name for p in gradients.cell.parameters)
        self.notation: Notation = notation_of(gradients.cell)
        own = {e.name for e in gradients.cell.equations}
        self.introduced = {a.symbol: a.value for a in gradients.forward if a.name not in own}

    def spelled(self, expr: Expr) -> Expr:
        """The expression without names that the cell's author did not choose."""
        for back in range(3):
            values = {_at(n, back): _at(v, back, self.timeless) for n, v in self.introduced.items()}
            for _ in self.introduced:
                expr = expr.xreplace(values)
        return expr

    def text(self, expr: Expr) -> str:
        """An expression with its time indices."""
        expr = self.spelled(expr)
        names = {
            leaf: MatrixSymbol(self.name(leaf.name), *leaf.shape)
            for leaf in expr.atoms(MatrixSymbol)
        }
        return text_of_expression(expr.xreplace(names))

    def name(self, name: str) -> str:
        """'f' as f_t, 'C[t-1]' as C_{t-1}, a parameter as it is, a tangent as dC_{t-1}."""
        wrapped = re.fullmatch(r"d\((.+)\)", name)
        if wrapped:
            return f"d{self.name(wrapped[1])}"
        if name in self.timeless:
            return name
        stem, _, back = name.partition("[")
        return f"{stem}_{{{back[:-1]}}}" if back else f"{stem}_t"

    def jacobian(self, expr: Expr, direction: Expr) -> str:
        """A differential as a sum of operators: diag(f_t) + diag(...) U_f diag(...)."""
        return _joined(self.path(o) for o in operators(expr, direction))

    def jacobian_tex(self, expr: Expr, direction: Expr) -> str:
        """The same as TeX."""
        return _joined(self.path_tex(o) for o in operators(expr, direction))

    def path(self, operator: Operator) -> str:
        """One path as text."""
        links = [self._link(link) for link in _merged(operator.links)] or ["I"]
        return f"{_sign(operator.number)}{' '.join(links)}"

    def path_tex(self, operator: Operator) -> str:
        """One path as TeX."""
        links = [self._link_tex(link) for link in _merged(operator.links)] or ["I"]
        return _sign(operator.number) + r"\,".join(links)

    def _link(self, link: Expr) -> str:
        text = self.text(link)
        return f"diag({text})" if link.shape[1] == 1 else text

    def _link_tex(self, link: Expr) -> str:
        text = self.notation.tex(self.spelled(link))
        return rf"\operatorname{{diag}}({text})" if link.shape[1] == 1 else text


def _merged(links: tuple[Expr, ...]) -> list[Expr]:
    """Neighbouring diagonal links as one."""
    merged: list[Expr] = []
    for link in links:
        if merged and link.shape[1] == 1 and merged[-1].shape[1] == 1:
            merged[-1] = times(merged[-1], link)
        else:
            merged.append(link)
    return merged


def _at(expr: Expr, back: int, timeless: Collection[str] = ()) -> Expr:
    return earlier(expr, timeless, back) if back else expr


def _sign(number: sp.Expr) -> str:
    if number == 1:
        return ""
    return "-" if number == -1 else f"{number} "


def _joined(parts: Iterator[str]) -> str:
    return " + ".join(parts).replace("+ -", "- ") or "0"


def activated(gradients: Gradients) -> frozenset[str]:
    """Names whose value is a primitive of something: gates and candidates."""
    return frozenset(a.name for a in gradients.forward if isinstance(a.value, Apply))
