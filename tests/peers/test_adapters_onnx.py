"""Models with one LSTM, GRU or RNN through onnxruntime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from derive import zoo
from derive.errors import UsageError
from verify.loading import load_implementation
from verify.runner import run

onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is an extra: pip install 'bptt[onnxruntime]'"
)

M, N = 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
CELLS = {
    "rnn": ("RNN", {}, False),
    "gru": ("GRU", {"linear_before_reset": 1}, False),
    "gru_reset_before": ("GRU", {}, False),
    "lstm": ("LSTM", {}, False),
    "peephole_lstm": ("LSTM", {}, True),
    "lstm_cifg": ("LSTM", {"input_forget": 1}, True),
}


def saved(path, cell, inputs=("sequence_lens", "initial_h", "initial_c"), bias=True, **more):
    """A model with weights as constants and what is named as inputs."""
    op, attributes, peepholes = CELLS[cell]
    gates, rng = GATES[op], np.random.default_rng(0)
    shapes = {"W": (1, gates * N, M), "R": (1, gates * N, N), "B": (1, 2 * gates * N)}
    shapes |= {"P": (1, 3 * N)} if peepholes else {}
    constants = {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
    if not bias:
        del constants["B"]
    names = ["X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"]
    schema = [s.name for s in onnx.defs.get_schema(op).inputs]
    known = {*constants, "X", *(i for i in inputs if i in schema)}
    slots = [n if n in known else "" for n in names if n in schema]
    while not slots[-1]:
        slots.pop()
    shape = {"X": ["T", "B", M], "sequence_lens": ["B"]}
    kind = {"sequence_lens": TensorProto.INT32}
    given = [
        helper.make_tensor_value_info(n, kind.get(n, TensorProto.FLOAT), shape.get(n, [1, "B", N]))
        for n in ("X", *inputs)
        if n in known
    ]
    ends = ["Y_h", "Y_c"][: 2 if op == "LSTM" else 1]
    node = helper.make_node(op, slots, ["Y", *ends], hidden_size=N, **attributes, **more)
    graph = helper.make_graph(
        [node],
        op,
        given,
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["T", 1, "B", N])],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    opset = [helper.make_opsetid("", 14)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    return str(path)


@pytest.mark.parametrize("cell", CELLS)
def test_a_model_is_right_in_all_that_it_gives(cell, tmp_path):
    kernel = load_implementation(saved(tmp_path / "model.onnx", cell), cell=cell)
    report = run(zoo.load(cell), kernel, examples=20)
    assert report.findings == ()
    assert {"values", "padding", "chaining", "batch"} <= {name for name, _ in report.judged}
    said = dict(report.not_judged)
    assert said["gradients"] == "the implementation has no backward"
    assert said["other sizes"] == f"the implementation has n = {N}, m = {M}"


def test_what_a_model_has_no_inputs_for_is_not_judged(tmp_path):
    path = saved(tmp_path / "model.onnx", "lstm", inputs=(), bias=False)
    report = run(zoo.load("lstm"), load_implementation(path, cell="lstm"), examples=10)
    assert report.verdict == "right"
    said = dict(report.not_judged)
    assert {"initial h", "initial C", "sequences of unequal lengths", "padding"} <= said.keys()
    assert "b_f, b_g, b_i, b_o" in said


@pytest.mark.parametrize(("mine", "other"), [("gru", "gru_reset_before"), ("lstm", "gru")])
def test_a_model_of_another_cell_is_refused(mine, other, tmp_path):
    path = saved(tmp_path / "model.onnx", mine)
    with pytest.raises(UsageError, match=f"is {mine}, not {other}"):
        load_implementation(path, cell=other)


def test_an_attribute_that_changes_the_cell_is_found(tmp_path):
    path = saved(tmp_path / "model.onnx", "lstm", activations=["Sigmoid", "Sigmoid", "Tanh"])
    report = run(zoo.load("lstm"), load_implementation(path, cell="lstm"), examples=5)
    assert "values" in {f.property for f in report.findings}


def test_what_is_no_model_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    for text, said in (("broken.onnx", "is no ONNX model"), ("none.onnx", "is not a file")):
        with pytest.raises(UsageError, match=said) as error:
            load_implementation(text, cell="lstm")
        assert "\n" not in str(error.value)
