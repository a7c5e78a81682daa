"""Emitted kernels against onnxruntime's LSTM, GRU and RNN on the CPU: outputs and final states.

It computes these three operators in float32 alone, so the bound is that of float32 rounding. It
approximates sigmoid and tanh by quotients of polynomials, well within the bound.
A sequence of length 0 is left out: onnxruntime returns zeros for its final states, not the initial
ones that the kernels return.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np
import onnx
import pytest
from onnx_nodes import Case, bounds_of, cell_of, convention_of, directions, excess

from derive import parse

onnxruntime = pytest.importorskip(
    "onnxruntime", reason="onnxruntime is an extra: pip install 'bptt[onnxruntime]'"
)

STEPS, BATCH, SIZE, HIDDEN = 7, 4, 3, 5
LENGTHS = [3, 7, 1, 5]
NODES = {  # operator, number of gates, whether it has peepholes, attributes
    "RNN": ("RNN", 1, False, {}),
    "GRU": ("GRU", 3, False, {}),
    "GRU, linear before reset": ("GRU", 3, False, {"linear_before_reset": 1}),
    "LSTM": ("LSTM", 4, False, {}),
    "LSTM, peepholes": ("LSTM", 4, True, {}),
    "LSTM, coupled": ("LSTM", 4, False, {"input_forget": 1}),
    "LSTM, coupled, peepholes": ("LSTM", 4, True, {"input_forget": 1}),
}
GIVEN = {  # which optional inputs the node has
    "bare": [],
    "short": ["B", "sequence_lens"],
    "full": ["B", "sequence_lens", "initial_h", "initial_c"],
}
BY_NODE = pytest.mark.parametrize("node", NODES)


def case(node, direction="forward", given="full", seed=0, **attributes):
    """A node with random inputs, and what onnxruntime makes of them."""
    op, gates, peepholes, own = NODES[node]
    ways, rng = 2 if direction == "bidirectional" else 1, np.random.default_rng(seed)
    shapes = {
        "X": (STEPS, BATCH, SIZE),
        "W": (ways, gates * HIDDEN, SIZE),
        "R": (ways, gates * HIDDEN, HIDDEN),
        "B": (ways, 2 * gates * HIDDEN),
        "initial_h": (ways, BATCH, HIDDEN),
    }
    if op == "LSTM":
        shapes |= {"initial_c": (ways, BATCH, HIDDEN), "P": (ways, 3 * HIDDEN)}
    inputs = {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
    inputs["sequence_lens"] = np.array(LENGTHS, np.int32)
    wanted = {"X", "W", "R", *GIVEN[given], *(["P"] if peepholes else [])}
    made = Case(
        name=f"{node}, {direction}, {given}",
        op=op,
        attributes={"hidden_size": HIDDEN, "direction": direction.encode(), **own, **attributes},
        inputs={k: a for k, a in inputs.items() if k in wanted},
        outputs={},
    )
    return replace(made, outputs=by_onnxruntime(made))


def by_onnxruntime(case):
    schema = onnx.defs.get_schema(case.op)
    slots = [s.name if s.name in case.inputs else "" for s in schema.inputs]
    results = [s.name for s in schema.outputs]
    node = onnx.helper.make_node(case.op, slots, results, **case.attributes)
    kinds = {k: onnx.helper.np_dtype_to_tensor_dtype(a.dtype) for k, a in case.inputs.items()}
    graph = onnx.helper.make_graph(
        [node],
        case.op,
        [onnx.helper.make_tensor_value_info(k, kinds[k], a.shape) for k, a in case.inputs.items()],
        [onnx.helper.make_tensor_value_info(k, kinds["X"], None) for k in results],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(results, session.run(results, case.inputs), strict=True))


def share(case, kernel_of):
    convention = convention_of(case)
    kernel = kernel_of(cell_of(case, convention))
    return excess(case, convention, kernel, bounds_of(case))


@BY_NODE
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("given", GIVEN)
def test_a_node_agrees_with_onnxruntime_within_rounding(node, direction, given, kernel_of, figure):
    made = case(node, direction, given, seed=1)
    worst = share(made, kernel_of)
    figure(f"onnxruntime {node}, float32: largest difference over its bound", worst)
    assert worst <= 1


@BY_NODE
@pytest.mark.parametrize("given", ["bare", "full"])
def test_a_clipped_node_agrees_with_onnxruntime(node, given, kernel_of, figure):
    made = case(node, "bidirectional", given, seed=2, clip=0.75)
    free = case(node, "bidirectional", given, seed=2)
    assert np.mean(made.outputs["Y"] != free.outputs["Y"]) > 0.5  # the threshold is felt
    worst = share(made, kernel_of)
    figure(f"onnxruntime {node}, clipped, float32: largest difference over its bound", worst)
    assert worst <= 1


def test_clip_leaves_c_alone_where_h_reads_it(kernel_of):
    """The operator's text, 'applied to the input of activations', could be read otherwise."""
    made = case("LSTM", seed=2, clip=0.75)
    assert np.max(np.abs(made.outputs["Y_c"])) > 0.75
    convention, bounds = convention_of(made), bounds_of(made)
    text = str(cell_of(made, convention))
    literal = text.replace("tanh(C)", "tanh(max(min(C, clip), -clip))")
    assert literal != text
    assert excess(made, convention, kernel_of(parse(literal)), bounds) > 1


@pytest.mark.parametrize("node", ["GRU", "GRU, linear before reset", "LSTM, peepholes"])
def test_one_gate_order_agrees_with_onnxruntime(node, emitted):
    """ONNX's own LSTM cases pass in all 24: see tests/peers/test_onnx.py."""
    made = case(node, seed=3)
    row, bounds = convention_of(made), bounds_of(made)
    rows = [replace(row, gates=order) for order in permutations(row.gates)]
    worst = {r.gates: excess(made, r, emitted(row.cell), bounds) for r in rows}
    assert [order for order, apart in worst.items() if apart <= 1] == [row.gates]


def test_each_direction_is_told_apart():
    made = case("LSTM", "bidirectional", seed=4)
    assert directions(made) == (False, True)
    swapped = {k: a[:, ::-1] if k == "Y" else a[::-1] for k, a in made.outputs.items()}
    assert all(np.max(np.abs(a - made.outputs[k])) > 1e-2 for k, a in swapped.items())


@pytest.mark.parametrize("node", ["RNN", "GRU", "LSTM"])
def test_onnxruntime_has_no_float64_to_compare_with(node):
    """Where a later one has it, compare there as well."""
    made = case(node, given="bare")
    wide = replace(made, inputs={k: a.astype(np.float64) for k, a in made.inputs.items()})
    with pytest.raises(Exception, match=r"NOT_IMPLEMENTED|does not support double"):
        by_onnxruntime(wide)
