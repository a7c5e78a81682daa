"""The oracle for gradients, against differences of elementary functions, and its polynomials."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from core import CORE, GROWN_CORE
from hypothesis import given, settings
from hypothesis import strategies as st
from polynomials import Generators, Polynomial
from unrolled import Unrolled, leaves, loss

from derive.cell import Cell
from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.zoo import load, names

CASES = {
    "softplus": "input x[m]\nstate h[n]\nh = softplus(softplus(U @ h[t-1]) + W @ x)",
    "powers": "input x[m]\nstate h[n]\nh = (U @ h[t-1] + b) ** 3 + exp(W @ x) ** 2 * h[t-1] ** 2",
    "stopped": "input x[m]\nstate h[n]\nh = tanh(W @ x) * stop_gradient(exp(U @ h[t-1])) + h[t-1]",
    "softmax": "input x[m]\nstate h[n], s[1]\nh = softmax(W @ x + U @ h[t-1]) + b\n"
    "s = logsumexp(h * h[t-1]) + s[t-1] / sqrt(n)",
}

# Differences are off by STEP ** 2, and by rounding of 80 digits over STEP: 1e-50 and 1e-55, with
# twenty digits to spare for large higher derivatives.
DIGITS, STEP, NEAR = 80, mpmath.mpf(10) ** -25, mpmath.mpf(10) ** -30


class Elementary:
    """The functions of cells on real numbers of many digits; what is stopped stays as it was."""

    def __init__(self) -> None:
        z = sp.Symbol("z")
        rows = PRIMITIVES.items()
        self.functions = {k: sp.lambdify(z, row.value(z), "mpmath") for k, row in rows}
        self.functions["logsumexp"] = lambda *zs: mpmath.log(mpmath.fsum(map(mpmath.exp, zs)))
        self.stopped: list[Any] = []
        self.replayed: Iterator[Any] | None = None

    def apply(self, name: str, *arguments: Any) -> Any:
        value = self.functions[name](*arguments)
        if name in PRIMITIVES and PRIMITIVES[name].declared:
            if self.replayed is not None:
                return next(self.replayed)
            self.stopped.append(value)
        return value


def number(value: sp.Expr) -> Any:
    return mpmath.mpmathify(value.evalf(DIGITS))


@pytest.mark.parametrize("name", [*CORE, *GROWN_CORE, *CASES])
def test_the_oracle_agrees_with_differences_of_elementary_functions(name: str) -> None:
    agrees(parse(CASES[name]) if name in CASES else load(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*names()} - {*CORE, *GROWN_CORE}))
def test_the_oracle_agrees_with_differences_for_every_other_cell(name: str) -> None:
    agrees(load(name))


def agrees(cell: Cell) -> None:
    """No row's slope enters here: the functions themselves are evaluated, away from kinks."""
    oracle = Unrolled(cell, dict.fromkeys(cell.dimensions, 1), 2)
    truth = oracle.gradients
    given_leaves = leaves(cell, oracle.sizes, 2, str)
    with mpmath.workdps(DIGITS):
        point = real_point(cell, oracle.sizes)
        functions = Elementary()
        at = lambda point: value_at(cell, oracle.sizes, point, functions)
        at(point)
        found = oracle.generators.evaluated(point, functions.functions)
        for key, array in given_leaves.wanted.items():
            for place in np.ndindex(*array.shape):
                moved = []
                for step in (STEP, -STEP):
                    functions.replayed = iter(functions.stopped)
                    moved.append(at({**point, array[place]: point[array[place]] + step}))
                expected = (moved[0] - moved[1]) / (2 * STEP)
                got = found(truth[key][place])
                assert abs(got - expected) <= NEAR * (1 + abs(expected)), key


def value_at(cell: Cell, sizes: Any, point: dict[str, Any], functions: Elementary) -> Any:
    """The unrolled loss where the leaves have these values."""
    made = leaves(cell, sizes, 2, point.__getitem__)
    return loss(cell, sizes, made, functions.apply, number=number)


def real_point(cell: Cell, sizes: Any) -> dict[str, Any]:
    """Random numbers for the leaves: the first for which the loss is a real number."""
    shapes = leaves(cell, sizes, 2, str)
    parts = [shapes.parameters, *shapes.inputs, shapes.initial, shapes.final]
    arrays = [*(a for part in parts for a in part.values()), *shapes.dy]
    every = [str(leaf) for array in arrays for leaf in array.ravel()]
    for seed in range(20):
        random = np.random.default_rng(seed)
        drawn = 2 * random.integers(-999, 1000, len(every)) + 1
        point = {leaf: mpmath.mpf(int(k)) / 1000 for leaf, k in zip(every, drawn, strict=True)}
        try:
            value = value_at(cell, sizes, point, Elementary())
        except (TypeError, ZeroDivisionError):  # a complex number compared, or a pole
            continue
        if isinstance(value, mpmath.mpf) and mpmath.isfinite(value):
            return point
    raise AssertionError("no point was found at which the loss is a real number")


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
