"""Theorems about cells that the zoo does not know: what is said of them, and that it is true."""

import re

import pytest

from derive.claim import Claim
from derive.gradients import gradients
from derive.language import parse
from derive.latex import latex
from derive.proofs import prove
from derive.theorems.table import THEOREMS

HEAD = "input x[m]\nstate h[n], C[n]\n"
FORGET = "f = sigmoid(W_f @ x + U_f @ h[t-1])\n"

CELLS = {
    "coupled gates": HEAD
    + FORGET
    + "o = sigmoid(W_o @ x + U_o @ h[t-1])\ng = tanh(W_g @ x + U_g @ h[t-1])\n"
    + "C = f * C[t-1] + (1 - f) * g\nh = o * tanh(C)",
    "minimal gated unit": "input x[m]\nstate h[n]\nf = sigmoid(W_f @ [h[t-1], x] + b_f)\n"
    "g = tanh(W_h @ [f * h[t-1], x] + b_h)\nh = (1 - f) * h[t-1] + f * g",
    "concatenated": HEAD
    + "f = sigmoid(W_f @ [h[t-1], x] + b_f)\nC = f * C[t-1] + V @ x\n"
    + "o = sigmoid(W_o @ [h[t-1], x])\nh = o * tanh(C)",
    "concatenated, with two parts that move": "input x[m]\nstate h[n]\n"
    "h = tanh(W @ [h[t-1], x, h[t-1]] + b)",
    "three states": "input x[m]\nstate h[n], C[n], s[k]\n"
    "f = sigmoid(W_f @ x + U_f @ h[t-1] + V_f @ s[t-1])\nC = f * C[t-1] + W_g @ x\n"
    "s = 0.5 * s[t-1] + V_s @ x\nh = tanh(C) + V_h @ s",
    "a state that is called P": "input x[m]\nstate h[n], C[n], P[k]\nP = tanh(V @ h[t-1])\n"
    "C = sigmoid(Q @ P[t-1] + p * C[t-1]) * C[t-1] + U @ P\nh = tanh(C) + W @ x",
    "a memory that is shown twice": HEAD
    + FORGET
    + "C = f * C[t-1] + W_g @ x\nh = tanh(C) + 0.5 * C",
    "a memory that is shown negated": HEAD + FORGET + "C = f * C[t-1] + W_g @ x\nh = -C",
    "a value that two equations share": HEAD
    + FORGET
    + "C = f * C[t-1] + W_g @ x\no = sigmoid(W_o @ x + p * tanh(C))\nh = o * tanh(C)",
    "a memory that nobody shows": HEAD
    + "C = 0.5 * C[t-1] + V @ x\nh = tanh(W @ [x, h[t-1]]) + sigmoid(A @ C[t-1])",
    "a memory that is only added to": HEAD + "C = C[t-1] + V @ x + U @ h[t-1]\nh = tanh(C)",
    "a cell of fixed sizes": "input x[2]\nstate h[3], C[1]\n"
    "C = sigmoid(U @ h[t-1]) * C[t-1] + W @ x\nh = tanh(V @ C)",
    "turned and scaled recurrence": "input x[m]\nstate h[n]\n"
    "h = tanh(W @ x - 2 * U @ h[t-1] + V.T @ h[t-1] + b)",
    "names with indices": "input x_in[m]\nstate h_s[n], c_s[n]\n"
    "f_s = sigmoid(W_f @ x_in + U_f @ h_s[t-1])\nc_s = f_s * c_s[t-1] + V @ x_in\nh_s = tanh(c_s)",
    "no memory at all": "input x[m]\nstate h[n]\nh = W @ x",
}
CLAIMS = {name: prove(gradients(parse(text))) for name, text in CELLS.items()}


def stated(cell: str, theorem: str) -> dict[str, str]:
    """Statements of a theorem's claims about a cell, with their verdicts."""
    return {c.statement: c.verdict for c in CLAIMS[cell] if c.theorem == theorem}


def applies(cell: str, theorem: str) -> bool:
    return "does not apply" not in stated(cell, theorem).values()


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradients_of_an_own_cell_are_proved(cell: str) -> None:
    assert list(stated(cell, "gradients").values()) == ["proved"]


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_about_an_own_cell_is_left_open(cell: str) -> None:
    assert not any(c.is_open for c in CLAIMS[cell])


@pytest.mark.parametrize("cell", CELLS)
def test_no_statement_shows_a_tangent_an_empty_place_or_a_double_sign(cell: str) -> None:
    for claim in CLAIMS[cell]:
        for text in (claim.statement, *claim.remainder):
            assert not re.search(
                r"(?<!/)\bd\(|diag\(\[|, where $|where ;|[+-] [+-]|\( ?\)", text
            ), text
            assert text == " ".join(text.split())


def remainder(cell: str, statement: str) -> tuple[str, ...]:
    (found,) = [c for c in CLAIMS[cell] if c.statement == statement]
    assert found.verdict == "refuted"
    return found.remainder


def test_coupled_gates_have_the_path_of_the_lstm() -> None:
    cell = "coupled gates"
    assert stated(cell, "path") == {"dC_t/dC_{t-1} = diag(f_t), direct": "proved"}
    assert list(stated(cell, "total derivative").values()) == ["proved"]
    assert list(stated(cell, "total derivative is the path").values()) == ["refuted"]
    assert list(stated(cell, "total derivatives multiply").values()) == ["refuted"]


def test_the_minimal_gated_unit_keeps_what_it_does_not_forget() -> None:
    statement = "dh_t/dh_{t-1} = diag(1 - f_t), gates and candidates held fixed"
    assert stated("minimal gated unit", "output path") == {statement: "proved"}
    assert not applies("minimal gated unit", "path")


def test_concatenated_weights_say_which_part_moves() -> None:
    (total,) = stated("concatenated", "total derivative")
    assert total.endswith("total, where dC_t/dh_{t-1} = diag(f_t * (1 - f_t) * C_{t-1}) W_f [I, 0]")
    cell = "concatenated, with two parts that move"
    slope = "diag(1 - h_t ** 2)"
    statement = f"dh_t/dh_{{t-1}} = {slope} W [I, 0, 0] + {slope} W [0, 0, I]"
    assert stated(cell, "recurrent Jacobian") == {statement: "proved"}
    (claim,) = [c for c in CLAIMS[cell] if c.theorem == "recurrent Jacobian"]
    assert r"W\,\begin{pmatrix} I \\ 0 \\ 0 \end{pmatrix}" in claim.latex


def test_every_memory_of_a_cell_with_three_states_has_a_claim_of_its_own() -> None:
    assert stated("three states", "path") == {
        "dC_t/dC_{t-1} = diag(f_t), direct": "proved",
        "ds_t/ds_{t-1} = 1/2 I, direct": "proved",
    }
    assert stated("three states", "path over T steps") == {
        "dC_T/dC_0 = diag(product over t = 1..T of (f_t))": "proved",
        "ds_T/ds_0 = diag(product over t = 1..T of (0.5))": "proved",
    }


def test_the_product_of_the_first_factors_is_no_state_of_the_cell() -> None:
    cell = "a state that is called P"
    (statement,) = stated(cell, "path over T steps")
    assert remainder(cell, statement) == (
        "diag(P_2_{t-1} * p * sigmoid(Q @ P_{t-1} + p * C_{t-1}) "
        "* (1 - sigmoid(Q @ P_{t-1} + p * C_{t-1})) * C_{t-1})",
    )


def test_a_sum_beside_a_factor_is_bracketed() -> None:
    (twice,) = stated("a memory that is shown twice", "total derivative")
    shown = "diag(f_t) + (dC_t/dh_{t-1}) (diag(1 - tanh(C_{t-1}) ** 2) + 1/2 I), total"
    assert f"= {shown}, where" in twice
    (negated,) = stated("a memory that is shown negated", "total derivative")
    assert "= diag(f_t) + (dC_t/dh_{t-1}) (-I), total, where" in negated


def test_a_value_that_two_equations_share_belongs_to_both() -> None:
    """The output shows tanh(C) itself and through the gate o, which is no state."""
    ((statement, verdict),) = stated("a value that two equations share", "total derivative").items()
    assert verdict == "proved"
    assert (
        "(dC_t/dh_{t-1}) (diag((1 - tanh(C_{t-1}) ** 2) * p * o_{t-1} * (1 - o_{t-1}) "
        "* tanh(C_{t-1})) + diag((1 - tanh(C_{t-1}) ** 2) * o_{t-1})), total"
    ) in statement


def test_a_memory_that_nobody_shows_has_no_total_derivative_beside_its_path() -> None:
    cell = "a memory that nobody shows"
    assert stated(cell, "path") == {"dC_t/dC_{t-1} = 1/2 I, direct": "proved"}
    for theorem in ("total derivative", "total derivative is the path"):
        assert not applies(cell, theorem)


def test_a_path_of_ones_is_the_identity() -> None:
    assert stated("a memory that is only added to", "path") == {
        "dC_t/dC_{t-1} = I, direct": "proved"
    }


def test_a_cell_of_fixed_sizes_has_an_example_without_sizes_and_no_diagonal_of_a_matrix() -> None:
    (claim,) = [
        c for c in CLAIMS["a cell of fixed sizes"] if c.theorem == "total derivative is the path"
    ]
    assert claim.remainder[0].endswith(" U diag(1 - h_{t-1} ** 2) V")
    assert re.match(r"[A-Z]", claim.example)


def test_a_recurrence_may_be_turned_scaled_and_in_several_products() -> None:
    assert stated("turned and scaled recurrence", "recurrent Jacobian") == {
        "dh_t/dh_{t-1} = -2 diag(1 - h_t ** 2) U + diag(1 - h_t ** 2) V.T": "proved"
    }


def test_indices_of_names_and_of_time_are_one_subscript_in_tex() -> None:
    (claim,) = [c for c in CLAIMS["names with indices"] if c.theorem == "path over T steps"]
    assert claim.latex.startswith(r"\frac{\partial c_{s,T}}{\partial c_{s,0}} = ")
    assert not any(re.search(r"_\w+_", c.latex) for c in CLAIMS["names with indices"])


@pytest.mark.parametrize("cell", CELLS)
def test_the_claims_of_an_own_cell_can_be_written_as_tex(cell: str) -> None:
    claims: tuple[Claim, ...] = CLAIMS[cell]
    tex = latex(gradients(parse(CELLS[cell])), claims)
    assert tex.count(r"\paragraph{") >= sum(c.verdict != "does not apply" for c in claims)
    assert tex.isascii()


@pytest.mark.parametrize(
    "equations",
    [
        "h = tanh(sum(h[t-1]) + W @ x)",
        "h = (-3 + 2 / n) * sigmoid(W @ x + U @ h[t-1])",
        "h = 0.5 / (-3 + 2 / m) * h[t-1] + W @ x",
        "a = h[t-1]\ng = 3 * (U @ h[t-1] + 3 * V @ [h[t-1], a]) + W @ x\nh = g / 3",
    ],
)
def test_every_row_has_an_answer_for_sums_and_numbers_made_of_sizes(equations: str) -> None:
    claims = prove(gradients(parse(f"input x[m]\nstate h[n]\n{equations}")))
    assert {c.theorem for c in claims} == {theorem.name for theorem in THEOREMS}
    assert not any(c.fails for c in claims)
    assert claims[0].verdict == "proved"
