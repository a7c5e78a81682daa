"""Matrix expressions on numbers, against the same written out in plain NumPy."""

from typing import Any

import numpy as np
import pytest
import sympy as sp

from derive.errors import RuleError
from derive.evaluate import Numbers, compiled, evaluate, lagged, run_step
from derive.expressions import (
    Expr,
    OneMatrix,
    add,
    apply,
    constant,
    matmul,
    part,
    power,
    scale,
    stack,
    symbol,
    times,
    transpose,
    zero,
)
from derive.primitives import PRIMITIVES
from derive.single_assignment import single_assignment
from derive.zoo import load, names

n, m = sp.symbols("n m", integer=True, positive=True)
SIZES = {n: 3, m: 2}
A, U = symbol("A", (n, m)), symbol("U", (n, n))
a, b, x, v = symbol("a", (n,)), symbol("b", (n,)), symbol("x", (m,)), symbol("v", (n + m,))

CASES: dict[str, tuple[Expr, Any]] = {
    "a name": (a, lambda g: g("a")),
    "zero": (zero((n, m)), lambda g: np.zeros((3, 2))),
    "ones": (OneMatrix(n, 1), lambda g: np.ones((3, 1))),
    "a constant": (constant(sp.Rational(-3, 8), (n, m)), lambda g: np.full((3, 2), -0.375)),
    "a sum": (add(a, b, a), lambda g: g("a") + g("b") + g("a")),
    "a number times a name": (scale(sp.Rational(5, 2), a), lambda g: 2.5 * g("a")),
    "a number times a product": (scale(-2, times(a, b)), lambda g: -2 * (g("a") * g("b"))),
    "an elementwise product": (times(a, b, a), lambda g: g("a") * g("b") * g("a")),
    "a power": (power(a, 3), lambda g: g("a") * g("a") * g("a")),
    "a matrix product": (matmul(A, x), lambda g: g("A") @ g("x")),
    "a product with a transpose": (
        matmul(transpose(A), a),
        lambda g: np.swapaxes(g("A"), -1, -2) @ g("a"),
    ),
    "an outer product": (matmul(a, transpose(x)), lambda g: g("a") @ np.swapaxes(g("x"), -1, -2)),
    "a stack": (stack((a, x, a)), lambda g: np.concatenate([g("a"), g("x"), g("a")], -2)),
    "a part": (part(v, n, m), lambda g: g("v")[..., 3:, :]),
    "a function": (apply("tanh", add(a, b)), lambda g: np.tanh(g("a") + g("b"))),
}


def values(dtype: Any, leading: tuple[int, ...] = ()) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    made = {}
    for name, shape in {"A": (3, 2), "U": (3, 3), "a": (3, 1), "b": (3, 1), "x": (2, 1)}.items():
        made[name] = rng.normal(size=(*leading, *shape)).astype(dtype)
        if np.issubdtype(dtype, np.complexfloating):
            made[name] += 1j * rng.normal(size=made[name].shape)
    made["v"] = np.concatenate([made["a"], made["x"]], -2)
    return made


@pytest.mark.parametrize("leading", [(), (4,), (2, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble, np.complex128])
@pytest.mark.parametrize("case", CASES)
def test_an_expression_has_the_value_that_numpy_gives_it(
    case: str, dtype: Any, leading: tuple[int, ...]
) -> None:
    """The same operations in the same order: not one bit differs."""
    expr, plain = CASES[case]
    given = values(dtype, leading)
    found = evaluate(expr, given, SIZES, Numbers(dtype))
    assert found.dtype == dtype
    expected = plain(given.__getitem__).astype(dtype)
    np.testing.assert_array_equal(np.broadcast_to(found, expected.shape), expected)


def test_batches_and_single_matrices_mix() -> None:
    given = values(np.float64, (4,)) | {"A": values(np.float64)["A"]}
    found = evaluate(matmul(A, x), given, SIZES, Numbers())
    np.testing.assert_array_equal(found, given["A"] @ given["x"])
    mixed = given | {"x": values(np.float64)["x"]}
    assert evaluate(stack((a, x)), mixed, SIZES, Numbers()).shape == (4, 5, 1)


def test_a_constant_has_all_the_digits_of_its_type() -> None:
    third = constant(sp.Rational(1, 3), (n, m))
    found = evaluate(third, {}, SIZES, Numbers(np.longdouble))
    assert found[0, 0] == np.longdouble(1) / np.longdouble(3)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_is_evaluated_by_its_definition(name: str) -> None:
    row = PRIMITIVES[name]
    z = values(np.float64)["a"]
    z = z if row.domain[0] < 0 else np.abs(z)
    exact = [sp.sympify(row.value(sp.Rational(float(k)))).evalf(30) for k in z.flat]
    found = compiled(name)(z).ravel()
    for got, truth in zip(found, exact, strict=True):
        assert abs(got - truth) <= row.ulps * np.spacing(max(abs(got), row.floor))


def test_far_out_a_primitive_does_not_warn() -> None:
    far = {"a": np.array([[1e4], [-1e4], [0.0]])}
    found = evaluate(apply("sigmoid", a), far, SIZES, Numbers())
    np.testing.assert_array_equal(found, [[1.0], [0.0], [0.5]])


@pytest.mark.parametrize("name", names())
def test_a_step_computes_every_equation(name: str) -> None:
    cell = load(name)
    rng = np.random.default_rng(7)
    sizes = dict(zip(cell.dimensions, (3, 2, 4, 5), strict=False))
    draw = lambda v: rng.normal(size=tuple(int(sp.sympify(s).subs(sizes)) for s in v.shape))
    given = {v.name: draw(v.now) for v in (*cell.inputs, *cell.parameters)}
    given |= lagged({s.name: draw(s.now) for s in cell.states})
    found = run_step(single_assignment(cell), given, sizes, Numbers())
    known = dict(given)
    for equation in cell.equations:
        known[equation.name] = evaluate(equation.value, known, sizes, Numbers())
        np.testing.assert_array_equal(found[equation.name], known[equation.name])
    assert not any(name in given for name in (s.name for s in cell.states))


def test_the_lstm_step_is_the_one_that_papers_write() -> None:
    cell = load("lstm")
    rng = np.random.default_rng(8)
    sizes = dict(zip(cell.dimensions, (3, 2), strict=True))
    draw = lambda v: rng.normal(size=tuple(int(sp.sympify(s).subs(sizes)) for s in v.shape))
    P = {v.name: draw(v.now) for v in (*cell.inputs, *cell.parameters)}
    h, C = rng.normal(size=(2, 3, 1))
    found = run_step(single_assignment(cell), P | {"h[t-1]": h, "C[t-1]": C}, sizes, Numbers())
    gate = lambda k: P[f"W_{k}"] @ P["x"] + P[f"U_{k}"] @ h + P[f"b_{k}"]
    f, i, o = (1 / (1 + np.exp(-gate(k))) for k in "fio")
    memory = f * C + i * np.tanh(gate("g"))
    np.testing.assert_array_equal(found["C"], memory)
    np.testing.assert_array_equal(found["h"], o * np.tanh(memory))


def test_an_unknown_node_is_our_own_fault() -> None:
    with pytest.raises(RuleError, match="no value for Inverse"):
        evaluate(sp.Inverse(U), values(np.float64), SIZES, Numbers())


def test_states_go_to_the_next_step_under_their_lagged_names() -> None:
    assert lagged({"h": 1, "C": 2}) == {"h[t-1]": 1, "C[t-1]": 2}
