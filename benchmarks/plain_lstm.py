"""An LSTM as people write it by hand: one gate, one time step and one sum at a time.

Weights act on the concatenated [h, x], a list keeps what each step needs, and gradients of the
parameters are added up step by step. It is the yardstick for the emitted kernel, so nothing in it
is tuned; it has no check of its arguments and no lengths.
"""

import numpy as np

GATES = ("f", "i", "o", "g")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def concatenated(params):
    """Weights for [h, x], (H + D, H) each, from the cell's W, U and b."""
    return {
        gate: (
            np.ascontiguousarray(np.hstack([params[f"U_{gate}"], params[f"W_{gate}"]]).T),
            params[f"b_{gate}"],
        )
        for gate in GATES
    }


def forward(weights, x, h, C):
    """`x` is (T, B, D), states are (B, H). Returns (T, B, H), the last states, the caches."""
    y, caches = [], []
    for x_t in x:
        z = np.concatenate([h, x_t], axis=1)
        f = sigmoid(z @ weights["f"][0] + weights["f"][1])
        i = sigmoid(z @ weights["i"][0] + weights["i"][1])
        o = sigmoid(z @ weights["o"][0] + weights["o"][1])
        g = np.tanh(z @ weights["g"][0] + weights["g"][1])
        C_before = C
        C = f * C_before + i * g
        h = o * np.tanh(C)
        caches.append((z, f, i, o, g, C, C_before))
        y.append(h)
    return np.stack(y), h, C, caches


def backward(weights, caches, dy, dh, dC):
    """Cotangents in, gradients out: of the weights by gate, of x, and of both initial states."""
    H = dh.shape[1]
    dW = {gate: np.zeros_like(weights[gate][0]) for gate in GATES}
    db = {gate: np.zeros_like(weights[gate][1]) for gate in GATES}
    dx = []
    for (z, f, i, o, g, C, C_before), dy_t in zip(reversed(caches), dy[::-1], strict=True):
        dh = dh + dy_t
        tanh_C = np.tanh(C)
        dC = dC + dh * o * (1 - tanh_C**2)
        delta = {
            "f": dC * C_before * f * (1 - f),
            "i": dC * g * i * (1 - i),
            "o": dh * tanh_C * o * (1 - o),
            "g": dC * i * (1 - g**2),
        }
        dz = np.zeros_like(z)
        for gate in GATES:
            dW[gate] += z.T @ delta[gate]
            db[gate] += delta[gate].sum(axis=0)
            dz += delta[gate] @ weights[gate][0].T
        dh, dC = dz[:, :H], dC * f
        dx.append(dz[:, H:])
    return dW, db, np.stack(dx[::-1]), dh, dC


def by_parameter(dW, db):
    """Gradients under the cell's names: the inverse of `concatenated`."""
    found = {f"b_{gate}": db[gate] for gate in GATES}
    for gate in GATES:
        H = dW[gate].shape[1]
        found[f"U_{gate}"], found[f"W_{gate}"] = dW[gate][:H].T, dW[gate][H:].T
    return found
