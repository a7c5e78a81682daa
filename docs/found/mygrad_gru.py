"""mygrad: nnet.layers.gru, compiled by numba, with a gradient by hand."""
# ruff: noqa: D103

import os

import numpy as np
from theirs import module

from verify.adapters import adapt

os.environ["NUMBA_DISABLE_JIT"] = "1"  # the same lines, not compiled
gru = module("mygrad", "mygrad.nnet.layers.gru")
mygrad = module("mygrad", "mygrad")
NAMES = [f"{a}{k}" for k in "zrh" for a in "UWb"]


def forward(p, x, s):
    held = {name: mygrad.tensor(np.array(a)) for name, a in {**p, "x": x}.items()}
    y = gru.gru(held["x"], *(held[name] for name in NAMES), s0=s["h"])
    return y.data[1:], {"h": y.data[-1]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    held = {name: mygrad.tensor(np.array(a)) for name, a in {**p, "x": x}.items()}
    y = gru.gru(held["x"], *(held[name] for name in NAMES), s0=s["h"])
    (y[1:] * dy).sum().backward()
    return {name: t.grad for name, t in held.items()}


kernel = adapt(
    forward,
    backward,
    cell="gru_reset_before",
    upstream=("y",),
    arrays={
        f"{a}{t}": f"{b}_{k}{'.T' if a != 'b' else ''}"
        for t, k in (("z", "z"), ("r", "r"), ("h", "g"))
        for a, b in (("U", "W"), ("W", "U"), ("b", "b"))
    },
)
