"""Scalars, division, sums, sizes as numbers, matrices as states and lags: what they mean."""

import re

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.cell import Cell
from derive.errors import CellError
from derive.expressions import coefficient
from derive.language import build, parse
from derive.language.numerals import is_readable, numeral

HEAD = "input x[m]\nstate h[n], k[1], C[n, m]\nparameter s[1]\n"
REST = "k = s * k[t-1]\nC = {}\nh = {}\n"
SUM = "W @ x + C[t-1] @ x"
n, m, r = sp.symbols("n m r", integer=True, positive=True)


def cell_of(h: str = SUM, C: str = "C[t-1]") -> Cell:
    return parse(HEAD + REST.format(C, h))


def shapes(cell: Cell) -> dict[str, tuple[sp.Expr, ...]]:
    return {v.name: v.shape for v in (*cell.parameters, *cell.states)}


def refused(text: str) -> str:
    with pytest.raises(CellError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        # Division.
        ("W @ x / h[t-1]", "(W @ x) / h[t-1]"),
        ("h[t-1] / b / c * d + W @ x", "h[t-1] / b / c * d + W @ x"),
        ("h[t-1] / (b / c) + W @ x", "h[t-1] / (b / c) + W @ x"),
        ("h[t-1] / (b * c) + W @ x", "h[t-1] / (b * c) + W @ x"),
        ("1 / (b + W @ x)", "1 / (b + W @ x)"),
        ("-h[t-1] / b + W @ x", "-(h[t-1] / b) + W @ x"),
        ("W @ x - h[t-1] / b", "W @ x - h[t-1] / b"),
        ("2 / h[t-1] + W @ x", "2 * (1 / h[t-1]) + W @ x"),
        ("(1 / h[t-1]) ** 2 + W @ x", "(1 / h[t-1]) ** 2 + W @ x"),
        ("1 / h[t-1] ** 2 + W @ x", "1 / h[t-1] ** 2 + W @ x"),
        ("W @ (1 / x)", "W @ (1 / x)"),
        ("(1 / W) @ x", "(1 / W) @ x"),
        ("reciprocal(W @ x)", "1 / (W @ x)"),
        # Numbers of sizes.
        ("W @ x / n", "1 / n * W @ x"),
        ("W @ x / sqrt(n + m)", "1 / sqrt(m + n) * W @ x"),
        ("n * (W @ x)", "n * W @ x"),
        ("2 * W @ x / n", "2 / n * W @ x"),
        ("-W @ x / n", "-1 / n * W @ x"),
        ("W @ x / 2 / (n + m)", "0.5 / (m + n) * W @ x"),
        ("(n - m) * (W @ x)", "(-m + n) * W @ x"),
        ("n * sqrt(n) * (W @ x)", "sqrt(n) ** 3 * W @ x"),
        ("sqrt(2) * (W @ x)", "sqrt(2) * W @ x"),
        ("sqrt(4) * (W @ x)", "2 * W @ x"),
        ("(n + 1) ** 2 * (W @ x) - n", "(n + 1) ** 2 * W @ x - n"),
        # Scalars.
        ("k[t-1] * (W @ x)", "k[t-1] * (W @ x)"),
        ("W @ x + k[t-1] - s", "W @ x + k[t-1] - s"),
        ("k[t-1] + W @ x", "k[t-1] + W @ x"),
        ("(k[t-1] + s) * (W @ x)", "(k[t-1] + s) * (W @ x)"),
        ("(W @ x) * (s * k[t-1])", "(W @ x) * (s * k[t-1])"),
        ("s * (W @ x) * k[t-1]", "(s * k[t-1]) * (W @ x)"),
        ("W @ x / s", "(W @ x) / s"),
        ("s / (W @ x)", "s / (W @ x)"),
        ("W @ x + 2 * (s + k[t-1])", "W @ x + 2 * (s + k[t-1])"),
        ("(W @ x) ** 2 * s ** 2", "(W @ x) ** 2 * s ** 2"),
        ("s", "s"),
        # Sums over entries.
        ("sum(x) * h[t-1]", "sum(x) * h[t-1]"),
        ("sum(C[t-1]) * h[t-1]", "sum(C[t-1]) * h[t-1]"),
        ("h[t-1] - mean(h[t-1])", "h[t-1] - 1 / n * sum(h[t-1])"),
        ("mean(C[t-1]) * h[t-1]", "1 / m / n * sum(C[t-1]) * h[t-1]"),
        ("dot(x, v) * h[t-1]", "sum(x * v) * h[t-1]"),
        ("h[t-1] / norm(x)", "h[t-1] / sqrt(sum(x * x))"),
        ("logsumexp(x) * h[t-1]", "logsumexp(x) * h[t-1]"),
        ("softmax(W @ x)", "exp(W @ x - logsumexp(W @ x))"),
        ("x.T @ x * h[t-1]", "(x.T @ x) * h[t-1]"),
        ("sum(2 * x) * h[t-1]", "2 * sum(x) * h[t-1]"),
        # Larger and smaller.
        ("max(W @ x, 0)", "relu(W @ x)"),
        ("max(W @ x, s)", "s + relu(W @ x - s)"),
        ("min(W @ x, b)", "b - relu(b - W @ x)"),
        ("max(1, W @ x)", "W @ x + relu(1 - W @ x)"),
        # Matrices.
        ("C[t-1] @ x", "C[t-1] @ x"),
        ("C[t-1] @ C[t-1].T @ h[t-1]", "C[t-1] @ C[t-1].T @ h[t-1]"),
        ("(s * C[t-1] + W) @ x", "(s * C[t-1] + W) @ x"),
        ("(C[t-1] / (2 + tanh(W))) @ x", "(C[t-1] / (2 + tanh(W))) @ x"),
    ],
)
def test_what_is_written_is_printed_and_reads_back(written: str, printed: str) -> None:
    declared = "".join(f"parameter {p}[n]\n" for p in "bcd" if re.search(rf"\b{p}\b", written))
    text = f"{HEAD}{declared}{REST}".format("C[t-1] + sum(x)", written)
    cell = parse(text)
    assert str(cell).splitlines()[-1] == f"h = {printed}"
    assert parse(str(cell)) == cell
    assert str(parse(str(cell))) == str(cell)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("outer(h[t-1], x)", "h[t-1] @ x.T"),
        ("h[t-1] @ b.T", "h[t-1] @ b.T"),
        ("outer(a, x)", "a @ x.T"),
        ("outer(2 * h[t-1], -x)", "-2 * h[t-1] @ x.T"),
        ("outer(h[t-1], 1 - 2 * x)", "outer(h[t-1], 1 - 2 * x)"),
        ("outer(h[t-1], V @ x + b)", "outer(h[t-1], V @ x + b)"),
        ("outer(V @ h[t-1], x)", "outer(V @ h[t-1], x)"),
        ("(V @ h[t-1]) @ x.T", "V @ h[t-1] @ x.T"),
        ("outer(tanh(h[t-1]), s * x)", "outer(tanh(h[t-1]), s * x)"),
        ("C[t-1] - (C[t-1] @ x - h[t-1]) @ x.T", "C[t-1] - (C[t-1] @ x - h[t-1]) @ x.T"),
        ("s * C[t-1] + k[t-1]", "s * C[t-1] + k[t-1]"),
        ("C[t-1] @ V @ V.T", "C[t-1] @ V @ V.T"),
        ("C[t-1] / max(norm(x), 1)", "C[t-1] / (1 + relu(sqrt(sum(x * x)) - 1))"),
        ("k[t-1]", "k[t-1]"),
        ("1 / (2 + abs(C[t-1]))", "1 / (2 + abs(C[t-1]))"),
        ("C[t-1] * column(h[t-1])", "C[t-1] * column(h[t-1])"),
    ],
)
def test_a_matrix_as_a_state_is_printed_and_reads_back(written: str, printed: str) -> None:
    declared = "parameter V[m, m]\n" if "@ V @" in written else ""
    cell = parse(f"{HEAD}{declared}{REST}".format(written, SUM))
    assert str(cell).splitlines()[-2] == f"C = {printed}"
    assert parse(str(cell)) == cell
    assert shapes(cell)["C"] == (n, m)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dot(x, x) * (W @ x)", "sum(x * x) * (W @ x)"),
        ("norm(x) * (W @ x)", "sqrt(sum(x * x)) * (W @ x)"),
        ("mean(x) * (W @ x)", "sum(x) / m * (W @ x)"),
        ("softmax(W @ x)", "exp(W @ x - logsumexp(W @ x))"),
        ("s * (k[t-1] * (W @ x))", "s * k[t-1] * (W @ x)"),
        ("s + (k[t-1] + W @ x)", "s + k[t-1] + W @ x"),
        ("(s + k[t-1]) + W @ x", "s + k[t-1] + W @ x"),
        ("W @ x + (s + k[t-1])", "W @ x + s + k[t-1]"),
        ("W @ x / sqrt(n * m)", "1 / sqrt(n) / sqrt(m) * (W @ x)"),
        ("(n + m) * (W @ x)", "(m + n) * (W @ x)"),
        ("W @ x * (2 * n)", "n * 2 * W @ x"),
        ("x[t-1].T @ x * h[t-1]", "x_lag_1[t-1].T @ x * h[t-1]"),
        ("heaviside(W @ x)", "(heaviside(W @ x))"),
    ],
)
def test_two_ways_of_writing_one_equation_are_equal(one: str, other: str) -> None:
    if "x_lag_1" in other:
        carried = HEAD.replace("C[n, m]", "C[n, m], x_lag_1[m]") + REST + "x_lag_1 = x\n"
        assert cell_of(one) == parse(carried.format("C[t-1]", other))
    else:
        assert cell_of(one) == cell_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h[t-1] / (b * (W @ x))", "h[t-1] / b * (W @ x)"),
        ("h[t-1] / (b / (W @ x))", "h[t-1] / b / (W @ x)"),
        ("max(b, W @ x)", "max(W @ x, b)"),  # they differ where the two are equal
        ("mean(x) * b + W @ x", "sum(x) * b + W @ x"),
        ("W @ x / n", "W @ x / m"),
    ],
)
def test_two_different_equations_are_not_equal(one: str, other: str) -> None:
    declared = HEAD + "parameter b[n]\n" * ("b" in one)
    first, second = (parse(declared + REST.format("C[t-1]", text)) for text in (one, other))
    assert first != second


def test_shapes_follow_beside_scalars() -> None:
    cell = cell_of("s * sigmoid(W @ x + k[t-1]) / norm(V @ h[t-1] + x)", "a @ x.T + outer(c, b)")
    known = shapes(cell)
    assert known["W"] == (n, m)
    assert known["V"] == (m, n)
    assert [known[name] for name in "acb"] == [(n,), (n,), (m,)]


def test_a_state_of_size_one_takes_scalars_only() -> None:
    assert shapes(parse("input x[3]\nstate h[1]\nh = W @ x - a * h[t-1] + b"))["W"] == (1, 3)
    found = refused("input x[m]\nstate h[n], k[1]\nk = h[t-1] + W @ x\nh = k * (W @ x)")
    assert found.startswith("line 3: shapes [1] (declared in line 2) and [n] (")


def test_what_meets_a_scalar_is_one_where_the_result_is() -> None:
    cell = parse("input x[m]\nstate h[n], k[1]\nk = tanh(a * k[t-1] + b)\nh = k * (W @ x)")
    assert shapes(cell) == {"a": (1,), "b": (1,), "W": (n, m), "h": (n,), "k": (1,)}


@pytest.mark.parametrize(
    "value", ["k[t-1] * b + W @ x", "W @ x / (b + k[t-1])", "max(k[t-1], b) + W @ x", "k[t-1] * b"]
)
def test_what_meets_a_scalar_in_a_vector_must_be_declared(value: str) -> None:
    text = f"input x[m]\nstate h[n], k[1]\n{{}}k = tanh(k[t-1] + sum(x))\nh = {value}\n"
    assert refused(text.format("")) == (
        "line 4: the shape of 'b' does not follow from its use, found [?] beside a scalar, so that "
        f"it may be a scalar, too; declare it: `parameter b[...]`, in `h = {value}`"
    )
    for size in ("1", "n"):
        cell = parse(text.format(f"parameter b[{size}]\n"))
        assert {p.name: str(p.shape[0]) for p in cell.parameters}["b"] == size


def test_a_scalar_that_is_found_later_settles_what_came_before() -> None:
    text = "input x[m]\nstate h[n], k[1]\ng = k[t-1] * b\nk = tanh(k[t-1] * b)\nh = g * (W @ x)"
    assert shapes(parse(text))["b"] == (1,)


def test_a_scalar_fills_a_vector_or_a_matrix_that_is_defined_by_it() -> None:
    cell = cell_of("dot(x, x)", "mean(x)")
    assert [str(e.value.shape) for e in cell.equations] == ["(1, 1)", "(n, m)", "(n, 1)"]


def test_lags_become_states_that_carry_them() -> None:
    cell = parse("input x[m]\nstate h[n]\nh = W @ x[t-2] + U @ h[t-3] + V @ x[t-1]\n")
    assert str(cell) == (
        "input x[m]\nstate h[n], x_lag_1[m], x_lag_2[m], h_lag_1[n], h_lag_2[n]\n"
        "parameter W[n, m], U[n, n], V[n, m]\n\n"
        "h = W @ x_lag_2[t-1] + U @ h_lag_2[t-1] + V @ x_lag_1[t-1]\n"
        "x_lag_1 = x\nx_lag_2 = x_lag_1[t-1]\n"
        "h_lag_1 = h[t-1]\nh_lag_2 = h_lag_1[t-1]\n"
    )
    assert parse(str(cell)) == cell
    assert cell.output.name == "h"


def test_eight_steps_back_are_read_and_nine_are_not() -> None:
    head = "input x[m]\nstate h[n], C[n, m]\nC = C[t-1]\n"
    assert len(parse(head + "h = C[t-8] @ x\n").states) == 2 + 7
    assert len(parse(head + "h = C[t-1] @ x[t-8]\n").states) == 2 + 8
    assert "a lag is [t-1] to [t-8]" in refused(head + "h = C[t-9] @ x\n")


def test_a_built_cell_may_have_matrices_and_numbers_of_sizes() -> None:
    x, C = sp.MatrixSymbol("x", m, 1), sp.MatrixSymbol("C[t-1]", n, m)
    now = sp.MatrixSymbol("h", n, 1)
    cell = build(
        "mine",
        {"x": (m,)},
        {"h": (n,), "C": (n, m)},
        {"h": C * x / sp.sqrt(m), "C": sp.MatAdd(C, now * x.T)},
    )
    text = "input x[m]\nstate h[n], C[n, m]\nh = C[t-1] @ x / sqrt(m)\nC = C[t-1] + h @ x.T\n"
    assert cell == parse(text)


def whole_sizes() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(("n", "m", "2", "3", "0.5", "7", "1.25"))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("({0[0]} + {0[1]})".format),
            st.tuples(inner, inner).map("{0[0]} * {0[1]}".format),
            st.tuples(inner, inner).map("{0[0]} / ({0[1]})".format),
            st.tuples(inner, inner).map("({0[0]} - {0[1]})".format),
            st.tuples(inner, st.integers(2, 3)).map("({0[0]}) ** {0[1]}".format),
            inner.map("sqrt({})".format),
            inner.map("(-{})".format),
        ),
        max_leaves=6,
    )


@settings(deadline=None, max_examples=300)
@given(whole_sizes())
def test_a_number_of_sizes_reads_back_as_itself(text: str) -> None:
    head = "input x[m]\nstate h[n]\n"
    try:
        cell = parse(f"{head}h = {text} * (W @ x)\n")
    except CellError as error:
        reasons = "which may be|is negative|division by 0|is 0|no text here|numbers multiply"
        if not re.search(reasons, str(error)):
            raise
        return
    assert parse(str(cell)) == cell
    number, _ = coefficient(cell.equations[0].value)
    assert is_readable(number)
    value = sp.sympify(numeral(number)[0], locals={"n": n, "m": m}, rational=True)
    where = {n: 5, m: 3}
    difference = sp.N(value.subs(where) - number.subs(where), 30)
    # Numbers from a dozen operations on 30 digits.
    assert abs(difference) <= 10**-20 * (1 + abs(sp.N(number.subs(where), 30)))
