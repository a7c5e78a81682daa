"""Matrix expressions at given sizes, entry by entry, as polynomials."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from derive.concrete.polynomials import Polynomial, Ring
from derive.concrete.recurrence import Grid, Named
from derive.errors import RuleError
from derive.evaluate import Sizes, whole, whole_shape
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

__all__ = ["entries", "entry", "filled"]


def filled(shape: tuple[int, ...], make: Callable[[tuple[int, ...]], Any]) -> Grid:
    """A matrix of objects, each made from its place."""
    grid = np.empty(shape, dtype=object)
    for place in np.ndindex(*shape):
        grid[place] = make(place)
    return grid


def entry(name: str, place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """An entry's name: 'U[0, 1]', for a column 'b[0]'."""
    return f"{name}[{place[0]}]" if shape[1] == 1 else f"{name}[{place[0]}, {place[1]}]"


def entries(expr: Expr, values: Named, sizes: Sizes, ring: Ring, place: int = 0) -> Grid:
    """The entries of `expr`; functions are generators of that place.

    An irrational constant, such as 1 / sqrt(n) at n = 2, is a leaf: what is equal for every value
    of it is equal.
    """

    def of(part: Expr) -> Grid:
        return entries(part, values, sizes, ring, place)

    number, rest = coefficient(expr)
    if number != 1:
        return of(rest) * _constant(number.subs(dict(sizes)), ring)
    if rest is not expr:  # 3*(A/3) is A
        return of(rest)
    match expr:
        case MatrixSymbol():
            return values[expr.name]
        case ZeroMatrix() | OneMatrix():
            constant = ring.number(int(isinstance(expr, OneMatrix)))
            return filled(whole_shape(expr, sizes), lambda at: constant)
        case MatAdd():
            return np.asarray(sum(map(of, expr.args[1:]), start=of(expr.args[0])))
        case HadamardProduct():
            result = of(expr.args[0])
            for factor in expr.args[1:]:
                result = result * of(factor)
            return result
        case HadamardPower():
            return of(expr.args[0]) ** int(expr.args[1])
        case MatMul():
            return np.asarray(of(expr.args[0]) @ of(expr.args[1]))
        case Transpose():
            return of(expr.args[0]).T
        case BlockMatrix():
            return np.vstack([of(part) for part in parts_of(expr)])
        case MatrixSlice():
            start, stop = (whole(edge, sizes) for edge in expr.rowslice[:2])
            return of(expr.parent)[start:stop]
        case Apply():
            inside = of(expr.argument)
            return filled(inside.shape, lambda at: ring.applied(expr.name, inside[at], place=place))
        case LogSumExp():
            column = of(expr.argument).ravel()
            return filled((1, 1), lambda at: ring.applied("logsumexp", *column, place=place))
    raise RuleError(f"no entries for {type(expr).__name__}")


def _constant(value: sp.Expr, ring: Ring) -> Polynomial:
    rational, rest = value.as_coeff_Mul()
    number = ring.number(Fraction(int(rational.p), int(rational.q)))
    return number if rest == 1 else number * ring.leaf(str(rest))
