"""Rows: TensorFlow 1's cells, its layers on cuDNN, and TensorFlow's fused operations."""

from collections.abc import Mapping

from verify.conventions.row import Convention, Stack, stacked

__all__ = ["ROWS"]

_KERNEL = stacked(kernel=("W U", "(s c) (g r)"), bias=("b", "(g r)"))  # multiplies [x, h]
_DIAGONALS = stacked(w_f_diag=("p_f", "r"), w_i_diag=("p_i", "r"), w_o_diag=("p_o", "r"))
_BLOCK = stacked(w=("W U", "(s c) (g r)"), b=("b", "(g r)"))
_WC = stacked(wci=("p_i", "r"), wcf=("p_f", "r"), wco=("p_o", "r"))
_TF_KERAS = "https://github.com/keras-team/tf-keras/blob/6add81a967a830418b1507ac99ddba2d4e43a62b"
_FORGET = {"b_f": 1.0}  # forget_bias, by default


def _gates(kernel: str, bias: str, *gates: str) -> dict[str, tuple[Stack, ...]]:
    return {
        kernel: (Stack(("W", "U"), "(s c) (g r)", gates),),
        bias: (Stack(("b",), "(g r)", gates),),
    }


def _cells(
    layer: str,
    cell: str,
    arrays: Mapping[str, tuple[Stack, ...]],
    *gates: str,
    offsets: Mapping[str, float] | None = None,
) -> Convention:
    """tf.compat.v1.nn.rnn_cell, which is tf_keras.layers.rnn.legacy_cells."""
    return Convention(
        f"tf1.{cell}",
        cell,
        gates,
        arrays,
        optional=frozenset(),
        source="https://www.tensorflow.org/versions/r1.15/api_docs/python/tf/nn/rnn_cell/"
        + layer.partition(",")[0],
        library=f"tf.compat.v1.nn.rnn_cell.{layer}",
        checked="run",
        offsets=offsets or {},
        sequence="BF",
    )


def _on_cudnn(cell: str, *gates: str) -> Convention:
    """Keras's matrices with both biases end to end."""
    return Convention(
        f"tf1_cudnn.{cell}",
        cell,
        gates,
        stacked(
            kernel=("W", "c (g r)"),
            recurrent_kernel=("U", "c (g r)"),
            bias=("b c|b", "(s g r)"),
        ),
        optional=frozenset(),
        source=f"{_TF_KERAS}/tf_keras/layers/rnn/cudnn_{cell}.py",
        library=f"tf.compat.v1.keras.layers.CuDNN{cell.upper()}",
        checked="text",
        sequence="BTF",
    )


def _operation(
    name: str,
    operation: str,
    cell: str,
    arrays: Mapping[str, tuple[Stack, ...]],
    *gates: str,
    offsets: Mapping[str, float] | None = None,
    sequence: str = "TBF",
) -> Convention:
    return Convention(
        f"{name}.{cell}",
        cell,
        gates,
        arrays,
        optional=frozenset(),
        source=f"https://www.tensorflow.org/api_docs/python/tf/raw_ops/{operation}",
        library=f"tf.raw_ops.{operation}",
        checked="run",
        offsets=offsets or {},
        sequence=sequence,
    )


ROWS = (
    _cells("BasicRNNCell", "rnn", _KERNEL),
    _cells("LSTMCell", "lstm", _KERNEL, "i", "g", "f", "o", offsets=_FORGET),
    _cells(
        "LSTMCell, use_peepholes = True",
        "peephole_lstm",
        _KERNEL | _DIAGONALS,
        *("i", "g", "f", "o"),
        offsets=_FORGET,
    ),
    _cells(
        "LSTMCell, num_proj",
        "lstm_projection",
        _KERNEL | {"projection/kernel": (Stack(("W_hr",), "c r"),)},
        *("i", "g", "f", "o"),
        offsets=_FORGET,
    ),
    _cells(
        "LSTMCell, use_peepholes = True, num_proj",
        "lstm_projection_peephole",
        _KERNEL | _DIAGONALS | {"projection/kernel": (Stack(("W_hr",), "c r"),)},
        *("i", "g", "f", "o"),
        offsets=_FORGET,
    ),
    _cells(
        "GRUCell",
        "gru_reset_before",
        _gates("gates/kernel", "gates/bias", "r", "z")
        | _gates("candidate/kernel", "candidate/bias", "g"),
    ),
    _on_cudnn("lstm", "i", "f", "g", "o"),
    _on_cudnn("gru", "z", "r", "g"),
    _operation("tf_block", "BlockLSTM", "lstm", _BLOCK, *("i", "g", "f", "o"), offsets=_FORGET),
    _operation(
        "tf_block",
        "BlockLSTM",
        "peephole_lstm",
        _BLOCK | _WC,
        *("i", "g", "f", "o"),
        offsets=_FORGET,
    ),
    _operation("tf_block_v2", "BlockLSTMV2", "lstm", _BLOCK, *("i", "f", "g", "o")),
    _operation("tf_block_v2", "BlockLSTMV2", "peephole_lstm", _BLOCK | _WC, *("i", "f", "g", "o")),
    _operation(
        "tf_block",
        "GRUBlockCell",
        "gru_reset_before",
        _gates("w_ru", "b_ru", "r", "z") | _gates("w_c", "b_c", "g"),
        sequence="BF",
    ),
)
