"""Every rule of differentiation: forward and back are transposes, and forward is the derivative."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

from derive.errors import RuleError
from derive.evaluate import Numbers, evaluate
from derive.expressions import (
    Apply,
    Expr,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    add,
    apply,
    constant,
    log_sum_exp,
    matmul,
    power,
    reciprocal,
    scale,
    spread,
    stack,
    symbol,
    times,
    total,
    transpose,
    zero,
)
from derive.primitives import PRIMITIVES
from derive.rules import RULES, pull, push, slope

n, m = sp.symbols("n m", integer=True, positive=True)
SIZES = {n: 3, m: 2}
A, B = symbol("A", (n, m)), symbol("B", (n, m))
a, b, x = symbol("a", (n,)), symbol("b", (n,)), symbol("x", (m,))
s = symbol("s", (sp.S.One,))
TALL = (n, sp.S.One)


def inside(name: str) -> Expr:
    """An argument that a primitive takes: where it has a domain or poles, one well above zero."""
    row = PRIMITIVES[name]
    expr = add(a, matmul(A, x))
    plain = row.domain == (float("-inf"), float("inf")) and row.branch is None
    return expr if plain else add(constant(sp.Integer(4), TALL), expr)


CASES: dict[str, list[Expr]] = {
    "constant": [constant(sp.Rational(3, 4), (n, sp.S.One)), OneMatrix(n, 1)],
    "scale": [scale(sp.Rational(-5, 2), a), scale(3, times(a, b)), scale(-1, matmul(A, x))],
    "sum": [add(a, b), add(a, b, a), add(constant(1, (n, sp.S.One)), scale(-1, a))],
    "matrix product": [
        matmul(A, x),
        matmul(transpose(A), a),
        matmul(A, times(x, x)),
        matmul(times(A, B), x),
        matmul(a, transpose(x)),
        matmul(A, matmul(transpose(A), a)),
    ],
    "elementwise product": [times(a, b), times(a, a, b), times(a, b, matmul(A, x)), times(A, B)],
    "power": [power(a, 2), power(a, 5), power(add(a, b), 3), power(matmul(A, x), 2)],
    "activation": [apply(name, inside(name)) for name in PRIMITIVES],
    "log-sum-exp": [log_sum_exp(a), log_sum_exp(add(a, matmul(A, x))), log_sum_exp(s)],
    "transpose": [Transpose(A), Transpose(times(A, B))],
    "stack": [stack((a, x)), stack((x, a, x)), stack((times(a, b), matmul(transpose(A), a)))],
}
NESTED = {
    "an LSTM's output": times(apply("sigmoid", add(matmul(A, x), a)), apply("tanh", b)),
    "a product with a stack of functions": matmul(
        symbol("W", (n, n + m)), stack((apply("tanh", a), power(x, 2)))
    ),
    "functions of functions": apply("softplus", times(apply("exp", a), apply("tanh", a))),
    "a function of a matrix": matmul(apply("tanh", A), x),
    "a scalar in every entry of a column": times(spread(s, TALL), a),
    "a scalar in every entry of a matrix": matmul(times(spread(s, (n, m)), A), x),
    "a scalar in every entry of a row": matmul(a, times(spread(s, (1, m)), transpose(x))),
    "a sum over a column": total(times(a, apply("tanh", b))),
    "a sum over a matrix": times(total(times(A, B)), s),
    "an outer product": matmul(apply("tanh", a), transpose(power(x, 2))),
    "a quotient": times(a, reciprocal(spread(add(OneMatrix(1, 1), power(s, 2)), TALL))),
    "a softmax": apply("exp", add(a, scale(-1, spread(log_sum_exp(a), TALL)))),
    "a number of sizes": scale(1 / sp.sqrt(n + m), matmul(A, x)),
    "the larger of two": add(b, apply("relu", add(a, scale(-1, b)))),
}
EVERY = [(rule, expr) for rule, exprs in CASES.items() for expr in exprs]
EVERY += [(f"nested: {case}", expr) for case, expr in NESTED.items()]
IDS = [f"{rule} {k}" for k, (rule, _) in enumerate(EVERY)]
DECLARED = {name for name, row in PRIMITIVES.items() if row.declared}
DERIVED = [case for case in EVERY if not {node.name for node in case[1].atoms(Apply)} & DECLARED]
Numeric = dict[str, Any]


def leaves(expr: Expr) -> list[MatrixSymbol]:
    return sorted(expr.atoms(MatrixSymbol), key=str)


def numbers(names: list[MatrixSymbol], seed: int) -> Numeric:
    rng = np.random.default_rng(seed)
    size = lambda s: int(sp.sympify(s).subs(SIZES))
    return {s.name: rng.uniform(-1, 1, (size(s.shape[0]), size(s.shape[1]))) for s in names}


def at(expr: Expr, values: Numeric, dtype: Any = np.float64) -> Any:
    return evaluate(expr, values, SIZES, Numbers(dtype))


def check_transposes(expr: Expr, **tables: Any) -> None:
    """<bar y, dy> = <bar leaf, d leaf>, summed over the leaves, at random numbers."""
    output, cotangent = MatrixSymbol("y", *expr.shape), MatrixSymbol("bar y", *expr.shape)
    tangents = {leaf: MatrixSymbol(f"d {leaf.name}", *leaf.shape) for leaf in leaves(expr)}
    given = numbers([*leaves(expr), *tangents.values(), cotangent], seed=3)
    given["y"] = at(expr, given)
    forward = given["bar y"] * at(push(expr, output, tangents, **tables), given)
    backward = [
        given[f"d {found.leaf.name}"] * at(found.value, given)
        for found in pull(expr, output, cotangent, **tables)
    ]
    both = [forward, *backward]
    # Fewer than 200 roundings in each product; their errors are relative to sums of magnitudes.
    magnitude = sum(float(np.sum(np.abs(part))) for part in both) + 1
    difference = float(np.sum(forward)) - sum(float(np.sum(part)) for part in backward)
    assert abs(difference) <= 200 * 2.0**-53 * magnitude, f"transposes of {expr}"


@pytest.mark.parametrize(("rule", "expr"), EVERY, ids=IDS)
def test_what_goes_back_is_the_transpose_of_what_goes_forward(rule: str, expr: Expr) -> None:
    check_transposes(expr)


@pytest.mark.parametrize(("rule", "expr"), DERIVED, ids=[f"{r} {e}" for r, e in DERIVED])
def test_what_goes_forward_is_the_derivative(rule: str, expr: Expr) -> None:
    """Against a complex step of 1e-100: no difference is taken, so nothing cancels."""
    output = MatrixSymbol("y", *expr.shape)
    tangents = {leaf: MatrixSymbol(f"d {leaf.name}", *leaf.shape) for leaf in leaves(expr)}
    given = numbers([*leaves(expr), *tangents.values()], seed=4)
    given["y"] = at(expr, given)
    moved = {s.name: given[s.name] + 1e-100j * given[f"d {s.name}"] for s in leaves(expr)}
    stepped = at(expr, moved, np.complex128).imag / 1e-100
    derived = at(push(expr, output, tangents), given)
    # Fewer than 200 roundings of numbers below 64, in either.
    np.testing.assert_allclose(derived, stepped, rtol=0, atol=200 * 64 * 2.0**-53)


def test_what_is_stopped_goes_neither_way() -> None:
    assert {"stop_gradient"} == DECLARED
    stopped = apply("stop_gradient", matmul(A, x))
    tangents = {leaf: MatrixSymbol(f"d {leaf.name}", *leaf.shape) for leaf in (A, x)}
    assert push(stopped, stopped, tangents) == zero(TALL)
    assert list(pull(stopped, stopped, MatrixSymbol("bar", n, 1))) == []


def test_where_two_are_equal_the_larger_one_is_the_second() -> None:
    larger = NESTED["the larger of two"]
    same = np.array([[1.0], [-2.0], [0.0]])
    given = {"a": same, "b": same, "one": np.ones((3, 1))}
    slopes = dict.fromkeys("ab", 0.0)
    for found in pull(larger, larger, MatrixSymbol("one", n, 1)):
        slopes[found.leaf.name] += at(found.value, given)
    assert (slopes["a"] == 0).all()
    assert (slopes["b"] == 1).all()


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_slope_in_matrix_form_is_the_rows_slope(name: str) -> None:
    given = {"a": np.abs(numbers([a], seed=5)["a"])}
    given["y"] = at(apply(name, a), given)
    z, y = sp.Symbol("z"), sp.Symbol("y")
    row = sp.sympify(PRIMITIVES[name].slope(z, y))
    row = row.replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: PRIMITIVES[node.func.__name__].value(*node.args),
    )
    expected = sp.lambdify((z, y), row, "numpy")(given["a"], given["y"]) + 0 * given["a"]
    found = at(slope(name, a, MatrixSymbol("y", n, 1)), given)
    np.testing.assert_allclose(found, expected, rtol=16 * 2.0**-53, atol=16 * 2.0**-53)


def test_every_rule_has_a_case_and_is_the_first_to_match_it() -> None:
    assert {rule.name for rule in RULES} == set(CASES)
    for name, exprs in CASES.items():
        for expr in exprs:
            assert next(rule for rule in RULES if rule.matches(expr)).name == name


def test_a_contribution_says_by_which_rules_it_came() -> None:
    expr = add(a, matmul(A, times(x, x)))
    found = [(c.leaf.name, c.rules) for c in pull(expr, expr, MatrixSymbol("bar", n, 1))]
    product = ("sum", "matrix product", "elementwise product")
    assert found == [("a", ("sum",)), ("A", product[:2]), ("x", product), ("x", product)]


def test_names_without_a_tangent_are_held_fixed() -> None:
    da = MatrixSymbol("d a", n, 1)
    assert push(times(a, b), times(a, b), {a: da}) == times(da, b)


@pytest.mark.parametrize(
    ("rule", "backward", "expr"),
    [
        ("power", lambda e, y, bar, p: [(e.args[0], times(bar, e.args[0]))], power(a, 3)),
        ("sum", lambda e, y, bar, p: [(e.args[0], bar)], add(a, b)),
        ("scale", lambda e, y, bar, p: [(e.args[1], bar)], scale(2, a)),
        (
            "matrix product",
            lambda e, y, bar, p: [(e.args[1], matmul(e.args[0], bar))],
            matmul(symbol("U", (n, n)), a),
        ),
    ],
)
def test_a_rule_whose_two_ways_disagree_is_caught(rule: str, backward: Any, expr: Expr) -> None:
    broken = tuple(replace(r, backward=backward) if r.name == rule else r for r in RULES)
    with pytest.raises(AssertionError, match="transposes of"):
        check_transposes(expr, rules=broken)


def test_a_node_without_a_rule_and_a_function_without_a_row_are_our_own_fault() -> None:
    inverse = sp.Inverse(symbol("U", (n, n)))
    with pytest.raises(RuleError, match="no rule for Inverse"):
        list(pull(inverse, inverse, inverse))
    with pytest.raises(RuleError, match="no primitive 'gauss'"):
        push(Apply("gauss", a), a, {a: a})
