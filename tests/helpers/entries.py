"""Matrix expressions at given sizes, entry by entry, over any kind of scalar."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

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
)

__all__ = ["Entries", "Named", "Sizes", "entries", "grid"]

Entries = npt.NDArray[Any]  # of dtype object
Named = Mapping[str, Entries]
Sizes = Mapping[sp.Symbol, int]


def grid(name: str, shape: Any, sizes: Sizes, make: Callable[[str], Any]) -> Entries:
    """A matrix whose entries are made from their names, 'U[0,1]'."""
    rows, columns = (_whole(size, sizes) for size in shape)
    made = [[make(f"{name}[{i},{j}]") for j in range(columns)] for i in range(rows)]
    return np.array(made, dtype=object)


def entries(
    expr: Expr,
    values: Named,
    sizes: Sizes,
    number: Callable[[sp.Expr], Any],
    apply: Callable[..., Any],
) -> Entries:
    """The entries of `expr`.

    Args:
        number: makes a scalar of a constant, which may be irrational: 1 / sqrt(n) at n = 2.
        apply: makes a scalar of a function's name and its arguments: a primitive has one,
            'logsumexp' those of a column.
    """
    of = lambda part: entries(part, values, sizes, number, apply)
    match expr:
        case MatrixSymbol():
            return values[expr.name]
        case ZeroMatrix() | OneMatrix():
            filled = number(sp.Integer(isinstance(expr, OneMatrix)))
            return grid("", expr.shape, sizes, lambda name: filled)
        case MatAdd():
            return sum(map(of, expr.args[1:]), start=of(expr.args[0]))
        case HadamardProduct():
            result = of(expr.args[0])
            for factor in expr.args[1:]:
                result = result * of(factor)
            return result
        case HadamardPower():
            return of(expr.args[0]) ** int(expr.args[1])
        case MatMul() if not expr.args[0].is_Matrix:
            rest = expr.args[1] if len(expr.args) == 2 else MatMul(*expr.args[1:])
            return of(rest) * number(expr.args[0].subs(dict(sizes)))
        case MatMul():
            left, right = expr.args
            return of(left) @ of(right)
        case Transpose():
            return of(expr.args[0]).T
        case BlockMatrix():
            return np.vstack([of(row[0]) for row in expr.blocks.tolist()])
        case MatrixSlice():
            start, stop, _ = (_whole(edge, sizes) for edge in expr.rowslice)
            return of(expr.parent)[start:stop]
        case Apply():
            return np.vectorize(lambda z: apply(expr.name, z), otypes=[object])(of(expr.argument))
        case LogSumExp():
            return np.array([[apply("logsumexp", *of(expr.argument).ravel())]], dtype=object)
    raise AssertionError(f"no entries for {type(expr).__name__}")


def _whole(size: Any, sizes: Sizes) -> int:
    return int(sp.sympify(size).subs(dict(sizes)))
