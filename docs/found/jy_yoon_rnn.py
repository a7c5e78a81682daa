"""JY-Yoon/RNN-Implementation-using-NumPy: a notebook's RNN for one sequence of characters."""
# ruff: noqa: D103

import numpy as np
from theirs import notebook

from verify.adapters import adapt, readout

FILE = "RNN Implementation using NumPy.ipynb"
theirs = notebook("RNN-Implementation-using-NumPy", FILE, (9, 11), {"np": np})
NAMES = ("W_xh", "W_hh", "W_hy", "b_h", "b_y")


def run(p, x, s, dy):
    r = readout(dy)
    columns = {
        "W_xh": p["W_xh"] @ x.T,
        "W_hy": r.W,
        "b_y": r.b[:, None],
    }  # a character for each step
    vars(theirs).update({**p, **columns}, num_chars=len(x), targets=r.targets[:, 0])
    return theirs.forwardprop(range(len(x)), theirs.targets, s["h"])[1:]


def forward(p, x, s):
    hs = run(p, x, s, np.zeros((len(x), 1, len(s["h"])), x.dtype))[1]
    return np.stack([hs[t] for t in range(len(x))]), {"h": hs[len(x) - 1]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    ps, hs, xs = run(p, x, s, dy.transpose(0, 2, 1))
    grads = dict(zip(NAMES, theirs.backprop(ps, range(len(x)), hs, xs), strict=True))
    return {**{k: grads[k] for k in p}, "W_xh": grads["W_xh"] @ x}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    vectors="column",
    x="TF",
    y="TF1",
    state="F1",
    upstream=("y",),
    dtypes=("float64",),
    arrays={"W_xh": "W", "W_hh": "U", "b_h": "b"},
)
