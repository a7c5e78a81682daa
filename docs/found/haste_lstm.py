"""haste: the layer LSTM, in its PyTorch form for the CPU; gradients are autograd's."""
# ruff: noqa: D103

import torch
from theirs import module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

stubs = {"haste_pytorch_lib": [], "pytorch._version": ["__version__"]}  # made when it is installed
haste = module("haste", "pytorch.lstm", "frameworks", stubs)


def call(p, x, s, lengths):
    with undrawn():
        layer = haste.LSTM(x.shape[2], s["h"].shape[2]).to(x.dtype)
    ends = torch.tensor(lengths.tolist() if lengths is not None else [len(x)] * x.shape[1])
    y, (h, c) = torch.func.functional_call(layer, p, (x, (s["h"], s["C"]), ends))
    past = torch.arange(len(x))[:, None, None] >= ends[:, None]  # the caller masks, its text says
    return y.masked_fill(past, 0), {"h": h, "C": c}


kernel = torch_call(
    call,
    cell="lstm",
    state="1BF",
    lengths=True,
    finite=True,
    arrays={
        "kernel": "[W_i.T, W_g.T, W_f.T, W_o.T]",
        "recurrent_kernel": "[U_i.T, U_g.T, U_f.T, U_o.T]",
        "bias": "[b_i, b_g, b_f, b_o]",
    },
)
