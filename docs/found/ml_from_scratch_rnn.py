"""ML-From-Scratch: RNN on (B, T, features) with a linear readout, whose size is that of x."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

layers = module(
    "ML-From-Scratch",
    "mlfromscratch.deep_learning.layers",
    stubs={
        "terminaltables": ["AsciiTable"],
        "progressbar": [],
        "mlfromscratch.utils": ["batch_iterator"],
        "mlfromscratch.utils.misc": ["bar_widgets"],
    },
)


class Kept:
    """An optimiser that keeps the gradient and moves nothing."""

    def update(self, weights, gradient):
        self.gradient = gradient
        return weights


def forward(p, x, s):
    layer = layers.RNN(s["h"].shape[1], bptt_trunc=x.shape[1], input_shape=x.shape[1:])
    vars(layer).update(p, **{f"{name}_opt": Kept() for name in p})
    y = layer.forward_pass(x)
    return y, {"y": y[:, -1], "h": layer.states[:, -2]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward_pass(dy)
    return {"x": dx, **{name: vars(layer)[f"{name}_opt"].gradient for name in p}}


kernel = adapt(
    forward,
    backward,
    cell="rnn_linear_readout.cell",
    x="BTF",
    initial=(),
    upstream=("y",),
    dtypes=("float64",),
    arrays={"U": "U", "W": "W", "V": "V"},
    absolute=("tanh",),
)
