"""Matrix expressions as functions: `derive.evaluate` for expressions that are evaluated often."""

from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

import sympy as sp

from derive.errors import RuleError
from derive.evaluate import Arithmetic, Sizes, known_number, whole, whole_shape
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
)

__all__ = ["Program", "program"]

Program = Callable[[Mapping[str, Any], Sizes, Arithmetic], Any]


@cache
def program(expr: Expr) -> Program:
    """A function of (values by name, sizes, arithmetic) that gives the value of `expr`.

    It does what `derive.evaluate.evaluate` does, without looking at the expression again.
    """
    number, rest = coefficient(expr)
    if isinstance(rest, OneMatrix | ZeroMatrix):
        value = sp.S.Zero if isinstance(rest, ZeroMatrix) else number
        return lambda v, s, a: a.constant(known_number(value, s), whole_shape(rest, s))
    if number != 1:
        inner = program(rest)
        return lambda v, s, a: a.multiply(
            a.constant(known_number(number, s), whole_shape(rest, s)), inner(v, s, a)
        )
    expr = rest  # -(-A) is A
    match expr:
        case MatrixSymbol():
            name = expr.name
            return lambda v, s, a: v[name]
        case MatAdd():
            parts = _all(expr.args)
            return lambda v, s, a: reduce(a.add, [p(v, s, a) for p in parts])
        case HadamardProduct():
            parts = _all(expr.args)
            return lambda v, s, a: reduce(a.multiply, [p(v, s, a) for p in parts])
        case HadamardPower():
            base, times = program(expr.args[0]), int(expr.args[1])
            return lambda v, s, a: reduce(a.multiply, [base(v, s, a)] * times)
        case MatMul():
            left, right = _all(expr.args)
            return lambda v, s, a: a.matmul(left(v, s, a), right(v, s, a))
        case Transpose():
            turned = program(expr.args[0])
            return lambda v, s, a: a.transpose(turned(v, s, a))
        case Apply():
            name, argument = expr.name, program(expr.argument)
            return lambda v, s, a: a.apply(name, argument(v, s, a))
        case LogSumExp():
            column = program(expr.argument)
            return lambda v, s, a: a.log_sum_exp(column(v, s, a))
        case BlockMatrix():
            pieces = _all(parts_of(expr))
            return lambda v, s, a: a.stack([p(v, s, a) for p in pieces])
        case MatrixSlice():
            parent, (start, stop) = program(expr.parent), expr.rowslice[:2]
            return lambda v, s, a: a.rows(parent(v, s, a), whole(start, s), whole(stop, s))
    raise RuleError(f"no program for {type(expr).__name__}")


def _all(exprs: Any) -> list[Program]:
    return [program(e) for e in exprs]
