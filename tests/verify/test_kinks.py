"""Differences near kinks and jumps: their error covers what they cannot see, or says so."""

from dataclasses import replace

import numpy as np
import pytest
from grown_cells import grown

from derive import zoo
from derive.gradients import gradients
from derive.language import parse
from verify.complex_step import complex_step_gradients
from verify.differences import STEPS, central_differences, declared_slopes
from verify.kernels import Example
from verify.properties.kinks import smooth_reach
from verify.references import reference_kernel
from verify.strategies import make_example

DISTANCES = (*np.logspace(-12, -0.4, 40), *(0.0,))


def beside(function, distance, side=1.0):
    """A cell whose argument of `function` is that far from zero, at b = 0.5."""
    text = f"input x[n]\nstate h[n]\nh = {function}(b - x) + tanh(b)"
    return Example(
        parse(text, "beside"),
        params={"b": np.array([0.5])},
        inputs={"x": np.array([0.5 - side * distance]).reshape(1, 1, 1)},
        state_0={"h": np.zeros((1, 1))},
        dy=np.ones((1, 1, 1)),
    )


def differences(example, **given):
    return central_differences(reference_kernel(example.cell).forward, example, ["b"], **given)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("function", ["relu", "abs", "heaviside", "sign", "frac"])
def test_the_error_covers_the_true_slope_at_any_distance_from_a_kink_or_a_jump(function, side):
    for distance in DISTANCES:
        if function == "frac" and distance == 0.5:
            continue
        example = beside(function, distance, side)
        found = differences(example)
        # 0.5 - (0.5 - d) is not d, and which side it lies on is what the equations say.
        z = 0.5 - example.inputs["x"].item()
        slope = {"relu": float(z > 0), "abs": np.sign(z), "frac": 1.0}.get(function, 0.0)
        true = slope + 1 - np.tanh(np.longdouble(0.5)) ** 2
        assert abs(found.value["b"] - true) <= found.error["b"], (distance, found)


def test_far_from_the_kink_the_error_is_small():
    assert differences(beside("relu", 0.4)).error["b"] < 1e-9
    assert differences(beside("relu", 1e-8)).error["b"] > 0.5


@pytest.mark.parametrize("function", ["relu", "abs", "heaviside", "frac", "1 / "])
def test_an_entry_may_be_moved_until_an_argument_meets_a_kink(function):
    for distance in (0.4, 0.1, 0.01, 0.001):
        example = beside(function, distance)
        reach = smooth_reach(example, gradients(example.cell))
        assert reach("b", 0) == max(step for step in STEPS if step < distance)
    for distance in (1e-7, 0.0):
        example = beside(function, distance)
        reach = smooth_reach(example, gradients(example.cell))
        assert reach("b", 0) == 0
        assert reach("h_0", 0) == STEPS[0], "nothing reads the state"


@pytest.mark.parametrize("start", [0.0, 1e-6, 1e-4, 0.003, 0.1])
@pytest.mark.parametrize("smallest", [1e-12, 1e-8, 1e-5, 0.001])
def test_the_error_covers_a_norm_near_zero_which_turns_within_the_steps(start, smallest):
    text = f"input x[n]\nstate h[n]\nz = b - x\nh = 3 * z / sqrt(z * z + {smallest}) + tanh(z)"
    example = replace(beside("relu", start), cell=parse(text, "norm"))
    found, expected = differences(example), complex_step_gradients(example)["b"]
    assert abs(found.value["b"] - expected) <= found.error["b"]
    if smallest > 1e-8:  # else it turns within the steps that noise is measured by
        assert found.error["b"] < 1e-5 * max(abs(expected), 1)


def test_within_reach_differences_are_as_good_as_those_of_a_smooth_cell():
    example = beside("relu", 0.01)
    reach = smooth_reach(example, gradients(example.cell))
    found = differences(example, reach=reach)
    assert found.error["b"] < 1e-9
    assert abs(found.value["b"] - complex_step_gradients(example)["b"]) <= found.error["b"]


def test_where_the_smallest_step_meets_a_kink_nothing_is_said():
    example = beside("relu", 1e-7)
    reach = smooth_reach(example, gradients(example.cell))
    assert np.isinf(differences(example, reach=reach).error["b"]).all()


def test_padding_meets_no_kink():
    example = make_example(
        grown("euler"), steps=3, batch=1, sizes={"n": 2, "m": 3}, seed=0, with_lengths=True
    )
    reach = smooth_reach(example, gradients(example.cell))
    end = int(example.lengths[0])
    assert end < 3
    assert reach("x", 3 * end) == STEPS[0]


def test_a_cell_without_kinks_may_be_moved_anywhere():
    cell = zoo.load("lstm")
    example = make_example(cell, steps=1, batch=1, sizes={"n": 2, "m": 3}, seed=0)
    assert smooth_reach(example, gradients(cell)) is None


def test_declared_slopes_are_those_of_the_primitives_in_the_equations():
    assert declared_slopes(grown("kinks")) == ("stop_gradient",)
    assert declared_slopes(grown("euler")) == ()
