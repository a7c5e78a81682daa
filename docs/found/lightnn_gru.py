"""lightnn: GRU on (B, T, features), all outputs returned."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt
from verify.adapters.holding import undrawn

recurrent = module("lightnn", "lightnn.layers.recurrent")
recurrent.xrange = range  # Python 2


def forward(p, x, s):
    with undrawn():
        layer = recurrent.GRU(s["h"].shape[1], x.shape, return_sequences=True)
    for name, a in p.items():
        setattr(layer, name, a)
    y = layer.forward(x)
    return y, {"h": y[:, -1]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    return {"x": dx, **{name: getattr(layer, f"delta_{name}") for name in p}}


kernel = adapt(
    forward,
    backward,
    cell="gru_reset_before",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        f"{a}_{t}": f"{a}_{k}{'' if a == 'b' else '.T'}"
        for t, k in zip("rzh", "rzg", strict=True)
        for a in "WUb"
    },
)
