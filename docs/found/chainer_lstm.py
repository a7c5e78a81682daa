"""chainer: the function lstm with a backward by hand; units' gates a, i, f, o side by side."""
# ruff: noqa: D103

import sys
import types

import numpy as np
from theirs import module

from verify.adapters import adapt_step

np.sctypes = {"int": [np.int32, np.int64], "float": []}  # gone since NumPy 2
absent = types.ModuleType("chainer._environment_check")  # it needs pkg_resources, gone as well
absent.check = lambda: None
sys.modules[absent.__name__] = absent
sys.modules["chainerx._build_info"] = types.SimpleNamespace(build_chainerx=False)  # made by pip
lstm = module("chainer", "chainer.functions.rnn.lstm")


def forward(p, x, s):
    a = (x @ p["W"].T + s["h"] @ p["U"].T + p["b"]).reshape(len(x), 4, -1)
    z = np.ascontiguousarray(a.transpose(0, 2, 1)).reshape(len(x), -1)
    C, h = lstm.LSTM().forward((s["C"], z))
    return {"h": h, "C": C}, (x, s, z, C)


def backward(p, tape, ds):
    x, s, z, C = tape
    dC, dz = lstm.LSTMGrad().forward((s["C"], z, C, ds["C"], ds["h"]))
    da = dz.reshape(len(x), -1, 4).transpose(0, 2, 1).reshape(len(x), -1)
    grads = {"W": da.T @ x, "U": da.T @ s["h"], "b": da.sum(axis=0)}
    return {"x": da @ p["W"], "h": da @ p["U"], "C": dC, **grads}


kernel = adapt_step(
    forward,
    backward,
    cell="lstm",
    arrays={
        "W": "[[W_g], [W_i], [W_f], [W_o]]",
        "U": "[[U_g], [U_i], [U_f], [U_o]]",
        "b": "[b_g, b_i, b_f, b_o]",
    },
)
