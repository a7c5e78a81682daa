"""RNN-LSTM-in-numpy: a notebook's LSTM for one sequence of columns, with a softmax built in."""
# ruff: noqa: D103

import numpy as np
from theirs import notebook

from verify.adapters import adapt, readout

if not hasattr(np, "row_stack"):  # gone since NumPy 2.4
    np.row_stack = np.vstack
FILE = "RNN_LSTM_from_scratch.ipynb"
NAMES = ("W_f", "W_i", "W_g", "W_o", "W_v", "b_f", "b_i", "b_g", "b_o", "b_v")
theirs = notebook("RNN-LSTM-in-numpy", FILE, (29, 31, 33, 40, 68, 73), {"np": np, "params": ()})


def run(p, x, s, dy):
    r = readout(dy)
    theirs.hidden_size = len(s["h"])
    weights = [{**p, "W_v": r.W, "b_v": r.b[:, None]}[name] for name in NAMES]
    kept = theirs.forward(x, s["h"], s["C"], weights)
    return kept, r.one_hot.transpose(0, 2, 1), weights


def forward(p, x, s):
    kept = run(p, x, s, np.zeros((len(x), 1, len(s["h"])), x.dtype))[0]
    return np.stack(kept[6][1:]), {"h": kept[6][-1], "C": kept[4][-1]}, (x, s)


def backward(p, tape, dy, ds):
    kept, targets, weights = run(p, *tape, dy.transpose(0, 2, 1))
    grads = theirs.backward(*kept, list(targets), weights)[1]
    return {name: g for name, g in zip(NAMES, grads, strict=True) if name in p}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="column",
    x="TF1",
    state="F1",
    upstream=("y",),
    arrays={f"W_{k}": f"[U_{k}, W_{k}]" for k in "figo"} | {f"b_{k}": f"b_{k}" for k in "figo"},
)
