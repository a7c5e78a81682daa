"""nicodjimenez/lstm: LstmNode, one step of one sequence; h = o * C, without a tanh."""
# ruff: noqa: D103

import numpy as np
from theirs import module

from verify.adapters import adapt_step

lstm = module("lstm", "lstm")


def forward(p, x, s):
    n, m = len(s["h"]), len(x)
    param = lstm.LstmParam.__new__(lstm.LstmParam)  # its own weights are of no use
    vars(param).update(p, mem_cell_ct=n, x_dim=m)
    node = lstm.LstmNode(param, lstm.LstmState(n, m))
    node.bottom_data_is(x, s["C"], s["h"])
    return {"h": node.state.h, "C": node.state.s}, node


def backward(p, node, ds):
    vars(node.param).update({f"{name}_diff": np.zeros_like(a) for name, a in p.items()})
    node.top_diff_is(ds["h"], ds["C"])
    grads = {name: vars(node.param)[f"{name}_diff"] for name in p}
    return grads | {"h": node.state.bottom_diff_h, "C": node.state.bottom_diff_s}


kernel = adapt_step(
    forward,
    backward,
    cell="lstm_no_output_function.cell",
    x="F",
    state="F",
    dtypes=("float64",),
    arrays={f"w{k}": f"[W_{k}, U_{k}]" for k in "giof"} | {f"b{k}": f"b_{k}" for k in "giof"},
)
