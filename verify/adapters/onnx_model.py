"""ONNX: a model with one LSTM, GRU or RNN, run by onnxruntime; forward only.

The node's weights are fed like inputs, so that any values are tried; sizes are the model's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from derive.errors import UsageError, one_line
from verify.adapters.functions import Adapted, adapt
from verify.adapters.limits import Limits
from verify.conventions import CONVENTIONS, UNREAD, Convention, blocks, to_cell
from verify.kernels import Arrays

__all__ = ["onnx_model"]

# Slots of the operators' inputs and outputs; LSTM has all of them.
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
OUTPUTS = ("Y", "Y_h", "Y_c")
STARTS = {"h": "initial_h", "C": "initial_c"}
ENDS = {"h": "Y_h", "C": "Y_c"}


@dataclass(frozen=True)
class _Node:
    """The recurrent node of a model: names by slot, '' where a slot is empty."""

    node: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    attributes: Mapping[str, Any]


def onnx_model(
    path: str | Path,
    *,
    cell: str | Cell,
    x: str | None = None,
    y: str | None = None,
    **options: Any,
) -> Adapted:
    """A kernel from a model file; it has no backward.

    Args:
        x, y: axes of the model's first input and output; None: those of the node that they are
            connected to.

    Raises:
        UsageError: the file is no such model, or its node computes another cell.
    """
    import onnx
    import onnxruntime

    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    shown = one_line(str(path), 80)
    try:
        model = onnx.load(str(path))
    except Exception as error:
        raise UsageError(f"'{shown}' is no ONNX model: {one_line(str(error), 100)}") from None
    found = _recurrent(model, shown)
    row = _convention(found, loaded, shown)
    weights = {n.name: onnx.numpy_helper.to_array(n) for n in model.graph.initializer}
    slots = {s: found.inputs[s] for s in row.arrays if found.inputs.get(s)}
    missing = [s for s, name in slots.items() if name not in weights]
    given = {i.name for i in model.graph.input} - set(weights)
    if missing and not {slots[s] for s in missing} <= given:
        raise UsageError(f"'{shown}': {missing[0]} of the node is neither constant nor an input")
    sizes = _sizes(row, loaded, {s: weights[n] for s, n in slots.items() if n in weights})
    _expose(model, [n for n in slots.values() if n in weights])
    states = [s.name for s in loaded.states]
    ends = _ends(model, found, states)
    starts = {s: found.inputs[STARTS[s]] for s in states if found.inputs[STARTS[s]] in given}
    lengths = found.inputs["sequence_lens"]
    session = _session(onnxruntime, model)
    first = next(i.name for i in session.get_inputs() if i.name in given)
    if first != found.inputs["X"] and x is None:
        raise UsageError(f"'{shown}': its input goes through other nodes; say its axes, as x='BTF'")
    absent = _absent(row, slots)
    result = model.graph.output[0].name
    flat = y is None and result == found.outputs["Y"]

    def run(p: Arrays, given_x: Any, initial: Arrays, ends_at: Any = None) -> Any:
        feed = {first: np.ascontiguousarray(given_x)}
        feed |= {name: p[slot] for slot, name in slots.items()}
        feed |= {name: np.ascontiguousarray(initial[s]) for s, name in starts.items()}
        if lengths in given:
            steps, rows = len(given_x), given_x.shape[1]
            full = np.full(rows, steps) if ends_at is None else ends_at
            feed[lengths] = np.asarray(full, np.int32)
        values = session.run([result, *ends.values()], feed)
        outputs = values[0][:, 0] if flat else values[0]
        return outputs, dict(zip(ends, values[1:], strict=True)), None

    limits = Limits(
        lengths=lengths in given,
        shortest=1,
        empty=False,
        dtypes=("float32",),
        absolute=("tanh",),  # where |z| < 0.1 onnxruntime's is off by up to 20 units of |tanh(z)|
        initial=tuple(starts),
        final=tuple(ends),
        sizes=sizes,
        absent=absent,
    )
    return adapt(
        run,
        cell=loaded,
        arrays=row,
        x=x or "TBF",
        y=y or (x if not flat and x else "TBF"),
        state="1BF",
        limits=limits,
        **options,
    )


def _recurrent(model: Any, shown: str) -> _Node:
    nodes = [n for n in model.graph.node if n.op_type in ("LSTM", "GRU", "RNN")]
    if len(nodes) != 1:
        raise UsageError(f"'{shown}' has {len(nodes)} recurrent nodes, expected one")
    node = nodes[0]
    import onnx

    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    direction = attributes.get("direction", b"forward")
    if direction != b"forward" or attributes.get("layout", 0):
        raise UsageError(f"'{shown}': its {node.op_type} is not forward with layout 0")
    inputs, outputs = _slots(node.input, INPUTS), _slots(node.output, OUTPUTS)
    return _Node(node, inputs, outputs, attributes)


def _slots(names: Iterable[str], slots: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(slots, [*names, *[""] * len(slots)], strict=False))


def _convention(found: _Node, cell: Cell, shown: str) -> Convention:
    """The row whose attributes the node has."""
    attributes, op = found.attributes, found.node.op_type
    if op == "GRU":
        name = "gru" if attributes.get("linear_before_reset", 0) else "gru_reset_before"
    elif op == "LSTM" and attributes.get("input_forget", 0):
        name = "lstm_cifg"
    elif op == "LSTM":
        name = "peephole_lstm" if found.inputs["P"] else "lstm"
    else:
        name = "rnn"
    if name != cell.name:
        raise UsageError(f"'{shown}': its {op} is {name}, not {cell.name}")
    return CONVENTIONS[f"onnx.{name}"]


def _sizes(row: Convention, cell: Cell, weights: Arrays) -> dict[str, int]:
    if not {"W", "R"} <= weights.keys():
        return {}
    params, found = to_cell(row, weights), {}
    for parameter in cell.parameters:
        for dim, size in zip(parameter.shape, params[parameter.name].shape, strict=True):
            if dim.is_Symbol:
                found[str(dim)] = int(size)
    return found


def _absent(row: Convention, slots: Mapping[str, str]) -> tuple[str, ...]:
    stand = blocks(row)
    gone = {p for a in stand for p in stand[a]} - {p for a in slots for p in stand[a]}
    return tuple(sorted(gone - {UNREAD}))


def _expose(model: Any, names: list[str]) -> None:
    """Constants as inputs of the graph as well, which a caller may feed."""
    import onnx

    inputs = {i.name for i in model.graph.input}
    for constant in model.graph.initializer:
        if constant.name in names and constant.name not in inputs:
            model.graph.input.append(
                onnx.helper.make_tensor_value_info(constant.name, constant.data_type, constant.dims)
            )


def _ends(model: Any, found: _Node, states: list[str]) -> dict[str, str]:
    """The final states that the model gives, or can be made to give: the node's own outputs."""
    import onnx

    ends = {s: found.outputs[ENDS[s]] for s in states if found.outputs[ENDS[s]]}
    known = {o.name for o in model.graph.output}
    for name in ends.values():
        if name not in known:
            model.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
    return ends


def _session(onnxruntime: Any, model: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
