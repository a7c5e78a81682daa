"""Slips that people made in a blind trial, as edits of layers written by hand: found and named."""

from functools import cache

import pytest
from by_hand import GRU, LSTM, written

from derive.zoo import load
from verify import runner
from verify.diagnosis.answers import plain, told
from verify.diagnosis.diagnose import Library, diagnose
from verify.runner import run

TEXTS = {"lstm": LSTM, "gru": GRU}

# The cell, what is edited, the row that must be first, and what its label must say.
BACKWARD = (
    (
        "lstm",
        [("kept_C + e * f", "kept_C + np.where(live, dC, 0) * f")],
        "cotangent incomplete",
        "the cotangent of C without the way through tanh_C",
    ),
    (
        "lstm",
        [('"f": e * C * f * (1 - f)', '"f": e * C * f * (1 - i)')],
        "another value elsewhere",
        "with i for f in place 2 of 2",
    ),
    ("gru", [("dnew * z + dq", "dnew * (1 - z) + dq")], "complement in a gradient", "1 - z for z"),
    ("gru", [("h = hs[t]", "h = hs[t] if t else hs[1]")], "first state misread", "own state"),
    ("gru", [("np.where(m, back, dh)", "np.where(m, back, 0)")], "final cotangent lost", "early"),
)
MORE_BACKWARD = (
    (
        "lstm",
        [('"i": e * g * i', '"i": (e - np.where(live, dC, 0)) * g * i')],
        "cotangent incomplete",
        "the cotangent of C without the carry from t+1",
    ),
    (
        "lstm",
        [('"f": e * C * f * (1 - f)', '"f": e * C * i * (1 - i)')],
        "another value elsewhere",
        "with i for f",
    ),
    ("lstm", [("g * i * (1 - i)", "g * (i * (1 - i) + 1e-6)")], "slope raised", "plus 1e-06"),
    (
        "lstm",
        [('delta[k] @ params["W_" + k]', 'delta[k] @ params["W_" + k.replace("f", "i")]')],
        "another matrix",
        "with W_i for W_f",
    ),
    (
        "lstm",
        [('np.array(ends.get("h"', '2 * np.array(ends.get("h"')],
        "final cotangent twice",
        "h_T",
    ),
    (
        "lstm",
        [
            (
                "C_new, h_new = steps[t]\n",
                "C_new, h_new = steps[t]\n        f = sigmoid(now @ params['W_f'].T"
                " + h @ params['U_f'].T + params['b_f'] + 1)\n",
            )
        ],
        "gate recomputed otherwise",
        "f with 1 added",
    ),
    (
        "lstm",
        [
            (
                "    x, steps = tape\n",
                "    x, steps = tape\n"
                "    rows = np.stack([s[1] for s in steps]).swapaxes(0, 1).reshape(x.shape)\n",
            ),
            ("delta[k].T @ now", "delta[k].T @ rows[t]"),
        ],
        "rows flattened otherwise",
        "batch first",
    ),
    (
        "lstm",
        [
            (
                'dh = dh + delta[k] @ params["U_" + k]',
                'dh = dh + np.where(live, (e * i if k == "g" else delta[k]) @ params["U_" + k], 0)',
            )
        ],
        "slope lost on the way",
        "tanh in g",
    ),
    ("gru", [("h = hs[t]", "h = hs[t] * bool(t)")], "first state misread", "zero for h[t-1]"),
    (
        "gru",
        [
            (
                "dnew = dh if dy is None else dh + np.where(m, dy[t], 0)",
                "dh = dnew = dh if dy is None else dh + dy[t]",
            )
        ],
        "padding enters",
        "dy beyond the end",
    ),
)
FORWARD = (
    (
        "lstm",
        [("return 1 / (1 + np.exp(-z))", "return np.clip(0.2 * z + 0.5, 0, 1)")],
        "z / 5 + 1/2",
    ),
    (
        "lstm",
        [("C_new = f * C + i * g", "C_new = np.clip(f * C + i * g, -1, 1)")],
        "C clipped at 1",
    ),
    ("gru", [("[:, None] < ends", "[:, None] <= ends")], "one step too late"),
    ("gru", [("h = np.where(m, new, h)", "h = new")], "all states"),
    ("gru", [("(1 - z) * g + z * h", "(1 - z) * h + z * g")], "1 - z for z"),
)
MORE_FORWARD = (
    ("lstm", [("return 1 / (1 + np.exp(-z))", "return 1 / (1 + np.exp(-abs(z)))")], "sigmoid(|z|)"),
    (
        "lstm",
        [("h_new = o * np.tanh(C_new)", "h_new = o * np.tanh(C_new.clip(-0.5, 0.5))")],
        "at 1/2",
    ),
    (
        "lstm",
        [('"C": C}, (x', '"C": steps[-1][3] if steps else C}, (x')],
        "C_T of the start of the last step",
    ),
    ("lstm", [("i * g\n        h_new", "i * np.tanh(g)\n        h_new")], "tanh(g) in C"),
    ("gru", [('return y, {"h": h}', 'return y[::-1], {"h": h}')], "from the last to the first"),
)


@cache
def library(name):
    return Library.of(load(name))


def first(name, edits, backwards=True):
    mine = written(*edits, text=TEXTS[name])
    found = diagnose(load(name), mine, backwards=backwards, library=library(name))
    assert found.wrong
    assert found.explained, told(found, name)
    return found.causes[0]


def misread(name, edits, row, label):
    cause = first(name, edits)
    assert cause.deviation == row
    assert label in cause.variant


def computed(name, edits, label):
    assert label in first(name, edits, backwards=False).variant


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_edited_is_right(name):
    found = diagnose(load(name), written(text=TEXTS[name]), library=library(name))
    assert (found.is_cell, found.own_gradient, found.causes) == ("yes", "yes", ())


@pytest.mark.parametrize(("name", "edits", "row", "label"), BACKWARD)
def test_a_slip_in_backward_is_named(name, edits, row, label):
    misread(name, edits, row, label)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "edits", "row", "label"), MORE_BACKWARD)
def test_more_slips_in_backward_are_named(name, edits, row, label):
    misread(name, edits, row, label)


@pytest.mark.parametrize(("name", "edits", "label"), FORWARD)
def test_a_slip_in_forward_is_named(name, edits, label):
    computed(name, edits, label)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "edits", "label"), MORE_FORWARD)
def test_more_slips_in_forward_are_named(name, edits, label):
    computed(name, edits, label)


def judged(*edits, name="gru", examples=16):
    return run(load(name), written(*edits, text=TEXTS[name]), examples=examples)


def properties(report):
    return {f.property for f in report.findings}


def test_a_gradient_under_another_name_is_a_finding():
    report = judged(('"h_0": dh}', '"h0": 7 * dh}'), examples=2)
    assert properties(report) == {"names gradients"}
    assert report.findings[0].cause == (
        "backward gives 'h0': no name of a gradient, and no h_0 is given"
    )


def test_a_gradient_that_is_not_given_is_none():
    report = judged((', "h_0": dh}', "}"), examples=2)
    assert (report.verdict, dict(report.not_judged)["gradient of h_0"]) == (
        "right",
        "backward does not give it",
    )


def test_random_numbers_are_said_and_nothing_that_follows_from_them():
    report = judged(
        ("new = (1 - z)", "z = z * (np.random.random(z.shape) > 0.2) / 0.8\n        new = (1 - z)")
    )
    assert {c.deviation for c in report.diagnosis.causes} <= {"random numbers drawn", "state kept"}


@pytest.mark.slow
def test_pre_activations_that_are_clipped_far_out_are_found_and_named():
    report = judged(
        (
            "f, i, o, g = sigmoid",
            "a = {k: np.clip(v, -20, 20) for k, v in a.items()}\n        f, i, o, g = sigmoid",
        ),
        name="lstm",
    )
    assert report.verdict == "wrong"
    assert "clipped at 20" in report.diagnosis.causes[0].variant


@pytest.mark.slow
def test_an_overflow_is_seen_and_said_as_a_symptom():
    report = judged(
        ("return 1 / (1 + np.exp(-z))", "return np.exp(z) / (1 + np.exp(z))"), name="lstm"
    )
    assert report.verdict == "wrong"
    assert report.diagnosis.symptoms[0].endswith("something overflows")


def test_a_diagnosis_that_breaks_costs_no_finding(monkeypatch):
    def breaks(*args, **options):
        raise ZeroDivisionError("of a rule")

    monkeypatch.setattr(runner, "diagnose", breaks)
    report = judged(("dnew * z + dq", "dnew * (1 - z) + dq"), examples=1)
    assert "gradients" in properties(report)
    assert report.diagnosis.failed.startswith("ZeroDivisionError: of a rule (test_slips.py")
    assert "it could not be made" in told(report.diagnosis, "gru")[-1]
    assert plain(report.diagnosis)[-1]["deviation"] == "no diagnosis"


def test_a_backward_that_breaks_on_an_example_of_the_diagnosis_costs_nothing():
    late = (
        "p, (xs, steps, hs) = params, tape\n",
        "p, (xs, steps, hs) = params, tape\n    if len(xs) == 2:\n        raise ValueError\n",
    )
    report = judged(late, ("dnew * z + dq", "dnew * (1 - z) + dq"), examples=8)
    assert report.verdict == "wrong"
    assert not report.diagnosis.failed
