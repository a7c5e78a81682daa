"""What a Coq file says of ranges: what is decided, no more, in a form that Coq accepts."""

import re

import pytest

from derive import parse, zoo
from derive.backends.coq import check, coq_source, installed
from derive.backends.coq.claims import listed
from derive.gradients import gradients
from derive.proofs import prove

needs_coq = pytest.mark.skipif(
    not installed(), reason="no coqc: apt-get install --no-install-recommends coq"
)

TWO = "input x[m]\nstate h[n], C[n]\nf = sigmoid(W_f @ [x, h[t-1]])\ni = sigmoid(W_i @ x)\n"
ONE = "input x[m]\nstate h[n]\n"
OWN = {
    "fractions, and a stack in the order of its sizes": TWO
    + "g = tanh(W_g @ x + b)\nC = f * (C[t-1] / 2 + i / 3) / 2 + i * (g / 3 + f / 2) / 4\n"
    "h = tanh(C) * (1 / 2 + i / 2)\n",
    "exponentials": ONE
    + "a = exp(-relu(W @ x))\nb = exp(-abs(W @ x))\nh = a * h[t-1] + (1 - a) * tanh(V @ x) * b\n",
    "a shift with a fraction": ONE + "parameter beta[n]\ns = W @ x + U @ h[t-1]\ng = tanh(V @ x)\n"
    "h = sigmoid(s) * h[t-1] + (1 - sigmoid(s - 2 * beta + beta / 2)) * g\n",
    "a bent gate": ONE
    + "r = relu(1 - exp(W @ x))\nh = (1 - r) * h[t-1] + r * tanh(U @ h[t-1] + V @ x)\n",
    "a scalar gate": ONE
    + "parameter c[1]\nz = sigmoid(c) / 3\nh = z * h[t-1] + (1 - z) * tanh(V @ x) * 2\n",
    "growing gates": TWO
    + "C = (2 * f - 1) * C[t-1] + 3 * tanh(V @ x) * i - 2 * f\nh = tanh(C) / 2 + i / 2\n",
}


@needs_coq
@pytest.mark.parametrize(
    "name",
    [n if n.startswith("fractions") else pytest.param(n, marks=pytest.mark.slow) for n in OWN],
)
def test_coq_accepts_what_is_said_of_cells_of_ones_own(name: str) -> None:
    found = check(coq_source(gradients(parse(OWN[name], "own"))))
    assert found.accepted, found.reason


@pytest.mark.parametrize("name", [*OWN, "lstm", "janet", "slstm", "rwkv4_stabilised", "lstm_noaf"])
def test_a_file_lists_claims_that_are_proved_and_no_others(name: str) -> None:
    g = gradients(parse(OWN[name], "own") if name in OWN else zoo.load(name))
    source = coq_source(g)
    settled = {(c.theorem, c.statement): c.verdict for c in prove(g)}
    theorems = set(re.findall(r"^(?:Theorem|Lemma) (\S+)", source, re.MULTILINE))
    for claim in listed(source):
        assert settled[claim.name, claim.statement] == claim.verdict == "proved"
        assert theorems.issuperset(claim.theorems)


def test_bounds_have_the_numbers_of_the_claims() -> None:
    source = coq_source(gradients(parse(OWN["growing gates"], "own")))
    assert "<= Rabs (s_C s0 i j) + 5 * INR T." in source
    assert "|C_t| <= |C_0| + 5 t" in {c.statement for c in listed(source)}
    assert "Rmax (Rabs (s_h s0 i j)) 2." in coq_source(
        gradients(parse(OWN["a scalar gate"], "own"))
    )


@needs_coq
def test_coq_rejects_a_bound_that_is_too_small() -> None:
    source = coq_source(gradients(zoo.load("lstm")))
    smaller = source.replace("(v_C p x s i j) <= M + 1.", "(v_C p x s i j) <= M + 99 * / 100.")
    assert smaller != source
    found = check(smaller)
    assert not found.accepted
    assert "Cell.v: in grows_C" in found.reason


@pytest.mark.parametrize("name", ["lstm_nfg", "lstm_1997"])
def test_what_supposes_a_factor_of_one_to_be_below_one_is_not_said(name: str) -> None:
    assert "forgetting_C" not in coq_source(gradients(zoo.load(name)))
