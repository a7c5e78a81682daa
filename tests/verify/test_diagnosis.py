"""A wrong implementation is told what is wrong with it; a right one nothing."""

import math
from fractions import Fraction

import numpy as np
import pytest
from by_hand import written
from emitted import kernel_of
from spoilt import SPOILT

from derive.gradients import gradients
from derive.zoo import load
from verify.diagnosis.answers import told
from verify.diagnosis.diagnose import Library, diagnose
from verify.diagnosis.estimates import simplest
from verify.references import reference_kernel
from verify.runner import run

LSTM = load("lstm")


@pytest.fixture(scope="module")
def library():
    return Library.of(LSTM)


def names(found):
    return [cause.deviation for cause in found.causes]


def changed(change, right=None):
    """A kernel whose gradients are changed after the fact."""
    inner = right or written()

    class Wrong:
        forward = staticmethod(inner.forward)

        @staticmethod
        def backward(params, tape, dy=None, dstate_T=None):
            return change(dict(inner.backward(params, tape, dy, dstate_T)))

    return Wrong()


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole_lstm", "rnn"])
def test_a_right_kernel_is_told_nothing(name):
    found = diagnose(load(name), kernel_of(load(name)))
    assert (found.is_cell, found.own_gradient) == ("yes", "yes")
    assert (found.causes, found.wrong) == ((), ())


def test_a_right_layer_written_by_hand_is_told_nothing(library):
    found = diagnose(LSTM, written(), library=library)
    assert (found.is_cell, found.own_gradient, found.causes) == ("yes", "yes", ())


# What is edited, the row that must be first, and what its label must say.
EDITS = (
    ("1 - np.tanh(C_new) ** 2", "1 - C_new ** 2", "slope at the argument", "tanh in tanh_C"),
    ("e * i * (1 - g ** 2)", "e * i", "slope omitted", "tanh in g"),
    (
        "e * i * (1 - g ** 2)",
        "e * i * (1 - np.tanh(g) ** 2)",
        "slope of the activated value",
        "tanh in g",
    ),
    ('"f": e * C * f', '"f": e * C_new * f', "one step too late", "C for C[t-1]"),
    ("np.where(live, dC, 0) + d * o", "d * o", "carry overwritten", "C"),
    (
        'delta[k] @ params["U_" + k]',
        'delta[k] @ params["U_" + k].T',
        "matrix not transposed",
        "U_f",
    ),
    ("delta[k].T @ h", "delta[k].T @ h_new", "one step too late", "h for h[t-1]"),
    (
        'found["b_" + k] += delta[k].sum',
        'found["b_" + k] += delta["i"].sum',
        "one delta for all gates",
        "b_f, b_i, b_o, b_g with that of a_i",
    ),
    ("delta[k].sum(axis=0)", "delta[k].mean(axis=0)", "mean for the sum", "b_f, b_i, b_o, b_g"),
    ("dx[t] += delta", "dx[t] = delta", "terms written over", "a_g alone"),
    ("(0 if dy is None else dy[t])", "(0 if dy is None else dy[-1])", "dy repeated", "last step"),
    ('"i": e * g * i', '"i": e * f * i', "another value for a factor", "f for g"),
    (
        'np.array(ends.get("C", np.zeros(shape, x.dtype)))',
        "np.zeros(shape, x.dtype)",
        "final cotangent ignored",
        "C_T",
    ),
)


@pytest.mark.parametrize(("old", "new", "row", "label"), EDITS)
def test_a_slip_of_the_hand_is_named(library, old, new, row, label):
    found = diagnose(LSTM, written((old, new)), library=library)
    assert (found.is_cell, found.own_gradient) == ("yes", "no")
    assert found.explained
    assert row in names(found)
    assert label in next(c.variant for c in found.causes if c.deviation == row)
    same = {c.explains for c in found.causes}
    assert len(same) == 1, "all that is said explains everything"


FORWARD = (
    ("o * np.tanh(C_new)\n", "o * C_new\n", "activation missing", "tanh in h"),
    ('"U_" + k].T + params', '"U_" + k] + params', "matrix transposed", "U_f, U_i, U_o, U_g"),
    ("f * C + i * g", "i * C + f * g", "gates permuted", "i, f, o, g"),
    ('np.tanh(a["g"])', 'sigmoid(a["g"])', "another activation", "sigmoid for tanh in g"),
    ('sigmoid(a["f"])', 'sigmoid(a["f"] + 1)', "offset of a gate", "1 added in f"),
    ('sigmoid(a["f"])', 'sigmoid(2 * a["f"])', "argument scaled", "sigmoid(2 z)"),
    ("f * C + i * g", "0.9 * (f * C + i * g)", "value scaled", "C times 9/10"),
)


@pytest.mark.parametrize(("old", "new", "row", "label"), FORWARD)
def test_another_cell_is_named_with_forward_alone(library, old, new, row, label):
    found = diagnose(LSTM, written((old, new)), backwards=False, library=library)
    assert (found.is_cell, found.own_gradient) == ("no", "not judged")
    assert row in names(found)
    assert label in next(c.variant for c in found.causes if c.deviation == row)


def test_a_change_that_backward_follows_is_its_own_gradient(library):
    mine = written(
        ("o * np.tanh(C_new)\n", "o * C_new\n"),
        ("d * o * (1 - np.tanh(C_new) ** 2)", "d * o"),
        ("d * np.tanh(C_new) * o", "d * C_new * o"),
    )
    found = diagnose(LSTM, mine, library=library)
    assert (found.is_cell, found.own_gradient) == ("no", "yes")
    assert names(found) == ["activation missing"]
    assert found.explained


def test_a_change_that_backward_does_not_follow_is_said_too(library):
    kept = written(("h_new = o * np.tanh(C_new)", "h_new = o * C_new"))
    found = diagnose(LSTM, kept, library=library)
    assert (found.is_cell, found.own_gradient) == ("no", "no")
    assert names(found) == ["activation missing", "backward of the cell"]


def test_a_wrong_forward_and_a_wrong_backward_are_told_apart(library):
    both = written(
        ("f * C + i * g", "i * C + f * g"),
        ('"f": e * C * f', '"f": e * g * f'),
        ('"i": e * g * i', '"i": e * C * i'),
        ("kept_C + e * f", "kept_C + e * i"),
        ('"g": e * i * (1 - g ** 2)', '"g": e * f'),
    )
    found = diagnose(LSTM, both, library=library)
    assert (found.is_cell, found.own_gradient) == ("no", "no")
    assert names(found)[0] == "gates permuted"
    assert "slope omitted" in names(found)


def test_two_deviations_of_the_gradient_at_once_are_both_said(library):
    two = written(
        ("1 - np.tanh(C_new) ** 2", "1 - C_new ** 2"),
        ("**found,", "**found, 'b_i': 2 * found['b_i'],"),
    )
    found = diagnose(LSTM, two, library=library)
    assert {"slope at the argument", "parameter term doubled"} <= set(names(found))
    assert found.explained


def test_of_a_known_and_an_unknown_deviation_the_known_one_is_said(library):
    def change(found):
        return found | {"W_o": 2 * found["W_o"], "U_f": found["U_f"] ** 3}

    found = diagnose(LSTM, changed(change), library=library)
    assert names(found)[0] == "parameter term doubled"
    assert not found.explained
    assert told(found, "lstm")[-1] == "  not explained by a known deviation: d U_f"


def _smeared(found):
    """Each entry of a gradient mixed with its neighbour."""
    return found | {"W_i": found["W_i"] + 0.1 * np.roll(found["W_i"], 1, axis=0)}


ODD = {
    "a gradient is cubed": changed(lambda g: g | {"U_f": g["U_f"] ** 3}),
    "entries of a gradient are mixed": changed(_smeared),
    "a sine in the candidate": written(('np.tanh(a["g"])', 'np.sin(a["g"])')),
}


@pytest.mark.parametrize("what", ODD)
def test_nothing_is_said_of_what_no_row_explains(library, what):
    found = diagnose(LSTM, ODD[what], library=library)
    assert found.wrong
    assert found.causes == ()
    assert told(found, "lstm")[-1] == "  none of the known deviations explains it"


def test_one_entry_that_is_off_by_one_part_in_a_billion_is_no_known_deviation(library):
    def change(found):
        found["W_g"] = found["W_g"].copy()
        found["W_g"][0, 0] *= 1 + 1e-9
        return found

    found = diagnose(LSTM, changed(change), library=library)
    assert (found.own_gradient, found.causes, found.wrong) == ("no", (), ("d W_g",))


@pytest.mark.parametrize("number", [Fraction(37, 100), Fraction(-5, 3), Fraction(1, 1000)])
def test_the_number_of_a_scaled_gradient_is_found(library, number):
    scaled = changed(lambda g: g | {"U_o": g["U_o"] * float(number)})
    found = diagnose(LSTM, scaled, library=library)
    assert names(found) == ["parameter term scaled"]
    said = found.causes[0].variant.rpartition("times ")[2]
    assert Fraction(said) == number


def test_a_factor_that_is_no_fraction_is_found_as_well(library):
    factor = 1 / math.sqrt(2)
    found = diagnose(
        LSTM, changed(lambda g: {n: a * factor for n, a in g.items()}), library=library
    )
    assert names(found) == ["common factor"]
    assert "times 0.707107" in found.causes[0].variant


def test_clipping_is_found_with_its_threshold_and_said_to_be_by_design(library):
    clipped = changed(lambda g: {n: np.clip(a, -0.75, 0.75) for n, a in g.items()})
    found = diagnose(LSTM, clipped, library=library)
    assert names(found) == ["clipped by value"]
    assert found.causes[0].by_design
    assert "3/4" in found.causes[0].variant
    assert "by design" in found.causes[0].text


def test_a_factor_that_varies_between_examples_is_clipping_by_a_norm_that_includes_more(library):
    def scaled(found):
        size = sum(float(np.sum(a**2)) for a in found.values()) ** 0.5 + 3
        return {n: a * min(1, 4 / size) for n, a in found.items()}

    found = diagnose(LSTM, changed(scaled), library=library)
    assert names(found) == ["scaled by example"]
    assert found.causes[0].by_design
    assert found.explained


def test_float32_inside_of_a_float64_run_is_said_to_be_that(library):
    inner = kernel_of(LSTM)

    def narrow(arrays):
        return {n: a.astype(np.float32) for n, a in (arrays or {}).items()} or None

    class Narrow:
        def forward(self, params, x, state_0=None, *, lengths=None):
            y, ends, tape = inner.forward(
                narrow(params), x.astype(np.float32), narrow(state_0), lengths=lengths
            )
            return y.astype(x.dtype), {n: a.astype(x.dtype) for n, a in ends.items()}, (tape, x)

        def backward(self, params, tape, dy=None, dstate_T=None):
            dy = None if dy is None else dy.astype(np.float32)
            found = inner.backward(narrow(params), tape[0], dy, narrow(dstate_T))
            return {n: a.astype(tape[1].dtype) for n, a in found.items()}

    found = diagnose(LSTM, Narrow(), library=library)
    assert names(found)[0] == "lower precision"
    assert found.causes[0].variant == "float32"
    assert found.causes[0].by_design


def test_where_it_is_wrong_is_said_if_it_is_not_wrong_everywhere(library):
    inner = written()
    wrong = written(("1 - np.tanh(C_new) ** 2", "1 - C_new ** 2"))

    class Sometimes:
        forward = staticmethod(inner.forward)

        def backward(self, params, tape, dy=None, dstate_T=None):
            kernel = wrong if tape[0].shape[1] == 3 else inner
            return kernel.backward(params, tape, dy, dstate_T)

    found = diagnose(LSTM, Sometimes(), library=library)
    assert (found.causes[0].deviation, found.causes[0].only) == (
        "slope at the argument",
        "for B = 3",
    )


@pytest.mark.parametrize("row", SPOILT, ids=lambda row: row.what)
def test_a_spoilt_derivation_is_explained(library, row):
    # Emitted kernels of derivations that are spoilt by code of their own.
    found = diagnose(LSTM, kernel_of(row.spoil(gradients(LSTM))), library=library)
    assert (found.is_cell, found.own_gradient) == ("yes", "no")
    assert found.explained


def test_the_report_of_a_run_says_the_cause(monkeypatch):
    monkeypatch.setattr("verify.runner.SHRINK_SECONDS", 0.0)
    report = run(LSTM, written(("1 - np.tanh(C_new) ** 2", "1 - C_new ** 2")), examples=2)
    assert report.diagnosis is not None
    assert names(report.diagnosis)[0] == "slope at the argument"
    assert run(LSTM, written(), examples=2).diagnosis is None


def test_bad_manners_are_compared_with_known_ones(monkeypatch):
    monkeypatch.setattr("verify.runner.SHRINK_SECONDS", 0.0)
    inner = reference_kernel(LSTM)

    class Writes:
        def forward(self, params, x, state_0=None, *, lengths=None):
            found = inner.forward(params, x.copy(), state_0, lengths=lengths)
            x += 1
            return found

        backward = staticmethod(inner.backward)

    report = run(LSTM, Writes(), examples=2)
    assert report.diagnosis is not None
    assert "argument written" in names(report.diagnosis)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.29999, 0.30001, Fraction(3, 10)),
        (-2.001, -1.999, Fraction(-2)),
        (-1e-9, 1e-9, Fraction(0)),
        (3.14155, 3.1416, Fraction(355, 113)),
        (0.5, 0.5, Fraction(1, 2)),
    ],
)
def test_the_simplest_fraction_of_an_interval(low, high, found):
    assert simplest(low, high) == found
    below = (Fraction(p, q) for q in range(1, found.denominator) for p in range(-4 * q, 4 * q))
    assert not any(low <= f <= high for f in below)
