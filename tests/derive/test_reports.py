"""Cells, gradients and claims as text and as JSON."""

import json
import re
from dataclasses import replace

import pytest
from core import CORE

from derive.claim import Claim
from derive.gradients import gradients
from derive.language import parse
from derive.proofs import prove
from derive.reports import cell_json, cell_row, claims_json, claims_text, list_text, show_text
from derive.zoo import load, names

PATHS = {
    "gru": "dh_t/dh_{t-1} = diag(z_t)",
    "gru_reset_before": "dh_t/dh_{t-1} = diag(z_t)",
    "lstm": "dC_t/dC_{t-1} = diag(f_t)",
    "peephole_lstm": "dC_t/dC_{t-1} = diag(f_t)",
    "rnn": "dh_t/dh_{t-1} = diag(1 - h_t ** 2) U",
}
GATES = {
    "gru": ["r", "z", "g"],
    "gru_reset_before": ["r", "z", "g"],
    "lstm": ["f", "i", "o", "g"],
    "peephole_lstm": ["f", "i", "g", "o"],
    "rnn": [],
}


@pytest.mark.parametrize("cell", CORE)
def test_a_row_of_the_list_has_the_cells_gates_and_path(cell: str) -> None:
    row = cell_row(load(cell))
    assert row["name"] == cell
    assert row["gates"] == GATES[cell]
    assert row["path_jacobian"] == PATHS[cell]
    assert row["states"] == (["h", "C"] if "lstm" in cell else ["h"])
    assert row["source"].startswith(("Hochreiter", "Gers", "Cho", "Elman"))


def test_every_additive_path_of_a_cell_is_listed() -> None:
    text = "input x[m]\nstate h[n], C[n], s[k]\nC = C[t-1] + W @ x\ns = 0.5 * s[t-1] + V @ x\n"
    row = cell_row(parse(text + "h = tanh(C) + Q @ s + U @ h[t-1]"))
    assert row["path_jacobian"] == ("dh_t/dh_{t-1} = U; dC_t/dC_{t-1} = I; ds_t/ds_{t-1} = 1/2 I")


def test_the_list_is_readable_and_names_every_cell() -> None:
    text = list_text([cell_row(load(name)) for name in names()])
    lagged = lambda cell: any("[t-1]" in str(e.value) for e in cell.equations)
    still = [name for name in names() if not lagged(load(name))]
    for name in names():
        assert re.search(rf"^{name} +\S", text, re.MULTILINE)
    assert text.count("no state reads its own lag") == len(still) < 10
    assert all(line == line.rstrip() for line in text.splitlines())


def test_shapes_are_lists_of_names_and_whole_numbers() -> None:
    cell = parse("input x[2]\nstate h[n]\nparameter c[3]\nh = tanh(W @ x + U @ h[t-1] + V @ c)")
    shapes = {
        v["name"]: v["shape"]
        for kind in ("inputs", "states", "parameters")
        for v in cell_json(cell)[kind]
    }
    assert shapes == {
        "x": [2],
        "h": ["n"],
        "W": ["n", 2],
        "U": ["n", "n"],
        "V": ["n", 3],
        "c": [3],
    }


@pytest.mark.parametrize("cell", names())
def test_the_equations_and_shapes_in_json_are_the_cell_again(cell: str) -> None:
    document = json.loads(json.dumps(cell_json(load(cell))))
    lines = []
    for kind, key in (("input", "inputs"), ("state", "states"), ("parameter", "parameters")):
        listed = [f"{v['name']}[{', '.join(map(str, v['shape']))}]" for v in document[key]]
        lines += [f"{kind} {', '.join(listed)}"] if listed else []
    lines += [f"{e['name']} = {e['value']}" for e in document["equations"]]
    assert replace(parse("\n".join(lines)), doc=load(cell).doc) == load(cell)


@pytest.mark.parametrize("cell", names())
def test_show_has_every_equation_shape_and_cotangent(cell: str) -> None:
    derived = gradients(load(cell))
    text = show_text(derived)
    for equation in str(derived.cell).split("\n\n")[-1].strip().splitlines():
        assert f"  {equation}\n" in text
    for adjoint in (*derived.backward, *derived.inputs, *derived.parameters):
        assert f"  bar({adjoint.of.name}) = " in text
    for state in derived.cell.states:
        assert f"  carry({state.name}) <- " in text
    assert max(map(len, text.splitlines())) < 200


def test_show_has_the_gradients_of_the_rnn() -> None:
    text = show_text(gradients(load("rnn")))
    for line in (
        "bar(h) = dy + carry(h)",
        "bar(a_h) = bar(h) * (1 - h ** 2)",
        "carry(h) <- U.T @ bar(a_h)",
        "bar(x) = W.T @ bar(a_h)",
        "bar(U) = bar(a_h) @ h[t-1].T",
        "bar(b) = bar(a_h)",
    ):
        assert f"  {line}\n" in text


def test_claims_in_text_have_verdict_level_hypotheses_and_numbers() -> None:
    cell = load("peephole_lstm")
    text = claims_text(cell, prove(gradients(cell)))
    flat = " ".join(text.split())
    for said in (
        "[proved, kernel-checked] gradients",
        " accepts a proof in Coq: gradient_of_parameters, gradient_of_inputs,",
        "[refuted, kernel-checked] path dC_t/dC_{t-1} = diag(f_t), direct given: the other states",
        "left minus right: diag(p_f * f_t * (1 - f_t) * C_{t-1}) diag(p_i * i_t * (1 - i_t) * g_t)",
        "counterexample: n = 1, m = 1; p_i = 1, b_g = 1, all else 0: left 0.690399, right 0.5",
        "[refuted, decided] total derivative is the path (a misreading)",
        "Do not apply (--json says why): recurrent Jacobian; output path; own lag;",
        "20 proved, 3 refuted, 7 misreadings refuted, 2 of its properties lacking, 10 do not apply",
        "dL/db_f = dL/dc, for a second bias c beside U_f @ h_{t-1} dL/db_i = dL/dc",  # one header
    ):
        assert said in flat


def test_a_misreading_that_is_true_of_a_cell_is_not_called_one() -> None:
    cell = load("rnn")
    text = claims_text(cell, prove(gradients(cell)))
    assert "[proved, decided] total derivatives multiply\n" in text
    assert "misreading)" not in text


def test_brief_claims_leave_out_hypotheses_and_what_does_not_apply() -> None:
    cell = load("lstm")
    text = claims_text(cell, prove(gradients(cell)), brief=True)
    assert "given:" not in text
    assert "Do not apply" not in text
    assert "[proved, kernel-checked] path\n" in text


def test_what_is_not_decided_is_counted() -> None:
    cell = load("rnn")
    open_claim = Claim("x", "a = b", "a = b", "not decided", "", "too many terms", "none", "me")
    text = claims_text(cell, (open_claim,))
    assert "[not decided] x" in text
    assert text.endswith(
        "0 proved, 0 refuted, 0 misreadings refuted, 1 not decided, 0 do not apply\n"
    )


def test_claims_in_json_are_what_the_claims_say() -> None:
    cell = load("peephole_lstm")
    claims = prove(gradients(cell))
    document = json.loads(json.dumps(claims_json(cell, claims)))
    assert document["cell"] == "peephole_lstm"
    for row, claim in zip(document["claims"], claims, strict=True):
        assert row["name"] == claim.theorem
        for key in ("statement", "level", "verdict", "should_hold", "hypotheses", "source", "kind"):
            assert row[key] == getattr(claim, key)
        assert row["remainder"] == list(claim.remainder)
        assert row["example"] == claim.example
