"""minGRU-pytorch: minGRU, with and without a state before; widths of x and h are the same."""
# ruff: noqa: D103

import torch
from theirs import module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

theirs = module("minGRU-pytorch", "minGRU_pytorch.minGRU")


def call(p, x, s):
    if (s["h"] <= 0).any():
        raise NotImplementedError("a state is positive")
    with undrawn():
        layer = theirs.minGRU(x.shape[2]).to(x.dtype)
    weights = {"to_hidden_and_gate.weight": p["W"]}
    given = {"prev_hidden": s["h"], "return_next_prev_hidden": True}
    y, last = torch.func.functional_call(layer, weights, (x,), given)
    return y, {"h": last}


kernel = torch_call(
    call,
    cell="mingru_log_one_size.cell",
    x="BTF",
    state="B1F",
    arrays={"W": "[[W_h], [W_z]]"},
)
