"""numpy-ml: RNNCell, one step a call, with one bias for the input and one for the state."""
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
    layer = layers.RNNCell(s["h"].shape[1])
    layer.n_in = x.shape[2]
    with undrawn():
        layer._init_params()
    layer.parameters.update(p)
    y = np.stack([layer.forward(x_t) for x_t in x])
    return y, {"h": y[-1]}, layer


def backward(p, layer, dy, ds):
    layer = deepcopy(layer)  # gradients are added up until they are flushed
    dx = [layer.backward(d) for d in dy[::-1]]
    return {"x": np.stack(dx[::-1]), **layer.gradients}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    vectors="column",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={"Wax": "W.T", "Waa": "U.T", "ba": "b", "bx": "b"},
)
