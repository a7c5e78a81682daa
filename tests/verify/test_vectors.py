"""Vectors of cells: what is in a file, that it repeats, and that it judges rightly."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from emitted import kernel_of

from derive import zoo
from verify.references import reference_kernel
from verify.vectors.formats import Vectors
from verify.vectors.judging import judge, judge_kernel, run
from verify.vectors.making import make

# One state, two, three with a matrix, an output beside the states, a projection, no parameters.
CELLS = ("rnn", "lstm", "mlstm", "gated_delta_net", "lstm_projection", "running_mean")


@cache
def vectors_of(name: str) -> Vectors:
    return make(zoo.load(name))


@cache
def right_results(name: str):
    """Results of the emitted kernel, for each example."""
    kernel = kernel_of(zoo.load(name))
    return [run(vector, kernel) for vector in vectors_of(name).vectors]


def changed(name, example, result, entry, value):
    """The right results but for one entry."""
    results = [dict(r) for r in right_results(name)]
    array = np.array(results[example][result])
    array[entry] = value
    results[example][result] = array
    return results


@pytest.mark.parametrize("name", CELLS)
def test_emitted_kernels_are_right_by_vectors(name):
    judgement = judge(vectors_of(name), right_results(name))
    assert [str(o) for o in judgement.outside] == []
    assert judgement.missing == ()
    assert judgement.judged == sum(len(v.expected) for v in vectors_of(name).vectors)
    assert judgement.right


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_cell_of_the_zoo_has_vectors_by_which_it_is_right(name):
    vectors = vectors_of(name)
    judgement = judge_kernel(vectors, reference_kernel(zoo.load(name)))
    assert judgement.right, judgement.outside[:1]
    assert all(v.left_out or np.all(np.isfinite(v.bound["y"])) for v in vectors.vectors)


@pytest.mark.parametrize("name", ["lstm", "mlstm"])
def test_every_result_of_every_example_is_judged(name):
    vectors = vectors_of(name)
    for number, vector in enumerate(vectors.vectors):
        for result in vector.expected:
            entry = np.unravel_index(np.argmax(vector.bound[result]), vector.bound[result].shape)
            expected, bound = vector.expected[result][entry], vector.bound[result][entry]
            wrong = expected + 4 * bound + np.finfo(vector.dtype).eps * (abs(expected) + 1e-30)
            judgement = judge(vectors, changed(name, number, result, entry, wrong))
            assert [(o.example, o.name, o.index) for o in judgement.outside] == [
                (number, result, tuple(map(int, entry)))
            ]
            assert not judgement.right


def test_a_result_at_its_bound_is_right_and_one_beyond_is_wrong():
    vector = vectors_of("lstm").vectors[0]
    entry = np.unravel_index(np.argmax(vector.bound["y"]), vector.bound["y"].shape)
    expected, bound = vector.expected["y"][entry], vector.bound["y"][entry]
    assert 0 < bound < 1e-13
    within = judge(vectors_of("lstm"), changed("lstm", 0, "y", entry, expected - 0.99 * bound))
    beyond = judge(vectors_of("lstm"), changed("lstm", 0, "y", entry, expected - 1.1 * bound))
    assert within.right
    assert [o.name for o in beyond.outside] == ["y"]


def test_the_examples_differ_in_all_that_implementations_get_wrong():
    vectors = vectors_of("lstm").vectors
    assert {1, 2, 3, 12} <= {v.sizes["T"] for v in vectors}
    assert {v.sizes["B"] for v in vectors} == {1, 2, 3}
    assert {v.dtype for v in vectors} == {"float32", "float64"}
    assert {v.sizes["n"] > v.sizes["m"] for v in vectors} == {True, False}
    assert all(v.sizes["n"] != v.sizes["m"] for v in vectors)
    ends = [set(v.given["lengths"] - v.sizes["T"]) for v in vectors]
    assert any(len(end) > 1 for end in ends)
    assert any(0 in v.given["lengths"] for v in vectors)
    for name in ("state_0/h", "state_0/C", "dstate_T/h", "dstate_T/C", "dy"):
        assert {bool(np.any(v.given[name])) for v in vectors} == {True, False}, name
    last_alone = [v for v in vectors if "last output" in v.label]
    assert all(v.given["dy"][-1].all() and not v.given["dy"][:-1].any() for v in last_alone)
    for word in ("unsaturated", "mixed", ", saturated", "weak", "first output", "final C"):
        assert any(word in v.label for v in vectors), word


def test_every_state_has_an_example_where_its_cotangent_is_the_only_one():
    for name in ("h", "C", "N"):
        alone = f"dstate_T/{name}"
        assert any(
            [k for k in v.given if k.startswith(("dstate_T", "dy")) and v.given[k].any()] == [alone]
            for v in vectors_of("mlstm").vectors
        ), name


def test_the_digest_is_that_of_the_emitted_kernel():
    cell = zoo.load("gru")
    assert f"digest {make(cell, count=1).digest}" in kernel_of(cell).__doc__


def test_more_examples_than_rows_repeat_the_rows_with_other_values():
    vectors = make(zoo.load("irnn"), count=14).vectors
    assert len(vectors) == 14
    first, repeated = vectors[0], vectors[12]
    assert first.sizes["T"] == repeated.sizes["T"] == 3
    assert first.label != repeated.label


def test_what_rounding_leaves_too_little_of_is_left_out_and_not_judged():
    vectors = make(zoo.load("slstm_code"), count=1)
    vector = vectors.vectors[0]
    assert vector.left_out
    assert not set(vector.left_out) & set(vector.expected)
    assert all(np.all(np.isfinite(bound)) for bound in vector.bound.values())
    wrong = {name: np.zeros(1) for name in vector.left_out}
    assert judge(vectors, [wrong]).judged == 0
    assert not judge(vectors, [wrong]).right


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 2)), "y has shape (1, 2), expected (3, 3, 2)"),
        (np.zeros((3, 3, 2), np.float32), "y is of float32, expected float64"),
        (np.full((3, 3, 2), np.nan), "y[0, 0, 0] is nan, expected "),
    ],
)
def test_a_result_of_another_kind_is_named(array, said):
    vectors = replace(vectors_of("rnn"), vectors=vectors_of("rnn").vectors[:1])
    found = judge(vectors, [{"y": array}])
    assert [f"example 0: {said}" in str(o) for o in found.outside] == [True]
    assert found.judged == 1


def test_what_is_not_given_is_not_judged():
    vectors = vectors_of("lstm")
    judgement = judge(vectors, [{"y": r["y"]} for r in right_results("lstm")])
    assert judgement.right
    assert judgement.judged == len(vectors.vectors)
    assert (0, "grads/W_f") in judgement.missing
    assert not judge(vectors, [{} for _ in vectors.vectors]).right
