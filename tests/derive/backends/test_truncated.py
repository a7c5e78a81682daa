"""Truncated back-propagation drops the terms that it says it drops, and no other.

The oracle takes the definition literally, one output at a time: it runs a sequence to the step
where its window's k2 steps begin, holds the state there as a number, moves an argument by a complex
step in what comes after, and reads off how that one output moves.
"""

from dataclasses import replace

import numpy as np
import pytest
from agreement import relative_difference
from emitted import kernel_of, same
from network_cases import Arguments, drawn, module_of

from derive.zoo import load
from verify.kernels import shape_of

LIMIT = 1e-10  # of two float64 programs that compute the same, as for peers
STEP = 1e-30
STEPS = 6
CASES = ("rnn", "lstm", "qrnn", "squared_readout", "network", "network with dropout")
WINDOWS = [(1, 1), (1, 3), (2, 2), (2, 5), (3, 2), (4, 1), (4, 4), (5, 3), (6, 6), (9, 9)]
LENGTHS = [None, (6, 1, 5), (3, 0, 6)]


def arguments(name, lengths=None, seed=0, dtype=float):
    """(module, arguments) of a cell or of a network."""
    if name.startswith("network"):
        case = "residual" if name == "network" else "dropout"
        return module_of(case), drawn(case, STEPS, 3, lengths, seed, dtype)
    cell, random = load(name), np.random.default_rng(seed)
    sizes = {dim: 2 + k for k, dim in enumerate(cell.dimensions)}
    draw = lambda lead, v: random.uniform(-0.9, 0.9, (*lead, *shape_of(v, sizes))).astype(dtype)
    made = lambda lead, variables: {v.name: draw(lead, v) for v in variables}
    found = Arguments(
        params=made((), cell.parameters),
        inputs=made((STEPS, 3), cell.inputs),
        state_0=made((3,), cell.states),
        lengths=None if lengths is None else np.array(lengths),
        dy=draw((STEPS, 3), cell.output),
        dstate_T=made((3,), cell.states),
    )
    if lengths is not None:
        past = np.arange(STEPS)[:, None] >= found.lengths
        for array in (*found.inputs.values(), found.dy):
            array[past] = np.nan
    return kernel_of(cell), found


def gradients(module, a, k1, k2):
    return module.truncated(
        a.params, a.x, a.state_0, a.dy, a.dstate_T, lengths=a.lengths, k1=k1, k2=k2
    )


def full(module, a):
    tape = module.forward(a.params, a.x, a.state_0, lengths=a.lengths)[2]
    return module.backward(a.params, tape, a.dy, a.dstate_T)


def kept_terms(end, k1, k2):
    """For each step whose output counts: where the steps that it may go back to begin."""
    for step in range(end):
        stop = min((step // k1 + 1) * k1, end)
        start = max(0, stop - k2)
        if step >= start:
            yield step, start


def by_definition(module, a, k1, k2, way):
    """<gradient, way> for each argument: the sum of the terms that are kept."""
    found = dict.fromkeys(way, 0.0)
    for b in range(3):
        end = STEPS if a.lengths is None else a.lengths[b]
        alone = replace(
            a,
            inputs={k: v[:end, [b]] for k, v in a.inputs.items()},
            state_0={k: v[[b]] for k, v in a.state_0.items()},
        )
        ways = {k: v[:end, [b]] if k in a.inputs else v for k, v in way.items()}
        ways |= {k: v[[b]] for k, v in way.items() if k.endswith("_0") and k[:-2] in a.state_0}
        for key in way:
            for step, start in kept_terms(end, k1, k2):
                y, _ = moved(module, alone, key, ways[key], start, step + 1)
                found[key] += np.sum(a.dy[step, b] * y[-1, 0].imag) / STEP
            _, state = moved(module, alone, key, ways[key], max(0, end - k2), end)
            found[key] += sum(np.sum(a.dstate_T[k][b] * v[0].imag) for k, v in state.items()) / STEP
    return found


def moved(module, a, key, way, start, stop):
    """Outputs and states of steps start ... stop, an argument moved there and nowhere else."""
    cut = lambda lo, hi: replace(a, inputs={k: v[lo:hi] for k, v in a.inputs.items()})
    state = module.forward(a.params, cut(0, start).x, a.state_0)[1]
    groups = {"params": a.params, "inputs": cut(start, stop).inputs, "state_0": state}
    groups = {g: {k: v.astype(complex) for k, v in d.items()} for g, d in groups.items()}
    if key in a.params:
        groups["params"][key] += 1j * STEP * way
    elif key in a.inputs:
        groups["inputs"][key] += 1j * STEP * way[start:stop]
    elif start == 0:
        groups["state_0"][key[:-2]] += 1j * STEP * way
    there = replace(a, **groups)
    y, state, _ = module.forward(there.params, there.x, there.state_0)
    return y, state


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", CASES)
def test_each_term_is_there_or_dropped_as_the_definition_says(name, lengths):
    module, a = arguments(name, lengths)
    random = np.random.default_rng(1)
    shapes = a.params | a.inputs | {f"{k}_0": v for k, v in a.state_0.items()}
    for k1, k2 in WINDOWS[::2] if name.startswith("network") else WINDOWS:
        found = gradients(module, a, k1, k2)
        assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in shapes.items()}
        way = {k: random.uniform(-1, 1, v.shape) for k, v in shapes.items()}
        right = by_definition(module, a, k1, k2, way)
        for key, gradient in found.items():
            size = np.sum(np.abs(gradient * way[key]))
            assert abs(np.sum(gradient * way[key]) - right[key]) <= LIMIT * size + STEP, (key, k1)


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("name", CASES)
def test_windows_as_long_as_the_sequence_drop_nothing(name, lengths):
    module, a = arguments(name, lengths)
    for k1, k2 in ((STEPS, STEPS), (STEPS + 3, 10 * STEPS)):
        found, right = gradients(module, a, k1, k2), full(module, a)
        if lengths is None:
            assert same(found, right)
        assert relative_difference(found, right) < LIMIT


def test_a_window_of_all_steps_behind_each_step_is_full_back_propagation_too():
    module, a = arguments("lstm")
    assert relative_difference(gradients(module, a, 1, STEPS), full(module, a)) < LIMIT


def test_something_is_dropped_where_the_horizon_is_shorter():
    module, a = arguments("lstm")
    found, right = gradients(module, a, 2, 4), full(module, a)
    assert relative_difference({"U_f": found["U_f"]}, {"U_f": right["U_f"]}) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_a_padded_batch_is_its_sequences_one_by_one(name):
    module, a = arguments(name, (6, 1, 5))
    whole = gradients(module, a, 2, 3)
    sums = dict.fromkeys(a.params, 0)
    for b, end in enumerate(a.lengths):
        alone = replace(
            a,
            inputs={k: v[:end, [b]] for k, v in a.inputs.items()},
            state_0={k: v[[b]] for k, v in a.state_0.items()},
            dstate_T={k: v[[b]] for k, v in a.dstate_T.items()},
            dy=a.dy[:end, [b]],
            lengths=None,
        )
        found = gradients(module, alone, 2, 3)
        for key in a.params:
            sums[key] = sums[key] + found[key]
        rows = {k: whole[k][:end, [b]] for k in a.inputs}
        rows |= {f"{k}_0": whole[f"{k}_0"][[b]] for k in a.state_0}
        assert relative_difference({k: found[k] for k in rows}, rows) < LIMIT
        for key in a.inputs:
            assert not whole[key][end:, b].any()
    assert relative_difference({k: whole[k] for k in sums}, sums) < LIMIT


def test_a_summed_loss_counts_its_last_steps_alone_as_the_text_says():
    module, a = arguments("squared_readout")
    one = {"loss": np.ones((3, 1))}
    found = module.truncated(a.params, a.x, dstate_T=one, k1=2, k2=2)
    z = a.inputs["x"] @ a.params["W"].T + a.params["b"]
    expected = (z - a.inputs["target"])[-2:].sum((0, 1))
    assert relative_difference({"b": found["b"]}, {"b": expected}) < LIMIT


def test_losses_of_each_step_lose_no_step():
    module = kernel_of(load("squared_step_readout"))
    _, a = arguments("squared_readout", (6, 1, 5))
    dy = np.ones((STEPS, 3, 1))
    found = module.truncated(a.params, a.x, dy=dy, lengths=a.lengths, k1=2, k2=2)
    z = a.inputs["x"] @ a.params["W"].T + a.params["b"]
    expected = np.nansum(z - a.inputs["target"], (0, 1))
    assert relative_difference({"b": found["b"]}, {"b": expected}) < LIMIT


@pytest.mark.parametrize("name", ["lstm", "squared_readout", "network"])
def test_float32_stays_and_nothing_is_written_to(name):
    module, a = arguments(name, (6, 1, 5), dtype=np.float32)
    groups = (a.params, a.inputs, a.state_0, a.dstate_T, {"dy": a.dy, "lengths": a.lengths})
    given = [array for group in groups for array in group.values()]
    for array in given:
        array.setflags(write=False)
    found = list(gradients(module, a, 2, 3).values())
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    for k, array in enumerate(found):
        assert not any(np.shares_memory(array, other) for other in (*found[:k], *given))


@pytest.mark.parametrize("name", ["lstm", "squared_readout", "network"])
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (2, 0), (0, 0)])
def test_no_steps_and_no_sequences_work(name, steps, batch):
    module, a = arguments(name)
    a = replace(
        a,
        inputs={k: v[:steps, :batch] for k, v in a.inputs.items()},
        state_0={k: v[:batch] for k, v in a.state_0.items()},
        dstate_T={k: v[:batch] for k, v in a.dstate_T.items()},
        dy=a.dy[:steps, :batch],
    )
    for lengths in (None, np.full(batch, steps)):
        case = replace(a, lengths=lengths)
        assert same(gradients(module, case, 1, 2), full(module, case))


def test_none_means_zeros():
    module, a = arguments("lstm")
    zeros = {k: np.zeros_like(v) for k, v in a.state_0.items()}
    short = module.truncated(a.params, a.x, k1=2, k2=3)
    assert not any(array.any() for array in short.values())
    with_zeros = module.truncated(a.params, a.x, zeros, a.dy, zeros, k1=2, k2=3)
    assert same(module.truncated(a.params, a.x, dy=a.dy, k1=2, k2=3), with_zeros)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2", None, np.float64(2)])
@pytest.mark.parametrize("which", ["k1", "k2"])
def test_a_window_is_a_whole_number_from_1(which, value):
    module, a = arguments("rnn")
    with pytest.raises(ValueError, match=rf"^rnn.truncated: {which} is .*, expected a whole num"):
        module.truncated(a.params, a.x, **{"k1": 2, "k2": np.int64(2), which: value})


def test_a_wrong_argument_is_named():
    module, a = arguments("rnn")
    with pytest.raises(ValueError, match=r"^rnn.truncated: dy has shape \(5, 3, 2\), expected"):
        module.truncated(a.params, a.x, dy=a.dy[1:], k1=1, k2=1)
    with pytest.raises(ValueError, match="dstate_T has the key 'C', expected h"):
        module.truncated(a.params, a.x, dstate_T={"C": a.dstate_T["h"]}, k1=1, k2=1)
    with pytest.raises(ValueError, match="lengths must be from 0 to T = 6, found 7"):
        module.truncated(a.params, a.x, lengths=[7, 1, 1], k1=1, k2=1)


@pytest.mark.parametrize("name", ["both", "reverse"])
def test_a_network_that_reads_ahead_has_no_truncated_form(name):
    assert not hasattr(module_of(name), "truncated")
