"""Every kind of claim, tampered with: a verdict, a statement, a number, a hypothesis, a witness."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from certified import certified, claim_of

from derive.certificates.checker import check
from derive.certificates.claims import KINDS, RIGHT, UNDECIDED, VOID, form, judged
from derive.certificates.declarations import RefusedError
from derive.certificates.statements import Maps
from derive.certificates.steps import Step
from derive.certificates.subject import Subject
from derive.certificates.writer import certificate
from derive.gradients import gradients
from derive.language import parse
from derive.proofs import prove

# Cells that between them have every kind, proved and refuted.
CELLS = (
    "lstm",
    "gru",
    "rnn",
    "irnn",
    "janet",
    "qrnn",
    "mlstm_code",
    "slstm",
    "slstm_code",
    "running_mean",
    "lstm_relu_gates",
    "peephole_lstm",
    "coupled_lstm",
    "cwrnn",
    "lstm_1997",
    "cfn",
)
BOGUS = "n = 1, m = 1; all else 0: left 1, right 0"


@cache
def subject(cell: str) -> Subject:
    return Subject(certified(cell)["cells"][0])


def settled(verdict: str) -> list[tuple[str, str]]:
    """The first cell for each kind that has a claim of that verdict."""
    found: dict[str, str] = {}
    for cell in reversed(CELLS):
        for claim in certified(cell)["cells"][0]["claims"]:
            if claim["verdict"] == verdict:
                found[claim["name"]] = cell
    return sorted(found.items())


PROVED, REFUTED = settled("proved"), settled("refuted")


def original(cell: str, kind: str, verdict: str) -> dict[str, Any]:
    found: dict[str, Any] = claim_of(certified(cell)["cells"][0], kind, verdict)
    return found


def rejected(cell: str, claim: dict[str, Any]) -> str:
    """Why a claim is rejected; a claim that cannot be told is not."""
    with pytest.raises(RefusedError) as error:
        judged(subject(cell), claim)
    return str(error.value)


def test_the_cells_here_have_every_kind() -> None:
    assert {kind for kind, _ in (*PROVED, *REFUTED)} == set(KINDS)


@pytest.mark.parametrize(("kind", "cell"), PROVED)
def test_a_proved_claim_is_right_and_not_when_it_is_called_refuted(kind: str, cell: str) -> None:
    claim = original(cell, kind, "proved")
    assert judged(subject(cell), claim) == (RIGHT, "")
    assert rejected(cell, {**claim, "verdict": "refuted"})
    numbers = {"verdict": "refuted", "example": BOGUS, "normal_form": []}
    assert rejected(cell, {**claim, **numbers})


@pytest.mark.parametrize(("kind", "cell"), REFUTED)
def test_a_refuted_claim_is_right_and_not_when_it_is_called_proved(kind: str, cell: str) -> None:
    claim = original(cell, kind, "refuted")
    assert judged(subject(cell), claim) == (RIGHT, "")
    assert rejected(cell, {**claim, "verdict": "proved"})
    assert rejected(cell, {**claim, "verdict": "proved", "example": ""})


@pytest.mark.parametrize(("kind", "cell"), REFUTED)
def test_numbers_of_a_refuted_claim_cannot_be_others(kind: str, cell: str) -> None:
    claim = original(cell, kind, "refuted")
    example = claim["example"]
    for change in (
        lambda side: re.sub(rf"{side} (\[*)-?", rf"{side} \g<1>7", example),
        lambda side: "",
        lambda side: BOGUS,
        lambda side: example.replace("all else 0", "Q_q = 1, all else 0"),
        lambda side: re.sub(r"left (.+), right \S+", r"left \1, right \1", example),
    ):
        for side in ("left", "right"):
            if change(side) != example:
                assert rejected(cell, {**claim, "example": change(side)})


@pytest.mark.parametrize(
    ("kind", "cell", "verdict"),
    [(k, c, "proved") for k, c in PROVED] + [(k, c, "refuted") for k, c in REFUTED],
)
def test_nothing_of_a_claim_can_be_dropped_or_exchanged(kind: str, cell: str, verdict: str) -> None:
    claim = original(cell, kind, verdict)
    other = next(c for c in certified(cell)["cells"][0]["claims"] if c["name"] != kind)
    for change in (
        {"hypotheses": ""},
        {"hypotheses": claim["hypotheses"] + "."},
        {"should_hold": not claim["should_hold"]},
        {"level": "kernel-checked"},
        {"level": ""},
        {"statement": ""},
        {"statement": claim["statement"] + " "},
        {"statement": other["statement"]},
        {"normal_form": [*claim["normal_form"], "1 f[i]"]},
    ):
        assert rejected(cell, {**claim, **change}), change


# What a statement may not say: kind, cell, what is replaced, by what.
STATEMENTS = [
    ("output in (-1, 1)", "lstm", "|h_t|", "|C_t|"),
    ("linear growth", "lstm", "|C_0| + t", "|C_0| + 1/2 t"),
    ("linear growth", "lstm", "|C_0| + t", "|C_0|"),
    ("less than linear growth", "lstm", "99/100", "1"),
    ("convex combination", "gru", "|h_0|, 1", "|h_0|, 9/10"),
    ("bounded forgetting", "lstm", "f_t <=", "i_t <="),
    ("bounded forgetting", "lstm", " + (1", " + 1/2 (1"),
    ("shifted gates", "janet", "exp(beta)", "exp(2 * beta)"),
    ("shifted gates", "janet", ", exp(", ", 1/2 exp("),
    ("stabiliser", "slstm", "C_{t-1} e^-d, ", ""),
    ("stabiliser", "slstm", "h_t", "C_t"),
    ("normaliser from zero", "slstm_code", "N_t", "C_t"),
    ("normaliser from any state", "running_mean", "N_0 >= 0", "N_0 >= -1"),
    ("slopes", "lstm", "<= 1/4", "<= 1/5"),
    ("slopes", "lstm", "sigmoid'", "softplus'"),
    ("vanishing", "rnn", "rho^T", "(rho * 1/2)^T"),
    ("vanishing", "rnn", "|U|", "|W|"),
    ("0.9 and 1.1", "rnn", "13780.6", "13780.7"),
    ("0.9 and 1.1", "rnn", "U = 0.9", "W = 0.9"),
    ("product of path factors", "lstm", "f_t", "i_t"),
    ("product of path factors", "lstm", "of (f_t)", "of (o_t)"),
    ("product of path factors", "lstm", "low is the least", "low is the largest"),
    ("cannot explode", "lstm", "dC_t/dC_{t-1}", "dh_t/dh_{t-1}"),
    ("solves vanishing gradients", "lstm_1997", "|v| / 100", "|v| / 1"),
    ("parameters", "lstm", "4 times", "3 times"),
    ("parameters", "lstm", "4*n*(m + n + 1)", "4*n*(m + n)"),
    ("exchanged parameters", "lstm", "f and i", "f and g"),
    ("exchanged parameters", "qrnn", "x_lag_1_t", "C_t"),
    ("running mean", "running_mean", "1/T", "2/T"),
    ("running mean", "running_mean", "mu_T", "N_T"),
    ("truncation", "lstm", "carry(C)", "carry(h)"),
    ("truncation", "lstm", ", carry(C)", ""),
    ("chaining", "lstm", "h, C", "h"),
    ("padding", "lstm", "no loss", "some loss"),
    ("independent sequences", "lstm", "their sums", "their means"),
    ("exchanged units", "lstm", "units of n", "units of m"),
    ("Jacobian of all states", "lstm", "dC_t/dC_{t-1} = diag(f_t)", "dC_t/dC_{t-1} = diag(i_t)"),
    ("Jacobian of all states", "lstm", "dh_t/dh_{t-1} = 4 paths", "dh_t/dh_{t-1} = 3 paths"),
    ("Jacobian of all states", "lstm", "dh_t/dh_{t-1} = 4 paths; ", ""),
    ("Jacobian of all states", "lstm", "(h, C)_T", "(C, h)_T"),
]


@pytest.mark.parametrize(("kind", "cell", "old", "new"), STATEMENTS)
def test_a_statement_cannot_say_something_else(kind: str, cell: str, old: str, new: str) -> None:
    claim = original(cell, kind, "")
    assert old in claim["statement"]
    assert rejected(cell, {**claim, "statement": claim["statement"].replace(old, new)})


def paths(change: Callable[[str], str]) -> dict[str, Any]:
    claim = original("lstm", "Jacobian of all states", "proved")
    assert len(claim["witness"]) == 1
    assert change(claim["witness"][0]) != claim["witness"][0]
    return {**claim, "witness": [change(claim["witness"][0])]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("U_f", "U_i", 1), "not what is written"),
        (lambda text: text.replace("diag(o_t", "diag(2 * o_t", 1), "not what is written"),
        (lambda text: text.rpartition(" + ")[0], "number of paths"),
        (lambda text: text + " + 0 I", "number of paths"),
        (lambda text: text + " - I + I", "number of paths"),
    ],
)
def test_the_paths_that_a_statement_counts_cannot_be_others(
    change: Callable[[str], str], said: str
) -> None:
    assert said in rejected("lstm", paths(change))


@pytest.mark.parametrize(
    "text",
    [
        "parameter W1[n, 6]\nh = W1 @ [x, x, x]",
        "parameter W1[n, n + 2], W2[n, n]\nh = W1 @ [h[t-1], x] + (W2 * W2) @ h[t-1] ** 2",
        "parameter W1[n, 2]\nh = sigmoid(h[t-1] + W1 @ x)",
        "parameter W1[n, 2], s[1]\nh = h[t-1] * (s + sum(W1 @ x)) + mean(h[t-1])",
        "parameter b[n]\nh = h[t-1] / (2 + tanh(h[t-1])) + sum(x * x) * exp(-b ** 2)",
        "parameter W1[n, n], W2[n, 2]\nh = tanh(W1 @ W1.T @ h[t-1]) * norm(1 + abs(W2 @ x))",
    ],
)
def test_the_certificate_of_a_cell_of_ones_own_is_right(text: str) -> None:
    g = gradients(parse(f"input x[2]\nstate h[n]\n{text}"))
    found = list(check(certificate([(g, prove(g))])))
    assert {f.outcome for f in found} <= {RIGHT, VOID, UNDECIDED}, found
    assert len([f for f in found if f.outcome == RIGHT]) > 5


def test_a_gate_that_comes_back_through_the_memory_is_not_moved_by_its_matrix_alone() -> None:
    claim = original("lstm_fgr", "vanishing", "proved")
    assert judged(subject("lstm_fgr"), claim) == (RIGHT, "")
    assert "di_t/di_{t-1}" in claim["statement"]  # o reads C_t, which i_t and f_t make
    statement = claim["statement"].replace("di_t/di", "do_t/do").replace("R_ii", "R_oo")
    assert "other matrices" in rejected("lstm_fgr", {**claim, "statement": statement})


def test_numbers_at_which_the_factor_is_one_refute_nothing_about_factors_below_one() -> None:
    claim = original("lstm", "bounded forgetting", "proved")
    said = "|C_t| <= k^t |C_0| + 1/2 (1 - k^t) / (1 - k), where f_t <= k < 1"
    example = "n = 1, m = 1; b_f = 80, C_{t-1} = 1, b_i = 80, b_g = 80, all else 0: left 2, right "
    made = {**claim, "statement": said, "verdict": "refuted", "normal_form": []}
    assert "hypotheses" in rejected("lstm", {**made, "example": example + "1.5"})
    half = example.replace("b_f = 80, ", "").replace("left 2", "left 1.5")
    assert judged(subject("lstm"), {**made, "example": half + "1"}) == (RIGHT, "")


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("V @ [h[t-1], x]", ""),
        ("V @ [h[t-1], x] + V @ [x, h[t-1]]", "overlap"),
        ("U @ h[t-1] + v * dot(u, h[t-1])", ""),
        ("h[t-1][0:n] * v", ""),
        ("dot(w[0:n], h[t-1]) + h[t-1] * w[0:n]", ""),
        ("dot(w[0:n], h[t-1]) + h[t-1] * w[m:m + n]", "overlap"),
    ],
)
def test_units_are_exchanged_where_every_part_is_read_by_itself(argument: str, said: str) -> None:
    found = bare(
        "input x[m]\nstate h[n]\nparameter V[n, m + n], U[n, n], u[n], v[n], w[m + n]\n"
        f"h = tanh({argument})"
    )
    if not said:
        assert form(found, units_of("n")) == []
        return
    with pytest.raises(RefusedError, match=said):
        form(found, units_of("n"))


def bare(text: str) -> Subject:
    """A subject of a text whose one equation is one assignment, with no sweep."""
    found = Subject.__new__(Subject)
    found.step = Step(text)
    found.maps, found.states, found.witness = Maps(found.step), found.step.cell.of("state"), {}
    return found


def units_of(names: str) -> dict[str, Any]:
    said = f"units of {names} exchanged in every array that has their axis exchange the results "
    said += "alike"
    return {"name": "exchanged units", "statement": said, "witness": []}
