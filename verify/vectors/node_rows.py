"""Cases for ONNX's LSTM, GRU and RNN as rows: what a node is, what it is asked, what it is given.

ONNX's own node tests have constant weights, so that all orders of gates pass, and leave out what
`SETTINGS` asks for. A case is a node with a setting.
Source: https://onnx.ai/onnx/operators/, LSTM, GRU and RNN of opset 14, as in `onnx.defs`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

__all__ = ["NODES", "OPSET", "SETTINGS", "Case", "Node", "Setting", "cases"]

# The first with `layout`; the equations of later ones are the same.
OPSET = 14


@dataclass(frozen=True)
class Node:
    """A recurrent operator.

    Attributes:
        convention: the row of `verify.conventions` that says how its arrays are stacked.
        peepholes: whether it is given P.
        attributes: its own.
        activations: the attribute for other functions than the defaults, and what they change in
            the cell's equations.
    """

    name: str
    op: str
    convention: str
    activations: tuple[str, ...]
    changed: tuple[str, str]
    peepholes: bool = False
    attributes: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


NODES = (
    Node("rnn", "RNN", "onnx.rnn", ("Relu",), ("h = tanh(", "h = relu(")),
    Node("gru", "GRU", "onnx.gru_reset_before", ("Sigmoid", "Relu"), ("g = tanh(", "g = relu(")),
    Node(
        "gru_linear_before_reset",
        "GRU",
        "onnx.gru",
        ("Sigmoid", "Relu"),
        ("g = tanh(", "g = relu("),
        attributes={"linear_before_reset": 1},
    ),
    Node("lstm", "LSTM", "onnx.lstm", ("Sigmoid", "Relu", "Tanh"), ("g = tanh(", "g = relu(")),
    Node(
        "lstm_peepholes",
        "LSTM",
        "onnx.peephole_lstm",
        ("Sigmoid", "Relu", "Tanh"),
        ("g = tanh(", "g = relu("),
        peepholes=True,
    ),
)

STATES = ("initial_h", "initial_c")
FINAL = ("Y_h", "Y_c")


@dataclass(frozen=True)
class Setting:
    """What a case asks of a node.

    Attributes:
        name: the end of the case's name; '' for the plainest.
        asks: what is asked, in a line.
        given: the optional inputs, where the operator has them.
        results: the outputs that are compared.
        lengths: 'full' for no `sequence_lens`; 'short' for rows that end early beside one that
            does not; 'zero' for a row of no steps beside full ones.
        attributes: of every node that it is asked of.
        other: whether the activations are others than the defaults.
        ops: the operators that have what is asked.
        doubles: whether there is a case in float64 as well.
        unclear: what the operator's text leaves open here; '' if nothing. Then a case has several
            readings, and agrees who agrees with one.
    """

    name: str
    asks: str
    given: tuple[str, ...] = ("B", *STATES)
    results: tuple[str, ...] = ("Y", *FINAL)
    lengths: str = "full"
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    other: bool = False
    ops: tuple[str, ...] = ("RNN", "GRU", "LSTM")
    doubles: bool = False
    unclear: str = ""


_SHORT = Setting("short", "sequences that end early: final states", results=FINAL, lengths="short")
_REVERSE, _BOTH = {"direction": "reverse"}, {"direction": "bidirectional"}
# https://github.com/microsoft/onnxruntime/issues/27224 asks the first; in
# https://github.com/onnx/onnx/pull/149, which brought the attribute, both answers are given to the
# second.
_UNSAID_CLIP = "whether clip also bounds C where h reads it ('the input of activations')"
_UNSAID_COUPLED = "whether the forget gate is 1 - i or the input gate 1 - f ('couple')"
_UNSAID_ZERO = "whether a row may have no steps, and what its final states are then"

SETTINGS = (
    Setting("", "biases, initial states", doubles=True),
    Setting("bare", "X, W and R alone", given=()),
    Setting("without_initial_states", "biases alone", given=("B",)),
    Setting("initial_h", "an initial h and no initial c", given=("B", "initial_h"), ops=("LSTM",)),
    Setting("initial_c", "an initial c and no initial h", given=("B", "initial_c"), ops=("LSTM",)),
    Setting("reverse", "the reverse direction", attributes=_REVERSE),
    Setting("bidirectional", "both directions", attributes=_BOTH, doubles=True),
    Setting("batchwise", "layout 1", attributes={"layout": 1}, doubles=True),
    Setting(
        "batchwise_bidirectional", "layout 1, both directions", attributes={"layout": 1, **_BOTH}
    ),
    replace(_SHORT, doubles=True),
    Setting("short_outputs", "sequences that end early: outputs", results=("Y",), lengths="short"),
    replace(
        _SHORT,
        name="short_reverse",
        asks="sequences that end early, reverse: final states",
        attributes=_REVERSE,
    ),
    Setting(
        "short_reverse_outputs",
        "sequences that end early, reverse: outputs",
        results=("Y",),
        lengths="short",
        attributes=_REVERSE,
    ),
    replace(
        _SHORT,
        name="short_bidirectional",
        asks="sequences that end early, both directions: final states",
        attributes=_BOTH,
    ),
    Setting(
        "short_bidirectional_outputs",
        "sequences that end early, both directions: outputs",
        results=("Y",),
        lengths="short",
        attributes=_BOTH,
    ),
    replace(
        _SHORT,
        name="batchwise_short",
        asks="sequences that end early, layout 1: final states",
        attributes={"layout": 1},
    ),
    Setting("clip", "clip, with C below it", attributes={"clip": 1.0}, doubles=True),
    Setting("clip_bidirectional", "clip, both directions", attributes={"clip": 1.0, **_BOTH}),
    Setting("activations", "other activations", other=True),
    Setting(
        "input_forget",
        "coupled gates",
        attributes={"input_forget": 1},
        ops=("LSTM",),
        doubles=True,
        unclear=_UNSAID_COUPLED,
    ),
    Setting(
        "clip_small", "clip, with C above it", attributes={"clip": 0.5}, ops=("LSTM",),
        unclear=_UNSAID_CLIP,
    ),
    replace(
        _SHORT, name="no_steps", asks="a row of no steps", lengths="zero", unclear=_UNSAID_ZERO
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A node with a setting, a precision, sizes and a seed.

    Attributes:
        steps, batch, size, hidden: T, B, the sizes of x and of h.
    """

    node: Node
    setting: Setting
    dtype: str = "float32"
    steps: int = 5
    batch: int = 4
    size: int = 3
    hidden: int = 6
    seed: int = 0

    @property
    def name(self) -> str:
        """As ONNX names its node tests."""
        ending = "double" if self.dtype == "float64" else ""
        return "_".join(p for p in ("test", self.node.name, self.setting.name, ending) if p)

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the node, but for those that have their default."""
        ways = self.directions
        own = {"activations": list(self.node.activations) * ways} if self.setting.other else {}
        asked = self.setting.attributes
        return {"hidden_size": self.hidden, **self.node.attributes, **asked, **own}

    @property
    def reversed(self) -> tuple[bool, ...]:
        """Whether each direction reads its sequences in reverse."""
        rows = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
        return rows[self.setting.attributes.get("direction", "forward")]

    @property
    def directions(self) -> int:
        """How many there are."""
        return len(self.reversed)


def cases(seed: int = 0) -> Iterator[Case]:
    """All cases, in float32 and, where the setting says so, in float64."""
    for node in NODES:
        for setting in SETTINGS:
            if node.op in setting.ops:
                yield Case(node, setting, seed=seed)
                if setting.doubles:
                    yield Case(node, setting, "float64", seed=seed)
