"""numpy-ml: LSTMCell, one step a call; it keeps its steps, weights are for rows of [h, x]."""
# ruff: noqa: D103

import collections
import collections.abc
from copy import deepcopy

import numpy as np
from theirs import module

from verify.adapters import adapt
from verify.adapters.holding import undrawn

collections.Hashable = collections.abc.Hashable  # gone since Python 3.10
layers = module("numpy-ml", "numpy_ml.neural_nets.layers")


def forward(p, x, s):
    layer = layers.LSTMCell(s["h"].shape[1])
    layer.n_in = x.shape[2]
    with undrawn():
        layer._init_params()
    layer.parameters.update(p)
    steps = [layer.forward(x_t) for x_t in x]
    return np.stack([h for h, _ in steps]), dict(zip("hC", steps[-1], strict=True)), layer


def backward(p, layer, dy, ds):
    layer = deepcopy(layer)  # gradients are added up until they are flushed
    dx = [layer.backward(d) for d in dy[::-1]]
    return {"x": np.stack(dx[::-1]), **layer.gradients}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="row",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={f"W{t}": f"[[U_{k}.T], [W_{k}.T]]" for t, k in zip("fuoc", "fiog", strict=True)}
    | {f"b{t}": f"b_{k}" for t, k in zip("fuoc", "fiog", strict=True)},
)
