"""Deep Learning from Scratch 2: TimeRNN on (B, T, features)."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

time = module("deep-learning-from-scratch-2", "common.time_layers")


def forward(p, x, s):
    layer = time.TimeRNN(p["Wx"], p["Wh"], p["b"], stateful=True)
    layer.set_state(s["h"])
    return layer.forward(x), {"h": layer.h}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    return {"x": dx, "h_0": layer.dh, **dict(zip(("Wx", "Wh", "b"), layer.grads, strict=True))}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="BTF",
    upstream=("y",),
    dtypes=("float32",),
    arrays={"Wx": "W.T", "Wh": "U.T", "b": "b"},
)
