"""Rows: FlashRNN, xLSTM, Chainer, DyNet, Caffe2, Core ML, and one matrix for each gate."""

from collections.abc import Mapping

from verify.conventions.row import Convention, Stack, stacked

__all__ = ["ROWS"]

_FLASHRNN = "https://github.com/NX-AI/flashrnn/blob/d73fb52b1b492ce9f9b2c107660b49079add5eb1"
_CHAINER = "https://github.com/chainer/chainer/blob/a8e15cbe55a90854a3918b8b5a976abbbff9ec94"
_DYNET = "https://github.com/clab/dynet/blob/22b44958476731af4d1fdbc553626eca3a27e808"
_CAFFE2 = "https://github.com/pytorch/pytorch/blob/025e3b9d4992f390b6f5f33b19a8313513861a3f"
_COREML = "https://github.com/apple/coremltools/blob/e0e2f42b0b7c601958c0c2b53ce12c8a39023d00"
_MIL = f"{_COREML}/coremltools/converters/mil/mil/ops/defs/iOS15/recurrent.py"
_PROTO = f"{_COREML}/mlmodel/format/NeuralNetwork.proto"


def _row(
    name: str,
    arrays: Mapping[str, tuple[Stack, ...]],
    *gates: str,
    source: str,
    library: str,
    checked: str = "run",
    optional: tuple[str, ...] = (),
    offsets: Mapping[str, float] | None = None,
    spelled: tuple[str, ...] = (),
    sequence: str = "TBF",
) -> Convention:
    return Convention(
        name,
        name.partition(".")[2],
        gates,
        arrays,
        optional=frozenset(optional),
        source=source,
        library=library,
        checked=checked,
        offsets=offsets or {},
        spelled=spelled,
        sequence=sequence,
    )


def _flashrnn(cell: str, arrays: Mapping[str, tuple[Stack, ...]], *gates: str) -> Convention:
    """R and b, with one head, in its default GHDP; W is the caller's own layer for Wx."""
    function = {"rnn": "elman"}.get(cell, cell)
    return _row(
        f"flashrnn.{cell}",
        arrays,
        *gates,
        source=f"{_FLASHRNN}/flashrnn/flashrnn/vanilla/{function}.py",
        library=f"flashrnn.flashrnn, function = '{function}'",
        sequence="BTF",
    )


def _each(names: Mapping[str, str]) -> dict[str, tuple[Stack, ...]]:
    """An array of its own for each parameter, as the cell has it."""
    return {
        array: (Stack((name,), "r" if name[0] in "bcp" else "r c"),)
        for array, name in names.items()
    }


def _numbered(*gates: str) -> dict[str, tuple[Stack, ...]]:
    """Chainer's n-step links: matrices of x, then of h, each with a bias."""
    both = [(stem, gate) for stem in "WU" for gate in gates]
    result: dict[str, tuple[Stack, ...]] = {}
    for k, (stem, gate) in enumerate(both):
        result[f"w{k}"] = (Stack((f"{stem}_{gate}",), "r c"),)
        result[f"b{k}"] = (Stack(("b" if stem == "W" else "c|b",), "(g r)", (gate,)),)
    return result


_IFGO = stacked(W=("W", "(g r) c"), R=("U", "g 1 r c"), b=("b", "g 1 r"))
_WORDS = {"inputGate": "i", "forgetGate": "f", "blockInput": "g", "outputGate": "o"}
_GRU_WORDS = {"updateGate": "z", "resetGate": "r", "outputGate": "g"}


def _proto(words: Mapping[str, str]) -> dict[str, str]:
    """Fields of the protocol buffer: 'inputGateWeightMatrix' and so on."""
    kinds = {"WeightMatrix": "W", "RecursionMatrix": "U", "BiasVector": "b"}
    return {
        f"{word}{kind}": f"{stem}_{gate}"
        for kind, stem in kinds.items()
        for word, gate in words.items()
    }


_PEEPHOLES = {f"{word}PeepholeVector": f"p_{gate}" for word, gate in _WORDS.items() if gate != "g"}
_MIL_ARRAYS = stacked(weight_ih=("W", "(g r) c"), weight_hh=("U", "(g r) c"), bias=("b", "(g r)"))
_BACK = ("{}", "{}_back")
_DYNET_GATES = {"z": "z", "r": "r", "h": "g"}
_LINKS = ("W_r", "U_r", "W_z", "U_z", "W", "U")  # each with a bias of its own

ROWS = (
    _flashrnn("rnn", stacked(W=("W", "r c"), R=("U", "g 1 r c"), b=("b", "g 1 r"))),
    _flashrnn("lstm", _IFGO, "i", "f", "g", "o"),
    _flashrnn(  # the candidate stands first in R, last in W; b has both of its biases
        "gru",
        {
            "W": (Stack(("W",), "(g r) c"),),
            "R": (Stack(("U",), "g 1 r c", ("g", "r", "z")),),
            "b": (Stack(("c_g", "b_r", "b_z", "b_g"), "s 1 r"),),
        },
        *("r", "z", "g"),
    ),
    _row(
        "xlstm.slstm_code",
        stacked(W=("W", "(g r) c"), recurrent_kernel=("R", "1 c g r"), bias=("b", "1 g r")),
        *("i", "f", "z", "o"),
        source="https://github.com/NX-AI/xlstm/blob/main/xlstm/blocks/slstm/cell.py",
        library="xlstm sLSTMCell, one head",
        sequence="BTF",
    ),
    _row(
        "chainer.lstm",
        {
            "upward/W": (Stack(("W",), "(r g) c"),),
            "upward/b": (Stack(("b",), "(r g)"),),
            "lateral/W": (Stack(("U",), "(r g) c"),),
        },
        *("g", "i", "f", "o"),
        source=f"{_CHAINER}/chainer/links/rnn/lstm.py",
        library="chainer.links.StatelessLSTM",
        sequence="BF",
    ),
    _row(
        "chainer.gru_reset_before_z_new",
        _each({f"{link}/W": link if "_" in link else f"{link}_g" for link in _LINKS})
        | _each({f"{link}/b": f"b_{link[2:] or 'g'}" for link in _LINKS}),
        *("r", "z", "g"),
        source=f"{_CHAINER}/chainer/links/rnn/gru.py",
        library="chainer.links.StatelessGRU",
        sequence="BF",
    ),
    _row(
        "chainer_n_step.lstm",
        _numbered("i", "f", "g", "o"),
        *("i", "f", "g", "o"),
        source=f"{_CHAINER}/chainer/functions/rnn/n_step_lstm.py",
        library="chainer.links.NStepLSTM",
        spelled=("0/{}", "1/{}"),
        sequence="TF",
    ),
    _row(
        "chainer_n_step.gru",
        _numbered("r", "z", "g"),
        *("r", "z", "g"),
        source=f"{_CHAINER}/chainer/functions/rnn/n_step_gru.py",
        library="chainer.links.NStepGRU",
        spelled=("0/{}", "1/{}"),
        sequence="TF",
    ),
    _row(
        "dynet.lstm",
        stacked(x2i=("W", "(g r) c"), h2i=("U", "(g r) c"), bi=("b", "(g r)")),
        *("i", "f", "o", "g"),
        source=f"{_DYNET}/dynet/lstm.cc",
        library="dynet VanillaLSTMBuilder",
        checked="text",
        offsets={"b_f": 1.0},
        sequence="BF",
    ),
    _row(
        "dynet.gru_reset_before_z_new",
        _each(
            {f"x2{letter}": f"W_{gate}" for letter, gate in _DYNET_GATES.items()}
            | {f"h2{letter}": f"U_{gate}" for letter, gate in _DYNET_GATES.items()}
            | {f"b{letter}": f"b_{gate}" for letter, gate in _DYNET_GATES.items()}
        ),
        *("z", "r", "g"),
        source=f"{_DYNET}/dynet/gru.cc",
        library="dynet GRUBuilder",
        checked="text",
        sequence="BF",
    ),
    _row(
        "caffe2.lstm",
        stacked(
            i2h_w=("W", "(g r) c"),
            i2h_b=("b", "(g r)"),
            gates_t_w=("U", "(g r) c"),
            gates_t_b=("b", "(g r)"),
        ),
        *("i", "f", "o", "g"),
        source=f"{_CAFFE2}/caffe2/perfkernels/lstm_unit_cpu-impl.h",
        library="caffe2 rnn_cell.LSTM, forget_bias = 0",
        checked="text",
    ),
    _row(
        "coreml.lstm",
        _each(_proto(_WORDS)),
        *_WORDS.values(),
        source=_PROTO,
        library="Core ML UniDirectionalLSTMLayer",
        checked="text",
        optional=tuple(a for a in _proto(_WORDS) if "Bias" in a),
    ),
    _row(
        "coreml.peephole_lstm",
        _each(_proto(_WORDS) | _PEEPHOLES),
        *_WORDS.values(),
        source=_PROTO,
        library="Core ML UniDirectionalLSTMLayer, hasPeepholeVectors",
        checked="text",
        optional=tuple(a for a in _proto(_WORDS) if "Bias" in a),
    ),
    _row(
        "coreml.gru_reset_before",
        _each(_proto(_GRU_WORDS)),
        *_GRU_WORDS.values(),
        source=_PROTO,
        library="Core ML GRULayer",
        checked="text",
        optional=tuple(a for a in _proto(_GRU_WORDS) if "Bias" in a),
    ),
    _row(
        "mil.lstm",
        _MIL_ARRAYS,
        *("i", "f", "o", "g"),
        source=_MIL,
        library="Core ML MIL lstm",
        checked="text",
        optional=("bias",),
        spelled=_BACK,
    ),
    _row(
        "mil.peephole_lstm",
        _MIL_ARRAYS | stacked(peephole=("p", "(g r)")),
        *("i", "f", "o", "g"),
        source=_MIL,
        library="Core ML MIL lstm with peephole",
        checked="text",
        optional=("bias", "peephole"),
        spelled=_BACK,
    ),
    _row(  # its own documentation says reset after; its own tests and the layer it becomes: before
        "mil.gru_reset_before",
        _MIL_ARRAYS,
        *("r", "g", "z"),
        source=f"{_COREML}/coremltools/converters/mil/backend/nn/op_mapping.py",
        library="Core ML MIL gru",
        checked="text",
        optional=("bias",),
    ),
    _row(
        "textbook.lstm",
        {f"W_{gate}": (Stack((f"U_{gate}", f"W_{gate}"), "r (s c)"),) for gate in "fiog"}
        | _each({f"b_{gate}": f"b_{gate}" for gate in "fiog"}),
        *("f", "i", "o", "g"),
        source="derive/cells/lstm_concatenated.cell",
        library="the kernel of lstm_concatenated",
        sequence="TBF",
    ),
)
