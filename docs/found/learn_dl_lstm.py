"""learn_dl: LstmLayer for one sequence of columns; the error arrives at the last step alone."""
# ruff: noqa: D103

from copy import deepcopy

import numpy as np
from theirs import text_of

from verify.adapters import adapt
from verify.adapters.holding import undrawn

theirs = {"np": np, "__name__": "lstm"}
for file in ("activators.py", "lstm.py"):  # written for Python 2: imports and what follows are left
    text = text_of("learn_dl", file).split("\ndef data_set")[0]
    text = "\n".join("" if "import" in line else line for line in text.split("\n"))
    exec(compile(text, file, "exec"), theirs)


def forward(p, x, s):
    with undrawn():
        layer = theirs["LstmLayer"](x.shape[1], len(s["h"]), 0.0)
    vars(layer).update(p, h_list=[s["h"]], c_list=[s["C"]])
    for x_t in x:
        layer.forward(x_t[:, None])
    return None, {"h": layer.h_list[-1], "C": layer.c_list[-1]}, (layer, x)


def backward(p, tape, dy, ds):
    layer, x = deepcopy(tape)
    layer.backward(x[-1][:, None], ds["h"], theirs["IdentityActivator"]())
    grads = {name: vars(layer)[f"{name}_grad"] for name in p}
    return grads | {"h_0": layer.delta_h_list[0]}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="column",
    x="TF",
    state="F1",
    outputs=False,
    dtypes=("float64",),
    absolute=("tanh",),
    upstream=("h_T",),
    arrays={f"W{t}h": f"U_{k}" for t, k in zip("fioc", "fiog", strict=True)}
    | {f"W{t}x": f"W_{k}" for t, k in zip("fioc", "fiog", strict=True)}
    | {f"b{t}": f"b_{k}" for t, k in zip("fioc", "fiog", strict=True)},
)
