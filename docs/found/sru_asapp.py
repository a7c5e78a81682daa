"""sru: SRU of one layer as a CPU computes it, x and h of one width; gradients are autograd's."""
# ruff: noqa: D103

import torch
import torch.utils.cpp_extension
from theirs import leaving_out, module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

kept = torch.utils.cpp_extension.load, torch.jit.script
torch.utils.cpp_extension.load = torch.jit.script = lambda f=None, **_: f  # for a GPU, or inference
theirs = module("sru", "sru.modules")
torch.utils.cpp_extension.load, torch.jit.script = kept


def call(p, x, s, lengths):
    with undrawn():
        layer = theirs.SRU(x.shape[2], x.shape[2], 1, rescale=False).to(x.dtype)
    weights = {f"rnn_lst.0.{name}": a for name, a in p.items()}
    weights["rnn_lst.0.weight"] = p["weight"].permute(2, 1, 0).reshape(x.shape[2], -1)
    ends = None if lengths is None else torch.tensor(lengths.tolist())
    pad = None if ends is None else torch.arange(len(x))[:, None] >= ends
    y, C = torch.func.functional_call(layer, weights, (x, s["C"], pad))
    return y, {"C": C}


kernel = torch_call(
    call,
    cell="sru",
    state="1BF",
    initial=("C",),
    final=("C",),
    upstream=("y", "C_T"),
    lengths=True,
    finite=True,
    arrays={"weight": "stack(W, W_f, W_r)", "weight_c": "[v_f, v_r]", "bias": "[b_f, b_r]"},
)
kernel = leaving_out(kernel, "h_0")
