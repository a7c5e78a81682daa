"""The node tests of the onnx package, through a kernel, compared as the package compares."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from verify.conventions import CONVENTIONS, Convention, to_cell
from verify.kernels import Array, Kernel

__all__ = ["LAYOUTS", "NodeTest", "node_tests", "passes"]

# Cell -> its operator, and how the operator's arrays are read.
LAYOUTS = {
    "lstm": ("LSTM", "onnx.lstm"),
    "gru": ("GRU", "onnx.gru"),
    "gru_reset_before": ("GRU", "onnx.gru_reset_before"),
}

# Whether each direction reads its steps from the end.
DIRECTIONS = {b"forward": (False,), b"reverse": (True,), b"bidirectional": (False, True)}


@dataclass(frozen=True)
class NodeTest:
    """A case of the package: the values of its node's inputs and outputs, by their names there."""

    name: str
    convention: Convention
    attributes: Mapping[str, Any]
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    rtol: float
    atol: float


@cache
def node_tests(cell: str) -> tuple[NodeTest, ...]:
    """The cases of a cell's operator, but those with peepholes or lengths."""
    operator, convention = LAYOUTS[cell]
    return tuple(
        case
        for case in (_case(test, CONVENTIONS[convention]) for test in _shipped(operator))
        if {"P", "sequence_lens"}.isdisjoint(case.inputs)
    )


def passes(case: NodeTest, kernel: Kernel) -> bool:
    """Whether the package's own comparison accepts what the kernel computes."""
    from onnx.backend.test.runner import Runner

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = _outputs(case, kernel)
            given = [found[name] for name in case.outputs]
            expected = list(case.outputs.values())
            Runner.assert_similar_outputs(expected, given, case.rtol, case.atol)
        except Exception:
            return False
    return True


@cache
def _shipped(operator: str) -> tuple[Any, ...]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero as they are made
        tests = load_model_tests(kind="node")
    return tuple(t for t in tests if [n.op_type for n in t.model.graph.node] == [operator])


def _case(test: Any, convention: Convention) -> NodeTest:
    import onnx

    (node,), ((inputs, outputs),) = test.model.graph.node, test.data_sets
    schema = onnx.defs.get_schema(node.op_type)
    slots = [s.name for s, given in zip(schema.inputs, node.input, strict=False) if given]
    results = [s.name for s, given in zip(schema.outputs, node.output, strict=False) if given]
    return NodeTest(
        name=test.name,
        convention=convention,
        attributes={a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
        inputs=dict(zip(slots, inputs, strict=True)),
        outputs=dict(zip(results, outputs, strict=True)),
        rtol=test.rtol,
        atol=test.atol,
    )


def _outputs(case: NodeTest, kernel: Kernel) -> dict[str, Array]:
    """The node's outputs: directions beside each other, in the node's order of axes."""
    batchwise = bool(case.attributes.get("layout", 0))
    turn: Callable[[Array], Array] = lambda a: a.swapaxes(0, 1) if batchwise else a
    arrays = {name: case.inputs[name] for name in "WRB" if name in case.inputs}
    ys, ends = [], []
    for place, backwards in enumerate(DIRECTIONS[case.attributes.get("direction", b"forward")]):
        x = turn(case.inputs["X"])
        params = to_cell(case.convention, arrays, place)
        y, state, _ = kernel.forward(params, (x[::-1] if backwards else x).copy())
        ys.append(y[::-1] if backwards else y)
        ends.append(state)
    y = np.stack(ys, axis=1)
    found = {"Y": np.moveaxis(y, 2, 0) if batchwise else y}
    for name in ends[0]:
        found[f"Y_{name.lower()}"] = turn(np.stack([end[name] for end in ends]))
    return found
