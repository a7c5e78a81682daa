"""Functions of the language that stand for an expression: one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from derive.expressions import (
    Expr,
    Transpose,
    add,
    apply,
    coefficient,
    log_sum_exp,
    matmul,
    scale,
    spread,
    times,
    total,
)
from derive.language.filling import as_factors

__all__ = ["SHORTHANDS", "Shorthand"]


@dataclass(frozen=True)
class Shorthand:
    """A function that is written out when it is read.

    Attributes:
        arguments: how many it takes.
        shape: of the result, and so of the arguments: 'entries', that of the arguments, of which
            one may be a scalar; 'scalar' for the sum of something over all entries of arguments
            of one shape; 'vector', that of the argument, a vector; 'outer', (rows of the first,
            rows of the second); 'column', (rows of the argument, whatever it meets).
        value: what it stands for.
        meaning: the same for a reader.
    """

    name: str
    arguments: int
    shape: Literal["entries", "scalar", "vector", "outer", "column"]
    value: Callable[..., Expr]
    meaning: str


def _mean(a: Expr) -> Expr:
    return scale(1 / (a.shape[0] * a.shape[1]), total(a))


def _dot(a: Expr, b: Expr) -> Expr:
    return total(times(*as_factors([a, b])))


def _max(a: Expr, b: Expr) -> Expr:
    return add(b, apply("relu", add(a, scale(-1, b))))


def _min(a: Expr, b: Expr) -> Expr:
    return add(b, scale(-1, apply("relu", add(b, scale(-1, a)))))


def _outer(a: Expr, b: Expr) -> Expr:
    """The transpose stays around all of b, so that b gets a name."""
    number, rest = coefficient(b)
    return scale(number, matmul(a, Transpose(rest)))


def _softmax(a: Expr) -> Expr:
    return apply("exp", add(a, scale(-1, spread(log_sum_exp(a), a.shape))))


_ROWS = (
    Shorthand("sum", 1, "scalar", total, "a[0] + a[1] + ..."),
    Shorthand("mean", 1, "scalar", _mean, "sum(a) / n"),
    Shorthand("dot", 2, "scalar", _dot, "sum(a * b)"),
    Shorthand("norm", 1, "scalar", lambda a: apply("sqrt", _dot(a, a)), "sqrt(sum(a * a))"),
    Shorthand("logsumexp", 1, "scalar", log_sum_exp, "log(sum(exp(a))), without overflow"),
    Shorthand("softmax", 1, "vector", _softmax, "exp(a - logsumexp(a))"),
    Shorthand("max", 2, "entries", _max, "b + relu(a - b)"),
    Shorthand("min", 2, "entries", _min, "b - relu(b - a)"),
    Shorthand("outer", 2, "outer", _outer, "a @ b.T"),
    Shorthand("column", 1, "column", lambda a: a, "a in every column of what it meets"),
)

SHORTHANDS: Mapping[str, Shorthand] = MappingProxyType({row.name: row for row in _ROWS})
