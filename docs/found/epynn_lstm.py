"""EpyNN: LSTM on (B, T, features); gradients of parameters in a call of their own."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

lstm = module("EpyNN", "epynn.lstm.models")


def forward(p, x, s):
    layer = lstm.LSTM(s["h"].shape[1], sequences=True)
    layer.p = p
    return layer.forward(x), {k: layer.fc[t][:, -1] for k, t in (("h", "h"), ("C", "C_"))}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    layer.compute_gradients()
    return {"x": dx, **{k[1:]: g for k, g in layer.g.items()}}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="row",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        f"{t}{k}": a
        for k in "fiog"
        for t, a in zip("UVb", (f"W_{k}.T", f"U_{k}.T", f"b_{k}"), strict=True)
    },
)
