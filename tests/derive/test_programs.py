"""Programs have the values of the reference evaluation, for every cell, and share equal parts."""

import numpy as np
import pytest

from derive.evaluate import Numbers, evaluate, run_step, whole
from derive.gradients import gradients
from derive.programs import names_in, program, step_program
from derive.zoo import load, names


@pytest.mark.parametrize("cell", names())
def test_a_step_has_the_values_of_the_reference(cell: str) -> None:
    derived = gradients(load(cell))
    model, random = derived.cell, np.random.default_rng(3)
    sizes = {d: 2 + k for k, d in enumerate(model.dimensions)}
    given_names = [v.now for v in (*model.inputs, *model.parameters)]
    given = {
        n.name: random.uniform(0.5, 1.5, [whole(k, sizes) for k in n.shape])
        for n in (*given_names, *(s.before for s in model.states))
    }
    expected = run_step(derived.forward, given, sizes, Numbers())
    found = step_program(derived.forward, sizes).run(given)
    for assignment in derived.forward:
        np.testing.assert_array_equal(found[assignment.name], expected[assignment.name])
    known = {**given, **found}
    carried = {
        n.name: random.normal(size=[whole(k, sizes) for k in n.shape])
        for a in derived.backward
        for n in names_in([a.value])
        if n.name not in known
    }
    values = [a.value for a in derived.backward if a.terms]
    for value, result in zip(values, program(values, sizes).run({**known, **carried}), strict=True):
        reference = evaluate(value, {**known, **carried}, sizes, Numbers())
        np.testing.assert_array_equal(np.broadcast_to(reference, result.shape), result)


def test_equal_parts_are_computed_once() -> None:
    derived = gradients(load("lstm"))
    sizes = dict.fromkeys(derived.cell.dimensions, 2)
    value = derived.forward[-1].value
    assert len(program([value, value], sizes).instructions) == len(
        program([value], sizes).instructions
    )
