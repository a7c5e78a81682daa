"""The LSTM, GRU and RNN node tests that the `onnx` package ships, through the emitted kernels.

Every case of those operators is found in the package that is installed, so a case that a later
version adds runs as well. A case that no kernel can run gets a row in `UNSUPPORTED`.
"""

import warnings
from dataclasses import replace
from functools import cache
from itertools import permutations

import numpy as np
import onnx
import pytest
from agreement import flipped
from onnx.backend.test.loader import load_model_tests
from onnx_nodes import Case, bounds_of, convention_of, excess

UNSUPPORTED = {}  # name of the case -> why no kernel can run it; a strict expected failure


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


@cache
def bounds(name):
    """The bounds of a shipped case: they do not depend on how its weights are read."""
    return bounds_of(CASES[name])


def parameters():
    for name, case in CASES.items():
        reason = UNSUPPORTED.get(name)
        marks = [pytest.mark.xfail(raises=NotImplementedError, reason=reason)] if reason else []
        yield pytest.param(case, id=name, marks=marks)


@pytest.mark.parametrize("case", list(parameters()))
def test_a_node_test_agrees_within_the_rounding_of_its_data(case, emitted, figure):
    convention = convention_of(case)
    worst = excess(case, convention, emitted(convention.cell), bounds(case.name))
    figure("onnx node tests, float32: largest difference over its bound", worst)
    assert worst <= 1


def test_the_cases_cover_every_operator_and_what_they_are_known_to_contain():
    names = " ".join(CASES)
    assert {case.op for case in CASES.values()} == {"LSTM", "GRU", "RNN"}
    for part in ("defaults", "initial_bias", "peepholes", "batchwise", "reverse", "bidirectional",
                 "seq_length"):  # fmt: skip
        assert part in names, part
    assert UNSUPPORTED.keys() <= CASES.keys()


@pytest.mark.parametrize("change", [{"activation_alpha": [0.1]}, {"activations": [b"Relu"]}])
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
    kernel = emitted("gru_reset_before")
    assert excess(broken, convention_of(case), kernel, bounds(case.name)) > 1


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
        worst = [excess(case, row, emitted(row.cell), bounds(case.name)) for case, row in rows]
        if max(worst) <= 1:
            passing.add(order)
    assert len(cases) >= 6
    assert len(passing) == 24
