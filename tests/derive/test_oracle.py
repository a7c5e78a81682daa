"""The oracle of `test_gradients.py`, against SymPy's elementary functions and polynomials."""

from fractions import Fraction
from typing import Any

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from polynomials import Generators, Polynomial
from unrolled import Unrolled, Value, leaves, loss

from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.zoo import load, names

CASES = {
    "softplus": "input x[m]\nstate h[n]\nh = softplus(softplus(U @ h[t-1]) + W @ x)",
    "powers": "input x[m]\nstate h[n]\nh = (U @ h[t-1] + b) ** 3 + exp(W @ x) ** 2 * h[t-1] ** 2",
}


@pytest.mark.parametrize("name", [*names(), *CASES])
def test_the_oracle_agrees_with_elementary_functions(name: str) -> None:
    """No row's slope enters here: SymPy differentiates exp, log and tanh themselves."""
    cell = parse(CASES[name]) if name in CASES else load(name)
    oracle = Unrolled(cell, dict.fromkeys(cell.dimensions, 1), 2)
    given_leaves = leaves(cell, oracle.sizes, 2, sp.Symbol)
    elementary = lambda name, z: PRIMITIVES[name].value(Value(z))
    total = loss(cell, oracle.sizes, given_leaves, elementary, Value)
    truth = oracle.gradients
    with mpmath.workdps(50):
        symbols = sorted(total.free_symbols, key=str)
        point = {s.name: mpmath.mpf(k % 7 - 3) / (k + 2) for k, s in enumerate(symbols)}
        z = sp.Symbol("z")
        functions = {k: sp.lambdify(z, row.value(z), "mpmath") for k, row in PRIMITIVES.items()}
        number = oracle.generators.evaluated(point, functions)
        for key, array in given_leaves.wanted.items():
            expected = numeric(sp.diff(total, array[0, 0]), point)
            found = number(truth[key][0, 0])
            # 50 digits are carried, 20 of them to spare for rounding in a few thousand operations.
            assert abs(found - expected) <= mpmath.mpf(10) ** -30 * (1 + abs(expected)), key


def numeric(expr: sp.Expr, point: dict[str, Any]) -> Any:
    """A SymPy scalar of elementary functions as a number."""
    match expr:
        case Value():
            return numeric(expr.expr, point)
        case sp.Symbol():
            return point[expr.name]
        case sp.Rational():
            return mpmath.mpf(int(expr.p)) / int(expr.q)
    args = [numeric(arg, point) for arg in expr.args]
    match expr:
        case sp.Add():
            return mpmath.fsum(args)
        case sp.Mul():
            return mpmath.fprod(args)
        case sp.Pow():
            return args[0] ** args[1]
    return getattr(mpmath, expr.func.__name__)(*args)


SYMBOLS = sp.symbols("a b c")
TREES = st.recursive(
    st.sampled_from([*SYMBOLS, sp.Integer(2), sp.Rational(-1, 3), sp.S.Zero]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([sp.Add, sp.Mul]), inner, inner),
        st.tuples(st.just(sp.Pow), inner, st.integers(0, 3)),
    ),
    max_leaves=8,
)


def polynomial(tree: Any, generators: Generators) -> Polynomial:
    if isinstance(tree, sp.Symbol):
        return generators.leaf(tree.name)
    if not isinstance(tree, tuple):
        return Polynomial({0: Fraction(int(tree.p), int(tree.q))}, 0)
    kind, left, right = tree
    first = polynomial(left, generators)
    if kind is sp.Pow:
        return first**right
    second = polynomial(right, generators)
    return first + second if kind is sp.Add else first * second


def expression(tree: Any) -> sp.Expr:
    if not isinstance(tree, tuple):
        return tree
    kind, left, right = tree
    return kind(expression(left), right if kind is sp.Pow else expression(right))


@settings(deadline=None)
@given(TREES, TREES)
def test_its_polynomials_are_equal_where_sympys_are(left: Any, right: Any) -> None:
    generators = Generators()
    expected = sp.Poly(expression(left) - expression(right), *SYMBOLS).is_zero
    assert (polynomial(left, generators) == polynomial(right, generators)) == expected
    assert polynomial((sp.Mul, left, right), generators) == polynomial(
        (sp.Mul, right, left), generators
    )


def test_the_same_function_of_equal_polynomials_is_one_generator() -> None:
    g = Generators()
    a, b = g.leaf("a"), g.leaf("b")
    assert g.applied("tanh", a * b + b) == g.applied("tanh", b * (a + 1))
    assert g.applied("tanh", a) != g.applied("sigmoid", a)
    assert g.named(a + b) == g.named(b + a)
    assert g.named(a + b) != g.leaf("a+b")


def test_it_names_the_entries_that_differ() -> None:
    cell, other = load("rnn"), parse(str(load("rnn")).replace("+ b", "+ 2 * b"))
    oracle = Unrolled(cell, dict(zip(cell.dimensions, (2, 1), strict=True)), 1)
    wrong = gradients(other)
    assert "b[0, 0]" in oracle.differing(wrong)
