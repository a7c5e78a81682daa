"""What an emitted kernel promises, for cells of the zoo and for cells made to be awkward."""

from dataclasses import replace

import numpy as np
import pytest
from emitted import deviations, named, results, same
from kernel_cases import ALL, DTYPES, made

from derive.backends.numpy.forms import is_fused

# Rows: T, B, and what else is special.
SHAPES = (
    (4, 3, {}),
    (4, 3, {"with_lengths": True, "regime": "mixed"}),
    (1, 1, {"with_state": False}),
    (1, 2, {"with_lengths": True, "upstream": "last output"}),
    (0, 2, {}),
    (0, 2, {"with_lengths": True, "with_state": False}),
    (3, 0, {}),
    (0, 0, {"upstream": "none"}),
    (6, 2, {"upstream": "outputs", "regime": "weak"}),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALL)
def test_results_lie_within_the_bounds_of_the_reference(name, dtype):
    kernel, derived, example = made(name)
    for seed, (steps, batch, options) in enumerate(SHAPES):
        case = example(steps, batch, seed, dtype=dtype, **options)
        assert deviations(results(kernel, case), case, derived) == [], case.label


@pytest.mark.parametrize("name", ALL)
def test_none_means_zeros(name):
    kernel, _, example = made(name)
    full = example()
    zeros = {s: np.zeros_like(a) for s, a in full.state_0.items()}
    cut = replace(full, state_0=None, dy=None, dstate_T=None)
    explicit = replace(full, state_0=zeros, dy=np.zeros_like(full.dy), dstate_T=zeros)
    assert same(results(kernel, cut), results(kernel, explicit))
    for given in ({}, dict.fromkeys(zeros)):
        assert same(
            results(kernel, replace(full, state_0=given, dstate_T=given)),
            results(kernel, replace(full, state_0=zeros, dstate_T=zeros)),
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ALL)
def test_inputs_are_never_written_to(name, dtype):
    kernel, _, example = made(name)
    case = example(5, 3, with_lengths=True, dtype=dtype)
    before = [a.tobytes() for a in arrays(case)]
    expected = results(kernel, case)
    assert [a.tobytes() for a in arrays(case)] == before
    for array in arrays(case):
        array.setflags(write=False)
    assert same(results(kernel, case), expected)


def arrays(case) -> list[np.ndarray]:
    groups = (case.params, case.inputs, case.state_0, case.dstate_T)
    return [case.dy, case.lengths, *(a for group in groups for a in group.values())]


@pytest.mark.parametrize("name", ALL)
def test_what_is_written_to_results_or_to_arguments_but_x_leaves_backward_alone(name):
    kernel, _, example = made(name)
    case = example(with_lengths=True)
    expected = results(kernel, case)
    state_0 = {s: a.copy() for s, a in case.state_0.items()}
    lengths = case.lengths.copy()
    y, state_T, tape = kernel.forward(case.params, case.x, state_0, lengths=lengths)
    outputs = (y.copy(), {s: a.copy() for s, a in state_T.items()})
    for array in (y, *state_T.values(), *state_0.values()):
        array[...] = np.nan
    lengths[...] = 0
    grads = kernel.backward(case.params, tape, case.dy, case.dstate_T)
    assert same(named(*outputs, grads), expected)


@pytest.mark.parametrize("name", ALL)
def test_backward_twice_gives_the_same_though_the_first_result_is_overwritten(name):
    kernel, _, example = made(name)
    case = example(with_lengths=True)
    tape = kernel.forward(case.params, case.x, case.state_0, lengths=case.lengths)[2]
    first = dict(kernel.backward(case.params, tape, case.dy, case.dstate_T))
    kept = {n: a.copy() for n, a in first.items()}
    for array in first.values():
        array[...] = np.nan
    assert same(kernel.backward(case.params, tape, case.dy, case.dstate_T), kept)


@pytest.mark.parametrize("name", ALL)
def test_no_two_results_share_memory(name):
    kernel, _, example = made(name)
    case = example()
    found = list(results(kernel, case).items())
    given = [*case.params.items(), *case.inputs.items(), *case.state_0.items(), ("dy", case.dy)]
    for place, (left, a) in enumerate(found):
        for right, b in [*found[:place], *given]:
            assert not np.shares_memory(a, b), (left, right)


@pytest.mark.parametrize("name", ALL)
def test_two_runs_may_be_interleaved(name):
    kernel, _, example = made(name)
    one, two = example(4, 3, 1, with_lengths=True), example(4, 3, 2)
    expected = [results(kernel, one), results(kernel, two)]
    runs = [kernel.forward(c.params, c.x, c.state_0, lengths=c.lengths) for c in (one, two)]
    grads = [
        kernel.backward(c.params, run[2], c.dy, c.dstate_T)
        for c, run in zip((one, two), runs, strict=True)
    ]
    for (y, state_T, _), pulled, right in zip(runs, grads, expected, strict=True):
        assert same(named(y, state_T, pulled), right)


@pytest.mark.parametrize("chunk", [1, 2, 3])
@pytest.mark.parametrize("name", ALL)
def test_sequences_longer_than_a_chunk_are_joined_right(name, chunk):
    kernel, derived, example = made(name)
    asked = []
    kernel._chunk = lambda *given: asked.append(given) or chunk
    for with_lengths in (False, True):
        case = example(7, 3, with_lengths=with_lengths)
        assert deviations(results(kernel, case), case, derived) == []
    assert len(asked) == (2 if is_fused(derived) else 0)
