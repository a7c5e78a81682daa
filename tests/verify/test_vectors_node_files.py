"""Node tests for ONNX as files and through runtimes."""

import json
import re
import shutil
import warnings
from dataclasses import replace

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner
from plain_onnx import CASES, excess, plain, values_of

from verify.__main__ import main
from verify.vectors.node_files import files_of, model_of, write
from verify.vectors.node_report import markdown
from verify.vectors.node_runs import Runtime, outcome, smallest
from verify.vectors.node_values import node_values

SOME = [
    "test_lstm_peepholes_batchwise",
    "test_gru_linear_before_reset_short_bidirectional_outputs",
    "test_rnn_double",
    "test_lstm_input_forget",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("nodes")
    made = write(place, [CASES[name] for name in SOME])
    assert made == [f"node/{name}" for name in SOME[:3]] + [f"ambiguous/{SOME[3]}"]
    return place


def tensors(place, kind):
    found = []
    while (path := place / f"{kind}_{len(found)}.pb").exists():
        found.append(onnx.load_tensor(str(path)))
    return found


@pytest.mark.parametrize("name", SOME[:3])
def test_a_case_has_the_files_of_onnx_s_own(name, folder):
    place, values = folder / "node" / name, values_of(name)
    assert {p.name for p in place.iterdir()} == {
        "model.onnx",
        "test_data_set_0",
        "data.json",
        "case.json",
    }
    model = onnx.load(place / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.node[0].op_type == CASES[name].node.op
    for kind, infos, arrays in (
        ("input", model.graph.input, values.inputs),
        ("output", model.graph.output, values.readings[0].outputs),
    ):
        found = tensors(place / "test_data_set_0", kind)
        assert [t.name for t in found] == [info.name for info in infos]
        for tensor, info in zip(found, infos, strict=True):
            array = onnx.numpy_helper.to_array(tensor)
            assert np.array_equal(array, arrays[tensor.name])
            assert info.type.tensor_type.elem_type == tensor.data_type
            dims = info.type.tensor_type.shape.dim
            assert tuple(d.dim_value for d in dims) == array.shape
    bounds = tensors(place / "test_data_set_0", "bound")
    assert [t.name for t in bounds] == [info.name for info in model.graph.output]
    for tensor in bounds:
        bound = onnx.numpy_helper.to_array(tensor)
        assert bound.dtype == np.float64
        assert np.array_equal(bound, values.readings[0].bounds[tensor.name])


def test_onnx_s_own_loader_and_runner_read_the_folder(folder, tmp_path):
    shutil.copytree(folder / "node", tmp_path / "ours")  # 'node' means those in the package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero as they are made
        loaded = {test.name: test for test in load_model_tests(str(tmp_path), "ours")}
    assert loaded.keys() == set(SOME[:3])
    for name, test in loaded.items():
        case, values = CASES[name], values_of(name)
        right = plain(case.node.op, case.attributes, values.inputs)
        expected = list(values.readings[0].outputs.values())
        found = [right[k].astype(case.dtype) for k in values.readings[0].outputs]
        Runner.assert_similar_outputs(expected, found, rtol=test.rtol, atol=test.atol)
        found[0] = found[0] + np.asarray(4 * test.atol, case.dtype)
        with pytest.raises(AssertionError):
            Runner.assert_similar_outputs(expected, found, rtol=test.rtol, atol=test.atol)


def test_an_unclear_case_has_a_data_set_for_each_reading(folder):
    place = folder / "ambiguous" / SOME[3]
    about = json.loads((place / "case.json").read_text())
    assert [r["name"] for r in about["readings"]] == ["f = 1 - i", "i = 1 - f"]
    outputs = []
    for number, reading in enumerate(values_of(SOME[3]).readings):
        tensor = onnx.load_tensor(str(place / f"test_data_set_{number}" / "output_0.pb"))
        outputs.append(onnx.numpy_helper.to_array(tensor))
        assert np.array_equal(outputs[-1], reading.outputs["Y"])
    assert not np.array_equal(*outputs)


def test_the_same_case_gives_the_same_bytes():
    case = CASES["test_gru_short_outputs"]
    first = files_of(node_values(case))
    assert files_of(node_values(case)) == first
    assert (
        files_of(node_values(replace(case, seed=1)))["test_data_set_0/input_0.pb"]
        != (first["test_data_set_0/input_0.pb"])
    )


def test_y_past_a_row_s_end_is_not_compared():
    values = values_of("test_lstm_short_outputs")
    model = model_of(values)
    assert [node.op_type for node in model.graph.node] == ["LSTM", "Where"]
    found = plain("LSTM", values.case.attributes, values.inputs)["Y"]
    mask, zero = (onnx.numpy_helper.to_array(t) for t in model.graph.initializer)
    junk = np.where(np.broadcast_to(mask, found.shape), found, np.nan)
    assert np.isnan(junk).any()
    assert excess({"Y": np.where(mask, junk, zero)}, values.readings[0]) <= 1


def fake(outputs):
    return Runtime("fake", lambda: "1.0", outputs)


def right_run(model, inputs):
    node = model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()}
    if "activations" in attributes:
        attributes["activations"] = [name.decode() for name in attributes["activations"]]
    found = plain(node.op_type, attributes, inputs)
    return [found[o.name].astype(inputs["X"].dtype) for o in model.graph.output]


def wrong_run(model, inputs):
    inputs = {k: v for k, v in inputs.items() if k != "sequence_lens"}
    return right_run(model, inputs)


def refusing(model, inputs):
    raise NotImplementedError("not\nhere")


def test_a_runtime_is_right_wrong_or_refuses():
    values = values_of("test_gru_short")
    assert outcome(values, fake(right_run)).verdict == "agrees"
    assert outcome(values, fake(refusing)).said == "not here"
    wrong = outcome(values, fake(wrong_run))
    assert wrong.verdict == "differs"
    assert re.match(r"Y_h\[0, \d, \d\] is .*, expected .* up to ", wrong.said)
    assert outcome(values, fake(lambda m, i: [])).said == "0 outputs, expected 1"
    twice = fake(lambda m, i: [a.astype(np.float64) for a in right_run(m, i)])
    assert "is float64" in outcome(values, twice).said
    assert outcome(values_of("test_lstm_input_forget"), fake(right_run)).said == "f = 1 - i"


def test_the_smallest_case_is_found():
    case = CASES["test_gru_short"]
    assert smallest(case, fake(right_run)) is None
    values, found = smallest(case, fake(wrong_run))
    assert values.inputs["X"].shape == (2, 1, 1)
    assert values.inputs["sequence_lens"].tolist() == [1]
    assert found.verdict == "differs"


def test_the_report_says_which_node_differs(monkeypatch):
    few = [CASES[f"test_{n}_{s}"] for n in ("rnn", "gru") for s in ("bare", "short")]
    monkeypatch.setattr("verify.vectors.node_report.cases", lambda seed: iter(few))
    monkeypatch.setattr("verify.vectors.node_report.SETTINGS", [c.setting for c in few[:2]])
    some = lambda model, inputs: (
        wrong_run(model, inputs)
        if model.graph.node[0].op_type == "GRU"
        else right_run(model, inputs)
    )
    lines = markdown([fake(some), fake(refusing)]).splitlines()
    assert "| X, W and R alone | agrees | refused |" in lines
    assert "- fake: 4 cases; 3 agree, 1 differ, 0 refused." in lines
    assert any("agrees (rnn); **differs** (gru)" in line for line in lines)
    assert any("`sequence_lens` = [1]: Y_h" in line for line in lines)


def test_the_command_writes_a_folder(tmp_path, capsys, monkeypatch):
    few = [CASES["test_rnn_bare"], CASES["test_lstm_input_forget"]]
    monkeypatch.setattr("verify.vectors.command.cases", lambda seed: iter(few))
    assert main(["node-tests", "-o", str(tmp_path)]) == 0
    assert "1 cases in " in capsys.readouterr().out
    assert (tmp_path / "node" / "test_rnn_bare" / "model.onnx").exists()
    assert main(["node-tests", "-o", "/proc/none"]) == 2
    assert "cannot be written" in capsys.readouterr().err
