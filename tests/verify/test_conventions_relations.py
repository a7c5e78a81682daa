"""Cells with parameters that follow from each other compute the same; the others do not."""

import numpy as np
import pytest
from convention_values import SIZES, assert_equal, cell

from derive.errors import UsageError
from derive.gradients import gradients
from verify.conventions import RELATIONS, related
from verify.kernels import Example
from verify.references import reference

TOGETHER = [row for row in RELATIONS if not row.apart]
APART = [row for row in RELATIONS if row.apart]
NAMED = lambda row: f"{row.first}-{row.second}"


@pytest.mark.parametrize("row", TOGETHER, ids=NAMED)
def test_related_cells_compute_the_same(row):
    """Both evaluated with bounds: nowhere are they apart by more than the two bounds."""
    params = draw(row.first, 3)
    moved = related(params, row.first, row.second)
    assert apart(row, params, moved) <= 1
    assert_equal(related(moved, row.second, row.first), params)
    kept = {name: params[s.lstrip("-")] for name, s in row.sources().items() if s != "0"}
    if any(s.startswith("-") for s in row.sources().values()):
        assert apart(row, params, moved | kept) > 1e6


@pytest.mark.parametrize("row", APART, ids=NAMED)
def test_cells_that_are_kept_apart_compute_something_else(row):
    params = draw(row.first, 4)
    moved = {p.name: params[p.name] for p in cell(row.second).parameters}
    assert apart(row, params, moved) > 1e6
    for source, target in ((row.first, row.second), (row.second, row.first)):
        with pytest.raises(UsageError, match=f"{source} never computes what {target} computes: "):
            related(params, source, target)


def draw(name, seed):
    rng = np.random.default_rng(seed)
    return {p.name: rng.standard_normal([SIZES[str(d)] for d in p.shape])
            for p in cell(name).parameters}  # fmt: skip


def apart(row, params, moved):
    """The largest distance between two cells' outputs over the sum of their bounds."""
    rng, found = np.random.default_rng(5), []
    x = rng.standard_normal((4, 2, SIZES["m"]))
    states = {s.name: np.abs(rng.standard_normal((2, SIZES[str(s.shape[0])])))
              for s in cell(row.first).states}  # fmt: skip
    for name, values in ((row.first, params), (row.second, moved)):
        example = Example(cell(name), values, {"x": x}, states)
        found.append(reference(example, gradients(cell(name))))
    one, other = found
    return float(np.max(np.abs(one.y - other.y) / (one.y_bound + other.y_bound)))


def test_every_relation_names_cells_and_parameters_that_exist():
    for row in RELATIONS:
        first = {p.name for p in cell(row.first).parameters}
        second = {p.name for p in cell(row.second).parameters}
        assert row.second_from.keys() <= second
        if not row.apart:
            assert {s.lstrip("-") for s in row.sources().values()} - {"0"} == first
