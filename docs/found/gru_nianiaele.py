"""nianiaele/gru-cell-in-numpy: GRU_Cell, one step of one sequence, without biases."""
# ruff: noqa: D103

import contextlib
import io

import numpy as np
from theirs import module

from verify.adapters import adapt_step
from verify.adapters.holding import undrawn

gru = module("gru-cell-in-numpy", "gru")


def forward(p, x, s):
    with contextlib.redirect_stdout(io.StringIO()), undrawn():
        layer = gru.GRU_Cell(len(x), len(s["h"]))
        vars(layer).update(p)
        return {"h": layer.forward(x, s["h"])}, layer


def backward(p, layer, ds):
    with contextlib.redirect_stdout(io.StringIO()):
        dx, dh = layer.backward(ds["h"][None])
    grads = {name: vars(layer)[f"d{name}"] for name in p if name.startswith("W")}
    return {"x": np.ravel(dx), "h": np.ravel(dh), **grads}


kernel = adapt_step(
    forward,
    backward,
    cell="gru_reset_before_z_new",
    x="F",
    state="F",
    dtypes=("float64",),
    absent=("b_r", "b_z", "b_g"),
    arrays={
        f"W{t}{a}": f"{u}_{k}"
        for t, k in (("z", "z"), ("r", "r"), ("", "g"))
        for a, u in (("h", "U"), ("x", "W"))
    }
    | {k: k for k in ("b_r", "b_z", "b_g")},
)
