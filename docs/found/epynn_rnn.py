"""EpyNN: RNN on (B, T, features)."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

rnn = module("EpyNN", "epynn.rnn.models")


def forward(p, x, s):
    layer = rnn.RNN(s["h"].shape[1], sequences=True)
    layer.p = p
    return layer.forward(x), {"h": layer.fc["h"][:, -1]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    layer.compute_gradients()
    return {"x": dx, **{k[1:]: g for k, g in layer.g.items()}}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    vectors="row",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={"U": "W.T", "V": "U.T", "b": "b"},
)
