"""A small constant where the cell has none is told as that, not as a lower precision."""

from functools import cache

import pytest
from by_hand import written

from derive.zoo import load
from verify.deviations.machine import kernel_of
from verify.deviations.table import DEVIATIONS
from verify.diagnosis.diagnose import Library, diagnose

LSTM = load("lstm")

PLACES = (
    ("f * C + i * g\n", "f * C + i * g + {}\n", "constant added", "{} added to C"),
    ("o * np.tanh(C_new)\n", "o * np.tanh(C_new) + {}\n", "constant added", "{} added to h"),
    (
        'f, i, o, g = sigmoid(a["f"]),',
        'f, i, o, g = sigmoid(a["f"]) + {},',
        "constant added",
        "{} added to f",
    ),
    ('sigmoid(a["f"])', 'sigmoid(a["f"] + {})', "offset of a gate", "{} added in f"),
    ("o * np.tanh(C_new)\n", "o * np.tanh(C_new + {})\n", "offset of a gate", "{} added in h"),
    (
        "1 / (1 + np.exp(-z))",
        "1 / (1 + np.exp(-z) + {})",
        "epsilon",
        "{} added in the denominator of every sigmoid",
    ),
)


@cache
def library():
    return Library.of(LSTM)


def causes(*edits):
    found = diagnose(LSTM, written(*edits), backwards=False, library=library())
    assert found.wrong
    return found.causes


@pytest.mark.parametrize("number", ["1e-12", "1e-08", "0.001"])
@pytest.mark.parametrize(("old", "new", "row", "label"), PLACES)
def test_a_constant_is_named_with_its_place(number, old, new, row, label):
    found = causes((old, new.format(number)))
    assert [c.deviation for c in found] == [row]
    assert label.format(f"{float(number):g}" if number != "0.001" else "0.001") in found[0].variant


@pytest.mark.parametrize("number", ["2e-15", "1e-14"])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_of_what_is_hardly_more_than_rounding_nothing_else_is_said(number, place):
    old, new, row, _ = PLACES[place]
    found = diagnose(LSTM, written((old, new.format(number))), backwards=False, library=library())
    assert {c.deviation for c in found.causes} <= {row}


def test_a_smooth_error_that_no_row_knows_is_no_lower_precision():
    assert causes(('np.tanh(a["g"])', 'np.tanh(a["g"]) + 1e-8 * np.sin(a["g"])')) == ()


@pytest.mark.parametrize("label", ["float32", "bfloat16"])
def test_arithmetic_of_a_coarser_format_is_told_as_that(label):
    row = next(row for row in DEVIATIONS if row.name == "lower precision")
    model = next(v.model for v in row.variants(library().right) if v.label == label)
    found = diagnose(LSTM, kernel_of(model), library=library())
    assert [(c.deviation, c.variant) for c in found.causes] == [("lower precision", label)]
