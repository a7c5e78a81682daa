"""tinynn: LSTM on (B, T, features), the last output returned; one matrix for [h, x]."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

theirs = module("tinynn", "tinynn.core.layer")


def forward(p, x, s):
    layer = theirs.LSTM(s["h"].shape[1])
    layer.params = p
    layer.is_init = True
    return None, {"h": layer.forward(x)}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(ds["h"])
    return {"x": dx, **layer.grads}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    x="BTF",
    outputs=False,
    initial=(),
    final=("h",),
    upstream=("h_T",),
    dtypes=("float32",),
    arrays={
        "W_g": "[[U_o, W_o], [U_i, W_i], [U_f, W_f]]",
        "b_g": "[b_o, b_i, b_f]",
        "W_c": "[U_g, W_g]",
        "b_c": "b_g",
    },
)
