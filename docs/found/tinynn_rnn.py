"""tinynn: RNN on (B, T, features), the last output returned; one matrix for [h, x]."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

theirs = module("tinynn", "tinynn.core.layer")


def forward(p, x, s):
    layer = theirs.RNN(s["h"].shape[1])
    layer.params = p
    layer.is_init = True
    return None, {"h": layer.forward(x)}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(ds["h"])
    return {"x": dx, **layer.grads}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="BTF",
    outputs=False,
    initial=(),
    final=("h",),
    upstream=("h_T",),
    dtypes=("float32",),
    arrays={"W": "[U, W]", "b": "b"},
)
