"""LSTM, GRU and RNN nodes of ONNX with their values, run through kernels."""

import re
from dataclasses import dataclass

import numpy as np
from agreement import flipped, share_of_bound

from derive import parse, zoo
from derive.gradients import gradients
from verify.conventions import CONVENTIONS, to_cell
from verify.kernels import Example
from verify.references import reference

__all__ = ["Case", "bounds_of", "cell_of", "convention_of", "directions", "excess"]

STATES = {"h": "initial_h", "C": "initial_c"}
UNDERSTOOD = {"hidden_size", "direction", "layout", "linear_before_reset", "clip", "input_forget"}


@dataclass(frozen=True)
class Case:
    """A node with the values of its inputs and outputs, by the operator's names for them."""

    name: str
    op: str
    attributes: dict
    inputs: dict
    outputs: dict


def convention_of(case):
    """The layout of the node's arrays, and with it the cell that it computes but for clipping.

    Raises:
        NotImplementedError: the node asks for something that no cell of the zoo computes.
    """
    for attribute in sorted(case.attributes.keys() - UNDERSTOOD):
        value = case.attributes[attribute]
        raise NotImplementedError(f"{case.op}: no cell for {attribute} = {value}")
    if case.op == "LSTM":
        plain = "onnx.peephole_lstm" if "P" in case.inputs else "onnx.lstm"
        return CONVENTIONS["onnx.lstm_cifg" if case.attributes.get("input_forget") else plain]
    if case.op == "GRU":
        after = case.attributes.get("linear_before_reset", 0)
        return CONVENTIONS["onnx.gru" if after else "onnx.gru_reset_before"]
    return CONVENTIONS["onnx.rnn"]


def cell_of(case, convention):
    """The convention's cell; for a node with a threshold, that cell with its gates clipped.

    onnxruntime keeps what goes into the activation of a gate or of the candidate between -clip and
    clip, with biases and peepholes added before. C is not clipped where h reads it, although the
    operator's text says 'the input of activations'. In the cells these are the equations that
    consist of one activation.
    """
    cell = zoo.load(convention.cell)
    if "clip" not in case.attributes:
        return cell
    gate = re.compile(r"^(\w+ = (?:sigmoid|tanh))\((.*)\)$", re.MULTILINE)
    text, count = gate.subn(r"\1(max(min(\2, clip), -clip))", str(cell))
    assert count, f"{convention.cell} has no gate"
    head, _, equations = text.partition("\n\n")
    return parse(f"{head}\nparameter clip[1]\n\n{equations}", f"{convention.cell}_clipped")


def examples_of(case, convention):
    """One example for each direction, its steps in the order in which that direction reads them.

    Parameters are in float64, so that adding two biases is not one more rounding.
    """
    x, cell = batch_second(case, case.inputs["X"]), cell_of(case, convention)
    lengths = case.inputs.get("sequence_lens", np.full(x.shape[1], len(x)))
    arrays = {k: case.inputs[k].astype(np.float64) for k in "WRBP" if k in case.inputs}
    more = {"clip": np.array([case.attributes["clip"]])} if "clip" in case.attributes else {}
    for place, reverse in enumerate(directions(case)):
        given = {s.name: case.inputs.get(STATES[s.name]) for s in cell.states}
        given = {k: batch_second(case, a)[place] for k, a in given.items() if a is not None}
        zeros = np.zeros((x.shape[1], case.attributes["hidden_size"]), x.dtype)
        yield Example(
            cell=cell,
            params=to_cell(convention, arrays, place) | more,
            inputs={cell.inputs[0].name: flipped(x, lengths) if reverse else x},
            state_0={s.name: given.get(s.name, zeros) for s in cell.states} if given else None,
            lengths=lengths,
        )


def directions(case):
    """Whether each direction of the node reads its sequences in reverse."""
    rows = {b"forward": (False,), b"reverse": (True,), b"bidirectional": (False, True)}
    return rows[case.attributes.get("direction", b"forward")]


def batch_second(case, a):
    """Between the node's layout and (T, B, …) or (directions, B, n): its own inverse."""
    return a.swapaxes(0, 1) if case.attributes.get("layout", 0) else a


def assembled(case, runs, lengths):
    """The node's outputs from one (y, state_T) for each direction."""
    turns = zip(runs, directions(case), strict=True)
    y = np.stack([flipped(y, lengths) if turn else y for (y, _), turn in turns], axis=1)
    outputs = {"Y": np.moveaxis(y, 2, 0) if case.attributes.get("layout", 0) else y}
    for state, name in STATES.items():
        if all(state in last for _, last in runs):
            last = np.stack([last[state] for _, last in runs])
            outputs["Y" + name.removeprefix("initial")] = batch_second(case, last)
    return outputs


def bounds_of(case):
    """How far from the outputs any evaluation of the case may be, in the precision of its data."""
    examples = list(examples_of(case, convention_of(case)))
    limits = [reference(e, gradients(e.cell), e.dtype) for e in examples]
    return assembled(case, [(r.y_bound, r.state_T_bound) for r in limits], examples[0].lengths)


def excess(case, convention, kernel, bounds):
    """The largest share of the bound over the node's outputs: above 1 is wrong."""
    runs = []
    for example in examples_of(case, convention):
        params = {k: a.astype(example.dtype) for k, a in example.params.items()}
        y, last, _ = kernel.forward(params, example.x, example.state_0, lengths=example.lengths)
        runs.append((y, last))
    got = assembled(case, runs, example.lengths)
    return share_of_bound({k: got[k] for k in case.outputs}, case.outputs, bounds)
