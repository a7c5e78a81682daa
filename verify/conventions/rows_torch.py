"""Rows: torch, Keras, ONNX, MLX, and what has cuDNN's order of gates."""

from collections.abc import Mapping

from verify.conventions.row import Convention, Stack, stacked

__all__ = ["ROWS"]

_TORCH = stacked(
    weight_ih=("W", "(g r) c"),
    weight_hh=("U", "(g r) c"),
    bias_ih=("b", "(g r)"),
    bias_hh=("c|b", "(g r)"),
)
_ONNX = stacked(W=("W", "d (g r) c"), R=("U", "d (g r) c"), B=("b c|b", "d (s g r)"))
_PEEPHOLES = stacked(P=("p", "d (g r)"))
_KERAS = stacked(kernel=("W", "c (g r)"), recurrent_kernel=("U", "c (g r)"), bias=("b", "(g r)"))
_CUDNN = {"weights": (Stack(("W", "U"), "(d s g r c)"), Stack(("b", "c|b"), "(d s g r)"))}
_GLUON = stacked(
    i2h_weight=("W", "(g r) c"),
    h2h_weight=("U", "(g r) c"),
    i2h_bias=("b", "(g r)"),
    h2h_bias=("c|b", "(g r)"),
)
_ONNXRUNTIME = "https://github.com/microsoft/onnxruntime/blob"
_COMMITS = {
    "rnn": "caaf00355657d53536eb5682951d013735e83c0f",
    "lstm": "a0d1834783093b665d0d5175a0485fd04e695916",
    "gru": "076ffcdf023d6bf410573b60b724570f6d99f311",
}
_MXNET = "https://github.com/apache/mxnet/blob/b84609d3fc73d20929c114eab95faaa56e6c5ede"


def _torch(
    layer: str, cell: str, *gates: str, more: Mapping[str, tuple[Stack, ...]] | None = None
) -> Convention:
    return Convention(
        f"torch.{cell}",
        cell,
        gates,
        {**_TORCH, **(more or {})},
        optional=frozenset({"bias_ih", "bias_hh"}),
        source=f"https://docs.pytorch.org/docs/stable/generated/torch.nn.{layer}.html",
        library=f"torch.nn.{layer}",
        checked="run",
        spelled=("{}_l0", "{}_l0_reverse"),
    )


def _onnx(
    node: str,
    cell: str,
    *gates: str,
    unread: tuple[str, ...] = (),
    more: Mapping[str, tuple[Stack, ...]] | None = None,
    attribute: str = "",
) -> Convention:
    return Convention(
        f"onnx.{cell}",
        cell,
        gates,
        {**_ONNX, **(more or {})},
        optional=frozenset({"B", *(more or {})}),
        source=f"https://onnx.ai/onnx/operators/onnx__{node}.html",
        library=f"ONNX {node}{attribute}",
        checked="run",
        unread=unread,
    )


def _keras(
    layer: str,
    page: str,
    cell: str,
    *gates: str,
    more: Mapping[str, tuple[Stack, ...]] | None = None,
    argument: str = "",
) -> Convention:
    return Convention(
        f"keras.{cell}",
        cell,
        gates,
        {**_KERAS, **(more or {})},
        optional=frozenset({"bias"}),
        source=f"https://keras.io/api/layers/recurrent_layers/{page}/",
        library=f"keras.layers.{layer}{argument}",
        checked="run",
        sequence="BTF",
    )


def _cudnn(layer: str, mode: str, cell: str, *gates: str) -> Convention:
    """One flat array: matrices of every direction, then both biases of every direction.

    What is called which (linLayerID) stands in the source, in which order it lies in
    jax.experimental.rnn.
    """
    return Convention(
        f"cudnn.{cell}",
        cell,
        gates,
        _CUDNN,
        optional=frozenset(),
        source=f"{_ONNXRUNTIME}/{_COMMITS[layer]}/onnxruntime/core/providers/cuda/rnn/{layer}.h",
        library=f"cudnnRNNForward, {mode}",
        checked="text",
    )


def _gluon(
    layer: str, cell: str, *gates: str, more: Mapping[str, tuple[Stack, ...]] | None = None
) -> Convention:
    return Convention(
        f"mxnet.{cell}",
        cell,
        gates,
        {**_GLUON, **(more or {})},
        optional=frozenset(),
        source=f"{_MXNET}/src/operator/rnn.cc",
        library=f"mxnet.gluon.rnn.{layer}",
        checked="text" if more else "run",  # it projects on a GPU alone
        spelled=("l0_{}", "r0_{}"),
    )


def _mlx(layer: str, cell: str, arrays: Mapping[str, tuple[Stack, ...]], *gates: str) -> Convention:
    return Convention(
        f"mlx.{cell}",
        cell,
        gates,
        arrays,
        optional=frozenset(a for a in arrays if a[0] == "b"),
        source=f"https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.{layer}.html",
        library=f"mlx.nn.{layer}",
        checked="run",
        sequence="BTF",
    )


_MLX = stacked(Wx=("W", "(g r) c"), Wh=("U", "(g r) c"))

ROWS = (
    _torch("RNN", "rnn"),
    _torch("LSTM", "lstm", "i", "f", "g", "o"),
    _torch("LSTM", "lstm_projection", "i", "f", "g", "o", more=stacked(weight_hr=("W_hr", "r c"))),
    _torch("GRU", "gru", "r", "z", "g"),
    _onnx("RNN", "rnn"),
    _onnx("LSTM", "lstm", "i", "o", "f", "g"),
    _onnx("LSTM", "peephole_lstm", "i", "o", "f", "g", more=_PEEPHOLES, attribute=" with P"),
    _onnx(
        "LSTM",
        "lstm_cifg",
        "i",
        "o",
        "f",
        "g",
        unread=("f",),
        more=_PEEPHOLES,
        attribute=", input_forget = 1",
    ),
    _onnx("GRU", "gru", "z", "r", "g", attribute=", linear_before_reset = 1"),
    _onnx("GRU", "gru_reset_before", "z", "r", "g"),
    _keras("SimpleRNN", "simple_rnn", "rnn"),
    _keras("LSTM", "lstm", "lstm", "i", "f", "g", "o"),
    _keras("GRU", "gru", "gru", "z", "r", "g", more=stacked(bias=("b c|b", "s (g r)"))),
    _keras("GRU", "gru", "gru_reset_before", "z", "r", "g", argument=", reset_after = False"),
    _cudnn("rnn", "CUDNN_RNN_TANH", "rnn"),
    _cudnn("lstm", "CUDNN_LSTM", "lstm", "i", "f", "g", "o"),
    _cudnn("gru", "CUDNN_GRU", "gru", "r", "z", "g"),
    _gluon("RNN", "rnn"),
    _gluon("LSTM", "lstm", "i", "f", "g", "o"),
    _gluon("LSTM", "lstm_projection", "i", "f", "g", "o", more=stacked(h2r_weight=("W_hr", "r c"))),
    _gluon("GRU", "gru", "r", "z", "g"),
    _mlx("RNN", "rnn", stacked(Wxh=("W", "r c"), Whh=("U", "r c"), bias=("b", "r"))),
    _mlx("LSTM", "lstm", _MLX | stacked(bias=("b", "(g r)")), *("i", "f", "g", "o")),
    _mlx("GRU", "gru", _MLX | stacked(b=("b", "(g r)"), bhn=("c_g", "r")), *("r", "z", "g")),
)
