"""Emitted kernels of cells drawn from the grammar, held against interpreted references."""

import numpy as np
import pytest
from cells_strategy import cells
from emitted import deviations, kernel_of, results
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from derive.cell import Cell
from derive.gradients import gradients
from verify.references import Reference, reference
from verify.strategies import examples

# Explaining a failure takes minutes here; its smallest example is enough.
COMMON = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


def is_finite(right: Reference) -> bool:
    """Whether the reference says something of every entry."""
    dicts = (right.state_T, right.state_T_bound, right.grads, right.grads_bound)
    every = [right.y, right.y_bound, *(a for d in dicts for a in d.values())]
    return all(np.isfinite(a).all() for a in every)


def sizes_are_given(cell: Cell) -> bool:
    """Whether inputs and parameters tell the size of every state; else `state_0` has to."""
    given = {size for v in (*cell.inputs, *cell.parameters) for size in v.shape}
    return all(size.is_Integer or size in given for s in cell.states for size in s.shape)


def check(cell: Cell, dtype: type, lengths: bool, chunk: int | None, data: st.DataObject) -> None:
    """One drawn cell on one drawn example, with `chunk` steps at once in backward."""
    derived = gradients(cell)
    state = None if sizes_are_given(cell) else True
    drawn = examples(cell, dtype, min_steps=0, min_batch=0, with_lengths=lengths, with_state=state)
    example = data.draw(drawn, label="example")
    assume(is_finite(reference(example, derived)))
    kernel = kernel_of(derived)
    if chunk is not None:
        kernel._chunk = lambda *_: chunk
    assert deviations(results(kernel, example), example, derived) == []


drawn = given(
    cells(),
    st.sampled_from([np.float64, np.float32]),
    st.booleans(),
    st.sampled_from([None, 1, 2, 3]),
    st.data(),
)


@settings(COMMON, max_examples=60)
@drawn
def test_a_drawn_cells_kernel_agrees_with_its_equations(cell, dtype, lengths, chunk, data):
    check(cell, dtype, lengths, chunk, data)


@pytest.mark.slow
@settings(COMMON, max_examples=1500)
@drawn
def test_many_drawn_cells_kernels_agree_with_their_equations(cell, dtype, lengths, chunk, data):
    check(cell, dtype, lengths, chunk, data)
