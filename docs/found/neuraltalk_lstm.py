"""neuraltalk: LSTMGenerator for one sequence, whose first step is an image; a linear readout."""
# ruff: noqa: D103

import numpy as np
from theirs import module

from verify.adapters import adapt

if not hasattr(np, "row_stack"):  # gone since NumPy 2.4
    np.row_stack = np.vstack
theirs = module("neuraltalk", "imagernn.lstm_generator")
theirs.xrange = range  # Python 2


def forward(p, x, s):
    if len(x) == 1:
        raise NotImplementedError("the first step has no output")
    model = {"WLSTM": p["W"], "Wd": np.eye(len(s["h"])), "bd": np.zeros(len(s["h"]))}
    options = {"tanhC_version": 1}
    y, cache = theirs.LSTMGenerator.forward(x[0], x[1:], model, options)
    return None, {"h": y[-1], "C": cache["C"][-1]}, cache


def backward(p, cache, dy, ds):
    dY = np.zeros((len(cache["X"]) - 1, len(ds["h"])))
    dY[-1] = ds["h"]
    grads = theirs.LSTMGenerator.backward(dY, cache)
    return {"x": np.vstack([grads["dXi"], grads["dXs"]]), "W": grads["WLSTM"]}


kernel = adapt(
    forward,
    backward,
    cell="lstm_one_size.cell",
    vectors="row",
    x="TF",
    state="F",
    outputs=False,
    initial=(),
    upstream=("h_T",),
    dtypes=("float64",),
    arrays={
        "W": "[[b_i, b_f, b_o, b_g], [W_i.T, W_f.T, W_o.T, W_g.T], [U_i.T, U_f.T, U_o.T, U_g.T]]"
    },
)
