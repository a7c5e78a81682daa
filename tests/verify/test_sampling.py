"""What a default run is sure to try, each demand a row: pinned examples and those of seed 0."""

from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import find, settings

from derive import zoo
from derive.expressions import Apply
from derive.gradients import gradients
from verify.kernels import as_array, sizes_of
from verify.properties import PROPERTIES
from verify.recurrence import Plain
from verify.references import forward_in, reference
from verify.runner import PROFILES
from verify.sampling import PINS, Enough, generate, pinned
from verify.strategies import REGIMES, examples, upstreams

CELLS = ("lstm", "gru", "mlstm", "rnn")
WIDE = Plain(np.longdouble)


@cache
def run_of(name, count=PROFILES["default"]):
    """The examples of a run, as `verify.runner` takes them."""
    found, labels = [], set()

    def visit(example):
        if len(found) >= count:
            raise Enough
        if example.label not in labels:
            labels.add(example.label)
            found.append(example)

    with suppress(Enough):
        for example in pinned(zoo.load(name), 0):
            visit(example)
        generate(zoo.load(name), visit, 0, 3 * count, shrink=False)
    assert len(found) == count
    return found


def sizes(e):
    """(D, H)."""
    return e.x.shape[-1], sizes_of(e)[e.cell.output.shape[0]]


def nowhere(array):
    return array is None or not np.any(array)


def steps_asked(e):
    """At which steps the output has a cotangent in every entry of every row; else None."""
    if e.dy is None:
        return ()
    flat = e.dy.reshape(e.steps, -1)
    asked = np.flatnonzero(flat.any(axis=1))
    return tuple(asked) if (flat[asked] != 0).all() else None


def states_asked(e):
    return tuple(n for n, a in (e.dstate_T or {}).items() if np.any(a))


def every_state(e):
    return tuple(s.name for s in e.cell.states)


def orthogonal(e):
    if nowhere(e.dy) or e.dstate_T is not None:
        return False
    y = reference(e, gradients(e.cell), np.longdouble).y
    axes = tuple(range(2, y.ndim))
    part = np.abs(np.sum(e.dy * y, axes))
    size = np.sqrt(np.sum(np.square(e.dy), axes) * np.sum(np.square(y), axes))
    return bool((part <= 8 * np.finfo(e.dtype).eps * size).all())


def arguments(e):
    """Every argument of every function in a run of the equations."""
    derived = gradients(e.cell)
    names = [a.value.argument.name for a in derived.forward if isinstance(a.value, Apply)]
    run = forward_in(e, derived, WIDE)
    return np.concatenate([np.ravel(step[name]) for step in run.known for name in names])


def decidable(e):
    """Whether every result has a finite bound."""
    right = reference(e, gradients(e.cell))
    bounds = [right.y_bound, *right.state_T_bound.values(), *right.grads_bound.values()]
    return all(np.isfinite(bound).all() for bound in bounds)


def overflows(e, sign):
    """In float32, exp of some argument's negative overflows, and all the same all is decidable."""
    if e.dtype != np.float32 or ", overflowing, " not in e.label:
        return False
    with np.errstate(over="ignore"):
        exps = np.exp(np.asarray(-sign * arguments(e), np.float32))
    return bool(np.isinf(exps).any()) and decidable(e)


def last_steps(e, count):
    """The example without its first steps; it starts at the states that they lead to."""
    run = forward_in(e, gradients(e.cell), WIDE)
    known = run.known[e.steps - count - 1]
    start = {
        s.name: as_array(np.broadcast_to(known[s.name], (e.batch, *known[s.name].shape[-2:])), s)
        for s in e.cell.states
    }
    inputs = {n: a[-count:] for n, a in e.inputs.items()}
    dy = None if e.dy is None else e.dy[-count:]
    return replace(e, inputs=inputs, state_0=start, dy=dy)


def truncation_shows(e):
    """Gradients of parameters from the last k <= 11 steps alone are wrong in most arrays.

    Not in all: what acts on the output alone, as mlstm's output gate, has no earlier steps there.
    """
    if e.steps < 12 or e.lengths is not None or e.dtype != np.float64:
        return False
    if ", remembering, " not in e.label:
        return False
    derived = gradients(e.cell)
    right = reference(e, derived)
    for count in range(1, 12):
        less = reference(last_steps(e, count), derived)
        off = {n: np.abs(less.grads[n] - right.grads[n]).max() for n in e.params}
        shows = [off[n] > 1e3 * right.grads_bound[n].max() for n in e.params]
        if np.mean(shows) <= 0.5:
            return False
    return True


def decay_shows(e):
    """A carry that is a millionth too small at each step is far outside of the bound at the start.

    The first state's gradient would be off by T millionths of itself.
    """
    if e.steps < 12 or e.dtype != np.float64 or nowhere(e.dy):
        return False
    right = reference(e, gradients(e.cell))
    names = [f"{n}_0" for n in every_state(e)]
    off = [1e-6 * e.steps * np.abs(right.grads[n]) - 10 * right.grads_bound[n] for n in names]
    return any((o > 0).all() for o in off)


# A demand is met by at least one example of a run.
DEMANDS = {
    "T = 1": lambda e: e.steps == 1,
    "T = 2": lambda e: e.steps == 2,
    "T = 3": lambda e: e.steps == 3,
    "T >= 12, and truncation after any k <= 11 steps shows": truncation_shows,
    "T >= 12, and a factor that decays with the lag shows": decay_shows,
    "B = 1": lambda e: e.batch == 1,
    "B = 2": lambda e: e.batch == 2,
    "B = 3": lambda e: e.batch == 3,
    "D = H > 1": lambda e: len(set(sizes(e))) == 1 and sizes(e)[0] > 1,
    "D > H": lambda e: sizes(e)[0] > sizes(e)[1],
    "D < H": lambda e: sizes(e)[0] < sizes(e)[1],
    "float32": lambda e: e.dtype == np.float32,
    "float64": lambda e: e.dtype == np.float64,
    "upstream on everything": lambda e: (
        steps_asked(e) == tuple(range(e.steps)) and states_asked(e) == every_state(e)
    ),
    "upstream on all steps": lambda e: (
        e.steps > 1 and steps_asked(e) == tuple(range(e.steps)) and e.dstate_T is None
    ),
    "upstream on the last step only": lambda e: (
        e.steps > 1 and steps_asked(e) == (e.steps - 1,) and e.dstate_T is None
    ),
    "upstream on the first step only": lambda e: (
        e.steps > 1 and steps_asked(e) == (0,) and e.dstate_T is None
    ),
    "upstream on the final output only": lambda e: (
        e.dy is None and states_asked(e) == every_state(e)[:1]
    ),
    "upstream on the last final state only": lambda e: (
        e.dy is None and states_asked(e) == every_state(e)[-1:]
    ),
    "upstream on every final state": lambda e: e.dy is None and states_asked(e) == every_state(e),
    "upstream orthogonal to the output": orthogonal,
    "upstream on nothing": lambda e: e.dy is None and e.dstate_T is None,
    "gate inputs so low in float32 that exp overflows": lambda e: overflows(e, 1),
    "gate inputs so high in float32 that exp overflows": lambda e: overflows(e, -1),
    "initial states": lambda e: (
        e.state_0 is not None and all((a != 0).all() for a in e.state_0.values())
    ),
    "no initial states": lambda e: e.state_0 is None,
    "lengths with 0, 1 and T": lambda e: (
        e.lengths is not None and e.steps > 1 and {0, 1, e.steps} <= set(e.lengths.tolist())
    ),
    "lengths all equal, not T": lambda e: (
        e.lengths is not None
        and e.batch > 1
        and len(set(e.lengths.tolist())) == 1
        and 0 < e.lengths[0] < e.steps
    ),
    "no lengths": lambda e: e.lengths is None,
    **{f"regime {r}": lambda e, r=r: f", {r}, upstream" in e.label for r in REGIMES},
}


# mlstm has an exp of its own, which must not overflow: all gate inputs may be too small for this.
BEYOND = {
    ("mlstm", "gate inputs so low in float32 that exp overflows"),
    ("mlstm", "gate inputs so high in float32 that exp overflows"),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("demand", DEMANDS)
def test_a_default_run_has_an_example_with(demand, name):
    met = any(DEMANDS[demand](e) for e in run_of(name))
    assert met or (name, demand) in BEYOND


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [180, 3000])
def test_what_is_drawn_first_is_as_mixed_as_the_rest_however_many_are_asked_for(seed, count):
    found = []

    def visit(example):
        if len(found) == 120:
            raise Enough
        found.append(example)

    with suppress(Enough):
        generate(zoo.load("rnn"), visit, seed, count, shrink=False)
    share = lambda holds: sum(map(holds, found)) / len(found)
    assert share(lambda e: e.dtype == np.float32) > 0.2
    assert share(lambda e: e.steps > 6) > 0.1
    assert share(lambda e: e.batch > 1) > 0.3
    assert share(lambda e: ", unsaturated, " not in e.label) > 0.4
    assert share(lambda e: "upstream all" not in e.label) > 0.25
    assert len({e.label for e in found}) > 0.7 * len(found)


def noting(found):
    def visit(example):
        found.append(example)

    return visit


def test_a_seed_repeats_what_is_drawn():
    labels = []
    for seed in (4, 4, 5):
        found = []
        generate(zoo.load("rnn"), noting(found), seed, 50, shrink=False)
        labels.append([example.label for example in found])
    assert labels[0] == labels[1]
    assert labels[0] != labels[2]


@pytest.mark.parametrize("name", CELLS)
def test_nothing_in_any_example_of_a_run_is_uniform(name):
    for e in run_of(name):
        for group in (e.params, e.inputs, e.state_0 or {}):
            values = np.concatenate([np.zeros(0), *(np.ravel(a) for a in group.values())])
            assert (values != 0).all(), e.label
            assert len(np.unique(np.abs(values))) == len(values), e.label
        given = [e.dy, *(e.dstate_T or {}).values()]
        values = np.concatenate(
            [np.zeros(0), *(np.ravel(a[a != 0]) for a in given if a is not None)]
        )
        assert len(np.unique(np.abs(values))) == len(values), e.label


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "name", [n for n in zoo.names() if n in ("indrnn", "rwkv4", "lem", *CELLS)]
)
def test_an_overflowing_example_is_one_that_can_be_decided(name, dtype):
    (at,) = [k for k, pin in enumerate(PINS) if (pin.regime, pin.dtype) == ("overflowing", dtype)]
    example = list(pinned(zoo.load(name), 0))[at]
    right = reference(example, gradients(example.cell))
    assert np.isfinite(right.y_bound).all()
    assert all(np.isfinite(bound).all() for bound in right.grads_bound.values())
    if name in ("lstm", "gru", "rnn"):
        for key, bound in right.grads_bound.items():
            assert (2 * bound < np.abs(right.grads[key])).any(), key


def test_no_steps_and_no_rows_are_properties_of_their_own():
    rows = {p.name for p in PROPERTIES}
    assert {"no steps", "no steps gradients", "no rows", "no rows gradients"} <= rows


@pytest.mark.parametrize("name", CELLS)
def test_pinned_examples_are_the_rows_of_their_table(name):
    made = list(pinned(zoo.load(name), 5))
    assert [(e.steps, e.batch, e.dtype) for e in made] == [
        (pin.steps, pin.batch, pin.dtype) for pin in PINS
    ]
    assert {pin.upstream for pin in PINS} - set(upstreams(zoo.load(name))) == {
        "first state",
        "last state",
    }
    assert [len({*sizes_of(e).values()}) == 1 for e in made] == [pin.square for pin in PINS]
    assert len({e.label for e in made}) == len(made)


@pytest.mark.parametrize("kind", ["remembering", "overflowing"])
def test_large_examples_shrink_to_one_step_like_others(kind):
    quiet = settings(max_examples=80, deadline=None, database=None, derandomize=True)
    example = find(examples(zoo.load("rnn"), regimes=(kind,)), lambda e: True, settings=quiet)
    assert (example.steps, example.batch, example.lengths) == (1, 1, None)
