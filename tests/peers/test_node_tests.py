"""The node tests through onnxruntime and onnx.reference: what is found, pinned to versions.

What is found in other versions is seen by `python docs/run_node_tests.py`.
"""

import re
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from verify.vectors.node_files import model_of
from verify.vectors.node_rows import Case, cases
from verify.vectors.node_runs import RUNTIMES, Outcome, outcome
from verify.vectors.node_values import node_values

onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is an extra: pip install 'bptt[onnxruntime]'"
)

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "run_node_tests.py"))
PAGE = (DOCS / "vectors.md").read_text(encoding="utf-8")

RUNTIME = {runtime.name: runtime for runtime in RUNTIMES}
CASES = {case.name: case for case in cases()}

# The versions that the page names; what is pinned below is said of these.
PINNED = dict(re.findall(r"(onnxruntime|onnx\.reference) (\d+\.\d+\.\d+)", PAGE))

# What onnx.reference does not read, as settings: it computes a node without it.
UNREAD = ("short", "clip", "activations", "input_forget", "no_steps")


@cache
def found(name: str, runtime: str) -> Outcome:
    return outcome(node_values(CASES[name]), RUNTIME[runtime])


def pinned(runtime: str) -> None:
    installed = RUNTIME[runtime].version()
    if installed != PINNED[runtime]:
        pytest.skip(f"{runtime} is {installed}; what is pinned is said of {PINNED[runtime]}")


def unread(case: Case) -> bool:
    """Whether a case asks for what onnx.reference does not read, where it matters."""
    asked = any(word in case.setting.name for word in UNREAD)
    return asked and case.setting.name != "short_outputs"  # earlier outputs stay as they were


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_agrees_with_every_case_that_it_runs(name):
    assert found(name, "onnxruntime").verdict in ("agrees", "refused")


@pytest.mark.parametrize("name", CASES)
def test_onnxruntime_refuses_float64_and_layout_1_alone(name):
    pinned("onnxruntime")
    case, result = CASES[name], found(name, "onnxruntime")
    refused = case.dtype == "float64" or case.attributes.get("layout") == 1
    assert (result.verdict == "refused") == refused, result.said
    if refused and case.dtype == "float32":
        assert "Batchwise recurrent operations (layout == 1) are not supported" in result.said


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("test_lstm_input_forget", "f = 1 - i"),
        ("test_lstm_peepholes_input_forget", "f = 1 - i"),
        ("test_lstm_clip_small", "gates and candidate clipped"),
        ("test_lstm_peepholes_clip_small", "gates and candidate clipped"),
        ("test_rnn_no_steps", "zeros"),
        ("test_gru_no_steps", "zeros"),
        ("test_lstm_no_steps", "zeros"),
    ],
)
def test_onnxruntime_has_one_reading_where_the_text_is_open(name, reading):
    pinned("onnxruntime")
    assert found(name, "onnxruntime") == Outcome("agrees", reading)


@pytest.mark.parametrize("name", CASES)
def test_onnx_reference_differs_where_it_does_not_read_what_is_asked(name):
    pinned("onnx.reference")
    case = CASES[name]
    expected = "differs" if unread(case) else "agrees"
    if name == "test_rnn_activations":
        expected = "refused"
    assert found(name, "onnx.reference").verdict == expected


@pytest.mark.parametrize(
    ("node", "attributes", "inputs"),
    [
        ("RNN", {"clip": 1.0}, {}),
        ("RNN", {}, {"sequence_lens": np.array([1], np.int32)}),
        ("GRU", {"activations": ["Sigmoid", "Relu"]}, {}),
        ("LSTM", {"input_forget": 1}, {}),
    ],
)
def test_onnx_reference_computes_the_node_without_it(node, attributes, inputs):
    """Not near it: the very same numbers, and no warning, which pytest would raise."""
    pinned("onnx.reference")
    gates, rng = {"RNN": 1, "GRU": 3, "LSTM": 4}[node], np.random.default_rng(0)
    shapes = {"X": (2, 1, 1), "W": (1, gates, 1), "R": (1, gates, 1)}
    given = {k: rng.uniform(1, 2, shape).astype(np.float32) for k, shape in shapes.items()}
    runs = {}
    for name, more, own in (("asked", inputs, attributes), ("plain", {}, {})):
        slots = ["X", "W", "R", "", "sequence_lens"] if more else ["X", "W", "R"]
        made = onnx.helper.make_node(node, slots, ["Y", "Y_h"], hidden_size=1, **own)
        arrays = {**given, **more}
        shown = {k: (a.dtype, a.shape) for k, a in arrays.items()}
        shown |= {"Y": (np.float32, (2, 1, 1, 1)), "Y_h": (np.float32, (1, 1, 1))}
        infos = {
            k: onnx.helper.make_tensor_value_info(
                k, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
            )
            for k, (dtype, shape) in shown.items()
        }
        ends = [infos.pop("Y"), infos.pop("Y_h")]
        opset = onnx.helper.make_opsetid("", 22)
        graph = onnx.helper.make_graph([made], "node", list(infos.values()), ends)
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        runs[name] = [RUNTIME[r].run(model, arrays) for r in ("onnx.reference", "onnxruntime")]
    (ours, theirs), (plain, _) = runs["asked"], runs["plain"]
    assert all(np.array_equal(a, b) for a, b in zip(ours, plain, strict=True))
    assert any(np.max(np.abs(a - b)) > 1e-2 for a, b in zip(ours, theirs, strict=True))


def test_onnxruntime_has_zeros_past_a_row_s_end():
    pinned("onnxruntime")
    case = CASES["test_lstm_short_bidirectional_outputs"]
    values = node_values(case)
    model = model_of(values)
    del model.graph.node[1]
    model.graph.node[0].output[0] = "Y"
    (Y,) = RUNTIME["onnxruntime"].run(model, values.inputs)
    past = np.arange(case.steps)[:, None] >= values.inputs["sequence_lens"]
    assert past.any()
    assert not Y.swapaxes(1, 2)[past].any()


def test_the_page_says_what_is_found():
    for runtime in RUNTIME:
        pinned(runtime)
    said = SCRIPT["written"](PAGE)
    assert said == SCRIPT["markdown"](RUNTIMES), "run python docs/run_node_tests.py --write"


def test_a_page_without_marks_is_refused():
    with pytest.raises(AssertionError, match="no marks"):
        SCRIPT["renewed"]("text", "more")
    with pytest.raises(AssertionError, match="no marks"):
        SCRIPT["written"]("text")
    assert SCRIPT["written"](SCRIPT["renewed"](PAGE, "more\n")) == "more\n"
