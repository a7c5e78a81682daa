"""What a person and what another program is told."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derive.zoo import load
from verify.report import Finding, Report, to_json, to_text
from verify.reproduction import calls_on
from verify.strategies import make_example

RNN = load("rnn")
TINY = make_example(RNN, steps=1, batch=1, sizes={"n": 1, "m": 1}, seed=0, with_lengths=True)
CALLS = calls_on(TINY, backward=True)
# with a result, as a recorded call has it
CALLS = (CALLS[0], replace(CALLS[1], results={"U": np.array([[0.5]])}))
LARGE = make_example(RNN, steps=8, batch=9, sizes={"n": 9, "m": 8}, seed=0)


def finding(example=TINY, **changes):
    given = {
        "property": "gradients",
        "reason": "the gradient is the derived one",
        "parameter": "U",
        "cause": "differs from the derived gradient",
        "example": example,
        "index": (0, 0),
        "got": 0.5,
        "expected": 0.25,
        "bound": 1.5e-17,
        "also": ("W", "b"),
        "calls": CALLS if example is TINY else calls_on(example, backward=True),
    }
    return Finding(**(given | changes))


def report(*findings, verdict="wrong", **changes):
    given = {
        "cell": "rnn",
        "implementation": "mine.py:Layer",
        "judged": (("values", 9), ("gradients", 8)),
        "not_judged": (("state path", "no state reaches itself"),),
        "examples": 9,
        "asked": 60,
        "seed": 4,
    }
    return Report(verdict=verdict, findings=findings, **(given | changes))


def test_the_text_says_what_fails_where_by_how_much_and_on_what():
    assert to_text(report(finding())) == (
        "wrong: mine.py:Layer is not rnn, or misbehaves\n"
        "2 properties on 9 examples, seed 4; 1 failed\n"
        "\n"
        "gradients: U[0, 0] differs from the derived gradient\n"
        "  got 0.5, expected 0.25, may differ by 1.5e-17\n"
        "  also: W, b\n"
        "  must hold because the gradient is the derived one\n"
        f"  smallest example: {TINY.label}\n"
        "  to see it again:\n"
        "\n"
        "# gradients: U[0, 0] differs from the derived gradient\n"
        "import sys\n"
        "\n"
        "import numpy as np\n"
        "\n"
        f"sys.path.insert(0, {str(Path.cwd())!r})\n"
        "from mine import Layer as layer\n"
        "layer = layer() if isinstance(layer, type) else layer\n"
        "\n"
        "params = {\n"
        f'    "W": np.array({TINY.params["W"].tolist()}),\n'
        f'    "U": np.array({TINY.params["U"].tolist()}),\n'
        f'    "b": np.array({TINY.params["b"].tolist()}),\n'
        "}\n"
        f"x = np.array({TINY.inputs['x'].tolist()})\n"
        "state_0 = {\n"
        f'    "h": np.array({TINY.state_0["h"].tolist()}),\n'
        "}\n"
        f"lengths = np.array({TINY.lengths.tolist()})\n"
        f"dy = np.array({TINY.dy.tolist()})\n"
        "dstate_T = {\n"
        f'    "h": np.array({TINY.dstate_T["h"].tolist()}),\n'
        "}\n"
        "\n"
        "y, state_T, tape = layer.forward(params, x, state_0, lengths=lengths)\n"
        "grads = layer.backward(params, tape, dy, dstate_T)\n"
        'print("got     ", float(grads["U"][0, 0]))\n'
        'print("expected", 0.25)\n'
        'print("allowed ", 1.5e-17)\n'
        "\n"
        "not judged:\n"
        "  state path: no state reaches itself\n"
        "\n"
        "again: verify run rnn mine.py:Layer --examples 60 --seed 4\n"
    )


def test_the_text_of_a_right_one_is_short():
    text = to_text(report(verdict="right", not_judged=(), implementation=""))
    assert text == (
        "right: the implementation is rnn in all that was judged\n"
        "2 properties on 9 examples, seed 4; 0 failed\n"
    )


def test_numbers_in_the_text_read_back_to_the_same_numbers():
    text = to_text(report(finding()))
    line = next(line for line in text.splitlines() if line.startswith("x = "))
    assert np.array_equal(eval(line.removeprefix("x = "), {"np": np}), TINY.inputs["x"])


def test_a_large_example_is_named_but_not_printed():
    text = to_text(report(finding(LARGE)))
    assert LARGE.label in text
    assert "params = " not in text
    assert "  to see it again: --reproduce FOLDER (" in text


def test_an_example_is_printed_once():
    text = to_text(report(finding(), finding(property="differences")))
    assert text.count("params = ") == 1
    assert text.count("smallest example: as for gradients\n") == 1


def test_a_finding_about_no_entry_shows_none():
    text = to_text(report(finding(parameter="", index=None, got=None, also=(), cause="raised")))
    assert "\ngradients: raised\n  must hold because" in text


@pytest.mark.parametrize("verdict", ["right", "wrong", "undecided"])
def test_every_verdict_comes_first_in_the_text_and_in_json(verdict):
    assert to_text(report(verdict=verdict)).startswith(f"{verdict}: ")
    assert json.loads(to_json(report(verdict=verdict)))["verdict"] == verdict


def test_json_has_the_keys_that_other_programs_rely_on():
    document = json.loads(to_json(report(finding())))
    assert (document["version"], document["verdict"]) == (1, "wrong")
    (found,) = document["findings"]
    assert found["property"] == "gradients"
    assert found["parameter"] == "U"
    assert found["cause"] == "differs from the derived gradient"
    assert found["example"]["sizes"] == {"T": 1, "B": 1, "n": 1, "m": 1}
    assert found["example"]["label"] == TINY.label
    assert (found["index"], found["got"], found["expected"]) == ([0, 0], 0.5, 0.25)


def test_json_keeps_the_arrays_of_a_small_example_exactly():
    arrays = json.loads(to_json(report(finding())))["findings"][0]["example"]["arrays"]
    assert np.array_equal(np.array(arrays["params['U']"]), TINY.params["U"])
    assert np.array_equal(np.array(arrays["x"]), TINY.inputs["x"])
    large = json.loads(to_json(report(finding(LARGE))))["findings"][0]["example"]
    assert "arrays" not in large


def test_json_holds_values_that_are_no_numbers_as_text():
    odd = finding(got=float("nan"), expected=np.dtype("float32"), bound=float("inf"))
    found = json.loads(to_json(report(odd)))["findings"][0]
    assert (found["got"], found["expected"], found["bound"]) == ("nan", "float32", "inf")


def test_json_of_an_example_with_nan_is_still_json():
    nan = make_example(RNN, steps=1, batch=1, sizes={"n": 1, "m": 1}, seed=0)
    nan.inputs["x"][...] = np.nan
    document = json.loads(to_json(report(finding(nan))))
    assert document["findings"][0]["example"]["arrays"]["x"] == [[["nan"]]]
