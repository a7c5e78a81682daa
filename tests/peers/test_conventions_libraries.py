"""Every row that says so, against the library itself: outputs and final states.

The library's arrays hold random numbers, every block of them; the emitted kernel gets what
`to_cell` makes of them. Bounds are those of rounding in the library's precision.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from library_runs import RUNS, by_cell, imported, problem, results, share_of_bounds

from verify.conventions import CONVENTIONS

BY_ROW = pytest.mark.parametrize("name", RUNS)


@pytest.fixture
def run(name):
    """How the library is run; the test is left out where it is not installed."""
    if imported(RUNS[name].module) is None:
        pytest.skip(f"{RUNS[name].module} is not installed, or not with these versions")
    return RUNS[name]


@BY_ROW
@pytest.mark.filterwarnings("ignore")  # of old libraries
def test_a_library_computes_with_its_arrays_what_the_cell_computes(name, run, emitted, figure):
    worst = share_of_bounds(name, emitted(CONVENTIONS[name].cell))
    figure(f"{name}: largest difference over its bound", worst)
    assert worst <= 1


@BY_ROW
@pytest.mark.filterwarnings("ignore")
def test_no_other_order_of_gates_is_what_it_computes(name, run, emitted):
    """What the agreement is worth; where arrays name their gates there is no order to get wrong."""
    row = CONVENTIONS[name]
    if not all(s.gates is None for stacks in row.arrays.values() for s in stacks if "g" in s.axes):
        pytest.skip("some arrays have an order of their own")
    arrays, x, state_0 = problem(row, run.dtype, seed=1)
    theirs = results(*run.compute(arrays, x, state_0))["y"]
    if not any("g" in s.axes for stacks in row.arrays.values() for s in stacks):
        pytest.skip("arrays name their gates")
    agreeing = []
    for order in permutations(row.gates):
        _, ours = by_cell(replace(row, gates=order), emitted(row.cell), arrays, x, state_0)
        if np.max(np.abs(ours["y"] - theirs)) < 1e-3:
            agreeing.append(order)
    assert agreeing == [row.gates]


@pytest.mark.parametrize("name", [name for name in RUNS if CONVENTIONS[name].offsets])
@pytest.mark.filterwarnings("ignore")
def test_without_the_constant_that_it_adds_it_computes_something_else(name, run, emitted):
    row = CONVENTIONS[name]
    arrays, x, state_0 = problem(row, run.dtype, seed=2)
    theirs = results(*run.compute(arrays, x, state_0))["y"]
    _, ours = by_cell(replace(row, offsets={}), emitted(row.cell), arrays, x, state_0)
    assert np.max(np.abs(ours["y"] - theirs)) > 1e-3
