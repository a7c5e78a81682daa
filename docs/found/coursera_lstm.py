"""Kulbear/deep-learning-coursera: the course's LSTM, (features, B, T), one matrix for [h; x]."""
# ruff: noqa: D103

import numpy as np
from theirs import module, notebook

from verify.adapters import adapt

utils = module("deep-learning-coursera", "rnn_utils", "Sequence Models")
FILE = "Sequence Models/Building a Recurrent Neural Network - Step by Step - v2.ipynb"
given = {"np": np, "softmax": utils.softmax, "sigmoid": utils.sigmoid}
theirs = notebook("deep-learning-coursera", FILE, (16, 20, 36, 40), given)


def forward(p, x, s):
    n = len(s["h"])
    readout = {"Wy": np.eye(n), "by": np.zeros((n, 1))}
    a, _, c, caches = theirs.lstm_forward(x, s["h"], {**p, **readout})
    return a, {"h": a[:, :, -1], "C": c[:, :, -1]}, caches


def backward(p, caches, dy, ds):
    g = theirs.lstm_backward(dy, caches)
    return {"x": g["dx"], "h_0": g["da0"], **{name: g[f"d{name}"] for name in p}}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="column",
    x="FBT",
    state="FB",
    initial=("h",),
    upstream=("y",),
    dtypes=("float64",),
    arrays={f"W{t}": f"[U_{k}, W_{k}]" for t, k in zip("fioc", "fiog", strict=True)}
    | {f"b{t}": f"b_{k}" for t, k in zip("fioc", "fiog", strict=True)},
)
