"""Tests of the tests: a derivation with one thing wrong is emitted as it is, and found out."""

import numpy as np
import pytest
from emitted import SIZES, deviations, kernel_of, results
from kernel_cases import ZOO, derived_for
from spoilt import SPOILT, Spoilt

from derive.gradients import Gradients
from verify.references import reference
from verify.runner import run
from verify.strategies import make_example

# Rows that a cell has nothing to spoil for are not among its cases; the LSTM has all of them.
CASES = [
    pytest.param(
        name, row, id=f"{name}: {row.what}", marks=pytest.mark.slow if name != "lstm" else ()
    )
    for name in ZOO
    for row in SPOILT
    if row.spoil(derived_for(name)) is not None
]


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    """The smallest example is not looked for, nor what else is wrong on others."""
    monkeypatch.setattr("verify.runner.SHRINK_SECONDS", 0.0)
    monkeypatch.setattr("verify.runner.AFTER_FAILURE", 0)


def wrong_names(right: Gradients, wrong: Gradients) -> set[str]:
    """The gradients that two derivations disagree about, by interpreting both."""
    case = make_example(right.cell, steps=3, batch=3, sizes=SIZES, seed=3)
    one, two = reference(case, right), reference(case, wrong)
    apart = lambda n: np.abs(one.grads[n] - two.grads[n]) > one.grads_bound[n] + two.grads_bound[n]
    return {n for n in one.grads if apart(n).any()}


@pytest.mark.parametrize(("name", "row"), CASES)
def test_a_spoilt_derivation_is_wrong_and_the_gradient_that_it_spoils_is_named(name, row: Spoilt):
    right = derived_for(name)
    spoilt = row.spoil(right)
    assert spoilt is not None
    report = run(right.cell, kernel_of(spoilt), profile="quick")
    assert report.verdict == "wrong"
    affected = wrong_names(right, spoilt)
    assert affected
    named = {f.property: f.parameter for f in report.findings}
    assert named["gradients"] in affected
    assert set(named.values()) <= affected


@pytest.mark.parametrize("row", SPOILT, ids=lambda row: row.what)
def test_what_each_row_spoils_of_the_lstm_is_what_it_says(row):
    right = derived_for("lstm")
    assert wrong_names(right, row.spoil(right)) == set(row.lstm.split())


@pytest.mark.parametrize(("name", "row"), CASES)
def test_the_emitted_source_is_as_wrong_as_the_derivation_and_no_more(name, row: Spoilt):
    spoilt = row.spoil(derived_for(name))
    case = make_example(spoilt.cell, steps=3, batch=3, sizes=SIZES, seed=3, with_lengths=True)
    assert deviations(results(kernel_of(spoilt), case), case, spoilt) == []


@pytest.mark.parametrize("name", ZOO)
def test_an_unspoilt_derivation_is_right(name):
    derived = derived_for(name)
    report = run(derived.cell, kernel_of(derived), profile="quick")
    assert (report.verdict, report.findings) == ("right", ())
