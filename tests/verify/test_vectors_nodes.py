"""Node tests for ONNX: their values against a plain loop, and what each case notices."""

import re
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from onnx.backend.test.case.node.gru import GRUHelper
from onnx.backend.test.case.node.lstm import LSTMHelper
from onnx.backend.test.case.node.rnn import RNNHelper
from plain_onnx import CASES, GATES, OPEN, excess, plain, values_of

from derive.errors import UsageError
from verify.vectors.node_rows import NODES, SETTINGS, Case, cases
from verify.vectors.node_values import node_values


@pytest.mark.parametrize("name", CASES)
def test_the_values_are_those_of_a_plain_loop(name):
    case, values = CASES[name], values_of(name)
    for reading in values.readings:
        found = plain(case.node.op, case.attributes, values.inputs, **OPEN[reading.name])
        assert excess(found, reading) <= 1
        for output in reading.outputs.values():
            assert output.dtype == case.dtype


def unasked(name):
    """The node without an attribute."""
    return lambda case, values: (lacking(case.attributes, name), values.inputs)


def dropped(name):
    """The node without an input."""
    return lambda case, values: (case.attributes, lacking(values.inputs, name))


def shared(name):
    """The second direction with the array of the first."""
    first = lambda inputs: {k: v[[0, 0]] if k == name else v for k, v in inputs.items()}
    return lambda case, values: (case.attributes, first(values.inputs))


def elsewhere(case, values):
    """The reset gate at its other place."""
    other = 1 - case.attributes.get("linear_before_reset", 0)
    return {**case.attributes, "linear_before_reset": other}, values.inputs


def padded(case, values):
    """Rows that go on to the last step with zeros where they should end."""
    inputs = values.inputs
    live = np.arange(len(inputs["X"]))[:, None] < inputs["sequence_lens"]
    inputs = {**inputs, "X": inputs["X"] * live[:, :, None]}
    return case.attributes, lacking(inputs, "sequence_lens")


def lacking(mapping, name):
    return {k: v for k, v in mapping.items() if k != name}


LSTM, GRU, ALL = "lstm(_peepholes)?", "gru(_linear_before_reset)?", "(rnn|gru.*|lstm.*)"
SPOILT = (  # what is done wrong, and which cases must notice
    (dropped("sequence_lens"), f"{ALL}_short(_reverse|_bidirectional)?"),
    (padded, "(rnn|gru|gru_linear_before_reset|lstm|lstm_peepholes)_short(_reverse)?"),
    (dropped("initial_h"), f"{ALL}(_reverse|_bidirectional|_batchwise|_initial_h)"),
    (dropped("initial_c"), f"{LSTM}(_reverse|_bidirectional|_batchwise|_initial_c)?"),
    (dropped("B"), f"{ALL}(_reverse|_without_initial_states)"),
    (dropped("P"), "lstm_peepholes(_bare|_reverse|_bidirectional|_batchwise)?"),
    (unasked("clip"), f"{ALL}_clip(_bidirectional|_double)?"),
    (unasked("clip"), "lstm.*_clip_small"),
    (unasked("input_forget"), f"{LSTM}_input_forget(_double)?"),
    (unasked("activations"), f"{ALL}_activations"),
    (unasked("direction"), f"{ALL}_reverse"),
    (elsewhere, f"{GRU}(_bare|_reverse|_clip|_short)?"),
    (shared("W"), f"{ALL}_bidirectional"),
    (shared("R"), f"{ALL}_bidirectional"),
    (shared("B"), f"{ALL}_bidirectional"),
    (shared("P"), "lstm_peepholes(_batchwise)?_bidirectional"),
)


@pytest.mark.parametrize(("wrong", "pattern"), SPOILT)
def test_every_case_notices_what_it_asks_for(wrong, pattern):
    noticing = [name for name in CASES if re.fullmatch(f"test_{pattern}", name)]
    assert len(noticing) >= 2
    for name in noticing:
        case, values = CASES[name], values_of(name)
        attributes, inputs = wrong(case, values)
        for reading in values.readings:
            found = plain(case.node.op, attributes, inputs, **OPEN[reading.name])
            assert excess(found, reading) > 100, name


@pytest.mark.parametrize(
    "name",
    ["test_gru", "test_gru_linear_before_reset", "test_gru_bare", "test_lstm", "test_lstm_bare",
     "test_lstm_peepholes"],
)  # fmt: skip
def test_one_order_of_gates_passes(name):
    """ONNX's own LSTM cases pass in all 24: see tests/peers/test_onnx.py."""
    case, values = CASES[name], values_of(name)
    count, passing = GATES[case.node.op], []
    for order in permutations(range(count)):
        inputs = dict(values.inputs)
        for k in ("W", "R"):
            parts = np.split(inputs[k], count, axis=1)
            inputs[k] = np.concatenate([parts[p] for p in order], axis=1)
        if "B" in inputs:
            parts = np.split(inputs["B"], 2 * count, axis=1)
            places = [*order, *(count + p for p in order)]
            inputs["B"] = np.concatenate([parts[p] for p in places], axis=1)
        if excess(plain(case.node.op, case.attributes, inputs), values.readings[0]) <= 1:
            passing.append(order)
    assert passing == [tuple(range(count))]


@pytest.mark.parametrize("helper", [RNNHelper, GRUHelper, LSTMHelper])
@pytest.mark.parametrize("direction", ["", "reverse", "bidirectional"])
def test_the_helpers_that_make_onnx_s_own_tests_give_the_same(helper, direction):
    op = helper.__name__.removesuffix("Helper")
    node = {"RNN": "rnn", "GRU": "gru", "LSTM": "lstm_peepholes"}[op]
    name = "_".join(p for p in ("test", node, direction) if p)
    values = values_of(name)
    inputs = {k: v.astype(np.float64) for k, v in values.inputs.items()}
    found = helper(direction=direction or "forward", **inputs).step()
    for got, output in zip(found, ("Y", "Y_h", "Y_c"), strict=False):
        expected = values.readings[0].outputs[output]
        assert excess({output: got}, replace(values.readings[0], outputs={output: expected})) <= 1


@pytest.mark.parametrize("name", CASES)
def test_readings_differ_where_the_text_is_open_and_only_there(name):
    case, values = CASES[name], values_of(name)
    assert (len(values.readings) > 1) == bool(case.setting.unclear)
    if case.setting.unclear:
        first, second = values.readings
        assert excess(first.outputs, second) > 100
    for arrays in (values.inputs[k] for k in values.inputs if k != "sequence_lens"):
        assert len(np.unique(np.abs(arrays))) == arrays.size
        assert np.all(arrays)


def test_every_node_has_every_setting_that_its_operator_has():
    for node in NODES:
        for setting in SETTINGS:
            mine = [c for c in CASES.values() if c.node is node and c.setting is setting]
            assert len(mine) == (1 + setting.doubles if node.op in setting.ops else 0)
    assert len(CASES) == len(list(cases()))


def test_a_case_that_cannot_be_made_clear_says_so(monkeypatch):
    monkeypatch.setattr("verify.vectors.node_values.ATTEMPTS", 3)
    setting = next(s for s in SETTINGS if s.name == "clip_small")
    clear = replace(setting, unclear="", name="hopeless", attributes={"clip": 0.01})
    node = next(n for n in NODES if n.name == "lstm")
    with pytest.raises(UsageError, match="test_lstm_hopeless: no seed makes it clear"):
        node_values(Case(node, clear))
