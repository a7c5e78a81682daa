"""Matrix expressions on numbers: the plain, slow, obvious way, used as reference everywhere.

Values are arrays of shape (..., rows, columns): leading axes are a batch. Which arithmetic is used
(float64, complex, long double, values with error bounds) is a parameter.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import sympy as sp

from derive.cell import lag
from derive.errors import RuleError
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
from derive.primitives import PRIMITIVES
from derive.single_assignment import Assignment

__all__ = [
    "Arithmetic",
    "Array",
    "Numbers",
    "Sizes",
    "compiled",
    "evaluate",
    "lagged",
    "run_step",
    "whole",
]

Array = npt.NDArray[Any]
Value = Any
Sizes = Mapping[sp.Symbol, int]


class Arithmetic(Protocol):
    """What `evaluate` asks of a kind of number."""

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Value:
        """A matrix filled with `number`."""

    def add(self, a: Value, b: Value) -> Value:
        """The sum."""

    def multiply(self, a: Value, b: Value) -> Value:
        """The product, entry by entry."""

    def matmul(self, a: Value, b: Value) -> Value:
        """The matrix product of the last two axes."""

    def apply(self, name: str, z: Value) -> Value:
        """The primitive `name`, entry by entry."""

    def log_sum_exp(self, a: Value) -> Value:
        """log(sum(exp(a))) of a column, (..., 1, 1)."""

    def transpose(self, a: Value) -> Value:
        """The last two axes exchanged."""

    def rows(self, a: Value, start: int, stop: int) -> Value:
        """Some rows."""

    def stack(self, parts: Sequence[Value]) -> Value:
        """Columns one above the other."""


class Numbers:
    """Plain NumPy arrays of one dtype; complex and long double work as well."""

    def __init__(self, dtype: npt.DTypeLike = np.float64) -> None:
        self.dtype = np.dtype(dtype)

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Array:
        value = np.longdouble(int(number.p)) / np.longdouble(int(number.q))
        return np.full(shape, value).astype(self.dtype)

    def add(self, a: Array, b: Array) -> Array:
        return a + b

    def multiply(self, a: Array, b: Array) -> Array:
        return a * b

    def matmul(self, a: Array, b: Array) -> Array:
        return np.asarray(np.matmul(a, b))

    def apply(self, name: str, z: Array) -> Array:
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(compiled(name)(z), dtype=self.dtype)

    def log_sum_exp(self, a: Array) -> Array:
        top = np.max(a.real, axis=-2, keepdims=True)
        return np.asarray(np.log(np.sum(np.exp(a - top), axis=-2, keepdims=True)) + top)

    def transpose(self, a: Array) -> Array:
        return np.swapaxes(a, -1, -2)

    def rows(self, a: Array, start: int, stop: int) -> Array:
        return a[..., start:stop, :]

    def stack(self, parts: Sequence[Array]) -> Array:
        leading = np.broadcast_shapes(*(p.shape[:-2] for p in parts))
        return np.concatenate([np.broadcast_to(p, (*leading, *p.shape[-2:])) for p in parts], -2)


@cache
def compiled(name: str) -> Callable[[Array], Array]:
    """A primitive's definition (not its emitted form) as a NumPy function."""
    z = sp.Symbol("z")
    return sp.lambdify(z, PRIMITIVES[name].value(z), modules="numpy")


def evaluate(
    expr: Expr, values: Mapping[str, Value], sizes: Sizes, arithmetic: Arithmetic
) -> Value:
    """The value of `expr` where each name has the value given.

    Args:
        values: arrays by symbol name, shape (..., rows, columns).
        sizes: what the symbolic dimensions are.
    """
    known: dict[Expr, Value] = {}

    def visit(node: Expr) -> Value:
        if node not in known:
            known[node] = compute(node)
        return known[node]

    def compute(node: Expr) -> Value:
        number, rest = coefficient(node)
        if isinstance(rest, OneMatrix):
            return arithmetic.constant(known_number(number, sizes), whole_shape(node, sizes))
        if number != 1:
            factor = arithmetic.constant(known_number(number, sizes), whole_shape(node, sizes))
            return arithmetic.multiply(factor, visit(rest))
        if rest is not node:  # 3*(A/3) is A
            return visit(rest)
        match node:
            case MatrixSymbol():
                return values[node.name]
            case ZeroMatrix():
                return arithmetic.constant(sp.S.Zero, whole_shape(node, sizes))
            case MatAdd():
                return _fold(arithmetic.add, [visit(a) for a in node.args])
            case HadamardProduct():
                return _fold(arithmetic.multiply, [visit(a) for a in node.args])
            case HadamardPower():
                return _fold(arithmetic.multiply, [visit(node.args[0])] * int(node.args[1]))
            case MatMul():
                return arithmetic.matmul(visit(node.args[0]), visit(node.args[1]))
            case Transpose():
                return arithmetic.transpose(visit(node.args[0]))
            case Apply():
                return arithmetic.apply(node.name, visit(node.argument))
            case LogSumExp():
                return arithmetic.log_sum_exp(visit(node.argument))
            case BlockMatrix():
                return arithmetic.stack([visit(part) for part in parts_of(node)])
            case MatrixSlice():
                start, stop = (whole(edge, sizes) for edge in node.rowslice[:2])
                return arithmetic.rows(visit(node.parent), start, stop)
        raise RuleError(f"no value for {type(node).__name__}")

    return visit(expr)


def known_number(number: sp.Expr, sizes: Sizes) -> sp.Rational:
    """A number that may be made of sizes; irrational ones to 30 digits."""
    return number if number.is_Rational else _with_sizes(number, tuple(sizes.items()))


@cache
def _with_sizes(number: sp.Expr, sizes: tuple[tuple[sp.Symbol, int], ...]) -> sp.Rational:
    found = number.subs(dict(sizes))
    return found if found.is_Rational else sp.Rational(str(found.evalf(30)))


def whole(size: sp.Expr, sizes: Sizes) -> int:
    """A symbolic size as a number."""
    if size in sizes:
        return sizes[size]
    return int(size) if isinstance(size, int) or size.is_Integer else int(size.subs(dict(sizes)))


def whole_shape(expr: Expr, sizes: Sizes) -> tuple[int, int]:
    """The shape of an expression in numbers."""
    return whole(expr.shape[0], sizes), whole(expr.shape[1], sizes)


def _fold(operation: Callable[[Value, Value], Value], items: Sequence[Value]) -> Value:
    total = items[0]
    for item in items[1:]:
        total = operation(total, item)
    return total


def run_step(
    forward: Sequence[Assignment],
    values: Mapping[str, Value],
    sizes: Sizes,
    arithmetic: Arithmetic,
) -> dict[str, Value]:
    """`values` (parameters, inputs, lagged states) with every name that one step assigns."""
    known = dict(values)
    for assignment in forward:
        known[assignment.name] = evaluate(assignment.value, known, sizes, arithmetic)
    return known


def lagged(states: Mapping[str, Value]) -> dict[str, Value]:
    """States under the names that the next step reads them by."""
    return {lag(name): value for name, value in states.items()}
