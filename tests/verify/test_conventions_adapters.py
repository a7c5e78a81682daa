"""A layer with no place for a parameter is judged where that parameter is zero."""

import numpy as np
import pytest

from verify.adapters import adapt
from verify.runner import run


def forward(p, x, states):
    """Flax's nnx.GRUCell in NumPy, over time; `p` has its arrays."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    h, y = states["h"], []
    for x_t in x:
        a = np.split(x_t @ p["dense_i/kernel"] + p["dense_i/bias"], 3, axis=1)
        b = np.split(h @ p["dense_h/kernel"], 3, axis=1)
        r, z = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
        h = (1 - z) * np.tanh(a[2] + r * b[2]) + z * h
        y.append(h)
    return np.array(y, x.dtype).reshape(len(x), *h.shape), {"h": h}, None


@pytest.mark.parametrize("absent", [(), ("c_g",)])
def test_what_its_convention_cannot_say_is_not_held_against_it(absent):
    layer = adapt(forward, cell="gru", arrays="flax_nnx.gru", absent=absent)
    report = run(layer.cell, layer, profile="quick")
    assert report.verdict == "right"
    assert any(what == "c_g" for what, _ in report.not_judged)


def test_a_convention_with_that_parameter_expects_it():
    """The same layer, said to have torch's arrays, of which it drops one bias."""

    def torchlike(p, x, states):
        n = states["h"].shape[1]
        bias = p["bias_ih"] + p["bias_hh"]
        bias[2 * n :] = p["bias_ih"][2 * n :]
        arrays = {
            "dense_i/kernel": p["weight_ih"].T,
            "dense_h/kernel": p["weight_hh"].T,
            "dense_i/bias": bias,
        }
        return forward(arrays, x, states)

    layer = adapt(torchlike, cell="gru", arrays="torch.gru")
    assert run(layer.cell, layer, profile="quick").verdict == "wrong"
