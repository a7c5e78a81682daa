"""Differentials of a step along chosen paths, as matrix expressions linear in one tangent.

A Jacobian is read off a differential: f * d is diag(f) applied to d. This is the forward direction;
the reverse sweep of `derive.gradients` does not use it; the theorem 'gradients' compares the two.
"""

import re
from collections.abc import Callable, Collection, Mapping

import sympy as sp

from derive.cell import Variable, lag
from derive.expressions import (
    Apply,
    Expr,
    MatrixSymbol,
    Name,
    ZeroMatrix,
    constant,
)
from derive.gradients import Gradients
from derive.rules import push

__all__ = [
    "activated",
    "additive",
    "differential",
    "earlier",
    "is_zero",
    "ones",
    "tangent",
]


def tangent(name: Name) -> Name:
    """The direction in which a name moves."""
    return MatrixSymbol(f"d({name.name})", *name.shape)


def is_zero(moved: Expr) -> bool:
    """Whether a differential, which is linear in tangents, is zero: there is no tangent in it."""
    waiting: list[sp.Basic] = [moved]
    while waiting:  # as a rule a tangent is near the top
        node = waiting.pop()
        if isinstance(node, MatrixSymbol):
            if node.name.startswith("d("):
                return False
        else:
            waiting.extend(node.args)
    return True


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


def activated(gradients: Gradients) -> frozenset[str]:
    """Names whose value is a primitive of something: gates and candidates."""
    return frozenset(a.name for a in gradients.forward if isinstance(a.value, Apply))
