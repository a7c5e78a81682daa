"""Each row is seen to fail on an implementation that is wrong in the way the row is about."""

from dataclasses import replace

import numpy as np
import pytest
from grown_cells import CLASSIC
from wrong_kernels import LSTM, RIGHT, Wrapped, fail, forward, grads, having
from wrong_table import WRONG

from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.properties import PROPERTIES, Failure, Skip, Trial
from verify.properties.intervals import output_ranges
from verify.properties.paths import paths_of
from verify.properties.symmetry import permutation
from verify.references import reference_kernel
from verify.sampling import pinned
from verify.strategies import make_example

ROWS = {row.name: row for row in PROPERTIES}
EXPENSIVE = {"differences"}

TWO_INPUTS = parse(
    """
    input x[m], u[k]
    state h[n], s[3]
    z = sigmoid(W_z @ [h[t-1], x] + V_z @ [u, h[t-1]] + b_z)
    s = 0.5 * s[t-1] + tanh(A @ h[t-1] + B @ s[t-1] + c)
    h = (1 - z) * h[t-1] + z * tanh(D @ s + W_h @ [x, u])
    """,
    "two_inputs",
)


DERIVED = gradients(LSTM)
EXAMPLES = tuple(pinned(LSTM, 0))


def failure(row, kernel):
    """How a property fails on one of the pinned examples, or None."""
    for example in EXAMPLES:
        found = ROWS[row].judge(Trial(kernel, example, DERIVED))
        if isinstance(found, Failure):
            return found
    return None


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.what)
def test_each_property_sees_what_it_is_about(wrong):
    for row in wrong.caught_by:
        found = failure(row, wrong.kernel())
        assert found is not None, f"'{row}' does not see: {wrong.what}"
        assert found.message
        assert "\n" not in found.message


def test_every_property_is_seen_to_fail():
    assert {row for wrong in WRONG for row in wrong.caught_by} == set(ROWS)


def test_names_of_properties_are_unique_and_each_has_a_reason():
    assert len(ROWS) == len(PROPERTIES)
    assert all(row.reason for row in PROPERTIES)


def accused(cell, kernel, examples, but=frozenset()):
    derived = gradients(cell)
    return [
        (row.name, found)
        for trial in (Trial(kernel, e, derived) for e in examples)
        for row in PROPERTIES
        if row.name not in but
        if isinstance(found := row.judge(trial), Failure)
    ]


@pytest.mark.parametrize("name", CLASSIC)
def test_no_property_accuses_the_right_implementation(name):
    cell = load(name)
    examples = [e for e in pinned(cell, 1) if e.steps < 9]
    assert accused(cell, reference_kernel(cell), examples, EXPENSIVE) == []


def test_no_property_accuses_a_cell_with_two_inputs_and_stacks_in_both_orders():
    examples = list(pinned(TWO_INPUTS, 2))[:4]
    assert accused(TWO_INPUTS, reference_kernel(TWO_INPUTS), examples, EXPENSIVE) == []


def test_differences_do_not_accuse_the_right_implementation():
    cell = load("gru_reset_before")
    trial = Trial(reference_kernel(cell), next(pinned(cell, 3)), gradients(cell))
    assert ROWS["differences"].judge(trial) is None


def test_another_cell_with_its_own_gradient_is_told_apart_from_a_wrong_gradient():
    class Doubled(Wrapped):
        """Not the LSTM: x counts twice; its gradient is that of what it computes."""

        def forward(self, params, x, state_0=None, *, lengths=None):
            return super().forward(params, 2 * x, state_0, lengths=lengths)

        def backward(self, params, tape, dy=None, dstate_T=None):
            found = super().backward(params, tape, dy, dstate_T)
            return {**found, "x": 2 * found["x"]}

    assert failure("values", Doubled()) is not None
    assert ROWS["differences"].judge(Trial(Doubled(), EXAMPLES[0], DERIVED)) is None


def test_a_failure_names_the_entry_that_is_furthest_off():
    def change(g, *_):
        changed = np.array(g["U_g"])
        changed[1, 0] += 0.5
        return having(g, "U_g", changed)

    found = failure("gradients", grads(change)())
    assert (found.parameter, found.index) == ("U_g", (1, 0))
    assert found.got - found.expected == pytest.approx(0.5, rel=1e-6)
    assert found.bound < 1e-12
    assert found.also == ()


def test_other_results_that_fail_alike_are_listed():
    found = failure("gradients", grads(lambda g, *_: {n: 2 * a for n, a in g.items()})())
    assert len({found.parameter, *found.also}) == len(DERIVED.parameters) + 3


def test_a_call_that_breaks_says_what_was_raised_and_where():
    found = failure("runs", forward(fail)())
    assert found.message.startswith("forward raised ValueError: no such thing (wrong_kernels.py")


def test_the_state_path_of_the_lstm_is_the_product_of_its_forget_gates():
    example = make_example(LSTM, steps=9, batch=2, sizes={"n": 3, "m": 2}, seed=5, regime="mixed")
    paths = paths_of(LSTM)
    assert paths.memories == ("C",)
    assert paths.silent == {"U_f", "U_i", "U_o", "U_g"}
    params = {n: 0 * a if n in paths.silent else a for n, a in example.params.items()}
    silent = replace(
        example,
        params=params,
        dy=None,
        dstate_T={**example.dstate_T, "h": 0 * example.dstate_T["h"]},
    )
    z = example.inputs["x"] @ params["W_f"].T + params["b_f"]
    product = np.prod(1 / (1 + np.exp(-z)), axis=0) * example.dstate_T["C"]
    _, _, tape = RIGHT.forward(silent.params, silent.x, silent.state_0)
    found = RIGHT.backward(silent.params, tape, None, silent.dstate_T)["C_0"]
    np.testing.assert_allclose(found, product, rtol=1e-13)


def test_the_state_path_says_where_it_does_not_apply():
    cell = load("rnn")
    found = ROWS["state path"].judge(
        Trial(reference_kernel(cell), next(pinned(cell, 0)), gradients(cell))
    )
    assert found == Skip("no state of rnn reaches its own next value entry by entry")


def test_output_ranges_of_the_lstm_are_those_of_tanh_and_of_the_gru_rest_on_the_last_output():
    example = EXAMPLES[1]
    y = RIGHT.forward(example.params, example.x, example.state_0)[0]
    low, high = output_ranges(example, DERIVED.forward, y)["y"]
    assert np.all(low == -1)
    assert np.all(high == 1)
    gru = load("gru")
    example = make_example(gru, steps=3, batch=1, sizes={"n": 2, "m": 3}, seed=0)
    y = reference_kernel(gru).forward(example.params, example.x, example.state_0)[0]
    low, high = output_ranges(example, gradients(gru).forward, y)["y"]
    np.testing.assert_allclose(high[1:], 1 + np.maximum(y[:-1], 0), rtol=1e-15)
    np.testing.assert_allclose(low[1:], -1 + np.minimum(y[:-1], 0), rtol=1e-15)


def test_stacked_weights_are_permuted_piece_by_piece():
    example = make_example(TWO_INPUTS, steps=2, batch=1, sizes={"n": 2, "m": 5, "k": 4}, seed=0)
    order = permutation(example)
    marked = np.arange(7)[None].repeat(2, axis=0)
    assert list(order.of("W_z", marked)[0]) == [1, 0, 6, 2, 3, 4, 5]
    marked = np.arange(6)[None].repeat(2, axis=0)
    assert list(order.of("V_z", marked)[0]) == [3, 0, 1, 2, 5, 4]
    assert list(order.of("b_z", np.arange(2))) == [1, 0]
