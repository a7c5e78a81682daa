"""mamba-minimal: ssm of MambaBlock, a loop over steps; gradients are autograd's."""
# ruff: noqa: D103

import torch
from theirs import leaving_out, module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

theirs = module("mamba-minimal", "model")


def call(p, x, s):
    d_state, rank = p["A_log"].shape[1], p["dt_proj.weight"].shape[1]
    with undrawn():
        args = theirs.ModelArgs(x.shape[2], 1, 8, dt_rank=rank, d_state=d_state, expand=1)
        layer = theirs.MambaBlock(args).to(x.dtype)
    layer.forward = layer.ssm  # without its projections and its convolution
    return torch.func.functional_call(layer, p, (x,)), {}


kernel = torch_call(
    call,
    cell="s6",
    x="BTF",
    initial=(),
    final=(),
    upstream=("y",),
    dtypes=("float32",),
    arrays={
        "A_log": "A_log",
        "D": "D",
        "x_proj.weight": "[[W_1], [W_B], [W_C]]",
        "dt_proj.weight": "W_2",
        "dt_proj.bias": "b_dt",
    },
)
kernel = leaving_out(kernel, "y_0", "S_0")
