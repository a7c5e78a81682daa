"""References and their bounds: against complex step, closed forms, and evaluations in floats."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from grown_cells import CLASSIC, GROWN, grown
from native_floats import Native

from derive import zoo
from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from verify.differences import complex_step_gradients, declared_slopes
from verify.kernels import Example
from verify.references import reference, reference_kernel, run_in
from verify.strategies import REGIMES, make_example, upstreams

TEXTS = {
    "concatenated": """
        input x[m]
        state h[n]
        z = sigmoid(W_z @ [h[t-1], x] + b_z)
        h = (1 - z) * h[t-1] + z * tanh(W_h @ [z * h[t-1], x])""",
    "transposed": """
        input x[m]
        state h[n]
        parameter U[n, n], W[m, n]
        h = tanh(W.T @ x + U.T @ h[t-1] + U @ h[t-1])""",
    "softplus": """
        input x[m]
        state h[n], s[n]
        s = softplus(W @ x + a * h[t-1]) / 3
        h = exp(-s) * h[t-1] + 0.1 * tanh(U @ s)""",
    "powers": """
        input x[m]
        state h[n]
        v = W @ x + b
        h = 0.5 * h[t-1] - 0.25 * tanh(v)**3 + (v * h[t-1])**2 / 8""",
    "never_read": """
        input x[m]
        state h[n], p[n]
        h = tanh(W @ x + U @ h[t-1])
        p = b * h""",
    "two_inputs": """
        input x[m], u[3]
        state h[n], k[m]
        k = sigmoid(x + K @ u) * k[t-1]
        h = tanh(W @ k + V @ h[t-1] + c)""",
    "no_parameters": """
        input x[n]
        state h[n]
        h = tanh(x + h[t-1])""",
}
CELLS = {name: zoo.load(name) for name in CLASSIC} | {
    name: parse("\n".join(line.strip() for line in text.splitlines()), name)
    for name, text in TEXTS.items()
}
CELLS |= {name: grown(name) for name in GROWN}
DERIVED = {name: gradients(cell) for name, cell in CELLS.items()}


def example_of(name, seed, **given):
    """Structure that varies with the seed."""
    rng = np.random.default_rng(seed)
    dims = CELLS[name].dimensions
    least = 2 if name in GROWN else 1  # a norm of one deviation from a mean is no number
    drawn = rng.choice(np.arange(least, 6), len(dims), replace=False)
    kinds = list(upstreams(CELLS[name]))
    regimes = list(REGIMES)
    chosen = {
        "steps": int(rng.integers(1, 6)),
        "batch": int(rng.integers(1, 5)),
        "sizes": dict(zip(dims, drawn, strict=True)),
        "regime": regimes[seed % len(regimes)],
        "with_lengths": bool(rng.integers(2)),
        "with_state": bool(rng.integers(4)),
        "upstream": kinds[int(rng.integers(len(kinds) - 1))],
    }
    return make_example(CELLS[name], **{**chosen, **given}, seed=seed)


def outside(values, found):
    """The names of the results that leave their bound."""
    y, state_T, grads = values
    pairs = [("y", y, found.y, found.y_bound)]
    pairs += [(k, state_T[k], found.state_T[k], found.state_T_bound[k]) for k in found.state_T]
    pairs += [(k, grads[k], found.grads[k], found.grads_bound[k]) for k in found.grads]
    for _, got, expected, bound in pairs:
        assert got.shape == expected.shape == bound.shape
    with np.errstate(invalid="ignore"):
        inside = {
            n: (np.abs(got - want) <= bound) | np.isinf(bound) for n, got, want, bound in pairs
        }
    return [name for name, entries in inside.items() if not entries.all()]


def judged(kernel, example):
    y, state_T, tape = kernel.forward(
        example.params, example.x, example.state_0, lengths=example.lengths
    )
    return y, state_T, kernel.backward(example.params, tape, example.dy, example.dstate_T)


@pytest.mark.parametrize("name", [n for n, cell in CELLS.items() if not declared_slopes(cell)])
def test_derived_gradients_equal_complex_step_to_the_last_digits_of_long_double(name):
    for seed in range(6):
        example = example_of(name, seed)
        found = reference(example, DERIVED[name], np.longdouble)
        expected = complex_step_gradients(example)
        assert found.grads.keys() == expected.keys()
        for key, value in expected.items():
            assert found.grads[key].shape == value.shape
            error = np.abs(found.grads[key] - value)
            assert np.isfinite(found.grads_bound[key]).all(), (example.label, key)
            assert (error <= found.grads_bound[key]).all(), (example.label, key)


def test_a_slope_wrong_in_its_thirteenth_digit_is_not_the_complex_step():
    slope = lambda z, y: (1 - y**2) * (1 + sp.Rational(1, 10**12))
    table = {**PRIMITIVES, "tanh": replace(PRIMITIVES["tanh"], slope=slope)}
    example = example_of("rnn", 0, upstream="all")
    found = reference(example, gradients(CELLS["rnn"], primitives=table), np.longdouble)
    error = np.abs(found.grads["b"] - complex_step_gradients(example)["b"])
    assert (error > found.grads_bound["b"]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CELLS)
def test_right_evaluations_in_floats_stay_inside_the_bound(name, dtype):
    kernel = reference_kernel(CELLS[name])
    for seed in range(10):
        example = example_of(name, seed, dtype=dtype)
        found = reference(example, DERIVED[name])
        assert not outside(judged(kernel, example), found), example.label
        native = run_in(example, DERIVED[name], Native(dtype, seed))
        assert native[0].dtype == dtype
        assert not outside(native, found), example.label


@pytest.mark.parametrize(("dtype", "share"), [(np.float64, 1e-9), (np.float32, 1e-4)])
@pytest.mark.parametrize("name", CLASSIC)
def test_a_small_corruption_of_one_gradient_entry_is_outside(name, dtype, share):
    kernel = reference_kernel(CELLS[name])
    example = example_of(
        name, 4, dtype=dtype, steps=2, regime="unsaturated", upstream="all", with_state=True
    )
    found = reference(example, DERIVED[name])
    y, state_T, grads = judged(kernel, example)
    assert not outside((y, state_T, grads), found)
    for key in grads:
        wrong = {k: v.astype(np.longdouble) for k, v in grads.items()}
        place = np.unravel_index(np.argmax(np.abs(wrong[key])), wrong[key].shape)
        wrong[key][place] *= 1 + share
        assert outside((y, state_T, wrong), found) == [key]


def test_a_linear_cell_has_the_gradients_of_its_closed_form():
    cell = parse("input x[n]\nstate h[n]\nh = a * h[t-1] + x", "leaky")
    a, h_0, x = 0.5, 3.0, np.array([1.0, -2.0, 4.0])
    example = Example(
        cell,
        params={"a": np.array([a])},
        inputs={"x": x.reshape(3, 1, 1)},
        state_0={"h": np.array([[h_0]])},
        dstate_T={"h": np.array([[1.0]])},
    )
    found = reference(example, gradients(cell))
    assert found.state_T["h"] == a**3 * h_0 + a**2 * x[0] + a * x[1] + x[2]
    assert found.grads["a"] == 3 * a**2 * h_0 + 2 * a * x[0] + x[1]
    assert found.grads["x"].ravel().tolist() == [a**2, a, 1]
    assert found.grads["h_0"] == a**3


@pytest.mark.parametrize("name", CELLS)
def test_garbage_beyond_a_rows_length_changes_nothing(name):
    example = example_of(name, 3, steps=4, batch=4, with_lengths=True, upstream="all")
    padding = np.arange(4)[:, None] >= example.lengths
    spoil = lambda a: np.where(padding[..., None], np.nan, a)
    spoiled = replace(
        example,
        inputs={k: spoil(v) for k, v in example.inputs.items()},
        dy=spoil(example.dy),
    )
    assert np.isnan(spoiled.dy).any()
    clean, dirty = (reference(e, DERIVED[name]) for e in (example, spoiled))
    assert not outside((dirty.y, dirty.state_T, dirty.grads), clean)
    assert not dirty.y[padding].any()
    for v in example.cell.inputs:
        assert not dirty.grads[v.name][padding].any()
        assert not dirty.grads_bound[v.name][padding].any()
    y, state_T, grads = judged(reference_kernel(CELLS[name]), spoiled)
    assert not outside((y, state_T, grads), clean)


def test_each_row_is_the_run_of_its_own_length_alone():
    example = example_of("lstm", 5, steps=5, batch=4, with_lengths=True, upstream="all")
    whole = reference(example, DERIVED["lstm"])
    total = dict.fromkeys(example.params, 0.0)
    for row, length in enumerate(example.lengths):
        one = replace(
            example,
            inputs={"x": example.inputs["x"][:length, row : row + 1]},
            state_0={k: v[row : row + 1] for k, v in example.state_0.items()},
            dy=example.dy[:length, row : row + 1],
            dstate_T={k: v[row : row + 1] for k, v in example.dstate_T.items()},
            lengths=None,
        )
        alone = reference(one, DERIVED["lstm"])
        for state in ("h", "C"):
            assert (alone.state_T[state] == whole.state_T[state][row : row + 1]).all()
        assert (alone.y == whole.y[:length, row : row + 1]).all()
        total = {k: v + alone.grads[k] for k, v in total.items()}
    assert all((np.abs(total[k] - whole.grads[k]) <= whole.grads_bound[k]).all() for k in total)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (3, 0), (0, 0)])
def test_no_steps_and_no_rows_give_empty_results_and_zero_gradients(name, steps, batch):
    example = example_of(name, 0, steps=steps, batch=batch, upstream="all", with_state=True)
    found = reference(example, DERIVED[name])
    assert found.y.shape == example.dy.shape
    assert all(not found.grads[p.name].any() for p in example.cell.parameters)
    for state in example.cell.states:
        assert (found.state_T[state.name] == example.state_0[state.name]).all()
        assert (found.grads[f"{state.name}_0"] == example.dstate_T[state.name]).all()
    assert not outside(judged(reference_kernel(CELLS[name]), example), found)


def test_what_is_not_given_is_zero():
    example = example_of("lstm", 1, upstream="all", with_state=True)
    zeros = {k: np.zeros_like(v) for k, v in example.state_0.items()}
    bare = replace(example, state_0=None, dy=None, dstate_T=None)
    explicit = replace(bare, state_0=zeros, dy=np.zeros_like(example.dy), dstate_T=zeros)
    left, right = (reference(e, DERIVED["lstm"]) for e in (bare, explicit))
    assert (left.y == right.y).all()
    assert not any(left.grads[k].any() or right.grads[k].any() for k in left.grads)
    assert left.grads["C_0"].shape == example.state_0["C"].shape


def test_an_evaluation_in_float32_is_judged_by_its_own_precision():
    example = example_of("gru", 2, upstream="all", regime="unsaturated")
    single = lambda arrays: {k: v.astype(np.float32) for k, v in arrays.items()}
    rounded = replace(
        example,
        params=single(example.params),
        inputs=single(example.inputs),
        state_0=single(example.state_0 or {}) or None,
        dy=example.dy.astype(np.float32),
        dstate_T=single(example.dstate_T),
    )
    values = judged(reference_kernel(CELLS["gru"]), rounded)
    assert not outside(values, reference(example, DERIVED["gru"], np.float32))
    assert outside(values, reference(example, DERIVED["gru"]))


def test_the_interpreted_kernel_takes_complex_inputs_forward():
    example = example_of("lstm", 0, dtype=np.float64)
    kernel = reference_kernel(CELLS["lstm"])
    widened = {k: v.astype(np.complex128) for k, v in example.params.items()}
    y, state_T, _ = kernel.forward(widened, example.x.astype(np.complex128), example.state_0)
    real, _, _ = kernel.forward(example.params, example.x, example.state_0)
    assert y.dtype == state_T["C"].dtype == np.complex128
    assert not y.imag.any()
    found = reference(replace(example, lengths=None), DERIVED["lstm"])
    assert (np.abs(y.real - found.y) <= found.y_bound).all()
    assert (np.abs(real - found.y) <= found.y_bound).all()


def test_overflow_in_the_format_leaves_no_verdict_and_no_warning():
    cell = parse("input x[n]\nstate h[n]\nh = exp(x) * h[t-1]", "explosive")
    example = Example(
        cell,
        params={},
        inputs={"x": np.full((3, 1, 2), 60.0, np.float32)},
        state_0={"h": np.ones((1, 2), np.float32)},
        dy=np.ones((3, 1, 2), np.float32),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reference(example, gradients(cell))
    assert np.isfinite(found.y_bound[0]).all()
    assert np.isinf(found.y_bound[1:]).all()
    assert np.isinf(found.grads_bound["h_0"]).all()
