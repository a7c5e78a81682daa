"""The checker's own reader, algebra and numbers, against what they must agree with."""

import cmath
import json
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from certified import certified, resealed
from core import CORE, GROWN_CORE

from derive.certificates import algebra
from derive.certificates.algebra import SLOPES, Algebra
from derive.certificates.checker import check
from derive.certificates.claims import OPEN, WRONG
from derive.certificates.declarations import RefusedError, lagged, read_cell, size_of, tangent
from derive.certificates.indices import SINGLE, UncheckedError, add, at_most
from derive.certificates.reader import Reader
from derive.certificates.steps import Step
from derive.certificates.values import FUNCTIONS, Run
from derive.evaluate import Numbers, run_step
from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.zoo import load

N, M = (("n", 1),), (("m", 1),)
CELLS = (*CORE, *GROWN_CORE, "lstm_concatenated", "mlstm_code", "softmax_readout", "s6_zoh")


def reader() -> Reader:
    shapes = {"A": (N, N), "W": (N, M), "a": (N, SINGLE), "b": (N, SINGLE), "x": (M, SINGLE)}
    return Reader(Algebra(), {**shapes, "s": (SINGLE, SINGLE), "V": (size_of("n + m"), SINGLE)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A @ (a + b)", "A @ b + A @ a"),
        ("(A @ a).T @ b", "a.T @ (A.T @ b)"),
        ("sum(a * b)", "a.T @ b"),
        ("dot(a, b)", "sum(b * a)"),
        ("mean(a)", "1 / n * sum(a)"),
        ("norm(a)", "sqrt(dot(a, a))"),
        ("softmax(a)", "exp(a - logsumexp(a))"),
        ("max(a, b)", "b + relu(a - b)"),
        ("min(a, b)", "b - relu(b - a)"),
        ("outer(a, b) @ b", "a * (b.T @ b)"),
        ("a @ x.T", "outer(a, x)"),
        ("column(a + b) * W", "W * column(a) + column(b) * W"),
        ("sum([a, x])", "sum(x) + sum(a)"),
        ("dot([a, x], V)", "dot(V, [a, x])"),
        ("sum([a, x] ** 2)", "sum(a * a) + x.T @ x"),
        ("dot(V[0:n], a) + dot(V[n:n + m], x)", "dot(V, [a, x])"),
        ("sum(a + 1)", "sum(a) + n"),
        ("sum(column(a) * W * 0.5)", "a.T @ (W @ 1) / 2"),
        ("sqrt(n) * a / n", "a / sqrt(n)"),
        ("s * a + s", "s * (a + 1)"),
        ("(a + b) ** 3", "a * a * a + 3 * a ** 2 * b + 3 * a * b ** 2 + b ** 3"),
        ("A @ A.T @ a", "(A @ A.T) @ a"),
    ],
)
def test_equal_expressions_have_one_form(one: str, other: str) -> None:
    own = reader()
    assert own.read(one).poly == own.read(other).poly


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A @ a", "A.T @ a"),
        ("a * b", "a + b"),
        ("a @ b.T", "b @ a.T"),
        ("sum(a * a)", "sum(a) ** 2"),
        ("A @ A @ a", "A @ A.T @ a"),
        ("sigmoid(a)", "sigmoid(b)"),
        ("sigmoid(a + b)", "sigmoid(a) + sigmoid(b)"),
        ("dot([a, x], V)", "dot([a, a], [a, a])"),
        ("V[0:n]", "V[m:n + m]"),
        ("mean(a)", "sum(a)"),
        ("1.0000000001 * a", "a"),
    ],
)
def test_different_expressions_have_different_forms(one: str, other: str) -> None:
    own = reader()
    assert own.read(one).poly != own.read(other).poly


@pytest.mark.parametrize(
    "text",
    [
        "A @ x",
        "a + x",
        "a @ b",
        "W + A",
        "column(a) @ x",
        "selu(a)",
        "c",
        "a.shape",
        "a if a else b",
        "lambda: a",
        "a[0]",
        "a[t-1]",
        "sum(1)",
        "[a, 1]",
        "[]",
        "a ** 0.5",
        "a ** 99",
        "'a'",
        "True * a",
        "1e999 * a",
        "1j * a",
        "a; b",
        "a\nb",
        "__import__('os')",
        "(" * 500 + "a" + ")" * 500,
        "-" * 9000 + "a",
        "1 / 0",
        "\uff41",
        "",
    ],
)
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        reader().read(text)


@pytest.mark.parametrize(
    "text",
    [
        "input x[m]\nh = x",
        "input x[m]\nstate h[n]",
        "input x[m]\nstate h[n]\nh = x\nh = x",
        "input x[m]\nstate h[n]\nx = h[t-1]\nh = x",
        "input x[m], x[m]\nstate h[n]\nh = x",
        "input x[m], n[m]\nstate h[n]\nh = n",
        "input dy[m]\nstate h[m]\nh = dy",
        "input x[m]\nstate h[m]\nh = (x",
        "input x[0]\nstate h[n]\nh = x",
        "input x[m]\nstate h[n]\nh[0] = x",
        "nothing",
        "",
    ],
)
def test_what_is_no_cell_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        read_cell(text)


def drawn(step: Step, sizes: dict[str, int], seed: int = 0) -> Run:
    """A run whose given names have random values."""
    random = np.random.default_rng(seed)
    run = Run(step.algebra, step.shapes, step.equations, sizes)
    for name, kind in step.cell.kinds.items():
        rows, columns = (run.size(size) for size in step.shapes[name])
        least = -0.9 if seed else 0.2
        values = random.uniform(least, 0.9, (rows, columns)).astype(complex)
        run.values[lagged(name, 1) if kind == "state" else name] = values.tolist()
    return run


@pytest.mark.parametrize("name", CELLS)
def test_the_checker_reads_a_cell_as_the_toolkit_does(name: str) -> None:
    cell = load(name)
    step = Step(str(cell))
    sizes = {str(size): 2 + place for place, size in enumerate(cell.dimensions)}
    run = drawn(step, sizes)
    given = {name: np.array(value).real for name, value in run.values.items()}
    symbolic = {size: sizes[str(size)] for size in cell.dimensions}
    wanted = run_step(gradients(cell).forward, given, symbolic, Numbers())
    run.steps(1, step.at, {})
    for equation in cell.equations:
        found = np.array(run.values[equation.name]).real
        np.testing.assert_allclose(found, wanted[equation.name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_its_differential_is_what_a_complex_step_gives(name: str) -> None:
    cell = load(name)
    step = Step(str(cell))
    run = drawn(step, {str(size): 2 + place for place, size in enumerate(cell.dimensions)})
    state = cell.states[-1].name
    d = run.zeros(step.shapes[state], 1)
    moved = step.moved({lagged(state, 1): step.direction(state)})
    run.steps(1, step.at, {lagged(state, 1): d})
    run.values[tangent(lagged(state, 1))] = d
    for equation in cell.equations:
        symbolic = run.array(moved.get(equation.name, {}), step.shapes[equation.name], str)
        numeric = run.derivative(equation.name)
        np.testing.assert_allclose(np.array(symbolic).real, numeric, rtol=1e-9, atol=1e-12)


def test_the_tables_of_functions_are_of_the_toolkits_functions() -> None:
    assert SLOPES.keys() == FUNCTIONS.keys() == PRIMITIVES.keys()


@pytest.mark.parametrize("name", sorted(SLOPES))
@pytest.mark.parametrize("at", [0.25, 0.625, 1.75, -0.375])
def test_a_slope_is_the_derivative_of_its_function(name: str, at: float) -> None:
    if at < 0 and name in ("log", "sqrt"):
        at = -at
    step = Step(f"input x[1]\nstate h[1]\nh = {name}(x)")
    run = Run(step.algebra, step.shapes, step.equations, {}, {"x": [[complex(at)]]})
    moved = step.moved({"x": step.reader.value("x")})  # the direction is x itself
    run.steps(1, step.at, {"x": [[complex(at)]]})
    (((slope,),),) = [run.array(moved.get("h", {}), step.shapes["h"], str)]
    assert cmath.isclose(slope.real, run.derivative("h")[0][0], rel_tol=1e-12, abs_tol=1e-15)
    row = PRIMITIVES[name]
    z = sp.Symbol("z", real=True)
    value = complex(sp.N(row.value(z).subs(z, sp.Rational(at)), 30))
    assert cmath.isclose(FUNCTIONS[name](complex(at)), value, rel_tol=1e-12)


def test_a_size_is_below_another_only_if_it_always_is() -> None:
    assert at_most((), N)
    assert at_most(SINGLE, N)
    assert at_most(N, size_of("n + m"))
    assert not at_most(N, M)
    assert not at_most(size_of("n + m"), N)
    assert not at_most(size_of("2"), N)


def test_numbers_are_exact() -> None:
    own = reader()
    third = own.read("a / 3 + a / 3 + a / 3").poly
    assert add(third, own.read("a").poly, sign=-1) == {}
    assert Fraction(1, 10) in own.read("0.1 * a").poly.values()


@pytest.mark.parametrize(
    "equation",
    [
        "h = ((((x + h[t-1] + b) ** 16) ** 16) ** 16) ** 16",
        "h = ((((3 * x) ** 16) ** 16) ** 16) ** 16",
        "h = " + " * ".join(["(x + h[t-1] + b + c + d)"] * 40),
        "h = " + "max(x, " * 20 + "h[t-1]" + ")" * 20,
        "h = " + "tanh(" * 90 + "h[t-1]" + ")" * 90,
        "h = h[t-1]" + " * (u.T @ h[t-1])" * 12,
        "h = (" + " + ".join(f"{k} * W @ " + "x" for k in range(1, 300)) + ") ** 16",
    ],
)
def test_no_text_makes_the_checker_work_for_long(
    equation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(algebra, "MAX_WORK", algebra.MAX_WORK // 20)
    parameters = "parameter b[n], c[n], d[n], u[n], W[n, n]"
    start = time.perf_counter()
    try:
        step = Step(f"input x[n]\nstate h[n]\n{parameters}\n{equation}")
        step.moved({"h[t-1]": step.direction("h")})
    except (RefusedError, UncheckedError, RecursionError):
        pass
    assert time.perf_counter() - start < 10


def test_a_cell_that_takes_too_much_work_is_not_rechecked() -> None:
    document = certified("rnn")
    (cell,) = document["cells"]
    cell["text"] = cell["text"].replace("h = ", "h = 0 * (x.T @ x + b.T @ b + 1) ** 16 + ")
    (cell["assignments"][0])["value"] += " + 0 * " + " * ".join(["(1 + b.T @ b)"] * 30)
    found = list(check(resealed(document)))
    assert {f.outcome for f in found} <= {WRONG, OPEN}
    assert json.dumps([f.reason for f in found])


def test_a_stack_with_a_scalar_and_sizes_of_one_are_read() -> None:
    text = "input x[m]\nstate h[n]\nparameter s[1], W[n, m + n + 1], V[n, 1]\n"
    text += "h = tanh(W @ [x, s, h[t-1]] + V @ s)"
    own = Step(str(parse(text)))
    run = drawn(own, {"n": 2, "m": 3})
    run.steps(1, own.at, {})
    values = {name: np.array(value).real for name, value in run.values.items()}
    stacked = np.concatenate([values["x"], values["s"], values["h[t-1]"]])
    wanted = np.tanh(values["W"] @ stacked + values["V"] @ values["s"])
    np.testing.assert_allclose(values["h"], wanted, rtol=1e-12)
