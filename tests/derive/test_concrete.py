"""The decision at given sizes: what it proves, what it refutes, and what it cannot tell."""

from dataclasses import replace
from math import prod
from typing import Any

import pytest
import sympy as sp
from core import CORE

from derive.concrete import claim_of, decide, sizes_of
from derive.concrete.counterexamples import find
from derive.concrete.forms import NAMINGS
from derive.concrete.recurrence import wanted
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.primitives import PRIMITIVES, function
from derive.zoo import load, names


@pytest.mark.parametrize("name", names())
def test_a_cell_of_the_zoo_is_proved_at_small_sizes(name: str) -> None:
    """By short forms alone, in which cotangents have names."""
    cell = load(name)
    found = decide(gradients(cell), sizes_of(cell, {}))
    claim = claim_of(found)
    assert (claim.verdict, claim.level, claim.remainder, claim.example) == (
        "proved",
        "decided",
        (),
        "",
    )
    assert [made.naming for made in found.compared] == [NAMINGS[0]]
    expected = wanted(cell, found.sizes, 2)
    assert found.entries == len(found.compared[0].sides) == sum(map(prod, expected.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("size", "steps"), [(1, 1), (1, 7), (2, 5), (3, 3)])
def test_a_cell_of_the_zoo_is_proved_at_more_sizes(name: str, size: int, steps: int) -> None:
    cell = load(name)
    found = decide(gradients(cell), dict.fromkeys(cell.dimensions, size), steps)
    assert found.verdict == "proved"


def test_forms_grow_with_t_as_the_formulas_do() -> None:
    lstm = gradients(load("lstm"))
    sizes = sizes_of(lstm.cell, {})
    terms = [decide(lstm, sizes, steps).compared[0].terms for steps in (3, 6, 9)]
    assert terms[2] - terms[1] == terms[1] - terms[0]
    assert len(decide(lstm, sizes, 30).compared) == 1


# What the forms alone cannot prove, and what numbers alone may refute.

FALLBACKS = {
    "a sum that two equations have": (
        1,
        "input x[m]\nstate h[n], s[n]\nh = tanh(W @ x) + h[t-1] * s[t-1]\n"
        "s = tanh(W @ x) + h[t-1] * s[t-1]",
    ),
    "a sum that has a name, and stands without it": (
        2,
        "input x[m]\nstate h[n]\nparameter W[n, m]\nf = sigmoid(W @ x)\n"
        "i = tanh(U @ h[t-1])\nC = f + i\nh = tanh(V @ C) * tanh(V @ (f + i))",
    ),
}


@pytest.mark.parametrize("case", FALLBACKS)
def test_what_names_keep_apart_is_compared_with_fewer_of_them(case: str) -> None:
    last, text = FALLBACKS[case]
    cell = parse(text)
    found = decide(gradients(cell), dict.fromkeys(cell.dimensions, 2))
    assert found.verdict == "proved"
    assert [bool(made.differing) for made in found.compared] == [True] * last + [False]


def rewritten(name: str) -> Gradients:
    """Right gradients, with sigmoid(z) sigmoid(-z) for the slope of sigmoid."""
    row = replace(PRIMITIVES["sigmoid"], slope=lambda z, y: y * function("sigmoid")(-z))
    return gradients(load(name), primitives={**PRIMITIVES, "sigmoid": row})


def test_what_is_equal_for_another_reason_is_not_decided() -> None:
    derived = rewritten("lstm")
    claim = claim_of(decide(derived, sizes_of(derived.cell, {})))
    assert (claim.verdict, claim.level, claim.example) == ("not decided", "", "")
    assert claim.method == "different polynomials, but no counterexample was found"
    assert claim.is_open
    assert claim.remainder[0] == "of dL/dh@1[0]; 58 entries of gradients differ:"


@pytest.mark.parametrize("name", [*CORE, "lstm_relu_gates", "mingru_log", "phased_lstm"])
def test_numbers_accuse_no_right_derivation(name: str) -> None:
    derived = gradients(load(name))
    assert find(derived, sizes_of(derived.cell, {}), 2) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_numbers_accuse_no_right_derivation_of_the_zoo(name: str) -> None:
    derived = gradients(load(name))
    assert find(derived, sizes_of(derived.cell, {}), 2) is None


def test_a_stopped_gradient_is_what_it_is_declared_to_be() -> None:
    cell = parse("input x[m]\nstate h[n]\nh = stop_gradient(exp(U @ h[t-1])) * tanh(W @ x)")
    derived = gradients(cell)
    assert find(derived, sizes_of(cell, {}), 2) is None
    followed = {**PRIMITIVES, "stop_gradient": replace(PRIMITIVES["stop_gradient"], slope=one)}
    wrong = decide(gradients(cell, primitives=followed), sizes_of(cell, {}))
    assert wrong.verdict == "refuted"


def one(z: Any, y: Any) -> Any:
    return sp.S.One


def test_what_is_too_large_is_not_decided_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(replace(naming, most=500) for naming in NAMINGS)
    monkeypatch.setattr("derive.concrete.decision.NAMINGS", few)
    lstm = gradients(load("lstm"))
    claim = claim_of(decide(lstm, sizes_of(lstm.cell, {})))
    assert (claim.verdict, claim.level, claim.remainder) == ("not decided", "", ())
    assert claim.method == "more than 500 terms to compare, but no counterexample was found"
    first, *rest = lstm.states
    wrong = replace(lstm, states=(replace(first, terms=first.terms[1:]), *rest))
    claim = claim_of(decide(wrong, sizes_of(lstm.cell, {})))
    assert (claim.verdict, claim.level, claim.remainder) == ("refuted", "decided", ())
    assert claim.method == "more than 500 terms to compare, and a numeric counterexample"


@pytest.mark.parametrize(("size", "steps"), [(9_999, 2), (1, 9_999)])
def test_far_too_large_sizes_are_answered_at_once(size: int, steps: int) -> None:
    rnn = gradients(load("rnn"))
    claim = claim_of(decide(rnn, dict.fromkeys(rnn.cell.dimensions, size), steps))
    assert claim.method == (
        "more than 2000000 terms to compare, and too many numbers to look for a counterexample"
    )
