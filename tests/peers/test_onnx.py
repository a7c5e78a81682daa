"""The LSTM, GRU and RNN node tests that the `onnx` package ships, through the emitted kernels.

Every case of those operators is found in the package that is installed, so a case that a later
version adds runs as well. A case that no kernel can run gets a row in `UNSUPPORTED`.
"""

import warnings
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations

import numpy as np
import onnx
import pytest
from onnx.backend.test.loader import load_model_tests

from derive import zoo
from derive.gradients import gradients
from verify.conventions import CONVENTIONS, to_cell
from verify.kernels import Example
from verify.references import reference

UNSUPPORTED = {}  # name of the case -> why no kernel can run it; a strict expected failure

STATES = {"h": "initial_h", "C": "initial_c"}


@dataclass(frozen=True)
class Case:
    """A node with the values of its inputs and outputs, by the operator's names for them."""

    name: str
    op: str
    attributes: dict
    inputs: dict
    outputs: dict


def case_of(name, node, inputs, outputs):
    schema = onnx.defs.get_schema(node.op_type)
    slots = [s.name for s, given in zip(schema.inputs, node.input, strict=False) if given]
    results = [s.name for s, given in zip(schema.outputs, node.output, strict=False) if given]
    return Case(
        name=name,
        op=node.op_type,
        attributes={a.name: onnx.helper.get_attribute_value(a) for a in node.attribute},
        inputs=dict(zip(slots, inputs, strict=True)),
        outputs=dict(zip(results, outputs, strict=True)),
    )


def shipped():
    """Every case of the package that consists of one recurrent node."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other operators' cases divide by zero as they are made
        tests = load_model_tests(kind="node")
    found = {}
    for test in tests:
        operators = [node.op_type for node in test.model.graph.node]
        if {"LSTM", "GRU", "RNN"} & set(operators):
            assert len(operators) == 1, f"{test.name}: a graph of {operators}"
            for number, (inputs, outputs) in enumerate(test.data_sets):
                name = f"{test.name}-{number}" if number else test.name
                found[name] = case_of(name, test.model.graph.node[0], inputs, outputs)
    return found


CASES = shipped()


def convention_of(case):
    """The layout of the node's arrays, and with it the cell that it computes.

    Raises:
        NotImplementedError: the node asks for something that no cell of the zoo computes.
    """
    if case.op == "LSTM":
        name = "onnx.peephole_lstm" if "P" in case.inputs else "onnx.lstm"
    elif case.op == "GRU":
        after = case.attributes.get("linear_before_reset", 0)
        name = "onnx.gru" if after else "onnx.gru_reset_before"
    else:
        name = "onnx.rnn"
    for attribute, value in case.attributes.items():
        if attribute not in ("hidden_size", "direction", "layout", "linear_before_reset"):
            raise NotImplementedError(f"{case.op}: no cell for {attribute} = {value}")
    return CONVENTIONS[name]


def flipped(x, lengths):
    """Each row of (T, B, …) with its first `length` steps in reverse order."""
    t = np.arange(x.shape[0])[:, np.newaxis]
    steps = np.where(t < lengths, lengths - 1 - t, t)
    return np.take_along_axis(x, steps[:, :, np.newaxis], axis=0)


def examples_of(case, convention):
    """One example for each direction, its steps in the order in which that direction reads them.

    Parameters are in float64, so that adding two biases is not one more rounding.
    """
    x, cell = batch_second(case, case.inputs["X"]), zoo.load(convention.cell)
    lengths = case.inputs.get("sequence_lens", np.full(x.shape[1], len(x)))
    arrays = {k: case.inputs[k].astype(np.float64) for k in "WRBP" if k in case.inputs}
    for place, reverse in enumerate(directions(case)):
        given = {s.name: case.inputs.get(STATES[s.name]) for s in cell.states}
        given = {k: batch_second(case, a)[place] for k, a in given.items() if a is not None}
        zeros = np.zeros((x.shape[1], case.attributes["hidden_size"]), x.dtype)
        yield Example(
            cell=cell,
            params=to_cell(convention, arrays, place),
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


@cache
def bounds(name):
    """How far from the outputs any evaluation of the case may be, in the precision of its data."""
    case = CASES[name]
    cell, examples = convention_of(case).cell, list(examples_of(case, convention_of(case)))
    limits = [reference(e, gradients(zoo.load(cell)), e.dtype) for e in examples]
    return assembled(case, [(r.y_bound, r.state_T_bound) for r in limits], examples[0].lengths)


def excess(case, convention, kernel):
    """The largest of |got - expected| / bound over the node's outputs: above 1 is wrong.

    There are two evaluations, the package's and the kernel's, so twice the bound is allowed.
    """
    runs = []
    for example in examples_of(case, convention):
        params = {k: a.astype(example.dtype) for k, a in example.params.items()}
        y, last, _ = kernel.forward(params, example.x, example.state_0, lengths=example.lengths)
        runs.append((y, last))
    got, parts = assembled(case, runs, example.lengths), []
    for name, expected in case.outputs.items():
        assert (got[name].shape, got[name].dtype) == (expected.shape, expected.dtype), name
        apart = np.abs(got[name].astype(np.longdouble) - expected)
        parts.append(np.max(apart / (2 * bounds(case.name)[name])))
    return float(np.max(parts))  # unlike `max`, not a number where one of them is not


def parameters():
    for name, case in CASES.items():
        reason = UNSUPPORTED.get(name)
        marks = [pytest.mark.xfail(raises=NotImplementedError, reason=reason)] if reason else []
        yield pytest.param(case, id=name, marks=marks)


@pytest.mark.parametrize("case", list(parameters()))
def test_a_node_test_agrees_within_the_rounding_of_its_data(case, emitted, figure):
    convention = convention_of(case)
    worst = excess(case, convention, emitted(convention.cell))
    figure("onnx node tests, float32: largest difference over its bound", worst)
    assert worst <= 1


def test_the_cases_cover_every_operator_and_what_they_are_known_to_contain():
    names = " ".join(CASES)
    assert {case.op for case in CASES.values()} == {"LSTM", "GRU", "RNN"}
    for part in ("defaults", "initial_bias", "peepholes", "batchwise", "reverse", "bidirectional",
                 "seq_length"):  # fmt: skip
        assert part in names, part
    assert UNSUPPORTED.keys() <= CASES.keys()


@pytest.mark.parametrize("change", [{"clip": 1.0}, {"input_forget": 1}, {"activations": [b"Relu"]}])
def test_an_attribute_that_no_cell_computes_is_refused_and_not_ignored(change):
    case = CASES["test_lstm_defaults"]
    with pytest.raises(NotImplementedError, match=f"LSTM: no cell for {next(iter(change))}"):
        convention_of(replace(case, attributes={**case.attributes, **change}))


@pytest.mark.parametrize("output", ["Y", "Y_h"])
def test_a_node_test_notices_a_small_error_in_one_entry(output, emitted):
    case = CASES["test_gru_batchwise"]
    wrong = case.outputs[output].copy()
    wrong.flat[-1] *= np.float32(1 + 1e-4)
    broken = replace(case, outputs={**case.outputs, output: wrong})
    assert excess(broken, convention_of(case), emitted("gru_reset_before")) > 1


def test_rows_are_flipped_up_to_their_length():
    x = np.array([[[1], [5]], [[2], [6]], [[3], [7]], [[4], [8]]])
    assert flipped(x, np.array([4, 2]))[:, :, 0].T.tolist() == [[4, 3, 2, 1], [6, 5, 7, 8]]


def test_constant_weights_cannot_tell_one_gate_order_from_another(emitted):
    """What the agreement above is not worth: each of the 24 orders passes every LSTM case.

    Against torch, with distinct weights, one order passes: see tests/peers/test_torch.py.
    """
    passing = set()
    cases = [case for case in CASES.values() if case.op == "LSTM" and case.name not in UNSUPPORTED]
    for order in permutations("iofg"):
        rows = [(case, replace(convention_of(case), gates=order)) for case in cases]
        if all(excess(case, row, emitted(row.cell)) <= 1 for case, row in rows):
            passing.add(order)
    assert len(cases) >= 6
    assert len(passing) == 24
