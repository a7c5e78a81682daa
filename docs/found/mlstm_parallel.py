"""mlstm_kernels: the parallel form in PyTorch with a backward of its own; one head."""
# ruff: noqa: D103

import sys
import types

from theirs import CACHE, leaving_out, module

from verify.adapters.torch_module import torch_call

inside = types.ModuleType("mlstm_kernels.torch.parallel")  # its __init__ needs triton
inside.__path__ = [str(CACHE / "mlstm_kernels" / inside.__name__.replace(".", "/"))]
sys.modules[inside.__name__] = inside
stubs = {"triton": [], "triton.language": ["float32", "float16", "bfloat16"]}
theirs = module("mlstm_kernels", "mlstm_kernels.torch.parallel.native.fwbw", stubs=stubs)


def call(p, x, s):
    q, k, v = (x @ p[f"W_{name}"].T for name in "qkv")
    i, f = (x @ p[f"w_{name}"] + p[f"b_{name}"] for name in "if")
    return theirs.mlstm_parallel__native_custbw(q, k, v, i, f, eps=0.0), {}


kernel = torch_call(call, cell="mlstm_qkv.cell", x="B1TF", initial=(), final=(), upstream=("y",))
kernel = leaving_out(kernel, "h_0", "C_0", "N_0")
