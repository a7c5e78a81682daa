"""Complex step against closed forms; central differences and their error against complex step."""

import re
from dataclasses import replace

import numpy as np
import pytest
from grown_cells import CLASSIC

from derive import zoo
from derive.errors import UsageError
from derive.gradients import gradients
from derive.language import parse
from verify import complex_step as complex_step_module
from verify import recurrence
from verify.differences import (
    central_differences,
    complex_step,
    complex_step_gradients,
    loss,
    variables,
)
from verify.kernels import Example
from verify.references import reference, reference_kernel
from verify.strategies import REGIMES, make_example

LEAKY = parse("input x[n]\nstate h[n]\nh = a * h[t-1] + x", "leaky")
SOFT = parse(
    "input x[m]\nstate h[n], s[n]\ns = softplus(W @ [h[t-1], x]) - s[t-1] / 2\n"
    "h = exp(-s**2) * h[t-1] + tanh(U @ s + b)",
    "soft",
)
CELLS = {name: zoo.load(name) for name in CLASSIC} | {"soft": SOFT}


def example_of(name, seed, **given):
    regimes = list(REGIMES)
    chosen = {
        "steps": 1 + seed % 3,
        "batch": 2,
        "sizes": {"n": 2, "m": 3},
        "regime": regimes[seed % len(regimes)],
        "with_lengths": seed % 2 == 1,
    }
    return make_example(CELLS[name], **{**chosen, **given}, seed=seed)


def compared(forward, example, expected, entries=2, names=None):
    """(true error, estimated error, size) of every evaluated entry."""
    found = central_differences(forward, example, names, entries=entries)
    rows = []
    for name, places in found.entries.items():
        true = np.abs(found.value[name].flat[places] - expected[name].flat[places])
        size = np.abs(expected[name].flat[places])
        rows += list(zip(true, found.error[name].flat[places], size, strict=True))
    return np.array(rows, np.longdouble).reshape(-1, 3).T


def test_complex_step_gives_the_closed_form_of_a_linear_cell():
    a, h_0, x = 0.5, 3.0, np.array([1.0, -2.0, 4.0])
    example = Example(
        LEAKY,
        params={"a": np.array([a])},
        inputs={"x": x.reshape(3, 1, 1)},
        state_0={"h": np.array([[h_0]])},
        dy=np.array([0.0, 8.0, 0.0]).reshape(3, 1, 1),
        dstate_T={"h": np.array([[1.0]])},
    )
    found = complex_step_gradients(example)
    assert found["a"] == 3 * a**2 * h_0 + 2 * a * x[0] + x[1] + 8 * (2 * a * h_0 + x[0])
    assert found["x"].ravel().tolist() == [a**2 + 8 * a, a + 8, 1]
    assert found["h_0"] == a**3 + 8 * a**2


def test_complex_step_does_not_depend_on_how_the_perturbations_are_stacked(monkeypatch):
    example = example_of("soft", 1, batch=3, steps=3)
    whole = complex_step_gradients(example)
    monkeypatch.setattr(complex_step_module, "CHUNK", 7)
    for name, value in complex_step_gradients(example).items():
        assert (complex_step(example, [name])[name] == whole[name]).all()
        assert (value == whole[name]).all()


def test_complex_step_evaluates_the_equations_as_the_cell_has_them(monkeypatch):
    example, evaluated, step_program = example_of("lstm", 0), [], recurrence.step_program

    def watched(assignments, *rest):
        evaluated.append([(a.name, a.value) for a in assignments])
        return step_program(assignments, *rest)

    monkeypatch.setattr(recurrence, "step_program", watched)
    recurrence._step.cache_clear()
    complex_step_gradients(example)
    assert evaluated == [[(e.name, e.value) for e in example.cell.equations]]


def test_complex_step_in_double_precision_is_inside_the_bound_of_float64():
    example = example_of("gru", 2)
    found = reference(example, gradients(CELLS["gru"]))
    for name, value in complex_step_gradients(example, np.complex128).items():
        assert value.dtype == np.float64
        assert (np.abs(value - found.grads[name]) <= found.grads_bound[name]).all()


def test_an_unknown_name_is_refused_with_the_names_there_are():
    example = example_of("rnn", 0)
    message = re.escape("no gradient 'V'; there are W, U, b, x, h_0")
    with pytest.raises(UsageError, match=message):
        complex_step(example, ["V"])
    with pytest.raises(UsageError, match=message):
        central_differences(reference_kernel(CELLS["rnn"]).forward, example, ["V"])


@pytest.mark.parametrize("name", CELLS)
def test_the_error_estimate_covers_the_true_error_and_is_small(name):
    kernel, shares = reference_kernel(CELLS[name]), []
    for seed in range(4):
        example = example_of(name, seed)
        true, estimate, size = compared(
            kernel.forward, example, complex_step_gradients(example), entries=1
        )
        assert (true <= estimate).all(), example.label
        shares += list(estimate[size > 0] / size[size > 0])
    assert np.median(np.array(shares)) < 1e-9


def test_the_error_estimate_covers_every_entry_of_many_small_examples():
    kernel = reference_kernel(CELLS["rnn"])
    for seed in range(25):
        example = example_of("rnn", seed, sizes={"n": 1 + seed % 3, "m": 4})
        true, estimate, _ = compared(kernel.forward, example, complex_step_gradients(example), 3)
        assert (true <= estimate).all(), example.label


def test_a_float32_implementation_is_covered_by_its_larger_noise():
    example = example_of("gru", 0, dtype=np.float32)
    kernel = reference_kernel(CELLS["gru"])
    true, estimate, _ = compared(kernel.forward, example, complex_step_gradients(example))
    assert (true <= estimate).all()
    assert np.median(estimate) > 1e-8


def test_float32_buffers_in_a_float64_run_are_noticed_as_noise():
    example = example_of("rnn", 0)
    kernel = reference_kernel(CELLS["rnn"])

    def lossy(params, x, state_0=None, *, lengths=None):
        y, state_T, tape = kernel.forward(params, x, state_0, lengths=lengths)
        rounded = {k: v.astype(np.float32).astype(np.float64) for k, v in state_T.items()}
        return y.astype(np.float32).astype(np.float64), rounded, tape

    true, estimate, _ = compared(lossy, example, complex_step_gradients(example))
    assert (true <= estimate).all()
    clean = central_differences(kernel.forward, example, ["b"])
    noisy = central_differences(lossy, example, ["b"])
    assert noisy.noise > 1e5 * clean.noise


def test_a_wrong_entry_is_outside_of_the_estimated_error():
    example = example_of("lstm", 0, steps=3)
    kernel, expected = reference_kernel(CELLS["lstm"]), complex_step_gradients(example)
    found = central_differences(kernel.forward, example, ["U_f", "C_0"], entries=4)
    for name, places in found.entries.items():
        place = places[np.argmax(np.abs(expected[name].flat[places]))]
        wrong = expected[name].flat[place] * (1 + 1e-8)
        assert abs(found.value[name].flat[place] - wrong) > found.error[name].flat[place]


def test_large_arrays_are_sampled_and_the_result_says_where():
    example = example_of("rnn", 0, sizes={"n": 3, "m": 4})
    forward = reference_kernel(CELLS["rnn"]).forward
    first, again, other = (
        central_differences(forward, example, ["W"], entries=3, seed=seed) for seed in (1, 1, 2)
    )
    places = first.entries["W"]
    assert len(set(places.tolist())) == 3
    assert (places == again.entries["W"]).all()
    assert (places != other.entries["W"]).any()
    asked = np.isin(np.arange(12), places)
    assert (np.isfinite(first.value["W"].ravel()) == asked).all()
    assert (np.isinf(first.error["W"].ravel()) == ~asked).all()
    few = central_differences(forward, example, ["b"], entries=64)
    assert few.entries["b"].tolist() == [0, 1, 2]


def test_a_forward_that_writes_to_its_arguments_does_no_harm():
    example = example_of("rnn", 0)
    kernel, expected = reference_kernel(CELLS["rnn"]), complex_step_gradients(example)
    before = {k: v.copy() for k, v in variables(example).items()}

    def careless(params, x, state_0=None, *, lengths=None):
        result = kernel.forward(params, x.copy(), state_0, lengths=lengths)
        x[:] = 0
        params["W"][:] = 0
        return result

    true, estimate, _ = compared(careless, example, expected, names=["W", "x"])
    assert (true <= estimate).all()
    assert all((before[k] == v).all() for k, v in variables(example).items())


def test_garbage_beyond_a_rows_length_is_not_differentiated():
    example = example_of("rnn", 1, steps=3, batch=3)
    padding = (np.arange(3)[:, None] >= example.lengths)[..., None]
    spoiled = replace(
        example,
        inputs={"x": np.where(padding, np.nan, example.inputs["x"])},
        dy=np.where(padding, np.nan, example.dy),
    )
    expected = complex_step_gradients(example)
    for name, value in complex_step_gradients(spoiled).items():
        assert (value == expected[name]).all()
    forward = reference_kernel(CELLS["rnn"]).forward
    true, estimate, _ = compared(forward, spoiled, expected, entries=64, names=["x", "b"])
    assert (true <= estimate).all()


def test_states_that_are_not_given_are_differentiated_at_zero():
    example = example_of("lstm", 0, with_state=False)
    forward = reference_kernel(CELLS["lstm"]).forward
    expected = complex_step_gradients(example)
    true, estimate, size = compared(forward, example, expected, names=["C_0", "b_f"])
    assert (true <= estimate).all()
    assert size.max() > 0


def test_a_forward_that_ignores_an_argument_has_a_zero_gradient_there():
    example = example_of("lstm", 0)
    kernel = reference_kernel(CELLS["lstm"])
    deaf = lambda params, x, state_0=None, *, lengths=None: kernel.forward(
        params, x, None, lengths=lengths
    )
    found = central_differences(deaf, example, ["C_0"])
    assert not found.value["C_0"].any()
    assert (found.error["C_0"] < 1e-12).all()


def test_where_the_forward_is_not_finite_there_is_no_verdict():
    example = example_of("rnn", 0)
    kernel = reference_kernel(CELLS["rnn"])

    def broken(params, x, state_0=None, *, lengths=None):
        y, state_T, tape = kernel.forward(params, x, state_0, lengths=lengths)
        return y * np.nan, state_T, tape

    found = central_differences(broken, example, ["b"])
    assert np.isinf(found.error["b"]).all()


def test_no_rows_and_no_steps_have_differences_too():
    for steps, batch in ((0, 2), (2, 0)):
        example = example_of("rnn", 0, steps=steps, batch=batch)
        found = central_differences(reference_kernel(CELLS["rnn"]).forward, example)
        expected = complex_step_gradients(example)
        for name, value in expected.items():
            assert found.value[name].shape == value.shape
            assert (np.abs(found.value[name] - value) <= found.error[name]).all()


def test_the_loss_counts_each_output_and_each_final_state_once():
    example = example_of("lstm", 1, steps=2, batch=2, with_lengths=False)
    whole = np.arange(1.0, 9.0).reshape(2, 2, 2)
    example = replace(example, dy=whole, dstate_T={"h": whole[0], "C": whole[1]})
    y, state_T = np.ones((2, 2, 2)), {"h": np.full((2, 2), 2.0), "C": np.full((2, 2), 4.0)}
    assert loss(example, y, state_T) == 36 + 2 * 10 + 4 * 26
    ended = replace(example, lengths=np.array([0, 2]))
    assert loss(ended, y, state_T) == (3 + 4 + 7 + 8) + 2 * 10 + 4 * 26
