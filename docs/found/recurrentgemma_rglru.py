"""recurrentgemma: RGLRU in PyTorch, inside of a document, one head; sqrt has a bounded slope."""
# ruff: noqa: D103

import sys
import types

import torch
from theirs import CACHE, module

from verify.adapters.holding import undrawn
from verify.adapters.torch_module import torch_call

for name in ("recurrentgemma", "recurrentgemma.torch"):  # their __init__ needs JAX and Flax
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(CACHE / "recurrentgemma" / name.replace(".", "/"))]
theirs = module("recurrentgemma", "recurrentgemma.torch.layers")


def call(p, x, s):
    with undrawn():
        layer = theirs.RGLRU(x.shape[2], 1).to(x.dtype)
    places = torch.ones(x.shape[:2], dtype=torch.int64)  # 0 is where a document begins
    y, h = torch.func.functional_call(layer, p, (x, places, s["h"]))
    return y, {"h": h}


kernel = torch_call(
    call,
    cell="rg_lru",
    vectors="row",
    x="BTF",
    dtypes=("float32",),
    arrays={
        "a_param": "Lambda",
        "a_gate.w": "stack(W_a.T)",
        "a_gate.b": "b_a",
        "input_gate.w": "stack(W_x.T)",
        "input_gate.b": "b_x",
    },
)
