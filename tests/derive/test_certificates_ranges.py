"""Intervals that the checker of certificates finds, against numbers and against the toolkit's."""

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pytest
from core import CORE, GROWN_CORE
from hypothesis import assume, given
from hypothesis import strategies as st

from derive.certificates.declarations import lagged
from derive.certificates.intervals import VALUES, Interval, image
from derive.certificates.ranges import Ranges
from derive.certificates.steps import Step
from derive.certificates.values import FUNCTIONS, Run
from derive.gradients import gradients
from derive.ranges import Ranges as ToolkitRanges
from derive.zoo import load

CELLS = (*CORE, *GROWN_CORE, "lstm_concatenated", "mlstm_code", "softmax_readout", "s6_zoh")


def drawn(step: Step, sizes: dict[str, int], seed: int = 0) -> Run:
    """A run whose given names have random values."""
    random = np.random.default_rng(seed)
    run = Run(step.algebra, step.shapes, step.equations, sizes)
    for name, kind in step.cell.kinds.items():
        rows, columns = (run.size(size) for size in step.shapes[name])
        least = -0.9 if seed else 0.2
        values = random.uniform(least, 0.9, (rows, columns)).astype(complex)
        run.values[lagged(name, 1) if kind == "state" else name] = values.tolist()
    return run


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("seed", range(3))
def test_values_lie_in_the_intervals_that_are_found_for_them(name: str, seed: int) -> None:
    cell = load(name)
    step = Step(str(cell))
    run = drawn(step, {str(size): 2 + place for place, size in enumerate(cell.dimensions)}, seed)
    run.steps(1, step.at, {})
    ranges = Ranges(step.algebra, step.equations)
    for equation in cell.equations:
        low, high, *_ = ranges.of(step.reader.value(equation.name))
        values = np.array(run.values[equation.name]).real
        assert (values >= float(low)).all()
        assert (values <= float(high)).all()


@pytest.mark.parametrize("name", CELLS)
def test_the_intervals_are_those_that_the_toolkit_finds(name: str) -> None:
    cell = load(name)
    step, theirs = Step(str(cell)), ToolkitRanges(gradients(cell))
    ranges = Ranges(step.algebra, step.equations)
    for equation in cell.equations:
        found = ranges.of(step.reader.value(equation.name))
        wanted = theirs.of(equation.name)
        assert found == (wanted.low, wanted.high, wanted.open_low, wanted.open_high)


ENDS = st.sampled_from([-inf, -2, Fraction(-1, 2), 0, Fraction(1, 3), 1, 3, inf])


@given(ends=st.tuples(ENDS, ENDS), name=st.sampled_from(sorted(VALUES)), part=st.floats(0, 1))
def test_a_function_of_an_interval_stays_in_its_image(
    ends: tuple[Any, Any], name: str, part: float
) -> None:
    low, high = min(ends), max(ends)
    at = max(low, -30.0) + part * (min(high, 30.0) - max(low, -30.0))
    defined = at > 0 or name not in ("log", "sqrt")
    assume(name in FUNCTIONS and low < inf and high > -inf and defined)
    found = image(name, Interval(low, high, low == -inf, high == inf))
    value = FUNCTIONS[name](complex(at)).real
    assert found.low - 1e-12 <= value <= found.high + 1e-12
