"""The known ways to be wrong: rows make models that are wrong in that way and in no other."""

from dataclasses import replace

import numpy as np
import pytest
from emitted import SIZES
from grown_cells import CLASSIC
from odd_cells import ODD, odd

from derive.evaluate import Numbers, evaluate, run_step
from derive.gradients import gradients
from derive.zoo import load, names
from verify.deviations.machine import kernel_of, predicted, quick
from verify.deviations.model import Model
from verify.deviations.programs import program
from verify.deviations.table import DEVIATIONS
from verify.references import reference
from verify.rounding import Precision
from verify.strategies import make_example

LSTM = load("lstm")
ROWS = {row.name: row for row in DEVIATIONS}


def cell_named(name):
    return load(name) if name in names() else odd(name)


def example_of(cell, seed=5, **options):
    sizes = {str(d): SIZES.get(str(d), k + 2) for k, d in enumerate(cell.dimensions)}
    given = {"steps": 4, "batch": 3, "sizes": sizes, "seed": seed, "with_lengths": True}
    return make_example(cell, **(given | options))


def variant(row, label="", cell=LSTM):
    """The first variant of a row whose label has some text."""
    found = [v for v in ROWS[row].samples(Model.right(cell)) if label in v.label]
    assert found, f"{row} has no variant '{label}'"
    return found[0].model


def results(model, example):
    found = predicted(model, example)
    return found.values, found.grads


def apart(a, b):
    """Names of results that differ by more than rounding."""
    return {n for n in a if not np.allclose(a[n], b[n], rtol=1e-9, atol=1e-12)}


@pytest.mark.parametrize("name", [*CLASSIC, *ODD])
def test_the_right_model_is_what_the_reference_is(name):
    cell = cell_named(name)
    example = example_of(cell)
    got, right = predicted(Model.right(cell), example), reference(example, gradients(cell))
    assert np.array_equal(got.values["y"], right.y, equal_nan=True)
    assert got.grads.keys() == right.grads.keys()
    for n, value in right.grads.items():
        off = np.abs(got.grads[n] - value)
        assert np.all((off <= right.grads_bound[n]) | ~np.isfinite(right.grads_bound[n]))


@pytest.mark.parametrize("name", [*CLASSIC, *ODD])
def test_a_program_gives_what_evaluating_gives(name):
    derived = gradients(cell_named(name))
    rng, sizes, field = np.random.default_rng(0), {}, Numbers(np.float64)
    for k, d in enumerate(derived.cell.dimensions):
        sizes[d] = k + 2
    given = [*derived.cell.parameters, *derived.cell.inputs]
    symbols = [*(v.now for v in given), *(s.before for s in derived.cell.states)]
    shape = lambda s: tuple(int(size.subs(sizes)) for size in s.shape)
    known = {s.name: rng.uniform(0.2, 0.9, shape(s)) for s in symbols}
    known = run_step(derived.forward, known, sizes, field)
    for a in derived.forward:
        assert np.array_equal(program(a.value)(known, sizes, field), known[a.name], equal_nan=True)
        value = evaluate(a.value, known, sizes, field)
        assert np.array_equal(value, known[a.name], equal_nan=True)


def test_rows_have_different_names_and_say_where_they_are_known_from():
    assert len(ROWS) == len(DEVIATIONS)
    assert all(row.source and row.cause for row in DEVIATIONS)
    assert len(DEVIATIONS) >= 50


@pytest.mark.parametrize("name", CLASSIC)
def test_no_two_variants_of_a_row_have_one_label(name):
    model = Model.right(load(name))
    for row in DEVIATIONS:
        labels = [v.label for v in row.samples(model)]
        assert len(labels) == len(set(labels)), row.name


def test_every_row_has_variants_in_some_cell_but_those_that_are_told_otherwise():
    known = ("lstm", "gru", "gru_reset_before", "peephole_lstm", "slstm", "lstm_layer_norm")
    cells = [load(n) for n in known]
    models = [Model.right(c) for c in cells]
    without = {r.name for r in DEVIATIONS if not any(next(r.samples(m), None) for m in models)}
    told = {"backward of the cell", "scaled by example", "random numbers drawn"}
    assert without == told | {"parameters not read"}


@pytest.mark.parametrize("name", CLASSIC)
def test_every_variant_is_a_model_of_the_cell_that_runs(name):
    cell = load(name)
    example = example_of(cell, steps=2, batch=2)
    right = quick(Model.right(cell), example)
    for row in DEVIATIONS:
        for v in row.samples(Model.right(cell)):
            got = quick(v.model, example)
            for n, a in {**got.values, **got.grads}.items():
                assert a.shape == {**right.values, **right.grads}[n].shape, (row.name, v.label, n)


def test_permuted_gates_are_the_right_cell_with_permuted_parameters():
    example = example_of(LSTM)
    model = variant("gates permuted", "f, i, o, g computed with the parameters of i, o, f, g")
    order = {"f": "i", "i": "o", "o": "f", "g": "g"}
    moved = {
        f"{kind}_{gate}": example.params[f"{kind}_{order[gate]}"]
        for kind in "WUb"
        for gate in "fiog"
    }
    right = reference(replace(example, params=moved), gradients(LSTM))
    values, grads = results(model, example)
    assert np.allclose(values["y"], right.y, rtol=1e-14)
    for kind in "WUb":
        for gate in "fiog":
            own = grads[f"{kind}_{order[gate]}"]
            assert np.allclose(own, right.grads[f"{kind}_{gate}"], rtol=1e-12)


def test_a_transposed_matrix_is_the_right_cell_with_it_transposed():
    example = example_of(LSTM)
    params = dict(example.params) | {"U_o": example.params["U_o"].T}
    right = reference(replace(example, params=params), gradients(LSTM))
    values, grads = results(variant("matrix transposed", "U_o transposed"), example)
    assert np.allclose(values["y"], right.y, rtol=1e-14)
    assert np.allclose(grads["U_o"], right.grads["U_o"].T, rtol=1e-12)


def test_a_missing_bias_is_a_bias_of_zero_without_gradient():
    example = example_of(LSTM)
    params = dict(example.params) | {"b_i": np.zeros_like(example.params["b_i"])}
    right = reference(replace(example, params=params), gradients(LSTM))
    values, grads = results(variant("bias missing", "b_i"), example)
    assert np.allclose(values["y"], right.y, rtol=1e-14)
    assert not grads["b_i"].any()
    assert np.allclose(grads["U_i"], right.grads["U_i"], rtol=1e-12)


def test_reset_before_is_the_other_cell_of_the_zoo():
    gru, other = load("gru"), load("gru_reset_before")
    example = example_of(other)
    zeros = {"c_g": np.zeros_like(example.params["b_g"])}
    mine = replace(example, cell=gru, params={**example.params, **zeros})
    right = reference(example, gradients(other))
    values, grads = results(variant("reset before", "r applied before", gru), mine)
    assert np.allclose(values["y"], right.y, rtol=1e-14)
    assert np.allclose(grads["U_g"], right.grads["U_g"], rtol=1e-12)
    back = replace(mine, cell=other, params=dict(example.params))
    values, _ = results(variant("reset after", "r applied after", other), back)
    assert np.allclose(values["y"], reference(mine, gradients(gru)).y, rtol=1e-14)


def test_coupled_gates_are_the_coupled_cell_of_the_zoo():
    coupled = load("coupled_lstm")
    example = example_of(LSTM)
    params = {p.name: example.params[p.name] for p in coupled.parameters}
    right = reference(replace(example, cell=coupled, params=params), gradients(coupled))
    values, grads = results(variant("coupled gates", "1 - f for i"), example)
    assert np.allclose(values["y"], right.y, rtol=1e-14)
    assert np.allclose(grads["U_f"], right.grads["U_f"], rtol=1e-12)


def test_truncation_in_blocks_is_each_block_alone():
    example = example_of(LSTM, with_lengths=False, steps=6)
    _, grads = results(variant("truncated", "blocks of 3 from the first"), example)
    first = replace(
        example, inputs={"x": example.inputs["x"][:3]}, dy=example.dy[:3], dstate_T=None
    )
    start = reference(first, gradients(LSTM))
    second = replace(
        example, inputs={"x": example.inputs["x"][3:]}, dy=example.dy[3:], state_0=start.state_T
    )
    end = reference(second, gradients(LSTM))
    for p in LSTM.parameters:
        assert np.allclose(grads[p.name], start.grads[p.name] + end.grads[p.name], rtol=1e-9)


@pytest.mark.parametrize(
    ("row", "label", "changed"),
    [
        ("gradient zero", "W_f", {"W_f"}),
        ("parameter term doubled", "b_o", {"b_o"}),
        ("gradient transposed", "the gradient of U_i", {"U_i"}),
        ("delta of another gate", "the gradient of U_g with the delta of a_o", {"U_g"}),
        ("input path missing", "a_f", {"x"}),
        ("mean for the sum", "over the batch, W_g", {"W_g"}),
        ("one step for the sum", "the last step, b_f", {"b_f", "b_i", "b_o", "b_g"}),
        ("gradient of another parameter", "the gradient of b_f for that of b_i", {"b_i"}),
        ("dx in another order", "reversed", {"x"}),
    ],
)
def test_a_change_of_some_gradients_changes_no_other(row, label, changed):
    example = example_of(LSTM)
    right, wrong = results(Model.right(LSTM), example), results(variant(row, label), example)
    assert apart(right[0], wrong[0]) == set()
    assert apart(right[1], wrong[1]) == changed


def test_clipping_by_norm_scales_down_and_leaves_small_gradients():
    example = example_of(LSTM)
    model = variant("clipped by norm", "all parameters together at 1")
    _, grads = results(model, example)
    _, right = results(Model.right(LSTM), example)
    size = lambda g: np.sqrt(sum(np.sum(g[p.name] ** 2) for p in LSTM.parameters))
    assert size(right) > 1
    assert np.isclose(float(size(grads)), 1.0, rtol=1e-12)
    small = replace(
        example,
        dy=example.dy * 1e-6,
        dstate_T={n: a * 1e-6 for n, a in example.dstate_T.items()},
    )
    assert apart(results(model, small)[1], results(Model.right(LSTM), small)[1]) == set()


def test_the_stabiliser_of_an_slstm_held_constant_is_by_design():
    row = ROWS["normaliser held constant"]
    assert row.by_design
    labels = {v.label for v in row.variants(Model.right(load("slstm")))}
    assert {"M", "N"} <= labels
    assert not list(row.variants(Model.right(LSTM)))


def test_a_kernel_of_a_model_computes_within_the_models_bounds():
    for dtype in (np.float32, np.float64):
        example = example_of(LSTM, dtype=dtype)
        for row in ("slope omitted", "stale state", "cached view overwritten", "common factor"):
            model = variant(row)
            kernel, bound = kernel_of(model), predicted(model, example)
            y, _, tape = kernel.forward(
                example.params, example.x, example.state_0, lengths=example.lengths
            )
            assert y.dtype == dtype
            assert np.all(np.abs(y - bound.values["y"]) <= bound.value_bounds["y"])
            grads = kernel.backward(example.params, tape, example.dy, example.dstate_T)
            for n, a in grads.items():
                assert np.all(np.abs(a - bound.grads[n]) <= bound.grad_bounds[n]), (row, n)


def test_lower_precision_says_of_which_format_it_is():
    model = variant("lower precision", "bfloat16")
    assert model.precision == Precision(2.0**-9, model.precision.smallest, model.precision.largest)
