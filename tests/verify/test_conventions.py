"""Parameters keep their values between the layouts of libraries, and gradients are the adjoint."""

from dataclasses import replace

import numpy as np
import pytest

from derive import zoo
from derive.errors import UsageError
from verify.conventions import (
    CONVENTIONS,
    UNREAD,
    blocks,
    from_cell,
    gradients_from_cell,
    gradients_to_cell,
    to_cell,
)

N, M, P = 3, 2, 4
EVERY = pytest.mark.parametrize("row", CONVENTIONS.values(), ids=CONVENTIONS)


def whole_numbers(shapes, seed):
    """Distinct whole numbers: sums of them are exact, so equality needs no tolerance."""
    numbers = iter(np.random.default_rng(seed).permutation(1000).astype(float))
    return {k: np.array([next(numbers) for _ in range(np.prod(s))]).reshape(s)
            for k, s in shapes.items()}  # fmt: skip


def cell_values(row, seed):
    """What the convention can say: zeros where it has no place."""
    parameters = zoo.load(row.cell).parameters
    sizes = {"n": N, "m": M, "p": P}
    shapes = {p.name: tuple(sizes[str(d)] for d in p.shape) for p in parameters}
    values = whole_numbers(shapes, seed)
    return {k: np.zeros_like(a) if k in row.missing else a for k, a in values.items()}


def library_values(row, seed):
    shapes = {name: a.shape for name, a in from_cell(row, cell_values(row, 0)).items()}
    return whole_numbers(shapes, seed)


def known(row):
    """What the shape of a flat array does not tell."""
    return {"n": N} if any(len(stacks) > 1 for stacks in row.arrays.values()) else None


def assert_equal(got, expected):
    assert got.keys() == expected.keys()
    for name in got:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


@EVERY
def test_parameters_come_back_from_a_round_trip(row):
    params = cell_values(row, 1)
    assert_equal(to_cell(row, from_cell(row, params), sizes=known(row)), params)


@EVERY
def test_gradients_come_back_from_a_round_trip(row):
    grads = cell_values(row, 2)
    back = gradients_to_cell(row, gradients_from_cell(row, grads), sizes=known(row))
    assert_equal(back, {k: a for k, a in grads.items() if k not in row.missing})


@EVERY
def test_gradients_move_by_the_adjoint_of_how_values_move(row):
    arrays, grads = library_values(row, 3), cell_values(row, 4)
    there, back = to_cell(row, arrays, sizes=known(row)), gradients_from_cell(row, grads)
    zeros = to_cell(row, {k: np.zeros_like(a) for k, a in arrays.items()}, sizes=known(row))
    assert sum(np.vdot(grads[k], there[k] - zeros[k]) for k in grads) == sum(
        np.vdot(back[k], arrays[k]) for k in arrays
    )


@EVERY
def test_every_parameter_has_a_block_and_every_array_has_blocks(row):
    rows = blocks(row)
    placed = {n for names in rows.values() for n in names} - {UNREAD}
    assert placed | row.missing.keys() == set(cell_values(row, 0))
    assert not placed & row.missing.keys()
    assert all(rows.values())


@EVERY
def test_an_array_that_may_be_missing_is_zero(row):
    arrays = library_values(row, 5)
    zeros = {k: np.zeros_like(a) if k in row.optional else a for k, a in arrays.items()}
    given = {k: a for k, a in arrays.items() if k not in row.optional}
    assert_equal(to_cell(row, given, sizes=known(row)), to_cell(row, zeros, sizes=known(row)))


@EVERY
def test_the_cell_gets_arrays_of_its_own(row):
    arrays = library_values(row, 6)
    for move in (to_cell, gradients_to_cell):
        moved = move(row, arrays, sizes=known(row))
        assert not any(np.shares_memory(a, b) for a in moved.values() for b in arrays.values())


@EVERY
def test_the_library_gets_arrays_of_its_own_in_the_order_of_memory_that_is_usual(row):
    params = cell_values(row, 7)
    for moved in (from_cell(row, params), gradients_from_cell(row, params)):
        assert not any(np.shares_memory(a, b) for a in moved.values() for b in params.values())
        assert all(a.flags["C_CONTIGUOUS"] for a in moved.values())


def test_torch_lstm_has_the_rows_that_its_documentation_gives():
    p = cell_values(CONVENTIONS["torch.lstm"], 7)
    arrays = from_cell(CONVENTIONS["torch.lstm"], p)
    assert_equal(
        arrays,
        {
            "weight_ih": np.vstack([p["W_i"], p["W_f"], p["W_g"], p["W_o"]]),
            "weight_hh": np.vstack([p["U_i"], p["U_f"], p["U_g"], p["U_o"]]),
            "bias_ih": np.hstack([p["b_i"], p["b_f"], p["b_g"], p["b_o"]]),
            "bias_hh": np.zeros(4 * N),
        },
    )


def test_torch_gru_keeps_the_second_bias_of_its_candidate_apart():
    arrays = library_values(CONVENTIONS["torch.gru"], 8)
    params = to_cell(CONVENTIONS["torch.gru"], arrays)
    b, c = arrays["bias_ih"], arrays["bias_hh"]
    np.testing.assert_array_equal(params["b_r"], (b + c)[:N])
    np.testing.assert_array_equal(params["b_z"], (b + c)[N : 2 * N])
    np.testing.assert_array_equal(params["b_g"], b[2 * N :])
    np.testing.assert_array_equal(params["c_g"], c[2 * N :])


def test_onnx_lstm_has_the_rows_that_its_documentation_gives():
    row = CONVENTIONS["onnx.peephole_lstm"]
    arrays = library_values(row, 9)
    params = to_cell(row, arrays)
    for place, gate in enumerate("iofg"):
        rows = slice(place * N, (place + 1) * N)
        np.testing.assert_array_equal(params[f"W_{gate}"], arrays["W"][0, rows])
        np.testing.assert_array_equal(params[f"U_{gate}"], arrays["R"][0, rows])
        both = arrays["B"][0, : 4 * N] + arrays["B"][0, 4 * N :]
        np.testing.assert_array_equal(params[f"b_{gate}"], both[rows])
    for place, gate in enumerate("iof"):
        rows = slice(place * N, (place + 1) * N)
        np.testing.assert_array_equal(params[f"p_{gate}"], arrays["P"][0, rows])


def test_keras_matrices_are_transposed_with_their_gates_side_by_side():
    p = cell_values(CONVENTIONS["keras.lstm"], 15)
    assert_equal(
        from_cell(CONVENTIONS["keras.lstm"], p),
        {
            "kernel": np.hstack([p["W_i"].T, p["W_f"].T, p["W_g"].T, p["W_o"].T]),
            "recurrent_kernel": np.hstack([p["U_i"].T, p["U_f"].T, p["U_g"].T, p["U_o"].T]),
            "bias": np.hstack([p["b_i"], p["b_f"], p["b_g"], p["b_o"]]),
        },
    )


def test_keras_gru_has_its_two_biases_as_rows():
    row = CONVENTIONS["keras.gru"]
    arrays = library_values(row, 16)
    assert arrays["bias"].shape == (2, 3 * N)
    params, (b, c) = to_cell(row, arrays), arrays["bias"]
    np.testing.assert_array_equal(params["b_z"], (b + c)[:N])
    np.testing.assert_array_equal(params["b_r"], (b + c)[N : 2 * N])
    np.testing.assert_array_equal(params["b_g"], b[2 * N :])
    np.testing.assert_array_equal(params["c_g"], c[2 * N :])


def test_torch_projects_with_an_array_of_its_own():
    row = CONVENTIONS["torch.lstm_projection"]
    p = cell_values(row, 17)
    arrays = from_cell(row, p)
    assert {k: a.shape for k, a in arrays.items()} == {
        "weight_ih": (4 * N, M),
        "weight_hh": (4 * N, P),
        "bias_ih": (4 * N,),
        "bias_hh": (4 * N,),
        "weight_hr": (P, N),
    }
    np.testing.assert_array_equal(arrays["weight_hr"], p["W_hr"])


def test_blocks_that_onnx_does_not_read_are_left_out_and_come_back_as_zeros():
    row = CONVENTIONS["onnx.lstm_cifg"]
    arrays = library_values(row, 18)
    forget = {"W": slice(2 * N, 3 * N), "R": slice(2 * N, 3 * N), "P": slice(2 * N, 3 * N)}
    assert all(arrays[name][:, rows].any() for name, rows in forget.items())
    params = to_cell(row, arrays)
    assert not any(name.endswith("_f") for name in params)
    for moved in (from_cell(row, params), gradients_from_cell(row, params)):
        for name, rows in forget.items():
            assert not moved[name][:, rows].any()
    np.testing.assert_array_equal(params["W_g"], arrays["W"][0, 3 * N :])
    np.testing.assert_array_equal(params["p_o"], arrays["P"][0, N : 2 * N])


def test_the_second_direction_is_the_second_entry_of_the_leading_axis():
    row = CONVENTIONS["onnx.gru"]
    first, second = cell_values(row, 10), cell_values(row, 11)
    pair = [from_cell(row, first), from_cell(row, second)]
    both = {k: np.concatenate([a[k] for a in pair]) for k in pair[0]}
    assert_equal(to_cell(row, both, 0), first)
    assert_equal(to_cell(row, both, 1), second)


def test_another_order_of_gates_is_another_row():
    row = CONVENTIONS["torch.lstm"]
    params = cell_values(row, 12)
    swapped = to_cell(replace(row, gates=("f", "i", "g", "o")), from_cell(row, params))
    np.testing.assert_array_equal(swapped["W_f"], params["W_i"])
    np.testing.assert_array_equal(swapped["U_i"], params["U_f"])
    np.testing.assert_array_equal(swapped["b_o"], params["b_o"])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("torch.lstm", {"weight_hh": None}, r"torch\.lstm: arrays \['bias_hh', 'bias_ih', 'weigh"),
        ("torch.lstm", {"P": np.ones(3)}, r"arrays \['P', .* were given, expected \['weight_hh'"),
        ("torch.lstm", {"weight_ih": np.ones((13, M))},
         r"torch\.lstm: weight_ih has shape \(13, 2\), expected \[4\*n, m\]"),
        ("torch.lstm", {"weight_hh": np.ones((12, 4))}, r"expected \[4\*n, n\] where n = 3"),
        ("torch.lstm", {"bias_hh": np.ones((12, 1))}, r"bias_hh has shape .*, expected \[4\*n\]"),
        ("onnx.gru", {"B": np.ones((1, 24))}, r"B has shape \(1, 24\), .* \[directions, 6\*n"),
        ("onnx.gru", {"B": np.ones((2, 18))}, r"where directions = 1"),
        ("keras.lstm", {"kernel": np.ones((12, M))}, r"kernel has .*, expected \[m, 4\*n\]"),
        ("keras.gru", {"bias": np.ones((3, 9))}, r"bias has .*, expected \[2, 3\*n\] where"),
        ("keras.gru", {"bias": np.ones(18)}, r"bias has .*, expected \[2, 3\*n\] where"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named_in_one_line(name, change, message):
    row = CONVENTIONS[name]
    arrays = {k: a for k, a in {**library_values(row, 13), **change}.items() if a is not None}
    with pytest.raises(UsageError, match=message) as caught:
        to_cell(row, arrays)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_direction_that_the_arrays_do_not_have_is_named(direction):
    row = CONVENTIONS["onnx.rnn"]
    with pytest.raises(UsageError, match=rf"have no direction {direction}, they have 1"):
        to_cell(row, library_values(row, 14), direction)


def test_a_missing_parameter_is_named():
    row = CONVENTIONS["torch.gru"]
    params = cell_values(row, 14)
    del params["c_g"]
    with pytest.raises(UsageError, match=r"torch\.gru: parameter 'c_g' is missing"):
        from_cell(row, params)
