"""giulio-zhou/rnn: RNN for one sequence of words, with a softmax built in."""
# ruff: noqa: D103

import numpy as np
from theirs import module

from verify.adapters import adapt, readout
from verify.adapters.holding import undrawn

theirs = module("rnn", "network.rnn")


def made(p, x, s, dy):
    r = readout(dy[:, None])
    with undrawn():
        net = theirs.RNN(len(x), len(s["h"]), len(r.b))
    columns = {
        name: a @ x.T if name[0] == "U" else a for name, a in p.items()
    }  # a word for each step
    vars(net).update(columns, V=r.W, c=r.b)
    return net, range(len(x)), r.targets[:, 0]


def forward(p, x, s):
    net, words, _ = made(p, x, s, np.zeros((len(x), len(s["h"]))))
    h = net.forward_propagation(words)[0]
    return h[:-1], {"h": h[-2]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    net, words, targets = made(p, x, s, dy)
    grads = dict(zip("UVWbc", net.bptt(words, targets), strict=True))
    return {"U": grads["U"] @ x, "W": grads["W"], "b": grads["b"]}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="TF",
    state="F",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={"U": "W", "W": "U", "b": "b"},
)
