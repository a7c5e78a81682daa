"""EdgeML: FastGRNN in PyTorch; its buffer of outputs is float32."""
# ruff: noqa: D103

import torch
from theirs import module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

theirs = module("EdgeML", "edgeml_pytorch.graph.rnn", "pytorch")


def call(p, x, s):
    with undrawn():
        layer = theirs.FastGRNN(x.shape[2], s["h"].shape[2])
    weights = {f"cell.{name}": a for name, a in p.items()}
    y = torch.func.functional_call(layer, weights, (x, s["h"]))
    return y, {"h": y[-1:]}


kernel = torch_call(
    call,
    cell="fastgrnn",
    vectors="row",
    state="1BF",
    dtypes=("float32",),
    arrays={
        "W": "W.T",
        "U": "U.T",
        "bias_gate": "b_z",
        "bias_update": "b_h",
        "zeta": "zeta",
        "nu": "nu",
    },
)
