"""ONNX's LSTM, GRU and RNN as a plain loop over the operators' equations.

It is written from the text of `onnx.defs` and reads the node's own arrays; it knows neither cells
nor conventions.
"""

from functools import cache

import numpy as np

from verify.vectors.node_rows import cases
from verify.vectors.node_values import node_values

__all__ = ["CASES", "GATES", "OPEN", "excess", "plain", "values_of"]

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {
    "Sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "Tanh": np.tanh,
    "Relu": lambda a: np.maximum(a, 0),
}
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}

CASES = {case.name: case for case in cases()}


@cache
def values_of(name):
    """The values of a case, made once."""
    return node_values(CASES[name])


def plain(op, attributes, given, clip_c=False, couple="f", empty="initial"):
    """Y, Y_h and Y_c of a node, in long double; the last three answer what the text leaves open."""
    a = {k: v if k == "sequence_lens" else v.astype(np.longdouble) for k, v in given.items()}
    if attributes.get("layout"):
        a |= {k: a[k].swapaxes(0, 1) for k in ("X", "initial_h", "initial_c") if k in a}
    steps, batch, hidden = *a["X"].shape[:2], attributes["hidden_size"]
    lengths = a.get("sequence_lens", np.full(batch, steps))
    ways = a["W"].shape[0]
    names = attributes.get("activations", DEFAULTS[op] * ways)
    limit = attributes.get("clip", np.inf)
    clipped = lambda z: np.minimum(np.maximum(z, -limit), limit)
    zero = np.zeros((batch, hidden), np.longdouble)
    Y = np.zeros((steps, ways, batch, hidden), np.longdouble)
    finals = {name: np.zeros((ways, *zero.shape), np.longdouble) for name in ("Y_h", "Y_c")}
    for way in range(ways):
        W, R = a["W"][way], a["R"][way]
        b = a["B"][way] if "B" in a else np.zeros(2 * len(W), np.longdouble)
        P = a["P"][way] if "P" in a else np.zeros(3 * hidden, np.longdouble)
        acts = [FUNCTIONS[n] for n in names[way * len(DEFAULTS[op]) :][: len(DEFAULTS[op])]]
        f, g, last = (acts * 3)[:3]
        block = lambda z, k: z[k * hidden : (k + 1) * hidden]
        reverse = attributes.get("direction") == "reverse" or way == 1
        for row in range(batch):
            h = a["initial_h"][way, row] if "initial_h" in a else zero[row]
            C = a["initial_c"][way, row] if "initial_c" in a else zero[row]
            if lengths[row] == 0 and empty == "zeros":
                h, C = zero[row], zero[row]
            order = range(lengths[row])
            for t in reversed(order) if reverse else order:
                x = a["X"][t, row]
                count = GATES[op]
                into = lambda k, h=h, x=x: (
                    block(W, k) @ x + block(R, k) @ h + block(b, k) + block(b, count + k)
                )
                if op == "RNN":
                    h = acts[0](clipped(into(0)))
                elif op == "GRU":
                    z, r = f(clipped(into(0))), f(clipped(into(1)))
                    if attributes.get("linear_before_reset"):
                        inner = r * (block(R, 2) @ h + block(b, 5)) + block(b, 2)
                    else:
                        inner = block(R, 2) @ (r * h) + block(b, 5) + block(b, 2)
                    h = (1 - z) * g(clipped(block(W, 2) @ x + inner)) + z * h
                else:
                    i = f(clipped(into(0) + block(P, 0) * C))
                    forget = f(clipped(into(2) + block(P, 2) * C))
                    if attributes.get("input_forget"):
                        i, forget = (i, 1 - i) if couple == "f" else (1 - forget, forget)
                    C = forget * C + i * g(clipped(into(3)))
                    o = f(clipped(into(1) + block(P, 1) * C))
                    h = o * last(clipped(C) if clip_c else C)
                Y[t, way, row] = h
            finals["Y_h"][way, row], finals["Y_c"][way, row] = h, C
    if attributes.get("layout"):
        Y = np.moveaxis(Y, 2, 0)
        finals = {k: v.swapaxes(0, 1) for k, v in finals.items()}
    return {"Y": Y, **finals}


# How `plain` takes each reading of the text.
OPEN = {
    "gates and candidate clipped": {},
    "C clipped as well": {"clip_c": True},
    "f = 1 - i": {},
    "i = 1 - f": {"couple": "i"},
    "the initial states": {},
    "zeros": {"empty": "zeros"},
    "": {},
}


def excess(found, reading):
    """The largest share of a bound by which results are off; above 1 is wrong."""
    shares = [0.0]
    for name, expected in reading.outputs.items():
        off, bound = np.abs(found[name] - expected), reading.bounds[name]
        assert np.all(np.isfinite(bound))
        shares.append(np.max(off[bound > 0] / bound[bound > 0], initial=0))
        shares.append(np.inf if np.any(off[bound == 0] > 0) else 0)
    return max(shares)
