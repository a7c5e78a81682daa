"""Code that adds up logarithms is right within the rounding that this makes, and not beyond it."""

from dataclasses import replace

import numpy as np
import pytest
from log_space import GatedSum, LogScan

from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.log_space import has_logarithms
from verify.references import reference
from verify.rounding import Precision
from verify.runner import run
from verify.sampling import pinned
from verify.strategies import make_example

MINGRU = load("mingru_log")
GATED = parse("input x[m]\nstate h[n]\nf = sigmoid(V @ x + b)\nh = f * h[t-1] + W @ x", "gated")
DERIVED = gradients(MINGRU)


def positive(seed, dtype):
    """An example whose initial state is above zero, at times near to it or large."""
    rng = np.random.default_rng(seed)
    steps, sizes = int(rng.integers(2, 24)), {"n": 3, "m": 2}
    e = make_example(MINGRU, steps=steps, batch=2, sizes=sizes, seed=seed, dtype=dtype)
    wide = float(10 ** rng.uniform(-1, 1))
    state = {"h": np.exp(wide * rng.standard_normal(e.state_0["h"].shape)).astype(dtype)}
    params = {n: (wide * a).astype(dtype) for n, a in e.params.items()}
    return replace(e, params=params, state_0=state)


def shares(example, kernel, logarithms):
    """By result: its largest error as a share of its bound."""
    precision = replace(Precision.of(example.dtype), logarithms=logarithms)
    right = reference(example, DERIVED, precision)
    y, _, tape = kernel.forward(example.params, example.inputs["x"], example.state_0)
    got = {"y": y, **kernel.backward(example.params, tape, example.dy, example.dstate_T)}
    expected, bounds = {"y": right.y, **right.grads}, {"y": right.y_bound, **right.grads_bound}
    for name, value in got.items():
        told = np.isfinite(bounds[name]) & (bounds[name] > 0)
        error = np.abs(value.astype(np.longdouble) - expected[name])
        yield float(np.max(error[told] / bounds[name][told], initial=0.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_scan_on_logarithms_stays_within_its_bounds_and_beyond_the_plain_ones(dtype):
    examples = [positive(seed, dtype) for seed in range(40)]
    largest = [max(shares(e, LogScan(), True)) for e in examples]
    assert max(largest) <= 1
    assert np.median(largest) > 1 / 256  # no wider than they need to be
    assert any(max(shares(e, LogScan(), False)) > 1 for e in examples)


def test_a_scan_on_logarithms_is_right_and_told_to_be_one():
    report = run(MINGRU, LogScan(), examples=60)
    assert report.verdict == "right", report.findings
    assert (report.precision, report.detected) == ("log-space", True)


@pytest.mark.parametrize(
    "wrong",
    [
        LogScan(slope=1 + 1e-9),
        LogScan(start=lambda h: np.where(h > 0, h + 1e-9, h)),
        LogScan(start=lambda h: np.where(h > 0, h + 0.5, h)),
    ],
    ids=["slope off by 1e-9", "state off by 1e-9", "g applied to the state"],
)
def test_what_is_wrong_beyond_that_is_not_excused(wrong):
    assert run(MINGRU, wrong, examples=60).verdict == "wrong"


@pytest.mark.parametrize("name", ["lstm", "gru", "mingru"])
def test_states_that_may_be_negative_have_the_plain_bounds(name):
    cell = load(name)
    derived = gradients(cell)
    assert not has_logarithms(derived)
    for e in list(pinned(cell, 0))[:4]:
        plain = Precision.of(e.dtype)
        one, other = (reference(e, derived, replace(plain, logarithms=b)) for b in (False, True))
        for kept, bound in one.grads_bound.items():
            np.testing.assert_array_equal(bound, other.grads_bound[kept])


@pytest.mark.parametrize("name", ["mingru_log", "minlstm_log"])
def test_positive_states_that_stay_so_have_logarithms(name):
    assert has_logarithms(gradients(load(name)))


def test_gradients_of_gates_as_differences_of_sums_are_right_and_told_to_be_such():
    report = run(GATED, GatedSum(), examples=60)
    assert report.verdict == "right", report.findings
    assert (report.precision, report.detected) == ("telescoped", True)


@pytest.mark.parametrize("slope", [1 + 1e-4, 1 + 1e-9, -1.0])
def test_gradients_of_gates_that_are_wrong_beyond_that_are_not_excused(slope):
    assert run(GATED, GatedSum(slope), examples=60).verdict == "wrong"
