"""Rules of differentiation on matrix expressions: one row for each kind of node.

A row says how a tangent goes forward through the node and how a cotangent goes back through it.
The two are written apart and the theorem `gradients` proves that each is the other's transpose.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

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
    MatrixSymbol,
    Name,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    add,
    apply,
    coefficient,
    constant,
    matmul,
    part,
    parts_of,
    power,
    scale,
    spread,
    stack,
    times,
    total,
    transpose,
    zero,
)
from derive.primitives import PRIMITIVES, Primitive

__all__ = ["RULES", "Contribution", "Rule", "pull", "push", "slope"]

Primitives = Mapping[str, Primitive]
Tangent = Callable[[Expr], Expr]


@dataclass(frozen=True)
class Rule:
    """How derivatives pass one kind of node.

    Attributes:
        matches: whether the row is for this node.
        forward: (node, its output, tangent of a child, primitives) -> tangent of the node.
        backward: (node, its output, cotangent of the node, primitives) -> (child, cotangent) pairs.
        latex: the rule as a reader should see it, for the pair (z -> y).
    """

    name: str
    matches: Callable[[Expr], bool]
    forward: Callable[[Expr, Expr, Tangent, Primitives], Expr]
    backward: Callable[[Expr, Expr, Expr, Primitives], list[tuple[Expr, Expr]]]
    latex: str


@dataclass(frozen=True)
class Contribution:
    """What one use of `leaf` adds to its cotangent, and the rules that gave it, outermost first."""

    leaf: Name
    value: Expr
    rules: tuple[str, ...]


def slope(name: str, argument: Expr, output: Expr, primitives: Primitives = PRIMITIVES) -> Expr:
    """The derivative of a primitive, entry by entry, written in its output where it can be."""
    z, y = sp.Symbol("z"), sp.Symbol("y")
    row = primitives.get(name)
    if row is None:
        raise RuleError(f"no primitive '{name}'; add its row to derive/primitives.py")
    return _matrix(sp.sympify(row.slope(z, y)), {z: argument, y: output}, argument.shape)


def _matrix(scalar: sp.Expr, values: Mapping[sp.Symbol, Expr], shape: tuple[sp.Expr, ...]) -> Expr:
    """A scalar formula, entry by entry."""
    if scalar in values:
        return values[scalar]
    if scalar.is_Number:
        return constant(scalar, shape)
    args = [_matrix(arg, values, shape) for arg in scalar.args if not isinstance(scalar, sp.Pow)]
    match scalar:
        case sp.Add():
            return add(*sorted(args, key=_constants_first))
        case sp.Mul():
            return times(*args)
        case sp.Pow() if scalar.exp.is_Integer and scalar.exp > 0:
            return power(_matrix(scalar.base, values, shape), int(scalar.exp))
        case sp.Function():
            return apply(scalar.func.__name__, args[0])
    raise RuleError(f"slope uses {type(scalar).__name__}, which has no matrix form here")


def _constants_first(expr: Expr) -> int:
    return 0 if isinstance(coefficient(expr)[1], OneMatrix) else 1


def _others(factors: tuple[Expr, ...], place: int) -> tuple[Expr, ...]:
    return factors[:place] + factors[place + 1 :]


def _power_slope(expr: Expr) -> Expr:
    base, exponent = expr.args[0], int(expr.args[1])
    return scale(sp.Integer(exponent), power(base, exponent - 1))


def _slices(expr: Expr, cotangent: Expr) -> list[tuple[Expr, Expr]]:
    start, pairs = sp.S.Zero, []
    for piece in parts_of(expr):
        length = piece.shape[0]
        pairs.append((piece, part(cotangent, start, length)))
        start += length
    return pairs


def _softmax(expr: Expr, output: Expr) -> Expr:
    column = expr.argument
    return apply("exp", add(column, scale(sp.S.NegativeOne, spread(output, column.shape))))


def _is_scaled(expr: Expr) -> bool:
    return coefficient(expr)[0] != 1


RULES: tuple[Rule, ...] = (
    Rule(
        "constant",
        lambda e: isinstance(coefficient(e)[1], OneMatrix),
        lambda e, y, d, p: zero(e.shape),
        lambda e, y, bar, p: [],
        r"y = c \;\Rightarrow\; \text{nothing}",
    ),
    Rule(
        "scale",
        _is_scaled,
        lambda e, y, d, p: scale(coefficient(e)[0], d(coefficient(e)[1])),
        lambda e, y, bar, p: [(coefficient(e)[1], scale(coefficient(e)[0], bar))],
        r"y = c\,z \;\Rightarrow\; \bar z \mathrel{+}= c\,\bar y",
    ),
    Rule(
        "sum",
        lambda e: isinstance(e, MatAdd),
        lambda e, y, d, p: add(*(d(arg) for arg in e.args)),
        lambda e, y, bar, p: [(arg, bar) for arg in e.args],
        r"y = a + b \;\Rightarrow\; \bar a \mathrel{+}= \bar y,\quad \bar b \mathrel{+}= \bar y",
    ),
    Rule(
        "matrix product",
        lambda e: isinstance(e, MatMul),
        lambda e, y, d, p: add(matmul(d(e.args[0]), e.args[1]), matmul(e.args[0], d(e.args[1]))),
        lambda e, y, bar, p: [
            (e.args[0], matmul(bar, transpose(e.args[1]))),
            (e.args[1], matmul(transpose(e.args[0]), bar)),
        ],
        r"y = A z \;\Rightarrow\; \bar A \mathrel{+}= \bar y\,z^{\top},\quad"
        r" \bar z \mathrel{+}= A^{\top}\bar y",
    ),
    Rule(
        "elementwise product",
        lambda e: isinstance(e, HadamardProduct),
        lambda e, y, d, p: add(
            *(times(d(arg), *_others(e.args, k)) for k, arg in enumerate(e.args))
        ),
        lambda e, y, bar, p: [
            (arg, times(bar, *_others(e.args, k))) for k, arg in enumerate(e.args)
        ],
        r"y = a \odot b \;\Rightarrow\; \bar a \mathrel{+}= \bar y \odot b,\quad"
        r" \bar b \mathrel{+}= \bar y \odot a",
    ),
    Rule(
        "power",
        lambda e: isinstance(e, HadamardPower),
        lambda e, y, d, p: times(d(e.args[0]), _power_slope(e)),
        lambda e, y, bar, p: [(e.args[0], times(bar, _power_slope(e)))],
        r"y = z^{k} \;\Rightarrow\; \bar z \mathrel{+}= k\,\bar y \odot z^{k-1}",
    ),
    Rule(
        "activation",
        lambda e: isinstance(e, Apply),
        lambda e, y, d, p: times(d(e.argument), slope(e.name, e.argument, y, p)),
        lambda e, y, bar, p: [(e.argument, times(bar, slope(e.name, e.argument, y, p)))],
        r"y = \varphi(z) \;\Rightarrow\; \bar z \mathrel{+}= \bar y \odot \varphi'(z),"
        r"\quad \varphi' \text{ written in } y",
    ),
    Rule(
        "log-sum-exp",
        lambda e: isinstance(e, LogSumExp),
        lambda e, y, d, p: total(times(d(e.argument), _softmax(e, y))),
        lambda e, y, bar, p: [(e.argument, times(spread(bar, e.argument.shape), _softmax(e, y)))],
        r"y = \log \sum_k e^{z_k} \;\Rightarrow\; \bar z \mathrel{+}= \bar y\, e^{z - y}",
    ),
    Rule(
        "transpose",
        lambda e: isinstance(e, Transpose),
        lambda e, y, d, p: transpose(d(e.args[0])),
        lambda e, y, bar, p: [(e.args[0], transpose(bar))],
        r"Y = Z^{\top} \;\Rightarrow\; \bar Z \mathrel{+}= \bar Y^{\top}",
    ),
    Rule(
        "stack",
        lambda e: isinstance(e, BlockMatrix),
        lambda e, y, d, p: stack(tuple(d(arg) for arg in parts_of(e))),
        lambda e, y, bar, p: _slices(e, bar),
        r"y = [a; b] \;\Rightarrow\; \bar a \mathrel{+}= \text{upper part of } \bar y,\quad"
        r" \bar b \mathrel{+}= \text{lower part}",
    ),
)


def _rule(expr: Expr, rules: tuple[Rule, ...]) -> Rule:
    for rule in rules:
        if rule.matches(expr):
            return rule
    raise RuleError(f"no rule for {type(expr).__name__}; add its row to derive/rules.py")


def push(
    expr: Expr,
    output: Expr,
    tangents: Mapping[Expr, Expr],
    rules: tuple[Rule, ...] = RULES,
    primitives: Primitives = PRIMITIVES,
) -> Expr:
    """The differential of `expr`; names without a tangent are held fixed."""
    if isinstance(expr, MatrixSymbol):
        return tangents.get(expr, zero(expr.shape))
    descend: Tangent = lambda e: push(e, e, tangents, rules, primitives)
    return _rule(expr, rules).forward(expr, output, descend, primitives)


def pull(
    expr: Expr,
    output: Expr,
    cotangent: Expr,
    rules: tuple[Rule, ...] = RULES,
    primitives: Primitives = PRIMITIVES,
) -> Iterator[Contribution]:
    """What `cotangent`, arriving at `expr`, adds to the cotangent of each name in it."""
    if isinstance(expr, MatrixSymbol):
        yield Contribution(expr, cotangent, ())
        return
    rule = _rule(expr, rules)
    for child, contribution in rule.backward(expr, output, cotangent, primitives):
        if isinstance(contribution, ZeroMatrix):
            continue
        for found in pull(child, child, contribution, rules, primitives):
            yield Contribution(found.leaf, found.value, (rule.name, *found.rules))
