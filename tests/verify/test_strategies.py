"""Drawn inputs are never uniform, contain what they must, and shrink to something small."""

import numpy as np
import pytest
from grown_cells import CLASSIC, grown
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from derive import zoo
from derive.errors import UsageError
from derive.evaluate import evaluate
from derive.expressions import Apply
from derive.gradients import gradients
from derive.language import parse
from derive.single_assignment import single_assignment
from verify.kernels import sizes_of
from verify.recurrence import Plain, alive, forward
from verify.references import reference
from verify.strategies import LENGTHS, REGIMES, examples, make_example, upstreams

ODD = {
    "concatenated": "input x[m]\nstate h[n]\nh = tanh(W @ [h[t-1], x] + b)",
    "fixed": "input x[2]\nstate h[n], c[3]\nc = tanh(V @ x) * c[t-1]\nh = tanh(U @ c + W @ h[t-1])",
    "bare": "input x[n]\nstate h[n]\nh = tanh(x + h[t-1])",
    "all_fixed": "input x[1]\nstate h[2]\nh = tanh(W @ x + h[t-1])",
    "two_inputs": "input x[m], u[k]\nstate h[n]\nh = tanh(W @ x + V @ u) * h[t-1]",
}
CELLS = {name: zoo.load(name) for name in CLASSIC} | {
    name: parse(text, name) for name, text in ODD.items()
}
CELLS["matrix_memory"] = grown("matrix_memory")
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shape(declared, sizes):
    return tuple(int(d.subs(sizes)) for d in declared)


def smallest(strategy, condition=lambda e: True):
    quiet = settings(max_examples=200, deadline=None, database=None, derandomize=True)
    return find(strategy, condition, settings=quiet)


@pytest.mark.parametrize("name", CELLS)
@given(data=st.data())
@FEW
def test_every_example_has_the_cells_shapes_and_is_never_uniform(name, data):
    cell = CELLS[name]
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    example = data.draw(examples(cell, dtype, min_steps=0, min_batch=0))
    T, B, sizes = example.steps, example.batch, sizes_of(example)
    assert len(set(sizes.values())) in (len(cell.dimensions), 1)
    for p in cell.parameters:
        assert example.params[p.name].shape == shape(p.shape, sizes)
    for v in cell.inputs:
        assert example.inputs[v.name].shape == (T, B, *shape(v.shape, sizes))
    groups = [example.params, example.inputs, example.state_0 or {}]
    for group in groups:
        values = np.concatenate([np.zeros(0), *(np.ravel(a) for a in group.values())])
        assert (values != 0).all()
        assert len(np.unique(np.abs(values))) == len(values)
        assert all(a.dtype == dtype for a in group.values())
    for s in cell.states:
        for given_states in (example.state_0, example.dstate_T):
            if given_states is not None:
                assert given_states[s.name].shape == (B, *shape(s.shape, sizes))
    if example.dy is not None:
        assert example.dy.shape == (T, B, *shape(cell.output.shape, sizes))
        assert example.dy.dtype == dtype


@given(example=examples(CELLS["lstm"], with_lengths=True, min_batch=0))
@FEW
def test_lengths_are_unequal_and_reach_from_nothing_to_everything(example):
    assert example.lengths.shape == (example.batch,)
    assert example.lengths.dtype.kind == "i"
    assert ((example.lengths >= 0) & (example.lengths <= example.steps)).all()
    if example.batch > 1:
        assert {0, example.steps} <= set(example.lengths.tolist())
    if example.batch > 2:
        assert 1 in example.lengths


@given(example=examples(CELLS["lstm"], with_lengths="equal", min_batch=0, min_steps=0))
@FEW
def test_equal_lengths_are_equal_and_of_at_least_one_step(example):
    assert example.lengths.shape == (example.batch,)
    assert len(set(example.lengths.tolist())) == min(example.batch, 1)
    assert ((example.lengths >= min(example.steps, 1)) & (example.lengths <= example.steps)).all()


@pytest.mark.parametrize("name", CELLS)
def test_failures_shrink_to_one_step_one_row_the_smallest_sizes_and_no_saturation(name):
    example = smallest(examples(CELLS[name]))
    assert (example.steps, example.batch) == (1, 1)
    sizes = sorted(sizes_of(example).values())
    shapes = [v.shape for v in (*CELLS[name].inputs, *CELLS[name].states)]
    fixed = {int(d) for s in shapes for d in s if d.is_Integer}
    assert sizes == [n for n in range(1, 9) if n not in fixed][: len(sizes)]
    assert example.lengths is None
    assert ", unsaturated, upstream all" in example.label


def test_a_failure_that_needs_two_steps_shrinks_to_two_steps():
    example = smallest(examples(CELLS["gru"]), lambda e: e.steps >= 2 and e.lengths is not None)
    assert (example.steps, example.batch) == (2, 1)


@pytest.mark.parametrize("regime", REGIMES)
def test_large_cases_of_every_regime_are_among_the_draws(regime):
    example = smallest(
        examples(CELLS["lstm"]),
        lambda e: e.steps >= 3 and e.batch >= 3 and f" {regime}," in e.label,
    )
    assert (example.steps, example.batch) == (3, 3)


@pytest.mark.parametrize("kind", LENGTHS)
def test_every_kind_of_lengths_is_among_the_draws(kind):
    example = smallest(examples(CELLS["lstm"]), lambda e: f", {kind} lengths," in e.label)
    assert (example.steps, example.batch) == (1, 1)


@pytest.mark.parametrize("same", [True, False])
def test_equal_and_unequal_sizes_are_among_the_draws(same):
    square = lambda e: len(set(sizes_of(e).values())) == 1
    smallest(examples(CELLS["lstm"]), lambda e: square(e) == same)


@pytest.mark.parametrize("kind", upstreams(CELLS["lstm"]))
def test_every_kind_of_upstream_is_among_the_draws(kind):
    smallest(examples(CELLS["lstm"]), lambda e: f"upstream {kind}," in e.label)


def test_the_kinds_of_upstream_put_cotangents_where_they_say():
    cell = CELLS["lstm"]
    assert list(upstreams(cell)) == [
        "all",
        "outputs",
        "last output",
        "first output",
        "final h",
        "final C",
        "none",
        "final states",
        "across outputs",
    ]
    made = {
        kind: make_example(cell, steps=3, batch=2, sizes={"n": 2, "m": 3}, seed=0, upstream=kind)
        for kind in upstreams(cell)
    }
    steps = lambda e: [] if e.dy is None else [bool(step.all()) for step in e.dy]
    some = lambda e: [] if e.dy is None else [bool(step.any()) for step in e.dy]
    finals = lambda e: {} if e.dstate_T is None else {k: v.all() for k, v in e.dstate_T.items()}
    assert {k: steps(e) for k, e in made.items()} == {k: some(e) for k, e in made.items()}
    assert {k: (steps(e), finals(e)) for k, e in made.items()} == {
        "all": ([True, True, True], {"h": True, "C": True}),
        "outputs": ([True, True, True], {}),
        "last output": ([False, False, True], {}),
        "first output": ([True, False, False], {}),
        "final h": ([], {"h": True, "C": False}),
        "final C": ([], {"h": False, "C": True}),
        "none": ([], {}),
        "final states": ([], {"h": True, "C": True}),
        "across outputs": ([True, True, True], {}),
    }


def test_all_cotangents_differ_from_each_other():
    example = make_example(CELLS["lstm"], steps=4, batch=3, sizes={"n": 2, "m": 3}, seed=5)
    values = np.concatenate([np.ravel(a) for a in (example.dy, *example.dstate_T.values())])
    assert len(np.unique(np.abs(values))) == values.size == 4 * 3 * 2 + 2 * 3 * 2


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others():
    make = lambda seed: make_example(
        CELLS["gru"], steps=2, batch=3, sizes={"n": 2, "m": 4}, seed=seed, with_lengths=True
    )
    one, two, other = make(7), make(7), make(8)
    assert all(one.params[k].tobytes() == two.params[k].tobytes() for k in one.params)
    assert one.x.tobytes() == two.x.tobytes()
    assert (one.lengths == two.lengths).all()
    assert all((one.params[k] != other.params[k]).all() for k in one.params)


def test_thousands_of_float32_values_are_still_distinct():
    example = make_example(
        CELLS["lstm"], steps=2, batch=2, sizes={"n": 24, "m": 17}, seed=0, dtype=np.float32
    )
    values = np.concatenate([np.ravel(a) for a in example.params.values()])
    assert values.size > 4000
    assert len(np.unique(np.abs(values))) == values.size


def activations(example):
    """Every sigmoid and tanh of a run, and where each lies between its two ends."""
    cell, field = example.cell, Plain(np.float64)
    column = lambda a: a[:, None] if a.ndim == 1 else a
    assignments = single_assignment(cell)
    run = forward(
        cell,
        assignments,
        {k: column(v) for k, v in example.params.items()},
        {k: list(v[..., None]) for k, v in example.inputs.items()},
        {k: v[..., None] for k, v in example.state_0.items()},
        alive(example.steps, example.batch, None),
        sizes_of(example),
        field,
    )
    gates = [a for a in assignments if isinstance(a.value, Apply)]
    ends = {"sigmoid": (0, 1), "tanh": (-1, 1)}
    found = []
    for known in run.known:
        for gate in gates:
            low, high = ends[gate.value.name]
            y = evaluate(gate.value, known, sizes_of(example), field)
            found.append(np.ravel((y - low) / (high - low)))
    return np.concatenate(found)


def test_regimes_reach_saturation_or_stay_away_from_it():
    made = {
        regime: activations(
            make_example(
                CELLS["lstm"], steps=4, batch=4, sizes={"n": 4, "m": 3}, seed=1, regime=regime
            )
        )
        for regime in REGIMES
    }
    saturated = {k: float(np.mean((v < 0.01) | (v > 0.99))) for k, v in made.items()}
    assert saturated["unsaturated"] == saturated["weak"] == 0
    assert saturated["saturated"] > 0.1
    assert saturated["overflowing"] > 0.3
    assert (made["saturated"] < 0.01).any()
    assert (made["saturated"] > 0.99).any()


def test_a_cell_has_as_many_different_sizes_as_it_has_dimensions():
    for steps in range(3):
        example = smallest(examples(CELLS["two_inputs"], max_size=3), lambda e: e.steps > steps)
        assert sorted(sizes_of(example).values()) == [1, 2, 3]


def across(example):
    """<dy_t, y_t> of each row, and how large it is beside |dy_t| |y_t|."""
    y = reference(example, gradients(example.cell), np.longdouble).y
    axes = tuple(range(2, y.ndim))
    size = np.sqrt(np.sum(np.square(example.dy), axes) * np.sum(np.square(y), axes))
    return np.abs(np.sum(example.dy * y, axes)), size


@pytest.mark.parametrize("name", ["lstm", "gru", "matrix_memory", "mlstm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cotangents_across_outputs_are_orthogonal_to_them(name, dtype):
    cell = CELLS[name] if name in CELLS else zoo.load(name)
    sizes = {str(dim): 3 + k for k, dim in enumerate(cell.dimensions)}
    made = lambda upstream: make_example(
        cell, steps=3, batch=3, sizes=sizes, seed=1, upstream=upstream, dtype=dtype,
        with_lengths=True,
    )  # fmt: skip
    part, whole = across(made("across outputs"))
    assert (part <= 3 * np.finfo(dtype).eps * whole).all()
    assert (made("across outputs").dy != 0).all()
    part, whole = across(made("outputs"))
    assert (part[whole > 0] > 1e-3 * whole[whole > 0]).all()


def naive(a):
    """A sigmoid's slope, as it is written by hand."""
    with np.errstate(all="ignore"):
        return np.exp(-a) / (1 + np.exp(-a)) ** 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_overflowing_biases_are_beyond_what_exp_can_hold_on_both_sides(dtype):
    example = make_example(
        CELLS["lstm"], steps=2, batch=2, sizes={"n": 4, "m": 3}, seed=0, dtype=dtype,
        regime="overflowing",
    )  # fmt: skip
    biases = np.concatenate([a for a in example.params.values() if a.ndim == 1])
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(-biases)).any()
        assert np.isinf(np.exp(biases)).any()
    assert np.isnan(naive(biases)).any()
    right = reference(example, gradients(CELLS["lstm"]))
    assert np.isfinite(right.y_bound).all()
    assert all(np.isfinite(bound).all() for bound in right.grads_bound.values())


@pytest.mark.parametrize("name", ["mlstm_exp", "slstm_exp", "rwkv4", "minlstm_log"])
def test_a_cell_with_an_exp_of_its_own_is_not_driven_beyond_it(name):
    cell = zoo.load(name)
    sizes = {str(dim): 2 + k for k, dim in enumerate(cell.dimensions)}
    example = make_example(
        cell, steps=3, batch=2, sizes=sizes, seed=0, dtype=np.float32, regime="overflowing"
    )
    y = reference(example, gradients(cell)).y
    assert (np.abs(y) < np.finfo(np.float32).max).all()
    assert max(np.abs(a).max() for a in example.params.values()) > 8


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "gru_z_new", "peephole_lstm", "mlstm"])
@pytest.mark.parametrize("seed", range(3))
def test_in_a_remembering_example_gradients_reach_back_to_the_start(name, seed):
    cell = zoo.load(name)
    sizes = {str(dim): 3 + k for k, dim in enumerate(cell.dimensions)}
    make = lambda regime: make_example(
        cell, steps=14, batch=2, sizes=sizes, seed=seed, regime=regime, upstream="last output"
    )
    kept = {}
    for regime in ("unsaturated", "remembering"):
        example = make(regime)
        right = reference(example, gradients(cell), np.longdouble)
        kept[regime] = max(
            np.abs(right.grads[f"{s.name}_0"]).max() / np.abs(example.dy).max() for s in cell.states
        )
    assert kept["remembering"] > 0.02
    assert kept["remembering"] > 10 * kept["unsaturated"]
    matrices = [a for a in make("remembering").params.values() if a.shape == (3, 3)]
    for matrix in matrices:
        singular = np.linalg.svd(matrix, compute_uv=False)
        assert ((singular > 0.96) & (singular < 1.001)).all()


def test_unknown_names_and_missing_sizes_are_refused():
    make = lambda **given: make_example(
        CELLS["rnn"], **{"steps": 1, "batch": 1, "sizes": {"n": 1, "m": 2}, "seed": 0, **given}
    )
    with pytest.raises(UsageError, match="no regime 'odd'; there are unsaturated, "):
        make(regime="odd")
    with pytest.raises(UsageError, match="no upstream 'odd'; there are all, "):
        make(upstream="odd")
    with pytest.raises(UsageError, match="the size of m is not given"):
        make(sizes={"n": 1})
