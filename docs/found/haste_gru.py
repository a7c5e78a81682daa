"""haste: the layer GRU, in its PyTorch form for the CPU; gradients are autograd's."""
# ruff: noqa: D103

import torch
from theirs import module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

stubs = {"haste_pytorch_lib": [], "pytorch._version": ["__version__"]}  # made when it is installed
haste = module("haste", "pytorch.gru", "frameworks", stubs)


def call(p, x, s, lengths):
    with undrawn():
        layer = haste.GRU(x.shape[2], s["h"].shape[2]).to(x.dtype)
    ends = torch.tensor(lengths.tolist() if lengths is not None else [len(x)] * x.shape[1])
    y, h = torch.func.functional_call(layer, p, (x, s["h"], ends))
    past = torch.arange(len(x))[:, None, None] >= ends[:, None]  # the caller masks, its text says
    return y.masked_fill(past, 0), {"h": h}


kernel = torch_call(
    call,
    cell="gru",
    state="1BF",
    lengths=True,
    finite=True,
    arrays={
        "kernel": "[W_z.T, W_r.T, W_g.T]",
        "recurrent_kernel": "[U_z.T, U_r.T, U_g.T]",
        "bias": "[b_z, b_r, b_g]",
        "recurrent_bias": "[b_z, b_r, c_g]",
    },
)
