"""Equal forms prove equality; different ones say nothing; nothing takes for ever."""

import numpy as np
import pytest
import sympy as sp
from cells_strategy import cells
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.cell import Cell
from derive.evaluate import Numbers, evaluate
from derive.expressions import (
    Expr,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    add,
    apply,
    constant,
    log_sum_exp,
    matmul,
    part,
    power,
    scale,
    spread,
    stack,
    symbol,
    times,
    total,
    transpose,
    zero,
)
from derive.normal_form import TooLargeError, equal, normal_form
from derive.rules import pull, push
from derive.single_assignment import single_assignment

n, m = sp.symbols("n m", integer=True, positive=True)
A, B, U = symbol("A", (n, m)), symbol("B", (m, n)), symbol("U", (n, n))
V, W = symbol("V", (n, n)), symbol("W", (n, n + m))
a, b, h, x = symbol("a", (n,)), symbol("b", (n,)), symbol("h", (n,)), symbol("x", (m,))
v = symbol("v", (n + m,))
p, q = symbol("p", (sp.S.One,)), symbol("q", (n + 1,))
HALF = sp.Rational(1, 2)
# Fewer than 100 operations on numbers below 8, each rounded by half a unit in the last place.
ROUNDING = 100 * 8 * 2.0**-53


def ones(rows: sp.Expr) -> Expr:
    return OneMatrix(rows, 1)


EQUAL = {
    "a sum commutes": (add(a, b), add(b, a)),
    "an elementwise product commutes": (times(a, b, h), times(h, a, b)),
    "numbers are gathered": (add(a, scale(HALF, a), scale(-HALF, a)), a),
    "what cancels is gone": (add(times(a, b), scale(-1, times(b, a))), zero((n, sp.S.One))),
    "an elementwise product distributes": (
        times(add(a, b), add(a, scale(-1, b))),
        add(power(a, 2), scale(-1, power(b, 2))),
    ),
    "a matrix product distributes": (
        matmul(U, add(h, times(a, b))),
        add(matmul(U, h), matmul(U, times(b, a))),
    ),
    "a matrix product is associative": (matmul(matmul(U, A), x), matmul(U, matmul(A, x))),
    "a product turns round": (
        Transpose(MatMul(A, B)),
        matmul(transpose(B), transpose(A)),
    ),
    "an inner product is symmetric": (matmul(transpose(a), b), matmul(transpose(b), a)),
    "a diagonal moves through an inner product": (
        matmul(transpose(times(a, h)), b),
        matmul(transpose(a), times(h, b)),
    ),
    "an adjoint moves over": (
        matmul(transpose(a), matmul(A, x)),
        matmul(transpose(matmul(transpose(A), a)), x),
    ),
    "a stack is contracted in pieces": (
        matmul(transpose(v), stack((h, x))),
        add(
            matmul(transpose(part(v, sp.S.Zero, n)), h),
            matmul(transpose(part(v, n, m)), x),
        ),
    ),
    "a turned stack is contracted in pieces": (
        matmul(transpose(stack((h, x))), v),
        matmul(transpose(v), stack((h, x))),
    ),
    "a stack of sums is a sum of stacks": (
        matmul(W, stack((add(a, b), x))),
        add(matmul(W, stack((a, x))), matmul(W, stack((b, zero((m, sp.S.One)))))),
    ),
    "a stack of a vector of one": (
        matmul(transpose(q), stack((h, p))),
        add(matmul(transpose(part(q, sp.S.Zero, n)), h), times(part(q, n, sp.S.One), p)),
    ),
    "a stack is multiplied in pieces": (
        times(stack((h, x)), v),
        times(v, stack((h, x))),
    ),
    "sums are relabelled": (
        times(matmul(U, a), matmul(V, b)),
        times(matmul(V, b), matmul(U, a)),
    ),
    "sums of the same kind change places": (
        matmul(transpose(a), matmul(U, matmul(U, a))),
        matmul(matmul(transpose(a), matmul(U, U)), a),
    ),
    "a sum over nothing that changes counts": (
        matmul(OneMatrix(1, n), ones(n)),
        scale(2, matmul(OneMatrix(1, n), constant(HALF, (n, sp.S.One)))),
    ),
    "equal arguments of a function": (
        apply("tanh", add(matmul(U, h), a)),
        apply("tanh", add(a, matmul(U, h))),
    ),
    "a function of a sum that cancels": (
        times(apply("tanh", add(a, b, scale(-1, b))), h),
        times(h, apply("tanh", add(b, a, scale(-1, b)))),
    ),
    "a scalar in every entry moves out of a sum": (
        total(times(spread(p, (n, sp.S.One)), a)),
        times(p, total(a)),
    ),
    "a sum over a matrix is one over its rows": (
        total(matmul(a, transpose(x))),
        times(total(x), total(a)),
    ),
    "a sum of a scalar counts": (
        total(spread(p, (n, sp.S.One))),
        scale(n, p),
    ),
    "a mean of ones": (scale(1 / (n * m), total(OneMatrix(n, m))), OneMatrix(1, 1)),
    "roots of sizes": (scale(1 / sp.sqrt(n), scale(sp.sqrt(n), a)), a),
    "equal arguments of log-sum-exp": (
        times(log_sum_exp(add(a, matmul(U, h))), p),
        times(p, log_sum_exp(add(matmul(U, h), a))),
    ),
    "an outer product": (
        matmul(a, transpose(times(b, h))),
        times(matmul(a, transpose(b)), matmul(ones(n), transpose(h))),
    ),
}
DIFFERENT = {
    "a matrix and its transpose": (matmul(U, h), matmul(transpose(U), h)),
    "an outer product and its rows": (matmul(h, transpose(h)), matmul(ones(n), transpose(h))),
    "an outer product and its turned one": (matmul(a, transpose(b)), matmul(b, transpose(a))),
    "elementwise and matrix product": (
        times(U, V),
        matmul(U, V),
    ),
    "a square and the thing": (power(a, 2), a),
    "two orders of a matrix product": (matmul(U, V), matmul(V, U)),
    "the trace of a square and of a product with the transpose": (
        matmul(transpose(a), matmul(U, matmul(U, a))),
        matmul(transpose(a), matmul(transpose(U), matmul(U, a))),
    ),
    "two functions": (apply("tanh", a), apply("sigmoid", a)),
    "two arguments of log-sum-exp": (log_sum_exp(a), log_sum_exp(scale(2, a))),
    "log-sum-exp and a sum": (log_sum_exp(a), total(a)),
    "a sum and a mean": (total(a), scale(1 / n, total(a))),
    "sums over two ranges": (times(total(a), total(x)), times(total(a), total(a))),
    "two arguments": (apply("tanh", a), apply("tanh", scale(2, a))),
    "two parts of one vector": (part(v, sp.S.Zero, n), part(v, m, n)),
    "two orders of a stack": (matmul(W, stack((h, x))), matmul(W, stack((x, h)))),
    "sums that go further": (
        matmul(W, ones(n + m)),
        matmul(W, stack((ones(n), zero((m, sp.S.One))))),
    ),
    "a count and one": (matmul(OneMatrix(1, n), ones(n)), OneMatrix(1, 1)),
    "two counts": (matmul(OneMatrix(1, n), ones(n)), matmul(OneMatrix(1, m), ones(m))),
    "a part of one and a part that moves": (
        matmul(a, matmul(part(v, n, sp.S.One), transpose(x))),
        times(matmul(a, transpose(x)), matmul(ones(n), transpose(part(v, n, m)))),
    ),
    "sums over functions of two parts": (
        matmul(OneMatrix(1, n), apply("tanh", part(v, sp.S.Zero, n))),
        matmul(OneMatrix(1, m), apply("tanh", part(v, sp.S.Zero, m))),
    ),
}


def numeric(expr: Expr) -> np.ndarray:
    """The value at n = 2, m = 3 and random numbers, the same for each name."""
    values = {}
    for leaf in sorted(expr.atoms(MatrixSymbol), key=str):
        rng = np.random.default_rng(list(leaf.name.encode()))
        shape = tuple(int(sp.sympify(size).subs({n: 2, m: 3})) for size in leaf.shape)
        values[leaf.name] = rng.uniform(-1, 1, shape)
    return evaluate(expr, values, {n: 2, m: 3}, Numbers())


@pytest.mark.parametrize("case", EQUAL)
def test_equal_expressions_have_equal_forms(case: str) -> None:
    left, right = EQUAL[case]
    assert equal(left, right)
    np.testing.assert_allclose(numeric(left), numeric(right), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_expressions_have_different_forms(case: str) -> None:
    """Each pair differs at numbers, so that equal forms would be a false proof."""
    left, right = DIFFERENT[case]
    assert not equal(left, right)
    assert np.max(np.abs(numeric(left) - numeric(right))) > 1000 * ROUNDING


def test_expressions_of_different_shapes_are_not_equal() -> None:
    assert not equal(zero((n, sp.S.One)), zero((m, sp.S.One)))


def test_zero_has_the_empty_form() -> None:
    assert normal_form(add(matmul(U, h), scale(-1, matmul(U, h)))) == {}


@pytest.mark.parametrize(
    "expr",
    [
        power(add(a, b), 16),
        times(*(power(add(a, b, h, scale(2, a)), 4) for _ in range(4))),
        power(power(add(a, b), 16), 16),
        power(matmul(U, h), 8),
    ],
    ids=["2^16 terms", "4^16 terms", "2^256 terms", "8 sums that may change places"],
)
def test_too_large_a_form_is_refused_and_not_computed(expr: Expr) -> None:
    with pytest.raises(TooLargeError, match="to compare"):
        normal_form(expr)


def test_a_form_below_the_limit_is_computed() -> None:
    assert normal_form(power(add(a, b), 5))[(("a", ("i",)),) * 2 + (("b", ("i",)),) * 3] == 10


def inner(one: Expr, other: Expr) -> Expr:
    """The sum of all products of entries."""
    rows, columns = one.shape
    if columns == 1:
        return matmul(transpose(one), other)
    return matmul(OneMatrix(1, rows), matmul(times(one, other), OneMatrix(columns, 1)))


@settings(deadline=None)
@given(st.one_of(cells(depth=3), cells(depth=2, grown=True)))
def test_the_adjoint_identity_is_decided_for_every_step_of_a_drawn_cell(cell: Cell) -> None:
    """<bar y, dy> = sum of <bar leaf, d leaf>, for all sizes and all values."""
    for assignment in single_assignment(cell):
        output, value = assignment.symbol, assignment.value
        cotangent = MatrixSymbol("bar", *value.shape)
        leaves = value.atoms(MatrixSymbol)
        tangents = {leaf: MatrixSymbol(f"d({leaf.name})", *leaf.shape) for leaf in leaves}
        forward = inner(cotangent, push(value, output, tangents))
        backward = [
            inner(found.value, tangents[found.leaf]) for found in pull(value, output, cotangent)
        ]
        assert equal(forward, add(zero((sp.S.One, sp.S.One)), *backward))
