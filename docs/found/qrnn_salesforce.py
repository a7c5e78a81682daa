"""salesforce/pytorch-qrnn: QRNNLayer, window 2, on the CPU; its f is 1 - f of the paper."""
# ruff: noqa: D103

import torch
from theirs import leaving_out, module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

stubs = {"cupy": [], "cupy.cuda": ["function"], "pynvrtc": [], "pynvrtc.compiler": ["Program"]}
theirs = module("pytorch-qrnn", "torchqrnn.qrnn", stubs=stubs)


def call(p, x, s):
    with undrawn():
        layer = theirs.QRNNLayer(
            x.shape[2], s["C"].shape[1], save_prev_x=True, window=2, use_cuda=False
        )
        layer.prevX = s["x_lag_1"][None]
    y, C = torch.func.functional_call(layer.to(x.dtype), p, (x, s["C"]))
    return y, {"h": y[-1], "C": C[0], "x_lag_1": layer.prevX[0]}


kernel = torch_call(
    call,
    cell="qrnn_bias.cell",
    initial=("C", "x_lag_1"),
    arrays={
        "linear.weight": "[[W_z, V_z], [-W_f, -V_f], [W_o, V_o]]",
        "linear.bias": "[b_z, -b_f, b_o]",
    },
)
kernel = leaving_out(kernel, "h_0")
