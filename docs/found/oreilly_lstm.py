"""Deep Learning from Scratch 2: TimeLSTM on (B, T, features), gates in the order f, g, i, o."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

time = module("deep-learning-from-scratch-2", "common.time_layers")


def forward(p, x, s):
    layer = time.TimeLSTM(p["Wx"], p["Wh"], p["b"], stateful=True)
    layer.set_state(s["h"], s["C"])
    return layer.forward(x), {"h": layer.h, "C": layer.c}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    return {"x": dx, "h_0": layer.dh, **dict(zip(("Wx", "Wh", "b"), layer.grads, strict=True))}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    x="BTF",
    upstream=("y",),
    dtypes=("float32",),
    arrays={
        "Wx": "[W_f.T, W_g.T, W_i.T, W_o.T]",
        "Wh": "[U_f.T, U_g.T, U_i.T, U_o.T]",
        "b": "[b_f, b_g, b_i, b_o]",
    },
)
