"""A point away from kinks and poles, in Coq: where all parameters, inputs and states are ones.

Only where the arguments that must not be zero are seen to be positive there, or negative: by sums,
products and functions of what is positive. Coq's tactic `positive` goes the same way.
"""

from collections.abc import Iterator

import sympy as sp

from derive.backends.coq.context import Context
from derive.backends.coq.functions import function_of
from derive.backends.coq.writing import size
from derive.expressions import (
    Apply,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    coefficient,
)

__all__ = ["somewhere"]

ALWAYS = ("exp", "sigmoid", "softplus")
OF_POSITIVE = ("tanh", "relu", "abs", "sqrt", "reciprocal")


def somewhere(c: Context) -> Iterator[str]:
    """That the record `smooth` is not empty."""
    values = {a.name: a.value for a in c.gradients.forward}
    applied = [v for v in values.values() if isinstance(v, Apply)]
    asked = {v: kind for v in applied if (kind := function_of(v.name).smooth)}
    sums = any(isinstance(v, LogSumExp) for v in values.values())
    if not (asked or sums) or not all(_holds(v.argument, k, values) for v, k in asked.items()):
        return
    sizes = "".join(f"(0 < {size(d)})%nat -> " for d in c.cell.dimensions)
    ones = " ".join(record.made(["(mconst 1)"] * len(record.fields)) for record in c.records)
    names = ", ".join(f"v_{name}" for name in reversed(values))
    yield f"Lemma smooth_somewhere : {sizes}exists p x s, smooth p x s."
    yield "Proof."
    yield f"  intros. exists {ones.replace(') (mk', '), (mk')}."
    yield f"  constructor; intros; try lia; unfold {names}; fields; unfold_entries; away_from_zero."
    yield "Qed.\n"


def _holds(argument: Expr, condition: str, values: dict[str, Expr]) -> bool:
    """Whether a condition of the record is seen to hold."""
    signs = {"0 < {z}": (1,), "{z} <> 0": (1, -1)}
    return _sign(argument, values) in signs.get(condition, ())


def _sign(expr: Expr, values: dict[str, Expr]) -> int:
    """1: positive where all leaves are ones; -1: negative; 0: not seen."""
    number, rest = coefficient(expr)
    if number != 1 or isinstance(rest, OneMatrix):
        inner = 1 if isinstance(rest, OneMatrix) else _sign(rest, values)
        return inner * _sign_of(number)
    match expr:
        case MatrixSymbol():
            return _sign(values[expr.name], values) if expr.name in values else 1
        case MatAdd():
            others = [a for a in expr.args if _sign(a, values) != 1]
            some = len(others) < len(expr.args)
            squares = all(_is_square(a, values) for a in others)
            return int(_complement(expr, values) or (some and squares))
        case HadamardProduct() | MatMul():
            return int(all(_sign(a, values) == 1 for a in expr.args))
        case HadamardPower() | Transpose():
            return int(_sign(expr.args[0], values) == 1)
        case Apply():
            inner = expr.name in ALWAYS or (
                expr.name in OF_POSITIVE and _sign(expr.argument, values) == 1
            )
            return int(inner)
    return 0


def _sign_of(number: sp.Expr) -> int:
    """The sign of a number; sizes in it are positive."""
    found = number.subs({s: sp.Symbol(s.name, positive=True) for s in number.free_symbols})
    return 1 if found.is_positive else -1 if found.is_negative else 0


def _is_square(expr: Expr, values: dict[str, Expr]) -> bool:
    """Whether it is a square, or a sum of squares, times something positive."""
    number, rest = coefficient(expr)
    if number != 1:
        return _sign_of(number) == 1 and _is_square(rest, values)
    match expr:
        case MatrixSymbol():
            return expr.name in values and _is_square(values[expr.name], values)
        case HadamardPower():
            return bool(expr.args[1] == 2)
        case HadamardProduct():
            return len(expr.args) == 2 and expr.args[0] == expr.args[1]
        case MatMul():
            return all(_sign(a, values) == 1 or _is_square(a, values) for a in expr.args)
    return False


def _complement(expr: Expr, values: dict[str, Expr]) -> bool:
    """Whether it is 1 - s, with s a sigmoid."""
    if not isinstance(expr, MatAdd) or len(expr.args) != 2:
        return False
    number, name = coefficient(expr.args[1])
    value = values.get(str(name)) if isinstance(name, MatrixSymbol) else None
    one, rest = coefficient(expr.args[0])
    plain = one == 1 and isinstance(rest, OneMatrix) and number == -1
    return plain and isinstance(value, Apply) and value.name == "sigmoid"
