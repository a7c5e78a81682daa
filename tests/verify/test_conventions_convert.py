"""Parameters go between any two conventions: to the same function, or not at all."""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from convention_values import (
    NAMES,
    ROWS,
    SIZES,
    assert_equal,
    cell,
    known,
    params_of,
    shapes,
    spelled,
    whole_numbers,
)
from library_runs import RUNS

from derive.errors import UsageError
from verify.conventions import (
    CONVENTIONS,
    RELATIONS,
    UNREAD,
    blocks,
    convert,
    flattened,
    from_directions,
    gradients_from_cell,
    nested,
    related,
    to_cell,
)

N, M = SIZES["n"], SIZES["m"]
TOGETHER = [row for row in RELATIONS if not row.apart]


def partners(source):
    """Conventions of the same cell or of one that is related to it."""
    near = {ROWS[source].cell}
    for row in TOGETHER:
        near |= {row.first, row.second} if near & {row.first, row.second} else set()
    return [name for name in NAMES if ROWS[name].cell in near]


@pytest.mark.parametrize("source", NAMES)
def test_what_arrives_is_what_was_sent_or_nothing_is(source):
    arrays, arrived = whole_numbers(source, 1), 0
    params = to_cell(ROWS[source], arrays, sizes=known(source))
    for target in partners(source):
        refused = refusal(params, source, target)
        if refused:
            with pytest.raises(UsageError, match=refused):
                convert(arrays, source, target, sizes=known(source))
            continue
        moved = convert(arrays, source, target, sizes=known(source))
        expected = related(params, ROWS[source].cell, ROWS[target].cell)
        assert_equal(params_of(target, moved), expected)
        arrived += 1
    assert arrived >= 2


def refusal(params, source, target):
    """What must be said of a conversion that cannot be made, or ''."""
    try:
        moved = related(params, ROWS[source].cell, ROWS[target].cell)
    except UsageError as error:
        return re.escape(str(error))
    gone = [name for name in ROWS[target].missing if np.any(moved[name] != 0)]
    return f"{target} has no place for {gone[0]}" if gone else ""


@pytest.mark.parametrize("name", CONVENTIONS)
def test_no_entry_is_dropped_on_the_way_to_the_cell_or_back(name):
    """One entry alone: what it is converted to shows it, or the conversion is refused."""
    own = ROWS[name].cell
    for source, target in ((name, own), (own, name)):
        zeros = {k: np.zeros(s) for k, s in shapes(source).items()}
        nothing = convert(zeros, source, target, sizes=known(source))
        for array in zeros:
            places = list(np.ndindex(zeros[array].shape))
            for place in (places[0], places[len(places) // 3], places[-1]):
                if unread(source, array)[place]:
                    continue
                one = {**zeros, array: zeros[array].copy()}
                one[array][place] = 7.0
                if array in ROWS[target].missing:
                    with pytest.raises(UsageError, match=f"no place for {array}"):
                        convert(one, source, target, sizes=known(source))
                    continue
                moved = convert(one, source, target, sizes=known(source))
                assert any(np.any(moved[k] != nothing[k]) for k in moved), (array, place)


@cache
def unread(name, array):
    """Entries of an array that the library stores and does not read."""
    row = ROWS[name]
    if UNREAD not in blocks(row)[array]:
        return np.zeros(shapes(name)[array], bool)
    ones = {p.name: np.ones([SIZES[str(d)] for d in p.shape]) for p in cell(row.cell).parameters}
    return gradients_from_cell(row, ones)[array] == 0


def test_every_row_says_whether_the_library_itself_was_run():
    assert {name for name, row in CONVENTIONS.items() if row.checked == "run"} == RUNS.keys()
    assert {row.checked for row in CONVENTIONS.values()} == {"run", "text"}


def test_the_page_has_a_result_for_every_library_that_was_run_and_none_is_wrong():
    path = Path(__file__).parents[2] / "docs" / "conventions" / "results.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found.keys() == RUNS.keys()
    assert all(0 <= result["share of bound"] <= 1 for result in found.values())


def test_a_name_is_the_library_and_the_cell():
    for name, row in CONVENTIONS.items():
        assert name == row.name
        assert name.partition(".")[2] == row.cell


def test_both_directions_arrive_in_their_order():
    pair = [whole_numbers("torch.lstm", 13 + k) for k in range(2)]
    arrays = spelled("torch.lstm", pair[0], 0) | spelled("torch.lstm", pair[1], 1)
    params = [params_of("torch.lstm", a) for a in pair]
    row = CONVENTIONS["onnx.lstm"]
    both = convert(arrays, "torch.lstm", "onnx.lstm")
    assert_equal(both, from_directions(row, params))
    assert_equal(to_cell(row, both, 1), params[1])
    back = convert(both, "onnx.lstm", "torch.lstm")
    assert back.keys() == arrays.keys()
    assert_equal(convert(arrays, "torch.lstm", "lstm", direction=1), params[1])
    assert_equal(convert(arrays, "torch.lstm", "lstm", direction=0), params[0])


def test_names_with_and_without_their_ending_are_read():
    arrays = whole_numbers("torch.gru", 15)
    plain = convert(arrays, "torch.gru", "keras.gru")
    assert_equal(convert(spelled("torch.gru", arrays), "torch.gru", "keras.gru"), plain)


def test_nested_dicts_are_read_and_made():
    arrays = whole_numbers("flax.lstm", 16)
    tree = nested(arrays)
    assert tree["hi"].keys() == {"kernel", "bias"}
    assert_equal(flattened(tree), arrays)
    assert_equal(convert(tree, "flax.lstm", "lstm"), convert(arrays, "flax.lstm", "lstm"))


def test_a_layer_of_a_model_is_chosen_by_what_its_arrays_are_called_before():
    arrays = spelled("torch.gru", whole_numbers("torch.gru", 15))
    model = {f"encoder.rnn.{k}": a for k, a in arrays.items()} | {"head.weight": np.ones((2, 2))}
    chosen = convert(model, "torch.gru", "keras.gru", prefix="encoder.rnn.")
    assert_equal(chosen, convert(arrays, "torch.gru", "keras.gru"))
    with pytest.raises(UsageError, match=r"no array begins with 'decoder\.'; there are encoder"):
        convert(model, "torch.gru", "keras.gru", prefix="decoder.")
    with pytest.raises(UsageError, match=r"torch\.gru: encoder\.rnn\.bias.* is no array of one"):
        convert(model, "torch.gru", "keras.gru")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    arrays = {k: a.astype(dtype) for k, a in whole_numbers("torch.lstm", 17).items()}
    for target in ("tf1.lstm", "onnx.peephole_lstm", "cudnn.lstm", "keras.lstm"):
        assert {a.dtype for a in convert(arrays, "torch.lstm", target).values()} == {
            np.dtype(dtype)
        }


def test_a_cell_in_a_file_has_its_own_parameters(tmp_path):
    path = tmp_path / "mine.cell"
    path.write_text("input x[m]\nstate h[n]\nh = tanh(W @ x + U @ h[t-1] + b)\n")
    arrays = whole_numbers("torch.rnn", 18)
    with pytest.raises(UsageError, match=r"no relation is known between the cells rnn and .*mine"):
        convert(arrays, "torch.rnn", str(path))
    own = {"W": np.ones((N, M)), "U": np.ones((N, N)), "b": np.ones(N)}
    assert_equal(convert(own, str(path), str(path)), own)


def gru(**more):
    return spelled("torch.gru", whole_numbers("torch.gru", 19)) | more


def two():
    return spelled("torch.lstm", whole_numbers("torch.lstm", 20), 0) | spelled(
        "torch.lstm", whole_numbers("torch.lstm", 21), 1
    )


@pytest.mark.parametrize(
    ("arrays", "source", "target", "options", "message"),
    [
        (gru(), "torch.gru", "flax_nnx.gru", {},
         r"flax_nnx\.gru has no place for c_g, which is not zero: .*reset gate multiplies"),
        (gru(), "torch.gru", "keras.gru_reset_before", {},
         "gru never computes what gru_reset_before computes: "),
        (gru(), "torch.gru", "torch.lstm", {}, "no relation is known between the cells gru and ls"),
        (gru(), "torch.gru", "torch.grru", {}, "no convention 'torch.grru' .*torch.gru"),
        ({}, "torch.gru", "keras.gru", {}, "no array begins with ''; there are no arrays at all"),
        (gru(), "nothing", "torch.gru", {}, "no convention 'nothing' .* caffe2, chainer, "),
        (gru(weight_ih_l1=np.ones(3)), "torch.gru", "keras.gru", {},
         r"torch\.gru: weight_ih_l1 is no array of one layer; expected weight_ih_l0, "),
        (gru(bias_ih_l0=np.ones(9, complex)), "torch.gru", "keras.gru", {},
         "bias_ih has dtype complex128, expected floats"),
        (gru(bias_ih_l0=np.zeros(9, np.uint8)), "torch.gru", "gru_z_new", {}, "has dtype uint8"),
        (gru(bias_ih_l0=np.full(9, "a")), "torch.gru", "keras.gru", {}, "expected floats"),
        (gru(bias_ih_l0=np.ones(8)), "torch.gru", "keras.gru", {},
         r"bias_ih has shape \(8,\), expected \[3\*n\] where n = 3"),
        (two(), "torch.lstm", "keras.lstm", {}, "has one direction, the arrays have 2: convert ea"),
        (two(), "torch.lstm", "keras.lstm", {"direction": 2}, "have no direction 2, they have 2"),
        (two(), "torch.lstm", "keras.lstm", {"sizes": {"q": 1}}, "no array here has a size q"),
        (two(), "torch.lstm", "keras.lstm", {"sizes": {"n": 9}}, "expected .* where n = 9"),
        (whole_numbers("cudnn.lstm", 22), "cudnn.lstm", "torch.lstm", {},
         "for several m and n; give one of them, as n=4"),
        (whole_numbers("onnx.peephole_lstm", 23), "onnx.peephole_lstm", "torch.lstm", {},
         "peephole_lstm computes what lstm computes only where p_[fio] is zero, and it is not"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused_in_one_line(arrays, source, target, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        convert(arrays, source, target, **options)
    assert "\n" not in str(caught.value)


def test_a_second_bias_that_is_zero_may_be_merged():
    arrays = gru()
    arrays["bias_hh_l0"][2 * N :] = 0
    moved = convert(arrays, "torch.gru", "flax_nnx.gru")
    both = arrays["bias_ih_l0"] + arrays["bias_hh_l0"]
    np.testing.assert_array_equal(moved["dense_i/bias"], both)


def test_a_bias_that_is_not_a_number_is_not_zero():
    arrays = gru()
    arrays["bias_hh_l0"][2 * N :] = np.nan
    with pytest.raises(UsageError, match="no place for c_g"):
        convert(arrays, "torch.gru", "flax_nnx.gru")
