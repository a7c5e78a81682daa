"""numpy-ml: the layer LSTM, which loops over LSTMCell, on (B, features, T)."""
# ruff: noqa: D103

import collections
import collections.abc
from copy import deepcopy

from theirs import module

from verify.adapters import adapt
from verify.adapters.holding import undrawn

collections.Hashable = collections.abc.Hashable  # gone since Python 3.10
layers = module("numpy-ml", "numpy_ml.neural_nets.layers")


def forward(p, x, s):
    layer = layers.LSTM(s["h"].shape[1])
    layer.n_in = x.shape[1]
    with undrawn():
        layer._init_params()
        layer.cell.n_in = x.shape[1]
        layer.cell._init_params()
    layer.cell.parameters.update(p)
    return layer.forward(x), {}, layer


def backward(p, layer, dy, ds):
    layer = deepcopy(layer)  # gradients are added up until they are flushed
    return {"x": layer.backward(dy), **layer.gradients}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="row",
    x="BFT",
    initial=(),
    final=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={f"W{t}": f"[[U_{k}.T], [W_{k}.T]]" for t, k in zip("fuoc", "fiog", strict=True)}
    | {f"b{t}": f"b_{k}" for t, k in zip("fuoc", "fiog", strict=True)},
)
