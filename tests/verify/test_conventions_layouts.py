"""What some layouts are, written out in plain NumPy."""

import numpy as np
from convention_values import SIZES, assert_equal, params_of, spelled, whole_numbers

from verify.conventions import convert

N, M = SIZES["n"], SIZES["m"]


def test_tensorflow_1_stands_x_over_h_and_has_less_forget_bias():
    p = params_of("lstm", whole_numbers("lstm", 6))
    kernel = np.block([[p[f"W_{g}"].T for g in "igfo"], [p[f"U_{g}"].T for g in "igfo"]])
    bias = np.hstack([p["b_i"], p["b_g"], p["b_f"] - 1, p["b_o"]])
    assert_equal(convert(p, "lstm", "tf1.lstm"), {"kernel": kernel, "bias": bias})
    assert_equal(convert({"kernel": kernel, "bias": bias}, "tf1.lstm", "lstm"), p)


def test_chainer_interleaves_the_gates():
    p = params_of("lstm", whole_numbers("lstm", 7))
    moved = convert(p, "lstm", "chainer.lstm")
    for k, gate in enumerate("gifo"):
        np.testing.assert_array_equal(moved["upward/W"][k::4], p[f"W_{gate}"])
        np.testing.assert_array_equal(moved["lateral/W"][k::4], p[f"U_{gate}"])
        np.testing.assert_array_equal(moved["upward/b"][k::4], p[f"b_{gate}"])


def test_the_textbook_has_h_before_x():
    p = params_of("lstm", whole_numbers("lstm", 8))
    moved = convert(p, "lstm", "textbook.lstm")
    np.testing.assert_array_equal(moved["W_f"], np.hstack([p["U_f"], p["W_f"]]))


def test_a_flat_array_has_all_matrices_before_all_biases_in_both_directions():
    pair = [spelled("torch.lstm", whole_numbers("torch.lstm", 9 + k), k) for k in range(2)]
    arrays = pair[0] | pair[1]
    parts = [
        arrays[f"{kind}_l0{end}"]
        for kinds in (("weight_ih", "weight_hh"), ("bias_ih", "bias_hh"))
        for end in ("", "_reverse")
        for kind in kinds
    ]
    flat = {"weights": np.concatenate([a.ravel() for a in parts])}
    moved = convert(flat, "cudnn.lstm", "torch.lstm", sizes={"n": N, "directions": 2})
    assert moved.keys() == arrays.keys()
    for end in ("", "_reverse"):
        for kind in ("weight_ih", "weight_hh"):
            np.testing.assert_array_equal(moved[f"{kind}_l0{end}"], arrays[f"{kind}_l0{end}"])
        both = arrays[f"bias_ih_l0{end}"] + arrays[f"bias_hh_l0{end}"]
        np.testing.assert_array_equal(moved[f"bias_ih_l0{end}"], both)
    one = convert(pair[0], "torch.lstm", "cudnn.lstm")["weights"]
    np.testing.assert_array_equal(one[: 4 * N * M], pair[0]["weight_ih_l0"].ravel())


def test_flashrnn_has_the_recurrent_candidate_first_and_the_other_last():
    p = params_of("gru", whole_numbers("gru", 11))
    moved = convert(p, "gru", "flashrnn.gru")
    np.testing.assert_array_equal(moved["R"][:, 0], [p["U_g"], p["U_r"], p["U_z"]])
    np.testing.assert_array_equal(moved["b"][:, 0], [p["c_g"], p["b_r"], p["b_z"], p["b_g"]])
    np.testing.assert_array_equal(moved["W"], np.vstack([p["W_r"], p["W_z"], p["W_g"]]))


def test_an_update_gate_the_other_way_is_negated():
    p = params_of("gru_reset_before", whole_numbers("gru_reset_before", 12))
    moved = convert(p, "gru_reset_before", "haiku.gru_reset_before_z_new")
    np.testing.assert_array_equal(moved["w_i"][:, :N], -p["W_z"].T)
    np.testing.assert_array_equal(moved["b"], np.hstack([-p["b_z"], p["b_r"], p["b_g"]]))
