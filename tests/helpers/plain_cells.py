"""The zoo's cells in plain NumPy, typed from their papers and not from `.cell` files."""

from collections.abc import Mapping

import numpy as np

__all__ = ["MEMORIES", "PLAIN", "Lstm", "Params", "gate", "rnn", "sigmoid"]

Array = np.ndarray
Params = Mapping[str, Array]


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def gate(p: Params, name: str, x: Array, h: Array) -> Array:
    return p[f"W_{name}"] @ x + p[f"U_{name}"] @ h + p[f"b_{name}"]


class Lstm:
    """keep: the new memory; show: the new hidden state, given the new memory."""

    def forget(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        return sigmoid(gate(p, "f", x, h))

    def keep(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        i, g = sigmoid(gate(p, "i", x, h)), np.tanh(gate(p, "g", x, h))
        return self.forget(p, x, h, C) * C + i * g

    def show(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        return sigmoid(gate(p, "o", x, h)) * np.tanh(C)


class PeepholeLstm(Lstm):
    def forget(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        return sigmoid(gate(p, "f", x, h) + p["p_f"] * C)

    def keep(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        i = sigmoid(gate(p, "i", x, h) + p["p_i"] * C)
        return self.forget(p, x, h, C) * C + i * np.tanh(gate(p, "g", x, h))

    def show(self, p: Params, x: Array, h: Array, C: Array) -> Array:
        return sigmoid(gate(p, "o", x, h) + p["p_o"] * C) * np.tanh(C)


def rnn(p: Params, x: Array, h: Array) -> Array:
    return np.tanh(p["W"] @ x + p["U"] @ h + p["b"])


def gru(p: Params, x: Array, h: Array) -> Array:
    r, z = sigmoid(gate(p, "r", x, h)), sigmoid(gate(p, "z", x, h))
    g = np.tanh(p["W_g"] @ x + p["b_g"] + r * (p["U_g"] @ h + p["c_g"]))
    return (1 - z) * g + z * h


def gru_reset_before(p: Params, x: Array, h: Array) -> Array:
    r, z = sigmoid(gate(p, "r", x, h)), sigmoid(gate(p, "z", x, h))
    return (1 - z) * np.tanh(gate(p, "g", x, r * h)) + z * h


MEMORIES = {"lstm": Lstm(), "peephole_lstm": PeepholeLstm()}
PLAIN = {"rnn": rnn, "gru": gru, "gru_reset_before": gru_reset_before}
