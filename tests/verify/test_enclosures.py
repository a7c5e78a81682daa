"""Errors enclosed: known ones, those of emitted kernels, and what no precision decides."""

from dataclasses import replace

import numpy as np
import pytest
from ball_cases import LEAKY, Spoilt, emitted, leaky, trial_of

from derive import zoo
from derive.errors import RuleError
from derive.gradients import gradients
from derive.language import parse
from verify.enclosing import enclose
from verify.enclosing.enclosure import LAST
from verify.kernels import Example
from verify.properties import Trial
from verify.references import reference_kernel
from verify.sampling import pinned

pytest.importorskip(
    "flint", reason="no python-flint: pip install 'python-flint>=0.6' runs these tests"
)

# Gates, both places of the reset, a coupled gate, peepholes, a projection, a stabilised quotient
# with a kink, a matrix memory, norms with roots, an exponential, a phase that jumps, a logarithm.
CELLS = (
    "rnn",
    "irnn",
    "lstm",
    "peephole_lstm",
    "coupled_lstm",
    "lstm_projection",
    "lstm_layer_norm",
    "gru",
    "gru_reset_before",
    "slstm",
    "mlstm",
    "gla",
    "delta_net",
    "minlstm_log",
    "phased_lstm",
    "rwkv4_stabilised",
)


def test_a_run_without_an_error_is_certified_to_have_none():
    found = enclose(leaky(emitted(LEAKY)))
    assert [(r.largest, r.ulps, r.share) for r in found.results] == [(0, 0, 0)] * 5
    assert found.bits == 53


def test_an_error_that_is_known_is_certified_to_the_last_digits():
    off = 2.0**-30
    found = {
        r.name: r for r in enclose(leaky(Spoilt(emitted(LEAKY), "h_0", lambda v: v + off))).results
    }
    wrong = found["gradient of h_0"].worst
    assert wrong.low <= off <= wrong.high <= off * (1 + 1e-12)
    assert wrong.low >= off * (1 - 1e-12)
    assert wrong.bound < off
    assert all(r.largest == 0 for n, r in found.items() if n != "gradient of h_0")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CELLS)
def test_emitted_kernels_are_certified_to_be_within_their_bounds_entry_by_entry(name, dtype):
    cell = zoo.load(name)
    kernel = emitted(cell)
    for seed in (0, 1):
        regime = ("mixed", "unsaturated")[seed]
        found = enclose(trial_of(cell, kernel, dtype=dtype, seed=seed, regime=regime))
        assert len(found.results) == 1 + 2 * len(cell.states) + len(cell.parameters) + len(
            cell.inputs
        )
        for result in found.results:
            assert not result.outside, (found.label, result)
            assert not result.undecided, (found.label, result)
            assert not result.unbounded, (found.label, result)
            assert result.largest < np.inf
            assert result.share <= 1
        assert max(r.largest for r in found.results) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_cell_is_within_its_bounds_on_the_examples_that_every_run_begins_with(name):
    cell = zoo.load(name)
    kernel, derived = emitted(cell), gradients(cell)
    for example in pinned(cell, 1):
        for result in enclose(Trial(kernel, example, derived)).results:
            assert not result.outside, (example.label, result)
            assert not result.undecided, (example.label, result)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "slstm"])
def test_a_gradient_with_one_entry_off_by_1e_12_is_certified_to_be_outside(name):
    cell = zoo.load(name)
    key = cell.parameters[0].name
    kernel = Spoilt(emitted(cell), key, lambda v: v + 1e-12)
    trial = trial_of(cell, kernel, regime="unsaturated")
    found = {r.name: r for r in enclose(trial).results}
    assert [n for n, r in found.items() if r.outside] == [f"gradient of {key}"]
    worst = found[f"gradient of {key}"].worst
    assert worst.bound < worst.low <= 1.001e-12
    assert worst.high >= 0.999e-12
    assert set(worst.index) == {0}


@pytest.mark.parametrize("lost", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_outside(lost):
    cell = zoo.load("rnn")
    found = enclose(trial_of(cell, Spoilt(emitted(cell), "U", lambda v: lost))).results
    wrong = [r for r in found if r.outside]
    assert [r.name for r in wrong] == ["gradient of U"]
    assert wrong[0].worst.low == np.inf


# The argument of the kink is zero, and no precision can know it.
ROOT = parse("input x[n]\nstate h[n]\nr = sqrt(x)\nh = relu(r * r - x) + h[t-1]", "root")


def at_the_kink(kernel):
    example = Example(
        ROOT,
        params={},
        inputs={"x": np.full((1, 1, 1), 2.0)},
        state_0={"h": np.zeros((1, 1))},
        dstate_T={"h": np.ones((1, 1))},
    )
    return Trial(kernel, example, gradients(ROOT))


def test_a_kink_that_no_precision_decides_is_said():
    right = {r.name: r for r in enclose(at_the_kink(reference_kernel(ROOT))).results}
    assert right["gradient of x"].wide == 1
    assert right["gradient of h_0"].wide == right["h_T"].wide == 0
    off = Spoilt(reference_kernel(ROOT), "x", lambda v: v + 1.2)
    found = enclose(at_the_kink(off))
    results = {r.name: r for r in found.results}
    assert results["gradient of x"].undecided == 1
    assert not results["gradient of x"].outside
    assert found.bits < LAST  # more would not help


def test_saturated_gates_need_more_bits_than_floats_have():
    cell = zoo.load("lstm")
    trial = trial_of(cell, regime="saturated", steps=12)
    found = enclose(trial)
    assert found.bits > 53
    assert not any(r.outside or r.undecided for r in found.results)


class Shrunk(Trial):
    """A trial with bounds that are too small."""

    share = 1e-4

    def reference(self, example=None):
        right = super().reference(example)
        smaller = lambda bounds: {n: self.share * b for n, b in bounds.items()}
        return replace(
            right,
            value_bounds=smaller(right.value_bounds),
            grad_bounds=smaller(right.grad_bounds),
        )


def test_a_bound_that_is_too_small_is_seen_on_a_right_kernel():
    right = trial_of(zoo.load("lstm"))
    small = Shrunk(right.kernel, right.example, right.derived)
    assert any(r.outside for r in enclose(small).results)


def test_a_reference_outside_of_its_own_bound_is_our_own_failure():
    right = trial_of(zoo.load("lstm"))
    none = Shrunk(right.kernel, right.example, right.derived)
    none.share = 0.0
    with pytest.raises(RuleError, match=r"our own failure: the reference of .* outside of its own"):
        enclose(none)


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0)])
def test_where_there_is_nothing_nothing_is_off(steps, batch):
    found = enclose(trial_of(zoo.load("gru"), steps=steps, batch=batch, with_lengths=False))
    assert all(r.largest == 0 and not r.outside and not r.undecided for r in found.results)
