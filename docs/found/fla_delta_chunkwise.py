"""flash-linear-attention: delta_rule_chunkwise in PyTorch; chunks of half a sequence, or all."""
# ruff: noqa: D103

import torch
from theirs import leaving_out, text_of

from verify.adapters.torch_module import torch_call

theirs = {}
exec(text_of("flash-linear-attention", "fla/ops/delta_rule/naive.py"), theirs)  # fla needs triton


def call(p, x, s):
    q, k, v = (x @ p[f"W_{name}"].T for name in "qkv")
    q, k = (torch.nn.functional.silu(a) for a in (q, k))
    q, k = (a / a.norm(dim=-1, keepdim=True) for a in (q, k))
    q = q * k.shape[-1] ** 0.5
    size = x.shape[2] // 2 if x.shape[2] % 2 == 0 else x.shape[2]
    y, S = theirs["delta_rule_chunkwise"](q, k, v, torch.sigmoid(x @ p["w_beta"]), size)
    return y, {"S": S.mT}


kernel = torch_call(
    call,
    cell="delta_net",
    x="B1TF",
    state="B1F",
    initial=(),
    final=("S",),
    upstream=("y", "S_T"),
)
kernel = leaving_out(kernel, "y_0", "S_0")
