"""torchrecurrent: the layer LEM; gradients are autograd's. The first gate is that of h."""
# ruff: noqa: D103

import torch
from theirs import module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

theirs = module("torchrecurrent", "torchrecurrent")


def call(p, x, s):
    with undrawn():
        layer = theirs.LEM(x.shape[2], s["y"].shape[2]).to(x.dtype)
    layer.cells[0].dt = p["dt"]
    weights = {f"cells.0.{name}": a for name, a in p.items() if name != "dt"}
    y, (h, c) = torch.func.functional_call(layer, weights, (x, (s["y"], s["z"])))
    return y, {"y": h, "z": c}


kernel = torch_call(
    call,
    cell="lem",
    state="1BF",
    arrays={
        "weight_ih": "[[V_2], [V_1], [V_z], [V_y]]",
        "weight_hh": "[[W_2], [W_1], [W_z]]",
        "weight_ch": "W_y",
        "bias_ih": "[b_2, b_1, b_z, b_y]",
        "bias_hh": "[b_2, b_1, b_z]",
        "bias_ch": "b_y",
        "dt": "dt",
    },
)
