"""Layouts, arrangements and limits: what an adapter says of somebody's code."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from derive import zoo
from derive.errors import UsageError
from verify.adapters.arrangement import arrangement, named
from verify.adapters.axes import check_axes, from_axes, to_axes
from verify.adapters.blocks import read_blocks
from verify.adapters.limits import FULL, Limits, NotGivenError, not_given
from verify.adapters.readout import readout
from verify.adapters.restricting import refuse, within
from verify.conventions import CONVENTIONS, from_cell, gradients_from_cell
from verify.strategies import make_example

RNG = np.random.default_rng(0)
LSTM = zoo.load("lstm")


def example(cell=LSTM, **options):
    given = {"steps": 4, "batch": 3, "sizes": {"n": 2, "m": 3}, "seed": 1, "with_lengths": True}
    return make_example(cell, **given | options)


@pytest.mark.parametrize("order", ["".join(p) for p in permutations("TBF")])
def test_axes_in_any_order_are_a_round_trip(order):
    array = RNG.standard_normal((4, 3, 2))
    there = to_axes(array, order, "TBF")
    assert there.shape == tuple({"T": 4, "B": 3, "F": 2}[c] for c in order)
    assert np.array_equal(from_axes(there, order, "TBF", "y"), array)
    assert there[tuple({"T": 1, "B": 2, "F": 0}[c] for c in order)] == array[1, 2, 0]


@pytest.mark.parametrize(
    ("axes", "contract", "shape", "there"),
    [
        ("TF", "TBF", (4, 1, 2), (4, 2)),
        ("TF1", "TBF", (4, 1, 2), (4, 2, 1)),
        ("1BF", "BF", (3, 2), (1, 3, 2)),
        ("F", "BF", (1, 2), (2,)),
        ("F1", "BF", (1, 2), (2, 1)),
        ("FB", "BF", (3, 2, 5), (2, 5, 3)),
        ("BTF", "TBF", (4, 3, 2, 5), (3, 4, 2, 5)),
        ("1F", "BF", (1, 2, 5), (1, 2, 5)),
    ],
)
def test_axes_that_are_missing_or_added_are_a_round_trip(axes, contract, shape, there):
    array = RNG.standard_normal(shape)
    assert to_axes(array, axes, contract).shape == there
    assert np.array_equal(from_axes(to_axes(array, axes, contract), axes, contract, "y"), array)


@pytest.mark.parametrize("axes", ["BT", "TBFF", "TBX", "", "BF"])
def test_axes_that_mean_nothing_are_refused(axes):
    with pytest.raises(UsageError, match="expected the letters of 'TBF'"):
        check_axes(axes, "TBF", "x")


@pytest.mark.parametrize("shape", [(3, 2), (4, 1, 2, 1)])
def test_a_result_with_other_axes_is_said(shape):
    with pytest.raises(ValueError, match=r"y has shape .* expected axes TB1F"):
        from_axes(np.zeros(shape), "TB1F", "TBF", "y")


PARAMS = {"W": np.arange(6.0).reshape(2, 3), "U": 10 + np.arange(4.0).reshape(2, 2)}
PARAMS |= {"b": np.array([20.0, 21.0])}
BESIDE = np.hstack([PARAMS["W"], PARAMS["U"]])


@pytest.mark.parametrize(
    ("text", "vectors", "array"),
    [
        ("[W, U, b]", "column", np.hstack([BESIDE, PARAMS["b"][:, None]])),
        ("[[W.T], [U.T], [b]]", "row", np.vstack([BESIDE.T, PARAMS["b"]])),
        ("[W, U, b].T", "column", np.hstack([BESIDE, PARAMS["b"][:, None]]).T),
        ("[[-W, 2*U], [W, U]]", "flat", np.vstack([BESIDE * [-1, -1, -1, 2, 2], 0 * BESIDE])),
        ("[b - 1, b]", "flat", np.array([19.0, 20.0, 0.0, 0.0])),
        ("stack(b, b + 0.5)", "flat", np.array([[20.0, 21.0], [0.5, 0.5]])),
    ],
)
def test_expressions_are_what_numpy_makes_of_them(text, vectors, array):
    used = {n: a for n, a in PARAMS.items() if n in text}
    blocks = read_blocks({"A": text}, tuple(used), vectors)
    assert np.array_equal(blocks.arrays(used)["A"], array)


def test_gradients_come_back_by_the_chain_rule():
    blocks = read_blocks({"A": "[-W, 2*U]", "c": "b - 1"}, tuple(PARAMS))
    weights = RNG.standard_normal((2, 5)), RNG.standard_normal(2)
    found = blocks.gradients({"A": weights[0], "c": weights[1]}, PARAMS)
    assert np.array_equal(found["W"], -weights[0][:, :3])
    assert np.array_equal(found["U"], 2 * weights[0][:, 3:])
    assert np.array_equal(found["b"], weights[1])
    assert blocks.gradients({"A": weights[0]}, PARAMS).keys() == {"W", "U"}


def test_a_wrong_gradient_of_either_of_two_equal_terms_shows():
    blocks = read_blocks({"first": "b", "second": "b"}, ("b",))
    params, right = {"b": np.ones(4)}, np.arange(1.0, 5)
    both = blocks.gradients({"first": right, "second": right}, params)
    assert np.array_equal(both["b"], right)
    for name in ("first", "second"):
        wrong = {"first": right, "second": right, name: 2 * right}
        assert not np.array_equal(blocks.gradients(wrong, params)["b"], right)
        assert np.array_equal(blocks.gradients({name: right}, params)["b"], right)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"A": "[W, U"}, r"array A: '\[W, U' is no expression"),
        ({"A": "W @ U"}, r"'W @ U' is no arrangement; write names"),
        ({"A": "[W, V]"}, "array A: no parameter V; there are W, U"),
        ({"A": "W"}, "parameter U stands in none of A"),
        ({"A": "0*W", "B": "U"}, r"'0 \* W' is no arrangement"),
        ({"A": "__import__('os')", "B": "U"}, "is no arrangement"),
        ({"A": "W.real", "B": "U"}, r"'W\.real' is no arrangement"),
        ({"A": "[]", "B": "U"}, r"'\[\]' is no arrangement"),
    ],
)
def test_an_expression_that_means_nothing_is_refused_in_one_line(texts, said):
    with pytest.raises(UsageError, match=said):
        read_blocks(texts, ("W", "U"))


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_is_the_map_that_its_own_functions_are(name):
    row = CONVENTIONS[name]
    cell = zoo.load(row.cell)
    sizes = dict.fromkeys((str(d) for d in cell.dimensions), 0)
    sizes |= {n: 2 + k for k, n in enumerate(sizes)}
    params = dict(make_example(cell, steps=1, batch=1, sizes=sizes, seed=3).params)
    params |= {n: np.zeros_like(params[n]) for n in row.missing}
    places = arrangement(name, cell)
    arrays, expected = places.arrays(params), from_cell(row, params)
    assert arrays.keys() == expected.keys()
    assert all(np.array_equal(arrays[n], expected[n]) for n in expected)
    grads = {n: RNG.standard_normal(a.shape) for n, a in params.items()}
    back = places.gradients(gradients_from_cell(row, grads), params)
    assert all(np.array_equal(back[n], grads[n]) for n in grads.keys() - row.missing.keys())


def test_what_is_written_to_arrays_is_written_to_the_parameters():
    blocks = read_blocks({"A": "[-W, 2*U]", "c": "b"}, tuple(PARAMS))
    params = {n: a.copy() for n, a in PARAMS.items()}
    arrays = blocks.arrays(params)
    arrays["A"][0, 0] = 5.0
    blocks.write_back(arrays, params)
    changed = {n: np.argwhere(params[n] != PARAMS[n]).tolist() for n in params}
    assert changed == {"W": [[0, 0]], "U": [], "b": []}
    assert params["W"][0, 0] == -5.0


def test_a_convention_of_another_cell_is_refused():
    with pytest.raises(UsageError, match=r"convention torch\.gru is one of gru, not of lstm"):
        named("torch.gru", LSTM)
    with pytest.raises(
        UsageError, match=r"no convention 'tf\.lstm'; of lstm there are torch\.lstm"
    ):
        named("tf.lstm", LSTM)


LIMITED = {
    "sizes": (Limits(sizes={"n": 5, "m": 4}), lambda e: e.params["W_f"].shape == (5, 4)),
    "absent": (Limits(absent=("b_f",)), lambda e: not e.params["b_f"].any()),
    "dtypes": (Limits(dtypes=("float32",)), lambda e: e.params["U_f"].dtype == np.float32),
    "rows": (Limits(rows=1), lambda e: e.batch == 1),
    "lengths": (Limits(lengths=False), lambda e: e.lengths is None),
    "shortest": (Limits(shortest=2), lambda e: e.lengths.min() == 2),
    "initial": (
        Limits(initial=("h",)),
        lambda e: e.state_0["h"].any() and not e.state_0["C"].any(),
    ),
    "no initial": (Limits(initial=()), lambda e: e.state_0 is None),
    "upstream": (Limits(upstream=("y",)), lambda e: e.dy.any() and e.dstate_T is None),
    "final": (Limits(upstream=("h_T",)), lambda e: e.dy is None and e.dstate_T["h"].any()),
}


@pytest.mark.parametrize("name", LIMITED)
def test_an_example_is_reduced_to_what_is_taken_and_says_so(name):
    limits, holds = LIMITED[name]
    given = example()
    assert not holds(given)
    made = within(limits, given)
    assert holds(made)
    assert made.label.startswith(f"{given.label}; ")
    refuse(limits, made)
    with pytest.raises(NotGivenError, match="taken are examples with"):
        refuse(limits, given)
    assert within(limits, made) is made
    assert not_given(limits, ("h", "C"))


def test_without_limits_every_example_stays_and_nothing_is_not_given():
    given = example()
    assert within(FULL, given) is given
    refuse(FULL, given)
    assert not_given(FULL, ("h", "C")) == {}


def test_sizes_are_reached_with_entries_that_stay_distinct():
    made = within(Limits(sizes={"n": 6, "m": 5}), example(with_lengths=False))
    for array in (*made.params.values(), made.x, made.dy, *made.state_0.values()):
        assert len(np.unique(np.abs(array))) == array.size


def test_cotangents_that_are_all_refused_become_others():
    alone = example(upstream="final C")
    made = within(Limits(upstream=("y",)), alone)
    assert made.dstate_T is None
    assert np.all(made.dy != 0)


def test_empty_sequences_and_nan_are_refused_where_the_limits_say_so():
    for options in ({"steps": 0}, {"batch": 0}):
        empty = example(with_lengths=False, **options)
        refuse(FULL, empty)
        with pytest.raises(NotGivenError, match="at least one step and one row"):
            refuse(Limits(empty=False), empty)
    given = example()
    given.inputs["x"][-1] = np.nan
    refuse(FULL, given)
    with pytest.raises(NotGivenError, match="finite numbers"):
        refuse(Limits(finite=True), given)


def test_a_readout_hands_over_exactly_the_cotangents():
    dy = RNG.standard_normal((4, 3, 5))
    for h in (RNG.standard_normal(dy.shape), 1e3 * np.ones_like(dy) / 5):
        made = readout(dy)
        z = h @ made.W.T + made.b
        with np.errstate(under="ignore"):
            p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        assert np.array_equal((p - made.one_hot) @ made.W, dy) or np.abs(h).max() > 100
    assert made.targets.shape == (4, 3)
    assert np.array_equal(made.one_hot.argmax(axis=-1), made.targets)


def test_a_readout_that_takes_a_mean_is_asked_for_as_much_more():
    dy = RNG.standard_normal((2, 3, 4))
    assert np.array_equal(readout(dy, count=6).W, 6 * readout(dy).W)


def test_an_example_of_another_cell_keeps_its_own_limits():
    gru = zoo.load("gru")
    made = within(Limits(rows=2), example(gru))
    assert made.batch == 2
    assert len(made.lengths) == 2
    assert replace(made, label="").cell is gru
