"""jariasf/CS231n: the course's LSTM on (B, T, features), gates in the order i, f, o, g."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

layers = module("CS231n", "rnn_layers", "assignment3/cs231n")


def forward(p, x, s):
    y, cache = layers.lstm_forward(x, s["h"], **p)
    return y, {"h": y[:, -1]}, cache


def backward(p, cache, dy, ds):
    return dict(zip(("x", "h_0", "Wx", "Wh", "b"), layers.lstm_backward(dy, cache), strict=True))


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    x="BTF",
    initial=("h",),
    final=("h",),
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        "Wx": "[W_i.T, W_f.T, W_o.T, W_g.T]",
        "Wh": "[U_i.T, U_f.T, U_o.T, U_g.T]",
        "b": "[b_i, b_f, b_o, b_g]",
    },
)
