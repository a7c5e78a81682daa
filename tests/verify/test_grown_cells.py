"""Matrix memories, norms, scalars, kinks and lags: judged by every property, rightly."""

import numpy as np
import pytest
from grown_cells import GROWN, grown

from derive.gradients import gradients
from verify.kernels import as_array, as_value, columns_of, shape_of
from verify.properties import PROPERTIES, Failure, Skip, Trial
from verify.references import reference_kernel
from verify.runner import run
from verify.strategies import make_example

ROWS = {row.name: row for row in PROPERTIES}
CELLS = {name: grown(name) for name in GROWN}
NOT_JUDGED = {
    "attention": {"state path": "no state of attention reaches its own next value entry by entry"},
    "kinks": dict.fromkeys(
        ("differences", "Taylor slope", "complex step"),
        "the slope of stop_gradient is declared, not that of its value",
    ),
}


class Changed:
    """The right kernel with one gradient changed."""

    def __init__(self, cell, name, change):
        self.right, self.name, self.change = reference_kernel(cell), name, change
        self.forward = self.right.forward

    def backward(self, params, tape, dy=None, dstate_T=None):
        found = dict(self.right.backward(params, tape, dy, dstate_T))
        found[self.name] = np.asarray(self.change(found[self.name]), found[self.name].dtype)
        return found


def example_of(name, seed=2, **given):  # at other seeds c / k is ill-conditioned
    cell = CELLS[name]
    sizes = dict(zip(cell.dimensions, (3, 2, 4), strict=False))
    return make_example(cell, **{"steps": 3, "batch": 2, "sizes": sizes, "seed": seed, **given})


def judged(row, name, kernel, example=None):
    trial = Trial(kernel, example or example_of(name), gradients(CELLS[name]))
    return ROWS[row].judge(trial)


@pytest.mark.parametrize("name", GROWN)
def test_the_right_kernel_is_right_and_what_is_not_judged_says_why(name):
    report = run(CELLS[name], reference_kernel(CELLS[name]), examples=4, seed=1)
    assert report.findings == ()
    assert report.verdict == "right"
    assert dict(report.not_judged) == NOT_JUDGED.get(name, {})


@pytest.mark.parametrize("name", GROWN)
def test_a_gradient_that_is_off_by_a_millionth_is_seen_and_named(name):
    cell, example = CELLS[name], example_of(name)
    assert judged("gradients", name, reference_kernel(cell)) is None
    for wanted in Trial(reference_kernel(cell), example, gradients(cell)).base_grads:
        found = judged("gradients", name, Changed(cell, wanted, lambda g: g + 1e-6))
        assert isinstance(found, Failure), wanted
        assert (found.parameter, found.also) == (wanted, ())


@pytest.mark.parametrize("name", ["matrix_memory", "exponential_gates", "euler"])
def test_differences_see_a_wrong_gradient_of_a_cell_with_kinks(name):
    cell, example = CELLS[name], example_of(name, steps=1, batch=1)
    assert judged("differences", name, reference_kernel(cell), example) is None
    wrong = Changed(cell, "x", lambda g: g + 1e-4)
    assert isinstance(judged("differences", name, wrong, example), Failure)


def test_differences_say_nothing_of_a_slope_that_is_declared():
    found = judged("differences", "kinks", reference_kernel(CELLS["kinks"]))
    assert found == Skip(NOT_JUDGED["kinks"]["differences"])


def test_matrix_states_have_two_axes_beside_the_batch():
    cell, example = CELLS["matrix_memory"], example_of("matrix_memory")
    kernel = reference_kernel(cell)
    y, state_T, tape = kernel.forward(example.params, example.x, example.state_0)
    grads = kernel.backward(example.params, tape, example.dy, example.dstate_T)
    shapes = {"h": (2, 3), "C": (2, 3, 2), "v": (2, 2), "z": (2, 1)}
    assert y.shape == (3, 2, 3)
    assert {n: a.shape for n, a in state_T.items()} == shapes
    assert {n: grads[f"{n}_0"].shape for n in shapes} == shapes


def test_values_and_arrays_of_a_variable_are_inverses():
    sizes = dict(zip(CELLS["matrix_memory"].dimensions, (3, 2, 4), strict=True))
    for variable in (*CELLS["matrix_memory"].states, *CELLS["matrix_memory"].parameters):
        array = np.zeros((5, 7, *shape_of(variable, sizes)))
        value = as_value(array, variable)
        assert value.shape == (5, 7, *columns_of(variable, sizes))
        assert as_array(value, variable).shape == array.shape


def test_units_of_a_matrix_memory_are_permuted_along_each_axis_of_its_own():
    name = "matrix_memory"
    assert judged("unit order", name, reference_kernel(CELLS[name])) is None

    class Unordered:
        def __init__(self):
            self.right = reference_kernel(CELLS[name])
            self.backward = self.right.backward

        def forward(self, params, x, state_0=None, *, lengths=None):
            y, state_T, tape = self.right.forward(params, x, state_0, lengths=lengths)
            return y, {**state_T, "C": state_T["C"] * np.array([1.0, 1.5])}, tape

    found = judged("unit order", name, Unordered())
    assert isinstance(found, Failure)
    assert found.parameter == "C_T"


def test_where_no_result_has_a_bound_there_is_no_verdict():
    example = example_of("layer_norm_lstm", sizes={"n": 1, "m": 2})  # one deviation, of norm zero
    trial = Trial(reference_kernel(example.cell), example, gradients(example.cell))
    assert np.isnan(trial.base_grads["W_f"]).all()
    found = ROWS["gradients"].judge(trial)
    assert isinstance(found, Skip)
    assert found.reason.startswith("no result has a finite bound")
