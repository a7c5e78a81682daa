"""EpyNN: GRU on (B, T, features); the reset gate stands before the recurrent product."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

gru = module("EpyNN", "epynn.gru.models")


def forward(p, x, s):
    layer = gru.GRU(s["h"].shape[1], sequences=True)
    layer.p = p
    return layer.forward(x), {"h": layer.fc["h"][:, -1]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    layer.compute_gradients()
    return {"x": dx, **{k[1:]: g for k, g in layer.g.items()}}


arrays = {"Uhh": "W_g.T", "Vhh": "U_g.T", "bhh": "b_g"}
for k in "rz":
    arrays |= {f"U{k}": f"W_{k}.T", f"V{k}": f"U_{k}.T", f"b{k}": f"b_{k}"}
kernel = adapt(
    forward,
    backward,
    cell="gru_reset_before",
    arrays=arrays,
    vectors="row",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
)
