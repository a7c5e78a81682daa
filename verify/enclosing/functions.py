"""The primitives on balls. What a function gives holds the value at every point of its ball.

A primitive is a row here, or is followed by its definition, if that is smooth.

A function that jumps inside a ball gets the hull of both sides, which no precision narrows; outside
of its domain, and at a pole, it gets the ball that is no number. Both are said to be undecided.
Source: Johansson (2017), Arb: efficient arbitrary-precision midpoint-radius interval arithmetic,
IEEE Transactions on Computers 66.
"""

import operator
from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

import sympy as sp

from derive.errors import RuleError
from derive.primitives import PRIMITIVES

__all__ = ["FUNCTIONS", "defined", "function_of"]

Ball = Any


def _sigmoid(z: Ball) -> Ball:
    return 1 / (1 + (-z).exp())


def _sign(z: Ball) -> Ball:
    return z if z.is_nan() else z.sgn()


def _heaviside(z: Ball) -> Ball:
    return z * 0 if z <= 0 else (1 + _sign(z)) / 2


FUNCTIONS: Mapping[str, Callable[[Ball], Ball]] = MappingProxyType(
    {
        "sigmoid": _sigmoid,
        "tanh": lambda z: z.tanh(),
        "exp": lambda z: z.exp(),
        "softplus": lambda z: z.exp().log1p(),
        "log": lambda z: z.log(),
        "sqrt": lambda z: z.sqrt(),
        "reciprocal": lambda z: 1 / z,
        "relu": lambda z: z.max(0),
        "abs": lambda z: abs(z),
        "heaviside": _heaviside,
        "sign": _sign,
        "sin": lambda z: z.sin(),
        "cos": lambda z: z.cos(),
        "frac": lambda z: z - z.floor(),
        "stop_gradient": lambda z: z,
    }
)


# Of a definition, by the name of the ball's method.
_METHODS: Mapping[Any, str] = MappingProxyType(
    {
        getattr(sp, name): name
        for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "erf")
    }
)


def function_of(name: str) -> Callable[[Ball], Ball]:
    """A primitive on balls: its row, or what its definition says.

    Raises:
        RuleError: it has no row, and its definition has more than smooth functions.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    z = sp.Symbol("z")
    return defined(PRIMITIVES[name].value(z), z, name)


def defined(expr: sp.Expr, z: sp.Symbol, name: str) -> Callable[[Ball], Ball]:
    """An expression in z on balls; `name` is for the message.

    Raises:
        RuleError: it has more than sums, products, powers, roots and smooth functions.
    """

    def visit(node: sp.Expr, ball: Ball) -> Ball:
        if node == z:
            return ball
        if node.is_Rational:
            return type(ball)(int(node.p)) / int(node.q)
        if node.is_Add or node.is_Mul:
            combine = operator.add if node.is_Add else operator.mul
            return reduce(combine, [visit(part, ball) for part in node.args])
        if node.is_Pow and (2 * node.exp).is_Integer:
            base = visit(node.base, ball)
            return (
                base ** int(node.exp) if node.exp.is_Integer else base.sqrt() ** int(2 * node.exp)
            )
        if node.func in _METHODS:
            return getattr(visit(node.args[0], ball), _METHODS[node.func])()
        raise RuleError(f"'{name}' has no enclosure: add a row to verify/enclosing/functions.py")

    return lambda ball: visit(expr, ball)
