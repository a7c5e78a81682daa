"""NumpyDL: SimpleRNN on (B, T, features), all outputs returned."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

recurrent = module("NumpyDL", "npdl.layers.recurrent")


def forward(p, x, s):
    layer = recurrent.SimpleRNN(n_out=s["h"].shape[1], n_in=x.shape[2], return_sequence=True)
    layer.first_layer = False
    vars(layer).update(p)
    y = layer.forward(x)
    return y, {"h": y[:, -1]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(dy)
    return {"x": dx, **dict(zip("WUb", layer.grads, strict=True))}


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float32",),
    arrays={"W": "W.T", "U": "U.T", "b": "b"},
)
