"""jariasf/CS231n: the course's vanilla RNN on (B, T, features)."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

layers = module("CS231n", "rnn_layers", "assignment3/cs231n")


def forward(p, x, s):
    y, cache = layers.rnn_forward(x, s["h"], **p)
    return y, {"h": y[:, -1]}, cache


def backward(p, cache, dy, ds):
    return dict(zip(("x", "h_0", "Wx", "Wh", "b"), layers.rnn_backward(dy, cache), strict=True))


kernel = adapt(
    forward,
    backward,
    cell="rnn",
    x="BTF",
    upstream=("y",),
    dtypes=("float64",),
    arrays={"Wx": "W.T", "Wh": "U.T", "b": "b"},
)
