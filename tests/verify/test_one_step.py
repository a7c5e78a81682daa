"""One step value by value gives what the whole run gives."""

import numpy as np
import pytest

from derive.language import parse
from derive.zoo import load
from verify.deviations.machine import quick, quick_run
from verify.deviations.model import Model
from verify.deviations.one_step import OneStep
from verify.deviations.table import DEVIATIONS
from verify.diagnosis.observing import flat
from verify.strategies import make_example

SUMS = parse(
    "input x[m]\nstate h[n], s[1]\nparameter a[n]\ns = s[t-1] + mean(x)\n"
    "h = tanh(a * s + U @ h[t-1])"
)
CELLS = {"lstm": load("lstm"), "gru": load("gru"), "slstm": load("slstm"), "sums": SUMS}

# Of a row so many variants are compared.
EACH = 5


def variants(model):
    for row in DEVIATIONS:
        found = list(row.samples(model)) if row.side in ("forward", "backward") else []
        yield from ((row, v) for v in found[:: max(1, len(found) // EACH)])


def one_step(cell, steps=1, **options):
    sizes = dict(zip(cell.dimensions, (3, 2), strict=True))
    example = make_example(cell, steps=steps, batch=2, sizes=sizes, seed=1, **options)
    return OneStep(Model.right(cell), quick_run(Model.right(cell), example))


@pytest.mark.parametrize("name", CELLS)
def test_every_model_that_is_known_gives_what_a_whole_run_gives(name):
    step, count = one_step(CELLS[name]), 0
    for row, variant in variants(step.base):
        if not step.knows(variant.model):
            continue
        whole, value = flat(quick(variant.model, step.example)), step.asked(variant.model)
        names = [n for n in whole if row.side == "backward" or not n.startswith("d ")]
        try:
            found = {n: value(n) for n in names}
        except KeyError:
            continue
        for n, array in found.items():
            assert array.shape == whole[n].shape
            np.testing.assert_allclose(array, whole[n], rtol=1e-12, err_msg=variant.label)
        count += 1
    assert count > 40


def test_a_model_with_more_than_formulas_is_not_known():
    step = one_step(CELLS["lstm"])
    rows = {row.name: row for row in DEVIATIONS}
    for name in ("mean for the sum", "dy ignored", "truncated", "cached view overwritten"):
        assert not any(step.knows(v.model) for v in rows[name].variants(step.base))


def test_what_reads_another_step_is_refused():
    step = one_step(CELLS["lstm"])
    row = next(row for row in DEVIATIONS if row.name == "one step too early")
    model = next(v.model for v in row.variants(step.base) if "in dx" not in v.label)
    value = step.asked(model)
    with pytest.raises(KeyError):
        [value(f"d {p.name}") for p in step.base.cell.parameters]


def test_it_is_for_whole_examples_of_one_step_alone():
    base = Model.right(CELLS["lstm"])
    fits = lambda **options: OneStep.fits(base, one_step(CELLS["lstm"], **options).example)
    assert fits()
    assert not fits(steps=2)


def test_only_results_that_a_formula_reaches_are_touched():
    step = one_step(CELLS["lstm"])
    rows = {row.name: row for row in DEVIATIONS}
    names = [f"d {n}" for n in (*(p.name for p in step.base.cell.parameters), "x", "h_0", "C_0")]
    (omitted,) = (v for v in rows["slope omitted"].variants(step.base) if v.label == "tanh in g")
    found = step.touched(omitted.model, names)
    assert set(found) == {"d W_g", "d U_g", "d b_g", "d x", "d h_0"}
