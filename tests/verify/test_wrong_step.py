"""C of the wrong step in backward alone, in the forms in which lists and caches give it."""

from functools import cache

import pytest
from by_hand import written

from derive.zoo import load
from verify.diagnosis.answers import told
from verify.diagnosis.diagnose import Library, diagnose

LSTM = load("lstm")

READ = '"f": e * C * f * (1 - f)'
SLOPE = "(1 - np.tanh(C_new) ** 2)"

# What stands where C of the step before, or tanh(C), should; the row; what its label says.
FORMS = (
    (READ, '"f": e * C_new * f * (1 - f)', "one step too late", "C for C[t-1]"),
    (READ, '"f": e * steps[t - 1][3] * f * (1 - f)', "one step too early", "the last one's"),
    (
        READ,
        '"f": e * (steps[t - 1][3] if t else 0) * f * (1 - f)',
        "one step too early",
        "C[t-1][t-1] for C[t-1]",
    ),
    (READ, '"f": e * steps[max(t - 1, 0)][3] * f * (1 - f)', "one step too early", "its own"),
    (
        READ,
        '"f": e * (steps[t - 1][3] if t else steps[-1][8]) * f * (1 - f)',
        "one step too early",
        "the final state",
    ),
    (READ, '"f": e * steps[t - 1][8] * f * (1 - f)', "first state misread", "as index -1 gives it"),
    (
        READ,
        '"f": e * (steps[t + 1][8] if t + 1 < len(steps) else C_new) * f * (1 - f)',
        "one step too late",
        "C[t+1] for C[t-1]",
    ),
    (READ, '"f": e * steps[-1][8] * f * (1 - f)', "cached view overwritten", "the final C"),
    (SLOPE, "(1 - np.tanh(C) ** 2)", "recomputed from the state before", "tanh(C[t-1]) for"),
    (
        "d * np.tanh(C_new) * o",
        "d * np.tanh(C) * o",
        "recomputed from the state before",
        "the cotangent of o",
    ),
    (
        "kept_C + e * f",
        "kept_C + e * (steps[t + 1][4] if t + 1 < len(steps) else f)",
        "one step too late",
        "f[t+1] for f in the carries",
    ),
)


@cache
def library():
    return Library.of(LSTM)


def found(*edits):
    return diagnose(LSTM, written(*edits), library=library())


@pytest.mark.parametrize(("old", "new", "row", "label"), FORMS)
def test_a_state_of_the_wrong_step_is_named(old, new, row, label):
    seen = found((old, new))
    assert (seen.is_cell, seen.own_gradient, seen.explained) == ("yes", "no", True)
    first = seen.causes[0]
    assert (first.deviation, label in first.variant) == (row, True), told(seen, "lstm")


@pytest.mark.parametrize(
    "new",
    [
        '"f": e * steps[0][3] * f * (1 - f)',
        '"f": e * 0.5 * (C + C_new) * f * (1 - f)',
        '"f": e * C_new ** 2 * f * (1 - f)',
    ],
)
def test_what_is_of_no_single_other_step_is_not_called_so(new):
    rows = {c.deviation for c in found((READ, new)).causes}
    assert not rows & {"one step too late", "one step too early", "first state misread"}
