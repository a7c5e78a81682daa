"""Proofs of right and of spoilt derivations, and of cells that the zoo does not know."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import sympy as sp
from cells_strategy import cells
from hypothesis import HealthCheck, given, settings

import derive.normal_form
from derive.cell import Cell
from derive.claim import Claim
from derive.differentials import tangent
from derive.errors import RuleError
from derive.expressions import (
    Expr,
    MatMul,
    MatrixSymbol,
    Name,
    Transpose,
    add,
    apply,
    constant,
    scale,
    times,
)
from derive.gradients import Adjoint, Gradients, Term, gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.proofs import prove
from derive.rules import RULES, Rule
from derive.theorems import THEOREMS, Identity, MustFail, Theorem
from derive.zoo import load

(SWEEP,) = [t for t in THEOREMS if t.name == "gradients"]
PARTS = ("backward", "parameters", "inputs", "states")
LSTM = gradients(load("lstm"))


def sweep(derived: Gradients) -> Claim:
    (found,) = prove(derived, [SWEEP])
    return found


def with_adjoint(derived: Gradients, part: str, place: int, adjoint: Adjoint) -> Gradients:
    adjoints = list(getattr(derived, part))
    adjoints[place] = adjoint
    return replace(derived, **{part: tuple(adjoints)})


def spoilt(
    derived: Gradients, change: Callable[[Term], list[Term]]
) -> Iterator[tuple[str, Gradients]]:
    """The derivation with one term of one cotangent changed, for every term in turn."""
    for part in PARTS:
        for place, adjoint in enumerate(getattr(derived, part)):
            for k, term in enumerate(adjoint.terms):
                terms = (*adjoint.terms[:k], *change(term), *adjoint.terms[k + 1 :])
                if terms != adjoint.terms:
                    wrong = with_adjoint(derived, part, place, replace(adjoint, terms=terms))
                    yield f"{adjoint.of.name}, from {term.through}", wrong


def valued(change: Callable[[Expr], Expr]) -> Callable[[Term], list[Term]]:
    return lambda term: [replace(term, value=change(term.value))]


def renamed(swaps: dict[str, str]) -> Callable[[Expr], Expr]:
    """The expression with names read as others."""

    def change(value: Expr) -> Expr:
        symbols = {s.name: s for s in value.atoms(MatrixSymbol)}
        return value.xreplace(
            {
                symbols[a]: MatrixSymbol(b, *symbols[a].shape)
                for a, b in swaps.items()
                if a in symbols
            }
        )

    return change


def turned_over(value: Expr) -> Expr:
    """U where U^T should be, in products with a square matrix."""
    square = lambda e: isinstance(e, Transpose) and e.shape[0] == e.shape[1]
    swaps = {
        p: MatMul(p.args[0].args[0], p.args[1]) for p in value.atoms(MatMul) if square(p.args[0])
    }
    return value.xreplace(swaps)


# By cell; and in how many places each can be made.
SPOILERS: dict[str, tuple[str, Callable[[Term], list[Term]], int]] = {
    "a term is lost": ("lstm", lambda term: [], 34),
    "a term is counted twice": ("gru", lambda term: [term, term], 27),
    "a sign is wrong": ("rnn", valued(lambda value: scale(sp.S.NegativeOne, value)), 8),
    "a matrix is not transposed": ("lstm", valued(turned_over), 4),
    "f and i are exchanged": ("lstm", valued(renamed({"f": "i", "i": "f"})), 4),
    "a cotangent is another gate's": ("lstm", valued(renamed({"bar(a_f)": "bar(a_g)"})), 5),
    "the step reads C and not its lag": ("lstm", valued(renamed({"C[t-1]": "C"})), 1),
    "the carry of h arrives at C": ("lstm", valued(renamed({"carry(C)": "carry(h)"})), 1),
}


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_spoilt_sweep_is_refuted_wherever_it_is_spoilt(spoiler: str) -> None:
    cell, change, places = SPOILERS[spoiler]
    cases = list(spoilt(gradients(load(cell)), change))
    assert len(cases) == places
    for place, wrong in cases:
        found = sweep(wrong)
        assert found.verdict == "refuted", place
        assert found.remainder, place
        assert found.example, place


def test_a_cotangent_that_is_missing_is_seen() -> None:
    for part in PARTS:
        for place, adjoint in enumerate(getattr(LSTM, part)):
            kept = tuple(a for k, a in enumerate(getattr(LSTM, part)) if k != place)
            assert sweep(replace(LSTM, **{part: kept})).verdict == "refuted", adjoint.of.name


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_step_forward_that_differs_from_the_sweep_is_seen(cell: str) -> None:
    derived = gradients(load(cell))
    for place, assignment in enumerate(derived.forward):
        changed = replace(assignment, value=scale(sp.Integer(2), assignment.value))
        forward = (*derived.forward[:place], changed, *derived.forward[place + 1 :])
        assert sweep(replace(derived, forward=forward)).verdict == "refuted", assignment.name


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_a_sweep_with_a_wrong_slope_is_refuted(name: str) -> None:
    table = {**PRIMITIVES, name: replace(PRIMITIVES[name], slope=lambda z, y: 1 - y)}
    assert sweep(gradients(load("lstm"), primitives=table)).verdict == "refuted"


@pytest.mark.parametrize("name", ["sum", "matrix product", "elementwise product", "activation"])
def test_a_sweep_with_a_wrong_rule_is_refuted(name: str) -> None:
    def changed(rule: Rule) -> Rule:
        if rule.name != name:
            return rule
        return replace(rule, backward=lambda *given: rule.backward(*given)[:-1])

    table = tuple(changed(rule) for rule in RULES)
    assert sweep(gradients(load("lstm"), rules=table)).verdict == "refuted"


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(cells())
def test_the_sweep_of_a_drawn_cell_is_proved(cell: Cell) -> None:
    found = sweep(gradients(cell))
    assert found.verdict == "proved" or "was not decided" in found.method


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(cells())
def test_no_claim_about_a_drawn_cell_crashes_or_is_refuted_without_numbers(cell: Cell) -> None:
    for found in prove(gradients(cell)):
        assert (found.verdict == "refuted") == bool(found.example and found.remainder)
        assert found.verdict != "does not apply" or found.hypotheses


# Verdicts that are not the polynomials' alone.


def stated(left: Expr, right: Expr, direction: Name | None = None) -> Theorem:
    identity = Identity("left = right", "l = r", left, right, direction)
    return Theorem(
        name="stated",
        claim="left = right",
        absent=lambda derived: "",
        identities=lambda derived: [identity],
        hypotheses="none",
        source="this test",
        must_fail=MustFail("rnn"),
    )


def test_what_is_true_but_not_as_polynomials_is_not_decided() -> None:
    b = MatrixSymbol("b", *LSTM.cell.output.now.shape)
    both = add(apply("sigmoid", b), apply("sigmoid", scale(sp.S.NegativeOne, b)))
    rnn = gradients(load("rnn"))
    (found,) = prove(rnn, [stated(both, constant(sp.S.One, b.shape))])
    assert (found.verdict, found.level) == ("not decided", "")
    assert found.method == "different normal forms, but no counterexample was found"
    assert not found.example
    (true,) = prove(rnn, [stated(both, both)])
    assert (true.verdict, true.level) == ("proved", "decided")


def test_what_is_too_large_is_not_decided_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive.normal_form, "MAX_TERMS", 3)
    found = sweep(LSTM)
    assert (found.verdict, found.level, found.example) == ("not decided", "", "")
    assert found.method == "more than 3 terms to compare, but no counterexample was found"


def test_what_is_too_large_may_still_be_refuted_by_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *rest = LSTM.states
    wrong = replace(LSTM, states=(replace(first, terms=first.terms[:-1]), *rest))
    monkeypatch.setattr(derive.normal_form, "MAX_TERMS", 3)
    found = sweep(wrong)
    assert (found.verdict, found.level, found.remainder) == ("refuted", "decided", ())
    assert found.method == "more than 3 terms to compare, and a numeric counterexample"
    assert found.example


def test_values_that_are_not_finite_refute_nothing() -> None:
    b = MatrixSymbol("b", *LSTM.cell.output.now.shape)
    huge = b
    for _ in range(4):
        huge = apply("exp", add(huge, constant(sp.Integer(9), b.shape)))
    zero = add(huge, scale(sp.S.NegativeOne, huge))
    twice = scale(sp.Integer(2), huge)
    (found,) = prove(gradients(load("rnn")), [stated(huge, twice)])
    assert found.verdict == "not decided"
    (found,) = prove(gradients(load("rnn")), [stated(zero, scale(sp.S.Zero, b))])
    assert found.verdict == "proved"


def test_a_left_side_that_is_not_the_derivative_it_stands_for_is_our_own_failure() -> None:
    rnn = gradients(load("rnn"))
    (row,) = [t for t in THEOREMS if t.name == "recurrent Jacobian"]
    (right,) = row.identities(rnn)
    wrong = replace(right, left=scale(sp.Integer(2), right.left))
    theorem = replace(row, identities=lambda derived: [wrong])
    with pytest.raises(RuleError, match=r"left is .* by a complex step it is"):
        prove(rnn, [theorem])


def test_a_sum_that_the_other_side_has_only_in_part_remains_whole() -> None:
    b = MatrixSymbol("b", *LSTM.cell.output.now.shape)
    d = tangent(b)
    more = add(b, constant(sp.S.One, b.shape))
    (found,) = prove(gradients(load("rnn")), [stated(times(b, d), times(more, d), d)])
    assert found.remainder == ("diag(b)", "-diag(b + 1)")
    (found,) = prove(gradients(load("rnn")), [stated(add(times(b, d), d), times(more, d), d)])
    assert found.verdict == "proved"


def test_a_rewritten_sum_leaves_only_what_differs() -> None:
    """diag(f + 1) on one side is diag(f) and I on the other."""
    text = "input x[m]\nstate h[n], C[n]\nf = sigmoid(W @ x + U @ h[t-1])\n"
    cell = parse(text + "C = f * C[t-1] + C[t-1]\nh = tanh(C)")
    (found,) = [c for c in prove(gradients(cell)) if c.theorem == "total derivative is the path"]
    assert found.statement == "dC_t/dC_{t-1} = diag(f_t + 1), total"
    assert found.remainder == ("diag(f_t * (1 - f_t) * C_{t-1}) U diag(1 - h_{t-1} ** 2)",)
