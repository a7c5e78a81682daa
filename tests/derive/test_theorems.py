"""The table of theorems: what it says of the zoo's core, pinned by hand."""

import re

import numpy as np
import pytest
from core import CORE

from derive.claim import Claim
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.proofs import prove, settle
from derive.theorems import THEOREMS, Theorem
from derive.zoo import load, names

GRADIENTS = {name: gradients(load(name)) for name in CORE}
CLAIMS = {name: prove(g) for name, g in GRADIENTS.items()}

# p proved, r refuted, pr some of its claims so and some so, - does not apply. The last column says
# whether the claim should hold: yes; no, a misreading; may, a property that a cell may lack.
VERDICTS = """
                              gru  gru_reset_before  lstm  peephole_lstm  rnn  should_hold
gradients                     p    p                 p     p              p    yes
path                          -    -                 p     r              -    yes
path over T steps             -    -                 p     r              -    yes
total derivative              -    -                 p     r              -    yes
total derivative is the path  -    -                 r     r              -    no
total derivatives multiply    p    p                 r     r              p    no
Jacobian of all states        -    -                 p     p              -    yes
constant error carousel       r    r                 r     r              -    no
recurrent Jacobian            -    -                 -     -              p    yes
output path                   p    p                 -     -              -    yes
own lag                       -    -                 -     -              -    yes
gates                         p    p                 p     p              -    may
output in (-1, 1)             -    -                 p     p              p    may
linear growth                 -    -                 p     p              -    may
less than linear growth       -    -                 r     r              -    no
convex combination            p    p                 r     r              -    may
bounded forgetting            p    p                 p     p              -    may
shifted gates                 -    -                 -     -              -    may
stabiliser                    -    -                 -     -              -    may
normaliser from zero          -    -                 -     -              -    may
normaliser from any state     -    -                 -     -              -    no
slopes                        p    p                 p     p              p    may
vanishing                     -    -                 -     -              p    may
0.9 and 1.1                   -    -                 -     -              p    may
product of path factors       p    p                 p     p              -    may
cannot explode                -    -                 r     r              -    no
solves vanishing gradients    -    -                 r     r              -    no
parameters                    r    p                 p     r              p    may
second bias                   pr   p                 p     p              p    may
exchanged parameters          r    r                 r     r              -    no
running mean                  -    -                 -     -              -    may
truncation                    p    p                 p     p              p    yes
chaining                      p    p                 p     p              p    yes
padding                       p    p                 p     p              p    yes
independent sequences         p    p                 p     p              p    yes
exchanged units               p    p                 p     p              p    yes
"""
LETTERS = {"p": "proved", "r": "refuted", "-": "does not apply"}
_HEAD, *_ROWS = [re.split(r"\s{2,}", line.strip()) for line in VERDICTS.strip().splitlines()]
TABLE = {row[0]: dict(zip(_HEAD, row[1:], strict=True)) for row in _ROWS}


def claim(cell: str, theorem: str) -> Claim:
    (found,) = [c for c in CLAIMS[cell] if c.theorem == theorem]
    return found


def failing_case(theorem: Theorem) -> Gradients:
    text = theorem.must_fail.cell
    cell = load(text) if text in names() else parse(text)
    return theorem.must_fail.spoil(gradients(cell))


def two_numbers(example: str) -> tuple[float, float]:
    """The values of both sides, as the example states them."""
    found = re.search(r"left (\[.*?\]|-?[\d.e-]+), right (\[.*?\]|-?[\d.e-]+)", example)
    assert found, example
    left, right = (np.array(eval(text)) for text in found.groups())
    apart = np.unravel_index(np.argmax(np.abs(left - right)), left.shape)
    return float(left[apart]), float(right[apart])


def test_the_pinned_table_is_about_the_core_and_all_theorems() -> None:
    assert [*CORE, "should_hold"] == _HEAD
    assert list(TABLE) == [t.name for t in THEOREMS]


@pytest.mark.parametrize("cell", CORE)
@pytest.mark.parametrize("theorem", TABLE)
def test_a_cell_of_the_core_has_the_pinned_verdict(cell: str, theorem: str) -> None:
    found = [c for c in CLAIMS[cell] if c.theorem == theorem]
    assert {c.verdict for c in found} == {LETTERS[k] for k in TABLE[theorem][cell]}
    expected = TABLE[theorem]["should_hold"]
    assert all(c.should_hold == (expected != "no") for c in found)
    assert all(c.optional == (expected == "may") for c in found)


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)
def test_every_claim_is_refuted_in_the_case_in_which_it_must_fail(theorem: Theorem) -> None:
    case = failing_case(theorem)
    assert theorem.absent(case) == ""
    found = [c for c in settle(theorem, case) if c.verdict != "proved"]
    assert found
    for refuted in found:
        assert refuted.verdict == "refuted"
        assert refuted.level == "decided"
        assert refuted.remainder
        left, right = two_numbers(refuted.example)
        assert abs(left - right) > 0.001


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)
def test_every_claim_that_should_hold_is_proved_of_a_cell_and_every_misreading_refuted(
    theorem: Theorem,
) -> None:
    wanted = "proved" if theorem.should_hold else "refuted"
    found = {c.verdict for cell in CORE for c in CLAIMS[cell] if c.theorem == theorem.name}
    for cell in ("janet", "slstm", "slstm_code", "running_mean"):
        if wanted not in found:
            found |= {c.verdict for c in prove(gradients(load(cell)), (theorem,))}
    if theorem.must_fail.cell in names():  # of which it may hold before it is spoilt
        unspoilt = gradients(load(theorem.must_fail.cell))
        found |= {c.verdict for c in prove(unspoilt, (theorem,))}
    assert wanted in found


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: t.name)
def test_every_row_says_where_it_comes_from_and_what_it_assumes(theorem: Theorem) -> None:
    assert theorem.source
    assert theorem.hypotheses
    assert theorem.claim == " ".join(theorem.claim.split())
    if "any T" in theorem.claim or "over T" in theorem.claim:
        assert theorem.induction


@pytest.mark.parametrize("cell", CORE)
def test_a_claim_carries_what_its_verdict_needs(cell: str) -> None:
    for found in CLAIMS[cell]:
        assert found.source
        assert found.hypotheses
        assert bool(found.example) == bool(found.remainder) == (found.verdict == "refuted")
        assert bool(found.level) == (found.verdict in ("proved", "refuted"))
        assert found.level == ("kernel-checked" if found.coq else "decided" if found.level else "")
        assert bool(found.latex) == (found.verdict != "does not apply")
        if found.remainder_latex:
            assert len(found.remainder_latex) == len(found.remainder)


STATEMENTS = [
    ("lstm", "path", "dC_t/dC_{t-1} = diag(f_t), direct"),
    ("lstm", "path over T steps", "dC_T/dC_0 = diag(product over t = 1..T of (f_t))"),
    (
        "lstm",
        "total derivative",
        "dC_t/dC_{t-1} = diag(f_t) + (dC_t/dh_{t-1}) diag((1 - tanh(C_{t-1}) ** 2) * o_{t-1}), "
        "total, where dC_t/dh_{t-1} = diag(f_t * (1 - f_t) * C_{t-1}) U_f "
        "+ diag(i_t * (1 - i_t) * g_t) U_i + diag((1 - g_t ** 2) * i_t) U_g",
    ),
    ("lstm", "total derivative is the path", "dC_t/dC_{t-1} = diag(f_t), total"),
    (
        "lstm",
        "total derivatives multiply",
        "dC_t/dC_{t-2} = dC_t/dC_{t-1} times the same one step earlier, total",
    ),
    ("rnn", "recurrent Jacobian", "dh_t/dh_{t-1} = diag(1 - h_t ** 2) U"),
    ("gru", "output path", "dh_t/dh_{t-1} = diag(z_t), gates and candidates held fixed"),
    (
        "gru_reset_before",
        "output path",
        "dh_t/dh_{t-1} = diag(z_t), gates and candidates held fixed",
    ),
]


@pytest.mark.parametrize(("cell", "theorem", "statement"), STATEMENTS)
def test_a_statement_is_the_pinned_one(cell: str, theorem: str, statement: str) -> None:
    assert claim(cell, theorem).statement == statement


def test_the_statements_are_pinned_in_tex_too() -> None:
    assert claim("lstm", "path").latex == (
        r"\frac{\partial C_{t}}{\partial C_{t-1}}\Big|_{\mathrm{direct}} = "
        r"\operatorname{diag}(f_{t})"
    )
    assert claim("lstm", "path over T steps").latex == (
        r"\frac{\partial C_{T}}{\partial C_{0}} = "
        r"\operatorname{diag}\Bigl(\prod_{t=1}^{T} f_{t}\Bigr)"
    )
    assert claim("rnn", "recurrent Jacobian").latex == (
        r"\frac{\partial h_{t}}{\partial h_{t-1}} = "
        r"\operatorname{diag}(1 - h_{t}^{\odot 2})\,U"
    )


def test_the_product_over_steps_says_that_the_hidden_trajectory_is_held_fixed() -> None:
    found = claim("lstm", "path over T steps")
    assert "trajectory of the other states is held fixed" in found.hypotheses
    assert "not the total derivative" in found.hypotheses
    assert "induction on T" in found.method


def test_the_peepholes_path_is_refuted_with_exactly_the_two_terms_of_the_peepholes() -> None:
    found = claim("peephole_lstm", "path")
    assert found.fails
    assert found.remainder == (
        "diag(p_f * f_t * (1 - f_t) * C_{t-1})",
        "diag(p_i * i_t * (1 - i_t) * g_t)",
    )
    assert found.remainder_latex == (
        r"\operatorname{diag}(p_{f} \odot f_{t} \odot (1 - f_{t}) \odot C_{t-1})",
        r"\operatorname{diag}(p_{i} \odot i_{t} \odot (1 - i_{t}) \odot g_{t})",
    )


def test_a_misreading_that_is_refuted_does_not_count_as_a_failure() -> None:
    misread = claim("lstm", "total derivative is the path")
    assert misread.misread
    assert not misread.fails
    assert not claim("rnn", "total derivatives multiply").misread


def test_no_theorem_names_a_cell() -> None:
    for theorem in THEOREMS:
        said = f"{theorem.name} {theorem.claim} {theorem.hypotheses}".lower()
        assert not any(re.search(rf"\b{name}\b", said) for name in names())
