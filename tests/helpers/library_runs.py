"""What libraries compute with arrays as their conventions lay them out, one direction each.

Each function takes (arrays, x (T, B, m), state_0) and gives (y (T, B, n), final states), all by the
names of the cell. Libraries are imported inside.
"""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from agreement import share_of_bound
from library_cells import (
    chainer_link,
    chainer_n_step,
    flax_cell,
    haiku_core,
    jax_rnn,
    nnx_cell,
    tf1_cell,
    tf_block_gru,
    tf_block_lstm,
)
from library_layers import (
    flashrnn,
    keras_layer,
    mlx_layer,
    mxnet_layer,
    onnx_node,
    torch_layer,
    xlstm_cell,
)

from derive import zoo
from derive.gradients import gradients
from verify.conventions import CONVENTIONS, from_cell, to_cell
from verify.kernels import Example
from verify.references import reference

__all__ = ["RUNS", "Run", "by_cell", "imported", "problem", "results", "share_of_bounds"]


@dataclass(frozen=True)
class Run:
    """How a library is run.

    Attributes:
        module: what must be importable.
        compute: as above.
        dtype: what it computes in.
    """

    module: str
    compute: Callable
    dtype: type = np.float64


def imported(module):
    """A library, whatever it warns of while it is imported; None where it is not installed.

    mxnet 1.9.1 asks for a name that NumPy no longer had for some versions.
    """
    if module == "mxnet" and not hasattr(np, "bool"):
        np.bool = np.bool_
    os.environ.setdefault("KERAS_BACKEND", "torch")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return __import__(module, fromlist=["*"])
        except (ImportError, AttributeError, TypeError):
            return None


def own_kernel(cell, arrays, x, state_0):
    from emitted import kernel_of

    y, last, _ = kernel_of(zoo.load(cell)).forward(dict(arrays), x, state_0)
    return y, last


_FEW = partial(Run, dtype=np.float32)

RUNS = {
    "torch.rnn": Run("torch", partial(torch_layer, "RNN")),
    "torch.lstm": Run("torch", partial(torch_layer, "LSTM")),
    "torch.lstm_projection": Run(
        "torch", lambda a, x, s: torch_layer("LSTM", a, x, s, proj_size=s["h"].shape[1])
    ),
    "torch.gru": Run("torch", partial(torch_layer, "GRU")),
    "keras.rnn": _FEW("keras", partial(keras_layer, "SimpleRNN")),
    "keras.lstm": _FEW("keras", partial(keras_layer, "LSTM")),
    "keras.gru": _FEW("keras", partial(keras_layer, "GRU", reset_after=True)),
    "keras.gru_reset_before": _FEW("keras", partial(keras_layer, "GRU", reset_after=False)),
    "onnx.rnn": _FEW("onnxruntime", partial(onnx_node, "RNN")),
    "onnx.lstm": _FEW("onnxruntime", partial(onnx_node, "LSTM")),
    "onnx.peephole_lstm": _FEW("onnxruntime", partial(onnx_node, "LSTM")),
    "onnx.lstm_cifg": _FEW("onnxruntime", partial(onnx_node, "LSTM", input_forget=1)),
    "onnx.gru": _FEW("onnxruntime", partial(onnx_node, "GRU", linear_before_reset=1)),
    "onnx.gru_reset_before": _FEW("onnxruntime", partial(onnx_node, "GRU")),
    "mxnet.rnn": _FEW("mxnet", partial(mxnet_layer, "RNN", activation="tanh")),
    "mxnet.lstm": _FEW("mxnet", partial(mxnet_layer, "LSTM")),
    "mxnet.gru": _FEW("mxnet", partial(mxnet_layer, "GRU")),
    "mlx.rnn": _FEW("mlx.nn", partial(mlx_layer, "RNN")),
    "mlx.lstm": _FEW("mlx.nn", partial(mlx_layer, "LSTM")),
    "mlx.gru": _FEW("mlx.nn", partial(mlx_layer, "GRU")),
    "tf1.rnn": _FEW("tf_keras", partial(tf1_cell, "BasicRNNCell")),
    "tf1.lstm": _FEW("tf_keras", partial(tf1_cell, "LSTMCell")),
    "tf1.peephole_lstm": _FEW("tf_keras", partial(tf1_cell, "LSTMCell", use_peepholes=True)),
    "tf1.lstm_projection": _FEW(
        "tf_keras", lambda a, x, s: tf1_cell("LSTMCell", a, x, s, num_proj=s["h"].shape[1])
    ),
    "tf1.lstm_projection_peephole": _FEW(
        "tf_keras",
        lambda a, x, s: tf1_cell("LSTMCell", a, x, s, use_peepholes=True, num_proj=s["h"].shape[1]),
    ),
    "tf1.gru_reset_before": _FEW("tf_keras", partial(tf1_cell, "GRUCell")),
    "tf_block.lstm": _FEW("tensorflow", partial(tf_block_lstm, "BlockLSTM")),
    "tf_block.peephole_lstm": _FEW("tensorflow", partial(tf_block_lstm, "BlockLSTM")),
    "tf_block_v2.lstm": _FEW("tensorflow", partial(tf_block_lstm, "BlockLSTMV2")),
    "tf_block_v2.peephole_lstm": _FEW("tensorflow", partial(tf_block_lstm, "BlockLSTMV2")),
    "tf_block.gru_reset_before": _FEW("tensorflow", tf_block_gru),
    "flax.rnn": Run("flax", partial(flax_cell, "SimpleCell")),
    "flax.lstm": Run("flax", partial(flax_cell, "OptimizedLSTMCell")),
    "flax.gru": Run("flax", partial(flax_cell, "GRUCell")),
    "flax_nnx.lstm": Run("flax", partial(nnx_cell, "OptimizedLSTMCell")),
    "flax_nnx.gru": Run("flax", partial(nnx_cell, "GRUCell")),
    "haiku.lstm": Run("haiku", partial(haiku_core, "LSTM")),
    "haiku.gru_reset_before_z_new": Run("haiku", partial(haiku_core, "GRU")),
    "jax.lstm": Run("jax.experimental.rnn", jax_rnn),
    "flashrnn.rnn": Run("flashrnn", partial(flashrnn, "elman", 1)),
    "flashrnn.lstm": Run("flashrnn", partial(flashrnn, "lstm", 4)),
    "flashrnn.gru": Run("flashrnn", partial(flashrnn, "gru", 3)),
    "xlstm.slstm_code": Run("xlstm", xlstm_cell),
    "chainer.lstm": Run("chainer", partial(chainer_link, "StatelessLSTM")),
    "chainer.gru_reset_before_z_new": Run("chainer", partial(chainer_link, "StatelessGRU")),
    "chainer_n_step.lstm": Run("chainer", partial(chainer_n_step, "NStepLSTM")),
    "chainer_n_step.gru": Run("chainer", partial(chainer_n_step, "NStepGRU")),
    "textbook.lstm": Run("numpy", partial(own_kernel, "lstm_concatenated")),
}


STEPS, BATCH, SIZES = 5, 3, {"n": 4, "m": 3, "p": 2}


def share_of_bounds(name, kernel):
    """The largest difference between library and kernel, over twice the bound of rounding."""
    row, run = CONVENTIONS[name], RUNS[name]
    arrays, x, state_0 = problem(row, run.dtype)
    theirs = results(*run.compute(arrays, x, state_0))
    example, ours = by_cell(row, kernel, arrays, x, state_0)
    limit = reference(example, gradients(example.cell), run.dtype)
    return share_of_bound(ours, theirs, results(limit.y_bound, limit.state_T_bound))


def problem(row, dtype, seed=0):
    """(arrays, x, state_0) for a library."""
    cell, rng = zoo.load(row.cell), np.random.default_rng(seed)
    size = lambda dim: SIZES[str(dim)]
    draw = lambda shape: rng.standard_normal(shape).astype(dtype)
    zeros = {p.name: np.zeros(tuple(map(size, p.shape)), dtype) for p in cell.parameters}
    arrays = {name: draw(a.shape) for name, a in from_cell(row, zeros).items()}
    state_0 = {s.name: draw((BATCH, size(s.shape[0]))) for s in cell.states}
    if "N" in state_0:
        state_0["N"] = np.abs(state_0["N"]) + 0.5  # a sum of positive gates
    return arrays, draw((STEPS, BATCH, SIZES["m"])), state_0


def by_cell(row, kernel, arrays, x, state_0):
    """Example in float64 and what the kernel makes of it in the arrays' dtype."""
    wide = {k: a.astype(np.float64) for k, a in arrays.items()}
    params = to_cell(row, wide, sizes=flat_sizes(row))
    example = Example(zoo.load(row.cell), params, {"x": x}, state_0)
    y, last, _ = kernel.forward({k: a.astype(x.dtype) for k, a in params.items()}, x, state_0)
    return example, results(y, last)


def flat_sizes(row):
    """What the shape of a flat array does not tell."""
    return {"n": SIZES["n"]} if any(len(stacks) > 1 for stacks in row.arrays.values()) else None


def results(y, last):
    return {"y": np.asarray(y)} | {f"{s}_T": np.asarray(a) for s, a in last.items()}
