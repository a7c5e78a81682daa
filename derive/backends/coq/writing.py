"""Expressions, sizes and numbers as Coq writes them; names keep apart by their first letters.

p_W is a parameter, x_x an input, s_h a state of step t-1, v_f the value of f at step t, d_f how it
moves and b_f its cotangent. A vector is a matrix of one column.
"""

from collections.abc import Mapping

import sympy as sp

from derive.backends.coq.functions import function_of
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

__all__ = [
    "ADJOINT",
    "MOVED",
    "POINT",
    "Names",
    "grouped",
    "number",
    "piled",
    "shape",
    "size",
    "written",
]

# What definitions are functions of: a step's arguments, how they move, what arrives from later.
POINT = "p x s"
MOVED = f"{POINT} dp dx ds"
ADJOINT = f"{POINT} dy carry"

Names = Mapping[str, str]

# Words of Coq and of the generated file that a size may not be called.
_TAKEN = frozenset(
    (
        *(
            "p",
            "x",
            "s",
            "dp",
            "dx",
            "ds",
            "d",
            "dv",
            "dy",
            "carry",
            "z",
            "u",
            "i",
            "j",
            "k",
            "a",
            "b",
        ),
        *("R", "S", "O", "T", "M", "H", "l", "dl", "lT", "dlT", "xs", "ss", "s0", "dot", "delta"),
    )
)


def size(expr: sp.Expr) -> str:
    """A dimension as a natural number."""
    match expr:
        case sp.Integer():
            return str(int(expr))
        case sp.Symbol():
            return f"{expr.name}_" if expr.name in _TAKEN else str(expr.name)
        case sp.Add():
            return f"({' + '.join(size(arg) for arg in sorted(expr.args, key=str))})"
        case sp.Mul():
            return f"({' * '.join(size(arg) for arg in expr.args)})"
    raise AssertionError(f"a size of another kind: {expr}")


def shape(expr: Expr) -> str:
    """Rows and columns."""
    return f"{size(expr.shape[0])} {size(expr.shape[1])}"


def piled(expr: Expr) -> str:
    """The rows of an expression; those of a stack piece by piece, as a stack is made."""
    if not isinstance(expr, BlockMatrix):
        return size(expr.shape[0])
    *first, last = (size(piece.shape[0]) for piece in parts_of(expr))
    text = last
    for rows in reversed(first):
        text = f"({rows} + {text})"
    return text


def number(value: sp.Expr) -> str:
    """A number, which may have sizes in it."""
    match value:
        case sp.Integer():
            return str(int(value)) if value >= 0 else f"({int(value)})"
        case sp.Rational():
            return f"({value.p} * / {value.q})"
        case sp.Symbol():
            return f"INR {size(value)}"
        case sp.Mul():
            return f"({' * '.join(number(arg) for arg in value.args)})"
        case sp.Add():
            return f"({' + '.join(number(arg) for arg in value.args)})"
        case sp.Pow() if value.exp == sp.Rational(1, 2):
            return f"(sqrt ({number(value.base)}))"
        case sp.Pow() if value.exp.is_negative:
            return f"(/ ({number(value.base**-value.exp)}))"
        case sp.Pow() if value.exp.is_Integer:
            return f"(({number(value.base)}) ^ {value.exp})"
    raise AssertionError(f"a number of another kind: {value}")


def written(expr: Expr, names: Names) -> str:
    """A matrix expression, in brackets where it needs them."""
    value, rest = coefficient(expr)
    if isinstance(rest, OneMatrix):
        return f"(mconst {number(value)})"
    if value != 1:
        return f"({number(value)} .* {written(rest, names)})"
    match expr:
        case MatrixSymbol():
            return names[expr.name]
        case ZeroMatrix():
            return "mzero"
        case MatAdd():
            return f"({' + '.join(written(arg, names) for arg in expr.args)})"
        case HadamardProduct():
            return f"({' * '.join(written(arg, names) for arg in expr.args)})"
        case HadamardPower():
            return f"(hpow {written(expr.args[0], names)} {int(expr.args[1])})"
        case MatMul():
            left, right = expr.args
            return f"({written(left, names)} *[{size(left.shape[1])}] {written(right, names)})"
        case Transpose():
            return f"({written(expr.args[0], names)}^T)"
        case Apply():
            return f"(mmap {function_of(expr.name).name} {written(expr.argument, names)})"
        case LogSumExp():
            return f"(lse {size(expr.argument.shape[0])} {written(expr.argument, names)})"
        case MatrixSlice():
            return f"(mrows {size(expr.rowslice[0])} {written(expr.parent, names)})"
        case BlockMatrix():
            *first, last = parts_of(expr)
            text = written(last, names)
            for piece in reversed(first):
                text = f"(mstack {size(piece.shape[0])} {written(piece, names)} {text})"
            return text
    raise AssertionError(f"no Coq for {type(expr).__name__}")


def grouped(terms: list[str]) -> str:
    """A sum of numbers; without terms it is zero."""
    return " + ".join(terms) or "0"
