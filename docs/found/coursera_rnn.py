"""Kulbear/deep-learning-coursera: the course's RNN, (features, B, T), columns; a readout for y."""
# ruff: noqa: D103

import numpy as np
from theirs import module, notebook

from verify.adapters import adapt

utils = module("deep-learning-coursera", "rnn_utils", "Sequence Models")
FILE = "Sequence Models/Building a Recurrent Neural Network - Step by Step - v2.ipynb"
theirs = notebook(
    "deep-learning-coursera", FILE, (6, 10, 27, 31), {"np": np, "softmax": utils.softmax}
)


def forward(p, x, s):
    n = len(s["h"])
    a, _, caches = theirs.rnn_forward(x, s["h"], {**p, "Wya": np.eye(n), "by": np.zeros((n, 1))})
    return a, {"h": a[:, :, -1]}, caches


def backward(p, caches, dy, ds):
    g = theirs.rnn_backward(dy, caches)
    return {"x": g["dx"], "h_0": g["da0"], **{name: g[f"d{name}"] for name in p}}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    vectors="column",
    x="FBT",
    state="FB",
    upstream=("y",),
    dtypes=("float64",),
    arrays={"Wax": "W", "Waa": "U", "ba": "b"},
)
