"""SymPy matrix expressions as this toolkit builds them: flat sums, flat products, named functions.

Vectors are columns, shape (n, 1). Every constructor returns one agreed form, so that two ways of
saying the same thing compare equal and the printed text reads back to an equal value.
"""

from typing import TypeAlias

import sympy as sp
from sympy.core.symbol import Str
from sympy.matrices.expressions import (
    BlockMatrix,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
)

__all__ = [
    "Apply",
    "BlockMatrix",
    "Expr",
    "HadamardPower",
    "HadamardProduct",
    "LogSumExp",
    "MatAdd",
    "MatMul",
    "MatrixSlice",
    "MatrixSymbol",
    "Name",
    "OneMatrix",
    "Shape",
    "Transpose",
    "ZeroMatrix",
    "add",
    "apply",
    "coefficient",
    "column_of",
    "constant",
    "log_sum_exp",
    "matmul",
    "part",
    "parts_of",
    "power",
    "reciprocal",
    "scale",
    "spread",
    "spread_of",
    "stack",
    "symbol",
    "times",
    "total",
    "total_of",
    "transpose",
    "zero",
]

Expr: TypeAlias = MatrixExpr
Name: TypeAlias = MatrixSymbol
Shape: TypeAlias = tuple[sp.Expr, ...]


class Apply(MatrixExpr):
    """A primitive applied to each entry of a matrix expression."""

    def __new__(cls, name: str | Str, argument: Expr) -> "Apply":
        return sp.Basic.__new__(cls, Str(str(name)), argument)

    @property
    def name(self) -> str:
        """The primitive's name, a key of `PRIMITIVES`."""
        return str(self.args[0])

    @property
    def argument(self) -> Expr:
        """What it is applied to."""
        return self.args[1]

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        """The argument's shape."""
        return self.argument.shape


class LogSumExp(MatrixExpr):
    """The logarithm of the sum of the exponentials of a column's entries: a scalar."""

    def __new__(cls, argument: Expr) -> "LogSumExp":
        return sp.Basic.__new__(cls, argument)

    @property
    def argument(self) -> Expr:
        """The column."""
        return self.args[0]

    @property
    def shape(self) -> tuple[sp.Expr, sp.Expr]:
        """One by one."""
        return sp.S.One, sp.S.One


def symbol(name: str, shape: Shape) -> Name:
    """A named vector (one dimension: a column) or matrix (two)."""
    rows, columns = shape if len(shape) == 2 else (*shape, sp.S.One)
    return MatrixSymbol(name, rows, columns)


def zero(shape: Shape) -> Expr:
    """The zero matrix."""
    return ZeroMatrix(*shape)


def constant(value: sp.Expr, shape: Shape) -> Expr:
    """A matrix whose every entry is `value`."""
    return scale(value, OneMatrix(*shape))


def coefficient(expr: Expr) -> tuple[sp.Expr, Expr]:
    """`expr` as (number, rest): 3*A gives (3, A)."""
    if isinstance(expr, MatMul) and not expr.args[0].is_Matrix:
        rest = expr.args[1:]
        number, inner = coefficient(rest[0] if len(rest) == 1 else MatMul(*rest))
        return expr.args[0] * number, inner
    return sp.S.One, expr


def scale(number: sp.Expr, expr: Expr) -> Expr:
    """A number times an expression."""
    inner, rest = coefficient(expr)
    number = sp.sympify(number) * inner
    if number == 0 or isinstance(rest, ZeroMatrix):
        return ZeroMatrix(*expr.shape)
    return rest if number == 1 else MatMul(number, rest)


def add(*terms: Expr) -> Expr:
    """The sum, flat, zeros dropped, order kept; constants are gathered in the first one's place."""
    flat: list[Expr] = []
    for term in terms:
        flat.extend(term.args if isinstance(term, MatAdd) else (term,))
    total, place = sp.S.Zero, None
    kept: list[Expr] = []
    for term in flat:
        number, rest = coefficient(term)
        if isinstance(rest, ZeroMatrix):
            continue
        if isinstance(rest, OneMatrix):
            total += number
            place = len(kept) if place is None else place
        else:
            kept.append(term)
    if place is not None and total != 0:
        kept.insert(place, constant(total, terms[0].shape))
    if not kept:
        return ZeroMatrix(*terms[0].shape)
    return kept[0] if len(kept) == 1 else MatAdd(*kept)


def times(*factors: Expr) -> Expr:
    """The elementwise (Hadamard) product, flat, ones dropped, numbers in front, order kept."""
    number, kept = sp.S.One, []
    for factor in factors:
        inner, rest = coefficient(factor)
        number *= inner
        if isinstance(rest, ZeroMatrix):
            return ZeroMatrix(*factors[0].shape)
        if isinstance(rest, HadamardProduct):
            kept.extend(rest.args)
        elif not isinstance(rest, OneMatrix):
            kept.append(rest)
    if not kept:
        return constant(number, factors[0].shape)
    return scale(number, kept[0] if len(kept) == 1 else HadamardProduct(*kept))


def power(base: Expr, exponent: int) -> Expr:
    """The elementwise power, for a whole exponent."""
    if exponent == 0:
        return OneMatrix(*base.shape)
    return base if exponent == 1 else HadamardPower(base, sp.Integer(exponent))


def matmul(left: Expr, right: Expr) -> Expr:
    """The matrix product of two expressions, numbers in front."""
    a, left = coefficient(left)
    b, right = coefficient(right)
    if isinstance(left, ZeroMatrix) or isinstance(right, ZeroMatrix):
        return ZeroMatrix(left.shape[0], right.shape[1])
    if isinstance(left, OneMatrix) and isinstance(right, OneMatrix):
        return scale(a * b * left.shape[1], OneMatrix(left.shape[0], right.shape[1]))
    return scale(a * b, MatMul(left, right))


def transpose(expr: Expr) -> Expr:
    """The transpose; twice is nothing, and a product turns round."""
    number, rest = coefficient(expr)
    match rest:
        case ZeroMatrix() | OneMatrix():
            return scale(number, type(rest)(expr.shape[1], expr.shape[0]))
        case _ if rest.shape == (1, 1):
            return expr
        case Transpose():
            return scale(number, rest.args[0])
        case MatMul():
            return scale(number, matmul(transpose(rest.args[1]), transpose(rest.args[0])))
        case MatAdd():
            return add(*(scale(number, transpose(term)) for term in rest.args))
    return scale(number, Transpose(rest))


def apply(name: str, argument: Expr) -> Expr:
    """The primitive `name`, entry by entry."""
    return Apply(name, argument)


def reciprocal(expr: Expr) -> Expr:
    """1 / expr, entry by entry: division is a product with it."""
    return Apply("reciprocal", expr)


def log_sum_exp(column: Expr) -> Expr:
    """log(sum(exp(column))), a scalar."""
    return LogSumExp(column)


def spread(scalar: Expr, shape: Shape) -> Expr:
    """A scalar, shape (1, 1), in every entry of that shape: ones @ scalar @ ones."""
    rows, columns = shape
    number, rest = coefficient(scalar)
    if isinstance(rest, OneMatrix | ZeroMatrix):
        return scale(number, type(rest)(rows, columns))
    tall = scalar if rows == 1 else matmul(OneMatrix(rows, 1), scalar)
    return tall if columns == 1 else matmul(tall, OneMatrix(1, columns))


def spread_of(expr: Expr) -> Expr | None:
    """The scalar that `expr` has in every entry; None if it was not made by `spread`."""
    if not isinstance(expr, MatMul) or not expr.args[0].is_Matrix:
        return None
    left, right = expr.args
    if isinstance(right, OneMatrix) and left.shape[1] == 1:
        return left if left.shape[0] == 1 else spread_of(left)
    return right if isinstance(left, OneMatrix) and right.shape == (1, 1) else None


def column_of(expr: Expr) -> Expr | None:
    """The column that every column of `expr` is: a in a @ ones; None if it is no such product."""
    if not isinstance(expr, MatMul) or not isinstance(expr.args[1], OneMatrix):
        return None
    left = expr.args[0]
    return left if left.is_Matrix and left.shape[1] == 1 and left.shape[0] != 1 else None


def total(expr: Expr) -> Expr:
    """The sum of all entries, a scalar: ones @ expr @ ones."""
    rows, columns = expr.shape
    down = expr if rows == 1 else matmul(OneMatrix(1, rows), expr)
    return down if columns == 1 else matmul(down, OneMatrix(columns, 1))


def total_of(expr: Expr) -> Expr | None:
    """What `expr` is the sum of all entries of; None if it was not made by `total`."""
    if expr.shape != (1, 1) or not isinstance(expr, MatMul) or not expr.args[0].is_Matrix:
        return None
    left, right = expr.args
    if isinstance(right, OneMatrix):
        return left.args[1] if _sums(left) else left
    return right if isinstance(left, OneMatrix) else None


def _sums(expr: Expr) -> bool:
    """Whether `expr` is a row of sums over rows."""
    return isinstance(expr, MatMul) and isinstance(expr.args[0], OneMatrix)


def stack(parts: tuple[Expr, ...]) -> Expr:
    """Columns one above the other: [a, b]."""
    return parts[0] if len(parts) == 1 else BlockMatrix([[p] for p in parts])


def parts_of(expr: BlockMatrix) -> list[Expr]:
    """What a stack is made of."""
    return [row[0] for row in expr.blocks.tolist()]


def part(expr: Expr, start: sp.Expr, length: sp.Expr) -> Expr:
    """Rows start … start + length of a column."""
    return MatrixSlice(expr, (start, start + length), (sp.S.Zero, sp.S.One))
