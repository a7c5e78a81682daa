"""giulio-zhou/rnn: LSTM for one sequence of words, with a softmax built in."""
# ruff: noqa: D103

import numpy as np
from theirs import module

from verify.adapters import adapt, readout
from verify.adapters.holding import undrawn

theirs = module("rnn", "network.lstm")


def made(p, x, s, dy):
    r = readout(dy[:, None])
    with undrawn():
        net = theirs.LSTM(len(x), len(s["h"]), len(r.b))
    columns = {
        name: a @ x.T if name[0] == "U" else a for name, a in p.items()
    }  # a word for each step
    vars(net).update(columns, Wy=r.W, by=r.b)
    return net, range(len(x)), r.targets[:, 0]


def forward(p, x, s):
    net, words, _ = made(p, x, s, np.zeros((len(x), len(s["h"]))))
    h, C = net.forward_propagation(words)[1]
    return h[:-1], {"h": h[-2], "C": C[-2]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    net, words, targets = made(p, x, s, dy)
    grads = net.bptt(words, targets)
    return {name: grads[name] @ x if name[0] == "U" else grads[name] for name in p}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    x="TF",
    state="F",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        f"{a}{t}": f"{b}_{k}"
        for t, k in (("", "g"), ("g", "i"), ("f", "f"), ("o", "o"))
        for a, b in zip("UWb", "WUb", strict=True)
    },
)
