"""Arguments of any layout in memory, lengths of any kind, garbage beyond the end of a sequence."""

from dataclasses import replace

import numpy as np
import pytest
from emitted import deviations, kernel_of, results, same
from kernel_cases import ALL, DTYPES, made

from derive.gradients import gradients
from derive.language import parse
from verify.strategies import make_example


def strided(a: np.ndarray) -> np.ndarray:
    """Every second entry of a larger array full of NaN."""
    larger = np.full([2 * size + 1 for size in a.shape], np.nan, a.dtype)
    view = larger[tuple(slice(1, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def turned_round(a: np.ndarray) -> np.ndarray:
    """Negative strides in every axis."""
    backwards = tuple(slice(None, None, -1) for _ in a.shape)
    return np.ascontiguousarray(a[backwards])[backwards]


LAYOUTS = (strided, turned_round, np.asfortranarray)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ALL)
def test_any_layout_in_memory_will_do(name, layout):
    kernel, derived, example = made(name)
    for dtype in DTYPES:
        case = example(with_lengths=True, dtype=dtype)
        other = lambda group: {n: layout(a) for n, a in group.items()}
        moved = replace(
            case,
            params=other(case.params),
            inputs=other(case.inputs),
            state_0=other(case.state_0),
            dstate_T=other(case.dstate_T),
            dy=layout(case.dy),
        )
        assert deviations(results(kernel, moved), case, derived) == []


@pytest.mark.parametrize("name", ALL)
def test_arrays_of_one_number_broadcast_to_their_shape_will_do(name):
    kernel, derived, example = made(name)
    case = example()
    flat = lambda a: np.broadcast_to(a.dtype.type(0.375), a.shape)
    even = replace(
        case,
        inputs={n: flat(a) for n, a in case.inputs.items()},
        state_0={n: flat(a) for n, a in case.state_0.items()},
        dy=flat(case.dy),
    )
    assert deviations(results(kernel, even), even, derived) == []


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALL)
def test_what_stands_beyond_a_sequences_end_is_not_read(name, dtype):
    kernel, derived, example = made(name)
    case = example(5, 4, with_lengths=True, dtype=dtype)
    expected = results(kernel, case)
    assert deviations(expected, case, derived) == []
    beyond = np.arange(5)[:, None] >= case.lengths
    assert beyond.any()
    for garbage in (np.nan, np.inf):
        spoilt = lambda a, g=garbage: np.where(beyond[..., None], a.dtype.type(g), a)
        inputs = {n: spoilt(a) for n, a in case.inputs.items()}
        assert same(results(kernel, replace(case, inputs=inputs, dy=spoilt(case.dy))), expected)


@pytest.mark.parametrize("kind", [list, tuple, np.int32, np.int64, np.uint8, strided])
def test_lengths_are_whole_numbers_of_any_kind(kind):
    kernel, _, example = made("lstm")
    case = example(with_lengths=True)
    other = case.lengths.astype(kind) if isinstance(kind, type(np.int8)) else None
    given = kind(case.lengths.tolist()) if kind in (list, tuple) else other
    given = strided(case.lengths.astype(float)).astype(int) if kind is strided else given
    assert same(results(kernel, replace(case, lengths=given)), results(kernel, case))


def beyond(reason, *row):
    return pytest.param(*row, marks=pytest.mark.xfail(reason=reason, raises=RuntimeWarning))


# The right side, x at the first step of a sequence of one or two steps. One step more overflows.
OVERFLOWS = [
    ("exp(x + h[t-1]) + x", 6.0, 2),
    ("exp(h[t-1]) * tanh(x) + x", 6.0, 2),
    ("exp(h[t-1]) - exp(2 * h[t-1]) + x", 5.0, 2),
    ("x + h[t-1] * h[t-1] - h[t-1] ** 3", 1e40, 2),
    ("h[t-1] ** 3 + x", 1e60, 2),
    beyond("inf * 0 in a step that is held", "exp(h[t-1]) * exp(-2 * h[t-1]) + x", 800.0, 1),
]


@pytest.mark.parametrize(("right", "first", "length"), OVERFLOWS)
def test_a_state_that_would_overflow_one_step_later_still_has_its_gradient(right, first, length):
    derived = gradients(parse(f"input x[n]\nstate h[n]\nh = {right}\n", "exploding"))
    example = make_example(
        derived.cell, steps=3, batch=2, sizes={"n": 1}, seed=0, with_state=False, with_lengths=True
    )
    x = np.full((3, 2, 1), -0.5)
    x[0, 0] = first
    case = replace(example, inputs={"x": x}, lengths=np.array([length, 3]))
    assert deviations(results(kernel_of(derived), case), case, derived) == []
