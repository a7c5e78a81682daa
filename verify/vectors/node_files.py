"""Cases as folders with the layout and the protobuf files of ONNX's own node tests.

    FOLDER/node/test_lstm_reverse/model.onnx
                                  data.json                    what ONNX's runner may let pass
                                  case.json                    what is asked, for a person
                                  test_data_set_0/input_0.pb   … in the order of the graph's inputs
                                                  output_0.pb  … in the order of its outputs
                                                  bound_0.pb   how far output_0 may be off
    FOLDER/ambiguous/…            the same with a data set for each reading of the operator's text

The `onnx` package, an extra, writes them.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import UsageError
from verify.kernels import Array
from verify.vectors.node_rows import OPSET, Case
from verify.vectors.node_values import NodeValues, Reading, node_values

__all__ = ["AMBIGUOUS", "CLEAR", "files_of", "model_of", "write"]

# Of case.json.
VERSION = 1

CLEAR, AMBIGUOUS = "node", "ambiguous"


def write(folder: str | Path, chosen: Iterable[Case]) -> list[str]:
    """Write cases into a folder; the same cases give the same bytes.

    Returns:
        The folders of the cases, 'node/NAME' or 'ambiguous/NAME'.

    Raises:
        UsageError: the folder cannot be written, or `onnx` is not installed.
    """
    made = []
    for case in chosen:
        values = node_values(case)
        place = f"{CLEAR if len(values.readings) == 1 else AMBIGUOUS}/{case.name}"
        for name, content in files_of(values).items():
            path = Path(folder) / place / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError as error:
                raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        made.append(place)
    return made


def files_of(values: NodeValues) -> dict[str, bytes]:
    """The files of a case, by their paths in its folder."""
    found = {
        "model.onnx": model_of(values).SerializeToString(deterministic=True),
        "case.json": _text(_about(values)),
        "data.json": _text({"rtol": 0.0, "atol": _widest(values)}),
    }
    for number, reading in enumerate(values.readings):
        groups = {"input": values.inputs, "output": reading.outputs, "bound": reading.bounds}
        for kind, arrays in groups.items():
            ordered = _ordered(values.case.node.op, arrays) if kind == "input" else list(arrays)
            for place, name in enumerate(ordered):
                path = f"test_data_set_{number}/{kind}_{place}.pb"
                found[path] = _tensor(arrays[name], name)
    return found


def model_of(values: NodeValues) -> Any:
    """The case as an `onnx.ModelProto` of one node.

    Where sequences end early and Y is compared, a `Where` follows: the operator's text does not
    say what Y holds past a row's end, so zeros are put there.
    """
    onnx = _onnx()
    case, helper = values.case, onnx.helper
    schema, shapes = onnx.defs.get_schema(case.node.op, OPSET), _shapes(values)
    slots = [s.name if s.name in values.inputs else "" for s in schema.inputs]
    masked = "Y" in values.readings[0].outputs and "sequence_lens" in values.inputs
    produced = {name: name for name in values.readings[0].outputs}
    produced |= {"Y": "Y_all"} if masked else {}
    results = [produced.get(s.name, "") for s in schema.outputs]
    nodes = [helper.make_node(case.node.op, _cut(slots), _cut(results), **case.attributes)]
    constants = []
    if masked:
        nodes.append(helper.make_node("Where", ["own_steps", "Y_all", "zero"], ["Y"]))
        own = {"own_steps": _own_steps(values), "zero": np.zeros((), case.dtype)}
        constants = [onnx.numpy_helper.from_array(a, k) for k, a in own.items()]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
    graph = helper.make_graph(
        nodes,
        case.name,
        [
            helper.make_tensor_value_info(
                name,
                onnx.TensorProto.INT32 if name == "sequence_lens" else kind,
                values.inputs[name].shape,
            )
            for name in _ordered(case.node.op, values.inputs)
        ],
        [helper.make_tensor_value_info(k, kind, shapes[k]) for k in values.readings[0].outputs],
        constants,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(
        graph, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset])
    )


def _ordered(op: str, arrays: Mapping[str, Array]) -> list[str]:
    return [s.name for s in _onnx().defs.get_schema(op, OPSET).inputs if s.name in arrays]


def _cut(names: list[str]) -> list[str]:
    """Without the empty names at the end."""
    last = max(place for place, name in enumerate(names) if name)
    return names[: last + 1]


def _shapes(values: NodeValues) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in values.readings[0].outputs.items()}


def _own_steps(values: NodeValues) -> Array:
    """Which entries of Y are of a row's own steps, to stand beside Y."""
    case = values.case
    mask = np.arange(case.steps)[:, None] < values.inputs["sequence_lens"]
    if case.attributes.get("layout"):
        return mask.T[:, :, None, None]
    return mask[:, None, :, None]


def _widest(values: NodeValues) -> float:
    return max(float(np.max(b)) for r in values.readings for b in r.bounds.values())


def _about(values: NodeValues) -> dict[str, Any]:
    case = values.case
    return {
        "version": VERSION,
        "name": case.name,
        "op": case.node.op,
        "attributes": case.attributes,
        "asks": case.setting.asks,
        "dtype": case.dtype,
        "inputs": _ordered(case.node.op, values.inputs),
        "outputs": list(values.readings[0].outputs),
        "unclear": case.setting.unclear,
        "readings": [_reading(reading) for reading in values.readings],
        "seed": case.seed,
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "widest_bound": {k: float(np.max(b)) for k, b in reading.bounds.items()},
    }


def _text(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode("ascii")


def _tensor(array: Array, name: str) -> bytes:
    tensor = _onnx().numpy_helper.from_array(np.ascontiguousarray(array), name)
    return bytes(tensor.SerializeToString(deterministic=True))


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise UsageError("node tests need the package onnx: pip install onnx") from None
    return onnx
