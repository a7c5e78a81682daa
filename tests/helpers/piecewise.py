"""A row of the table of primitives as formulas: one on each piece that its kinks leave."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.functions.elementary.hyperbolic import HyperbolicFunction
from sympy.functions.elementary.trigonometric import TrigonometricFunction

from derive.primitives import PRIMITIVES, Primitive

__all__ = ["difference", "formula", "pieces", "written_out"]

# Where in a piece its formula is looked up: near both ends.
_SHARES = (sp.Rational(1, 10**9), 1 - sp.Rational(1, 10**9))


def pieces(row: Primitive) -> list[tuple[float, float]]:
    """The intervals of the row's domain, up to its bound, that its kinks leave."""
    lowest, highest = max(row.domain[0], -row.bound), min(row.domain[1], row.bound)
    inside = [kink for kink in row.kinks if lowest < kink < highest]
    return list(pairwise([lowest, *inside, highest]))


def _smooth(expr: sp.Expr, z: sp.Symbol, at: sp.Expr) -> sp.Expr:
    """The formula that a piecewise one is around `at`."""
    chosen = lambda node: next(value for value, holds in node.args if holds.subs(z, at) == True)  # noqa: E712
    expr = expr.replace(lambda node: isinstance(node, sp.Piecewise), chosen)
    jumps = lambda node: isinstance(node, sp.floor | sp.sign)
    return sp.sympify(expr.replace(jumps, lambda node: node.subs(z, at)))


def formula(
    row: Primitive, of: Callable[..., Any], z: sp.Symbol, piece: tuple[float, float]
) -> sp.Expr:
    """What a piecewise formula is on one piece; the same near both of its ends."""
    low, high = (sp.Rational(end) for end in piece)
    ends = [_smooth(sp.sympify(of(z)), z, low + share * (high - low)) for share in _SHARES]
    assert ends[0] == ends[1], f"kinks of {row.name}: one between {low} and {high} is missing"
    return ends[0]


def written_out(expr: sp.Expr) -> sp.Expr:
    """An expression with the functions that a slope refers to as their definitions."""
    return expr.replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: PRIMITIVES[node.func.__name__].value(*node.args),
    )


def difference(row: Primitive, piece: tuple[float, float]) -> sp.Expr:
    """On one piece, the slope, with y written out, less SymPy's derivative of the value."""
    z = sp.Symbol("z", positive=True) if piece[0] >= 0 else sp.Symbol("z", real=True)
    value = formula(row, row.value, z, piece)
    slope = formula(row, lambda at: written_out(sp.sympify(row.slope(at, value))), z, piece)
    return _rational(slope - sp.diff(value, z), z)


def _rational(expr: sp.Expr, z: sp.Symbol) -> sp.Expr:
    """One reduced fraction in z, exp(z), exp(iz) and logarithms: zero looks like zero."""
    real, turning = sp.symbols("E F", positive=True)

    def powers(node: sp.Expr) -> sp.Expr:
        exponent = sp.cancel(node.args[0] / z).as_real_imag()
        return real ** exponent[0] * turning ** exponent[1]

    expr = expr.rewrite((HyperbolicFunction, TrigonometricFunction), sp.exp)
    in_powers = expr.replace(lambda node: isinstance(node, sp.exp), powers)
    logarithms = {node: sp.Symbol(f"L{k}") for k, node in enumerate(in_powers.atoms(sp.log))}
    return sp.cancel(sp.together(in_powers.xreplace(logarithms)))
