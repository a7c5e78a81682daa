"""dennybritz/rnn-tutorial-rnnlm: a notebook's RNN for one sequence of words, a softmax built in."""
# ruff: noqa: D103

from functools import partial
from types import SimpleNamespace

import numpy as np
from theirs import notebook

from verify.adapters import adapt, readout

theirs = notebook("rnn-tutorial-rnnlm", "RNNLM.ipynb", (15, 28), {"np": np})


def made(p, x, s, dy):
    r = readout(dy[:, None])
    theirs.softmax = lambda v: np.exp(v + r.b) / np.exp(v + r.b).sum()  # it knows no bias
    net = SimpleNamespace(U=p["U"] @ x.T, W=p["W"], V=r.W)  # a word a step
    vars(net).update(word_dim=len(r.b), hidden_dim=len(s["h"]), bptt_truncate=4)  # its default
    net.forward_propagation = partial(theirs.forward_propagation, net)
    return net, r.targets[:, 0]


def forward(p, x, s):
    net, _ = made(p, x, s, np.zeros((len(x), len(s["h"]))))
    h = net.forward_propagation(range(len(x)))[1]
    return h[:-1], {"h": h[-2]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    net, targets = made(p, x, s, dy)
    dU, _, dW = theirs.bptt(net, range(len(x)), targets)
    return {"U": dU @ x, "W": dW}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="TF",
    state="F",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    absent=("b",),
    arrays={"U": "W", "W": "U", "b": "b"},
)
