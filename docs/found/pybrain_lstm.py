"""PyBrain: LSTMLayer with peepholes in a recurrent network, one sequence, one step a call."""
# ruff: noqa: D103

import numpy as np
import scipy
from theirs import module

from verify.adapters import adapt
from verify.adapters.holding import undrawn

GONE = "array asarray clip concatenate diag dot exp eye floor log mgrid ndarray outer pi power"
GONE += " random ravel reshape size sqrt sum tan tanh tile where zeros"
for name in GONE.split():  # gone from SciPy
    setattr(scipy, name, getattr(np, name))
scipy.rand, scipy.randn, scipy.mat = np.random.rand, np.random.randn, np.asmatrix
scipy.product = np.prod
structure = module("PyBrain3", "pybrain3.structure")


def ran(p, x, s):
    n, net = len(s["h"]), structure.RecurrentNetwork()
    with undrawn():
        into, bias = structure.LinearLayer(x.shape[1]), structure.BiasUnit()
        layer, out = structure.LSTMLayer(n, peepholes=True), structure.LinearLayer(n)
        net.addInputModule(into)
        net.addModule(bias)
        net.addModule(layer)
        net.addOutputModule(out)
        ends = ((into, layer), (layer, layer), (bias, layer))
        W, U, b = (structure.FullConnection(*end) for end in ends)
        net.addConnection(W)
        net.addConnection(b)
        net.addRecurrentConnection(U)
        net.addConnection(structure.IdentityConnection(layer, out))
        net.sortModules()
    held = dict(zip("WUbp", (W, U, b, layer), strict=True))
    for key, part in held.items():
        part.params[:] = p[key].ravel()
    y = np.stack([net.activate(x_t) for x_t in x])
    return y, layer, net, held


def forward(p, x, s):
    y, layer, _, _ = ran(p, x, s)
    return y, {"h": y[-1], "C": layer.state[len(x) - 1]}, (x, s)


def backward(p, tape, dy, ds):
    net, held = ran(p, *tape)[-2:]  # going back uses it up
    dx = np.stack([net.backActivate(d).copy() for d in dy[::-1]])[::-1]
    return {"x": dx, **{k: part.derivs.reshape(p[k].shape) for k, part in held.items()}}


kernel = adapt(
    forward,
    backward,
    cell="peephole_lstm",
    x="TF",
    state="F",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        "W": "[[W_i], [W_f], [W_g], [W_o]]",
        "U": "[[U_i], [U_f], [U_g], [U_o]]",
        "b": "[b_i, b_f, b_g, b_o]",
        "p": "[p_i, p_f, p_o]",
    },
)
