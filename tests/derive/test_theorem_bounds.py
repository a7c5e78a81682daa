"""Rows about ranges, slopes, structure and laws: what they say of a cell, against plain numbers."""

import re
import time

import numpy as np
import pytest
from plain_cells import sigmoid

from derive.claim import Claim
from derive.gradients import gradients
from derive.language import parse
from derive.proofs import prove
from derive.theorems import KINDS, THEOREMS
from derive.theorems.slopes import steepness
from derive.zoo import load

ROWS = {t.name: t for t in THEOREMS}


def claims(cell: str, theorem: str) -> tuple[Claim, ...]:
    return prove(gradients(load(cell)), (ROWS[theorem],))


def stated(cell: str, theorem: str) -> dict[str, str]:
    return {c.statement: c.verdict for c in claims(cell, theorem)}


STATEMENTS = [
    ("lstm", "gates", "f_t in (0, 1)", "proved"),
    ("slstm", "gates", "p_t in (0, 1]", "proved"),
    ("lstm_relu_gates", "gates", "f_t in [0, 1]", "refuted"),
    ("lstm", "output in (-1, 1)", "|h_t| < 1, for t >= 1", "proved"),
    ("lstm_projection", "output in (-1, 1)", "|h_t| < 1, for t >= 1", "refuted"),
    ("lstm_noaf", "output in (-1, 1)", "|h_t| < 1, for t >= 1", "refuted"),
    ("lstm", "linear growth", "|C_t| <= |C_0| + t", "proved"),
    ("lstm_1997", "linear growth", "|C_t| <= |C_0| + 2 t", "proved"),
    ("lstm_relu_gates", "linear growth", "|C_t| <= |C_0| + t", "refuted"),
    ("lstm", "less than linear growth", "|C_t| <= |C_0| + 99/100 t", "refuted"),
    ("lstm", "convex combination", "|C_t| <= max(|C_0|, 1)", "refuted"),
    ("coupled_lstm", "convex combination", "|C_t| <= max(|C_0|, 1)", "proved"),
    ("gru", "convex combination", "|h_t| <= max(|h_0|, 1)", "proved"),
    ("gru_z_new", "convex combination", "|h_t| <= max(|h_0|, 1)", "proved"),
    ("slstm_code", "normaliser from zero", "N_t >= 1, from zero states", "proved"),
    ("slstm", "normaliser from zero", "N_t >= 1, from zero states", "refuted"),
    ("slstm_code", "normaliser from any state", "N_t >= 1, where N_0 >= 0", "refuted"),
    ("lstm_1997", "constant error carousel", "dC_t/dC_{t-1} = I, direct", "proved"),
    ("lstm", "constant error carousel", "dC_t/dC_{t-1} = I, direct", "refuted"),
    ("lstm", "slopes", "|sigmoid'| <= 1/4", "proved"),
    ("mlstm", "slopes", "|exp'| <= 1", "refuted"),
    ("lstm", "cannot explode", "|(dC_t/dC_{t-1}) v| <= |v|, total", "refuted"),
    (
        "lstm",
        "solves vanishing gradients",
        "|(dC_t/dC_{t-1}) v| >= |v| / 100, direct",
        "refuted",
    ),
    (
        "gru",
        "second bias",
        "dL/db_g = dL/dc, for a second bias c beside U_g @ h_{t-1}",
        "refuted",
    ),
    ("gru", "second bias", "dL/db_z = dL/dc, for a second bias c beside U_z @ h_{t-1}", "proved"),
    (
        "lstm",
        "parameters",
        "the parameters are 4 times those of one layer: 4*n*(m + n + 1) numbers",
        "proved",
    ),
    (
        "running_mean",
        "running mean",
        "mu_T = (1/T) * sum over t = 1..T of x_t, where N_0 = 0",
        "proved",
    ),
]


@pytest.mark.parametrize(("cell", "theorem", "statement", "verdict"), STATEMENTS)
def test_a_statement_has_the_pinned_verdict(
    cell: str, theorem: str, statement: str, verdict: str
) -> None:
    assert stated(cell, theorem)[statement] == verdict


def test_the_shifted_gates_bound_is_e_to_the_beta_and_is_approached() -> None:
    (statement,) = stated("janet", "shifted gates")
    assert statement.startswith("|h_t| <= max(|h_0|, exp(beta)), where beta >= 0")
    beta, h = 1.5, 0.0
    for _ in range(4000):  # s = 6, g = 1
        h = sigmoid(np.array(6.0)) * h + (1 - sigmoid(np.array(6.0 - beta)))
    assert 0.98 * np.exp(beta) < h < np.exp(beta)


def test_the_memory_of_the_lstm_comes_near_its_linear_bound() -> None:
    C = 0.0
    for _ in range(50):
        C = sigmoid(np.array(20.0)) * C + sigmoid(np.array(20.0)) * np.tanh(20.0)
    assert 50 - 1e-4 < C < 50


@pytest.mark.parametrize("cell", ["slstm", "slstm_exp"])
def test_the_output_does_not_depend_on_the_stabiliser_in_numbers_too(cell: str) -> None:
    from derive.evaluate import Numbers, run_step

    (found,) = claims(cell, "stabiliser")
    assert found.verdict == "proved"
    derived, random = gradients(load(cell)), np.random.default_rng(1)
    sizes = dict.fromkeys(derived.cell.dimensions, 2)
    given = {
        n.name: random.normal(0, 1, [2 if k != 1 else 1 for k in n.shape])
        for n in (*(v.now for v in derived.cell.parameters), *(x.now for x in derived.cell.inputs))
    }
    given |= {s.before.name: random.uniform(0.5, 1.5, (2, 1)) for s in derived.cell.states}
    d = np.array([[0.7], [-1.3]])
    moved = {
        **given,
        "M[t-1]": given["M[t-1]"] + d,
        "C[t-1]": given["C[t-1]"] * np.exp(-d),
        "N[t-1]": given["N[t-1]"] * np.exp(-d),
    }
    plain, other = (run_step(derived.forward, v, sizes, Numbers())["h"] for v in (given, moved))
    np.testing.assert_allclose(plain, other, rtol=1e-13)


def test_the_vanishing_bound_says_what_it_does_not_say() -> None:
    (found,) = claims("rnn", "vanishing")
    assert found.verdict == "proved"
    assert found.statement.startswith("|J_T ... J_1 v| <= rho^T |v|")
    assert found.hypotheses.startswith("sufficient, not necessary: it says nothing")


def test_sigmoid_layers_shrink_by_a_quarter_each() -> None:
    """With unit weights, four of them leave at most 1/256, which is below 1/16."""
    text = "input x[m]\nstate h[n]\nh = sigmoid(W @ x + U @ h[t-1] + b)"
    (found,) = prove(gradients(parse(text)), (ROWS["vanishing"],))
    assert "(rho * 1/4)^T" in found.statement
    h, change = 0.0, 1.0
    for _ in range(4):
        h = float(sigmoid(np.array(h)))
        change *= h * (1 - h)
    assert change <= float(steepness("sigmoid")) ** 4 < 1 / 16


@pytest.mark.parametrize(
    ("name", "most"), [("sigmoid", 0.25), ("tanh", 1), ("softplus", 1), ("relu", 1), ("sin", 1)]
)
def test_a_steepness_is_reached_and_not_exceeded(name: str, most: float) -> None:
    import sympy as sp

    from derive.primitives import PRIMITIVES

    z = sp.Symbol("z", real=True)
    found = float(steepness(name))
    assert found == most
    points = np.linspace(-8, 8, 401)
    values = np.array([float(PRIMITIVES[name].value(z).subs(z, p)) for p in points])
    slopes = np.abs(np.diff(values) / np.diff(points))
    assert 0.99 * found <= slopes.max() <= found * (1 + 1e-9)


def test_functions_without_a_largest_slope_have_no_steepness() -> None:
    assert steepness("exp") is None
    assert steepness("sqrt") is None


def test_a_hundred_steps_of_0_9_and_1_1_are_run_through_the_equations() -> None:
    (found,) = claims("rnn", "0.9 and 1.1")
    assert found.verdict == "proved"
    assert f"{0.9**100:.4g}" in found.method
    assert f"{1.1**100:.6g}" in found.method


def test_exchanged_units_fail_where_stacks_meet_in_another_order() -> None:
    text = "input x[m]\nstate h[n]\nh = tanh(V @ ([h[t-1], x] * [x, h[t-1]]))"
    (found,) = prove(gradients(parse(text)), (ROWS["exchanged units"],))
    assert found.verdict == "refuted"
    assert "has parts [m, n] and [n, m]" in found.method
    again = text.replace("[x, h[t-1]]))", "[h[t-1], x]))")
    (found,) = prove(gradients(parse(again)), (ROWS["exchanged units"],))
    assert found.verdict == "proved"


def test_the_transpose_of_a_scaled_sum_keeps_its_factor() -> None:
    """`truncation` is about sums of two parts; a factor in front of them must not be lost."""
    text = "input x[m]\nstate h[n], C[n]\nf = sigmoid(W @ x + U @ h[t-1])\n"
    cell = parse(text + "C = f * C[t-1] + 0.5 * (V @ x)\nh = tanh(C) + 0.5 * C")
    (found,) = prove(gradients(cell), (ROWS["truncation"],))
    assert found.verdict == "proved"


def test_a_property_that_a_cell_lacks_is_no_failure_and_no_misreading() -> None:
    for found in claims("lstm_noaf", "output in (-1, 1)"):
        assert not found.fails
        assert not found.misread
        assert found.optional


def test_every_row_has_a_kind_with_a_heading() -> None:
    assert {t.kind for t in THEOREMS} == set(KINDS)


def test_a_bound_that_is_refuted_shows_numbers_on_the_wrong_side() -> None:
    for cell in ("lstm", "gru", "lstm_relu_gates", "lstm_noaf"):
        for found in prove(gradients(load(cell))):
            if found.verdict == "refuted" and found.method.startswith("ranges"):
                sides = re.search(r"left (\S+), right (\S+)$", found.example)
                if sides and "[" not in found.example.partition(": left")[2]:
                    assert float(sides[1]) > float(sides[2])


def test_the_rows_of_a_cell_take_no_longer_than_they_may() -> None:
    """Two seconds for a cell; here the LSTM, in own time."""
    derived = gradients(load("lstm"))
    start = time.process_time()
    prove(derived)
    assert time.process_time() - start < 2
