"""Coq accepts what is derived, and rejects what is not."""

from dataclasses import replace

import pytest

from derive import parse, zoo
from derive.accepted import recorded
from derive.backends.coq import check, coq_source, installed, specified
from derive.backends.coq.functions import FUNCTIONS, WITHOUT
from derive.cell import Cell
from derive.errors import UsageError
from derive.expressions import MatMul, matmul, transpose
from derive.gradients import Gradients, gradients
from derive.primitives import PRIMITIVES
from derive.rules import RULES, Primitives, Rule
from derive.transposes import lost_term

needs_coq = pytest.mark.skipif(
    not installed(), reason="no coqc: apt-get install --no-install-recommends coq"
)

# Run everywhere that Coq is; the others are slow.
SAMPLE = (
    "rnn", "lstm", "peephole_lstm", "coupled_lstm", "gru", "gru_reset_before",
    "lstm_projection", "minlstm",
)  # fmt: skip
OTHERS = [name for name in zoo.names() if name not in SAMPLE]

LSTM = """input x[m]
state h[n], C[n]
f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)
i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)
o = sigmoid(W_o @ x + U_o @ h[t-1] + b_o)
g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
C = f * C[t-1] + i * g
h = o * tanh(C)
"""


def file_of(
    cell: Cell, rules: tuple[Rule, ...] = RULES, primitives: Primitives = PRIMITIVES
) -> str:
    return coq_source(gradients(cell, rules, primitives), rules, primitives)


def accepted(name: str) -> None:
    found = check(file_of(zoo.load(name)), name if name in specified() else "")
    assert found.accepted, found.reason
    parameters = [f"Cell.grad_p_{p.name}" for p in zoo.load(name).parameters]
    assert {"Cell.gradient_of_parameters", *parameters} <= set(found.proved)
    named = {t for _, *theorems in recorded()[name].claims.values() for t in theorems}
    assert named <= {proved.removeprefix("Cell.") for proved in found.proved}


@needs_coq
@pytest.mark.parametrize("name", SAMPLE)
def test_coq_accepts_the_cell_and_that_it_meets_its_specification(name: str) -> None:
    accepted(name)


@needs_coq
@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_coq_accepts_every_other_cell_of_the_zoo(name: str) -> None:
    accepted(name)


def with_slope(name: str, slope) -> Primitives:
    return {**PRIMITIVES, name: replace(PRIMITIVES[name], slope=slope)}


def with_product(backward) -> tuple[Rule, ...]:
    return tuple(replace(r, backward=backward) if r.name == "matrix product" else r for r in RULES)


def untransposed(expr, output, cotangent, primitives):
    left, right = expr.args
    square = left.shape[0] == left.shape[1]
    turned = left if square else transpose(left)
    return [(left, matmul(cotangent, transpose(right))), (right, matmul(turned, cotangent))]


def turned_round(expr, output, cotangent, primitives):
    left, right = expr.args
    outer = matmul(cotangent, transpose(right))
    square = outer.shape[0] == outer.shape[1] and isinstance(outer, MatMul)
    return [
        (left, transpose(outer) if square else outer),
        (right, matmul(transpose(left), cotangent)),
    ]


def stale(g: Gradients) -> Gradients:
    """C_t where C_{t-1} is due: in the cotangent of the forget gate."""
    now, before = g.cell.states[1].now, g.cell.states[1].before
    changed = tuple(
        replace(a, terms=tuple(replace(t, value=t.value.xreplace({before: now})) for t in a.terms))
        if a.of.name == "f"
        else a
        for a in g.backward
    )
    assert changed != g.backward
    return replace(g, backward=changed)


TINY = PRIMITIVES["tanh"].slope

WRONG = {
    "a wrong slope": lambda: file_of(
        zoo.load("rnn"), primitives=with_slope("tanh", lambda z, y: 1 - y)
    ),
    "a slope that is off by 1e-9": lambda: file_of(
        zoo.load("rnn"), primitives=with_slope("tanh", lambda z, y: TINY(z, y) + y / 10**9)
    ),
    "a dropped path": lambda: coq_source(lost_term(gradients(zoo.load("rnn")))),
    "U for its transpose": lambda: file_of(zoo.load("rnn"), with_product(untransposed)),
    "an outer product transposed": lambda: file_of(zoo.load("rnn"), with_product(turned_round)),
    "C_t for C_{t-1}": lambda: coq_source(stale(gradients(zoo.load("lstm")))),
}


@needs_coq
@pytest.mark.parametrize("mistake", WRONG)
def test_coq_rejects(mistake: str) -> None:
    found = check(WRONG[mistake]())
    assert not found.accepted
    assert "Cell.v: in " in found.reason, found.reason


@needs_coq
def test_a_cell_that_is_consistently_another_is_rejected_by_the_specification_alone() -> None:
    swapped = LSTM.replace("C = f * C[t-1] + i * g", "C = f * C[t-1] + o * g")
    swapped = swapped.replace("h = o * tanh(C)", "h = i * tanh(C)")
    source = file_of(parse(swapped, "lstm"))
    assert check(source).accepted
    found = check(source, "lstm")
    assert not found.accepted
    assert "Meets.v: in meets_equations" in found.reason


@needs_coq
@pytest.mark.parametrize(
    "text",
    [
        "Lemma all : 0 = 1.\nAdmitted.",
        "Axiom all : 0 = 1.",
        "Section S.\nHypothesis all : 0 = 1.\nEnd S.",
    ],
)
def test_what_assumes_is_no_proof(text: str) -> None:
    assert "has no place in a proof" in check(f"Require Import Reals.\n{text}\n").reason


@needs_coq
def test_an_axiom_that_a_library_brings_in_is_seen() -> None:
    text = (
        "Require Import PropExtensionality.\nLemma all (P Q : Prop) : (P <-> Q) -> P = Q.\n"
        "Proof. apply propositional_extensionality. Qed.\n"
    )
    found = check(text)
    assert not found.accepted
    assert "rests on" in found.reason
    assert "propositional_extensionality" in found.reason


def test_where_there_is_no_coq_it_says_so(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="coqc was not found: install Coq"):
        check("")


def test_every_primitive_has_a_row_or_a_reason() -> None:
    assert FUNCTIONS.keys() | WITHOUT.keys() == PRIMITIVES.keys()


def test_a_cell_whose_slope_is_a_convention_is_refused_with_the_reason() -> None:
    cell = parse("input x[m]\nstate h[n]\nh = tanh(W @ x + stop_gradient(h[t-1]))", "held")
    with pytest.raises(UsageError, match="stop_gradient: its slope is a convention"):
        coq_source(gradients(cell))


def test_the_same_cell_gives_the_same_file() -> None:
    assert file_of(zoo.load("mlstm")) == file_of(zoo.load("mlstm"))


def test_names_of_sizes_do_not_clash_with_names_of_the_file() -> None:
    cell = parse("input x[p]\nstate h[d]\nh = tanh(W @ x + U @ h[t-1])", "sizes")
    assert "Variables d_ p_ : nat." in coq_source(gradients(cell))
