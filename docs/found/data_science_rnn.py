"""data-science-from-scratch: SimpleRnn, lists of numbers, one step a call, forward and back."""
# ruff: noqa: D103

from copy import deepcopy

import numpy as np
from theirs import module, text_of

from verify.adapters import adapt
from verify.adapters.holding import undrawn

theirs = vars(module("data-science-from-scratch", "scratch.deep_learning"))
whole = text_of("data-science-from-scratch", "scratch/nlp.py")  # the rest of it reads the web
start, end = whole.index("class SimpleRnn"), whole.index("def main")
text = "\n" * whole[:start].count("\n") + whole[start:end]
exec(compile(text, "scratch/nlp.py", "exec"), theirs)


def forward(p, x, s):
    with undrawn():
        layer = theirs["SimpleRnn"](x.shape[1], len(s["h"]))
    vars(layer).update({name: a.tolist() for name, a in p.items()})
    y, kept = [], []
    for x_t in x.tolist():
        y.append(layer.forward(x_t))
        kept.append(dict(vars(layer)))
    return np.array(y, float), {"h": np.array(y[-1], float)}, (layer, kept)


def backward(p, tape, dy, ds):
    layer, kept = deepcopy(tape)
    grads = {f"{name}_grad": 0 for name in p}
    dx = []
    for d, held in zip(dy.tolist()[::-1], kept[::-1], strict=True):
        vars(layer).update({k: held[k] for k in ("input", "prev_hidden", "hidden")})
        dx.append(layer.backward(d))
        grads = {name: a + np.array(vars(layer)[name]) for name, a in grads.items()}
    return {"x": np.array(dx[::-1]), **{name: grads[f"{name}_grad"] for name in p}}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="TF",
    state="F",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    absolute=("tanh",),
    arrays={"w": "W", "u": "U", "b": "b"},
)
