"""Layers that are right, as rows: what is judged, as which cell, and how it is made a kernel."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.gradients import gradients
from derive.version import VERSION
from verify.conventions import CONVENTIONS, from_cell
from verify.kernels import Kernel
from verify.loading import kernel_from_source
from verify.strategies import make_example

__all__ = ["LAYERS", "Layer", "version_of"]

# (inputs, units, projected units) of layers that have one size: another one in each part of a run.
SIZES = ((3, 4, 2), (4, 2, 1), (3, 3, 2), (1, 5, 3), (5, 3, 2), (2, 6, 4))


@dataclass(frozen=True)
class Layer:
    """A layer and the cell that it is.

    Attributes:
        name: as on the command line.
        what: the layer, as its users write it.
        cell: a name of the zoo.
        packages: the distribution that it is from, and others that it runs on.
        made: part of the run -> kernel.
    """

    name: str
    what: str
    cell: str
    packages: str
    made: Callable[[int], Kernel]


def version_of(layer: Layer) -> str:
    """The versions of the distributions that it is from."""
    if layer.packages == "bptt":
        return f"bptt {VERSION}"
    names = layer.packages.split()
    return ", ".join(f"{name} {version(name).partition('+')[0]}" for name in names)


def _own(cell: str) -> Layer:
    def made(part: int) -> Kernel:
        return kernel_from_source(numpy_source(gradients(zoo.load(cell))))

    return Layer(f"numpy.{cell}", f"`derive numpy {cell}`", cell, "bptt", made)


def _torch(name: str, layer: str, cell: str, projected: bool = False, **options: Any) -> Layer:
    shown = "".join(f", {k}={v}" for k, v in options.items())

    def made(part: int) -> Kernel:
        import torch

        from verify.adapters.torch_module import torch_module

        torch.set_num_threads(1)
        kind = getattr(torch.nn, layer)
        if projected:
            m, n, p = SIZES[part % len(SIZES)]
            return torch_module(kind(m, n, proj_size=p), cell=cell)
        return torch_module(lambda m, n: kind(m, n, **options), cell=cell)

    shown += ", proj_size=p" if projected else ""
    return Layer(f"torch.{name}", f"`torch.nn.{layer}(m, n{shown})`", cell, "torch", made)


def _keras(name: str, layer: str, cell: str, **options: Any) -> Layer:
    def made(part: int) -> Kernel:
        os.environ["KERAS_BACKEND"] = "torch"  # Keras reads it once, when it is imported
        import keras
        import torch

        from verify.adapters.keras_layer import MADE, keras_layer

        torch.set_num_threads(1)
        kind = getattr(keras.layers, layer)
        new = lambda units, dtype: kind(units, dtype=dtype, **options, **MADE)
        return keras_layer(new, cell=cell)

    shown = "".join(f", {k}={v}" for k, v in options.items())
    return Layer(f"keras.{name}", f"`keras.layers.{layer}(n{shown})`", cell, "keras torch", made)


def _onnx(op: str, cell: str, **attributes: int) -> Layer:
    def made(part: int) -> Kernel:
        from verify.adapters.onnx_model import onnx_model

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(_model(op, cell, attributes, *SIZES[part % len(SIZES)][:2]))
            return onnx_model(path, cell=cell)

    shown = "".join(f", {k}={v}" for k, v in attributes.items())
    peepholes = ", P" if "P" in CONVENTIONS[f"onnx.{cell}"].arrays else ""
    return Layer(f"onnx.{cell}", f"`{op}{peepholes}{shown}`", cell, "onnxruntime", made)


def _model(op: str, name: str, attributes: Mapping[str, int], m: int, n: int) -> bytes:
    """A model of one node; its weights are constants of some value, and fed in their place."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    cell = zoo.load(name)
    example = make_example(cell, steps=1, batch=1, sizes={"n": n, "m": m}, seed=0)
    arrays = from_cell(CONVENTIONS[f"onnx.{name}"], example.params)
    weights = {k: np.asarray(a, np.float32) for k, a in arrays.items()}
    starts, ends = ["initial_h", "initial_c"], ["Y", "Y_h", "Y_c"]
    if op != "LSTM":
        starts, ends = starts[:1], ends[:2]
    slots = ["X", "W", "R", "B", "sequence_lens", *starts, *(["P"] if "P" in weights else [])]
    shapes: dict[str, list[Any]] = {"X": ["T", "B", m], "sequence_lens": ["B"]}
    kinds = {"sequence_lens": TensorProto.INT32}
    given = [
        helper.make_tensor_value_info(k, kinds.get(k, 1), shapes.get(k, [1, "B", n]))
        for k in ("X", "sequence_lens", *starts)
    ]
    results = [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["T", 1, "B", n])]
    graph = helper.make_graph(
        [helper.make_node(op, slots, ends, hidden_size=n, **attributes)],
        op,
        given,
        results,
        [numpy_helper.from_array(a, k) for k, a in weights.items()],
    )
    opset = [helper.make_opsetid("", 14)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    return bytes(model.SerializeToString())


OWN = (
    "rnn",
    "lstm",
    "gru",
    "gru_reset_before",
    "peephole_lstm",
    "coupled_lstm",
    "lstm_projection",
    "slstm",
    "mlstm",
)

LAYERS: Mapping[str, Layer] = {
    layer.name: layer
    for layer in (
        _torch("rnn", "RNN", "rnn"),
        _torch("lstm", "LSTM", "lstm"),
        _torch("gru", "GRU", "gru"),
        _torch("lstm_projection", "LSTM", "lstm_projection", projected=True),
        _keras("rnn", "SimpleRNN", "rnn"),
        _keras("lstm", "LSTM", "lstm"),
        _keras("gru", "GRU", "gru"),
        _keras("gru_reset_before", "GRU", "gru_reset_before", reset_after=False),
        _onnx("RNN", "rnn"),
        _onnx("LSTM", "lstm"),
        _onnx("LSTM", "peephole_lstm"),
        _onnx("LSTM", "lstm_cifg", input_forget=1),
        _onnx("GRU", "gru", linear_before_reset=1),
        _onnx("GRU", "gru_reset_before"),
        *(_own(cell) for cell in OWN),
    )
}
