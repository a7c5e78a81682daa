"""A wrong argument gets one line: which call, which argument, what it is, what was expected."""

import re

import numpy as np
import pytest
from emitted import SIZES, kernel_of, results
from kernel_cases import made
from odd_cells import odd

from derive.language import parse
from derive.zoo import load
from verify.strategies import make_example

LSTM = load("lstm")
KERNEL = kernel_of(LSTM)
CASE = make_example(LSTM, steps=4, batch=3, sizes=SIZES, seed=1)
P, X, S, DY, DS = CASE.params, CASE.x, CASE.state_0, CASE.dy, CASE.dstate_T
REAL = "float32 or float64"
NAMES = "W_f, U_f, b_f, W_i, U_i, b_i, W_o, U_o, b_o, W_g, U_g, b_g"
RAGGED = [[1.0], [1.0, 2.0]]


def forward(params=P, x=X, state_0=S, lengths=None):
    return lambda: KERNEL.forward(params, x, state_0, lengths=lengths)


def backward(dy=DY, dstate_T=DS, params=P, tape=None):
    own = KERNEL.forward(P, X, S)[2]
    return lambda: KERNEL.backward(params, own if tape is None else tape, dy, dstate_T)


def param(name, value):
    return forward(params={**P, name: value})


def without(name):
    return {n: a for n, a in P.items() if n != name}


FORWARD = [
    (
        forward(x=X[..., :1]),
        "x has shape (4, 3, 1), expected (steps, batch, m) with steps = 4, batch = 3, m = 2",
    ),
    (forward(x=X[0]), "x has shape (3, 2), expected (steps, batch, m) with batch = 3, m = 2"),
    (forward(x=1.0), "x has shape (), expected (steps, batch, m) with batch = 3, m = 2"),
    (forward(x=X.astype(int)), f"x has dtype int64, expected {REAL}"),
    (forward(x=X > 0), f"x has dtype bool, expected {REAL}"),
    (forward(x=X.astype(np.float16)), f"x has dtype float16, expected {REAL}"),
    (forward(x=X.astype(np.complex64)), f"x has dtype complex64, expected {REAL}"),
    (forward(x=None), f"x has dtype object, expected {REAL}"),
    (forward(x={"x": X}), f"x has dtype object, expected {REAL}"),
    (forward(x="abc"), f"x has dtype <U3, expected {REAL}"),
    (forward(x=[RAGGED, RAGGED]), "x is not an array of numbers"),
    (param("W_f", np.zeros((4, 2))), "params['W_f'] has shape (4, 2), expected (n, m) with n = 3"),
    (param("W_f", P["W_f"].T), "params['W_f'] has shape (2, 3), expected (n, m) with n = 3, m = 2"),
    (param("U_g", np.zeros((3, 4))), "params['U_g'] has shape (3, 4), expected (n, n) with n = 3"),
    (param("b_i", np.zeros((3, 1))), "params['b_i'] has shape (3, 1), expected (n"),
    (param("b_i", 0.5), "params['b_i'] has shape (), expected (n"),
    (param("b_o", np.zeros(3, np.float32)), "params['b_o'] has dtype float32, expected float64"),
    (param("b_o", np.zeros(3, int)), "params['b_o'] has dtype int64, expected float64"),
    (param("b_o", None), "params['b_o'] has dtype object, expected float64"),
    (param("b_o", [1, 2, 3]), "params['b_o'] has dtype int64, expected float64"),
    (param("b_o", RAGGED), "params['b_o'] is not an array of numbers"),
    (param("W_z", P["W_f"]), f"params has the key 'W_z', expected {NAMES}"),
    (param(3, P["W_f"]), f"params has the key 3, expected {NAMES}"),
    (forward(params=without("U_o")), "params lacks 'U_o'"),
    (forward(params={}), "params lacks 'W_f'"),
    (forward(params=list(P.values())), "params is a list, expected a dict"),
    (forward(params=None), "params is a NoneType, expected a dict"),
    (
        forward(state_0={**S, "C": np.zeros((2, 3))}),
        "state_0['C'] has shape (2, 3), expected (batch, n) with batch = 3, n = 3",
    ),
    (
        forward(state_0={"h": np.zeros((3, 4))}),
        "state_0['h'] has shape (3, 4), expected (batch, n) with batch = 3, n = 3",
    ),
    (forward(state_0={"h": np.zeros(3)}), "state_0['h'] has shape (3,), expected (batch, n)"),
    (
        forward(state_0={**S, "C": S["C"].astype(np.float32)}),
        "state_0['C'] has dtype float32, expected float64",
    ),
    (forward(state_0={"h": S["h"] > 0}), "state_0['h'] has dtype bool, expected float64"),
    (forward(state_0={"c": S["C"]}), "state_0 has the key 'c', expected h, C"),
    (forward(state_0=(S["h"], S["C"])), "state_0 is a tuple, expected a dict"),
    (forward(state_0=S["h"]), "state_0 is a ndarray, expected a dict"),
    (forward(state_0={"h": RAGGED}), "state_0['h'] is not an array of numbers"),
]

WHOLE = "expected whole numbers and (batch,) with batch = 3"
RANGE = "lengths must be from 0 to T = 4, found"

LENGTHS = [
    (forward(lengths=[1, 2]), f"lengths has dtype int64 and shape (2,), {WHOLE}"),
    (forward(lengths=[[1, 2, 3]]), f"lengths has dtype int64 and shape (1, 3), {WHOLE}"),
    (forward(lengths=3), f"lengths has dtype int64 and shape (), {WHOLE}"),
    (forward(lengths=[1.0, 2.0, 3.0]), f"lengths has dtype float64 and shape (3,), {WHOLE}"),
    (forward(lengths=[True] * 3), f"lengths has dtype bool and shape (3,), {WHOLE}"),
    (forward(lengths="abc"), f"lengths has dtype <U3 and shape (), {WHOLE}"),
    (forward(lengths=[None] * 3), f"lengths has dtype object and shape (3,), {WHOLE}"),
    (forward(lengths=[1, -1, 2]), f"{RANGE} -1"),
    (forward(lengths=[1, 5, 2]), f"{RANGE} 5"),
    (forward(lengths=np.array([1, 5, 2], np.uint8)), f"{RANGE} 5"),
    (forward(lengths=[[1], [1, 2], [3]]), f"lengths is not an array, {WHOLE}"),
    (
        forward(x=np.zeros((4, 200, 2)), state_0=None, lengths=np.arange(200)),
        f"{RANGE} 5",
    ),
]

BACKWARD = [
    (backward(dy=DY[:2]), "dy has shape (2, 3, 3), expected (steps, batch, n) with steps = 4"),
    (backward(dy=DY[:, :1]), "dy has shape (4, 1, 3), expected (steps, batch, n)"),
    (backward(dy=DY[..., 0]), "dy has shape (4, 3), expected (steps, batch, n)"),
    (backward(dy=1.0), "dy has shape (), expected (steps, batch, n)"),
    (backward(dy=DY.astype(np.float32)), "dy has dtype float32, expected float64"),
    (backward(dy=DY.astype(int)), "dy has dtype int64, expected float64"),
    (backward(dy=DY.astype(complex)), "dy has dtype complex128, expected float64"),
    (backward(dy=RAGGED), "dy is not an array of numbers"),
    (
        backward(dstate_T={"C": np.zeros((3, 4))}),
        "dstate_T['C'] has shape (3, 4), expected (batch, n) with batch = 3, n = 3",
    ),
    (
        backward(dstate_T={"h": np.zeros((3, 3), np.float32)}),
        "dstate_T['h'] has dtype float32, expected float64",
    ),
    (backward(dstate_T={"h": RAGGED}), "dstate_T['h'] is not an array of numbers"),
    (backward(dstate_T={"C_0": DS["C"]}), "dstate_T has the key 'C_0', expected h, C"),
    (backward(dstate_T=tuple(DS.values())), "dstate_T is a tuple, expected a dict"),
    (backward(params={}), "params lacks 'W_f'"),
    (backward(params=None), "params is a NoneType, expected a dict"),
    (backward(params={**P, "V": X}), f"params has the key 'V', expected {NAMES}"),
    (
        backward(params={**P, "W_g": np.zeros((4, 2))}),
        "params['W_g'] has shape (4, 2), expected (n, m) with n = 3, m = 2",
    ),
    (
        backward(params={**P, "b_g": P["b_g"].astype(np.float32)}),
        "params['b_g'] has dtype float32, expected float64",
    ),
    (backward(tape={}), "tape is not what lstm.forward returned"),
    (backward(tape=(X, S)), "tape is not what lstm.forward returned"),
    (backward(tape=7), "tape is not what lstm.forward returned"),
    (backward(tape=X), "tape is not what lstm.forward returned"),
]


def refused(call, start: str) -> None:
    """The call raises one line that begins so."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    said = str(caught.value)
    assert said.startswith(start)
    assert "\n" not in said
    assert len(said) <= 250
    kind = TypeError if re.search(r"dtype|expected a dict|tape is not", said) else ValueError
    assert isinstance(caught.value, ValueError if "lengths" in said else kind)


@pytest.mark.parametrize(("call", "said"), FORWARD)
def test_a_wrong_argument_of_forward_is_named(call, said):
    refused(call, f"lstm.forward: {said}")


@pytest.mark.parametrize(("call", "said"), LENGTHS)
def test_lengths_that_are_no_lengths_are_named(call, said):
    refused(call, f"lstm.forward: {said}")


@pytest.mark.parametrize(("call", "said"), BACKWARD)
def test_a_wrong_argument_of_backward_is_named(call, said):
    refused(call, f"lstm.backward: {said}")


@pytest.mark.parametrize("name", [p.name for p in LSTM.parameters])
@pytest.mark.parametrize("state_0", [None, S])
def test_the_one_argument_that_disagrees_about_a_size_is_the_one_that_is_named(name, state_0):
    shape = [{3: 9, 2: 2}[size] for size in P[name].shape]
    refused(
        forward(params={**P, name: np.zeros(shape)}, state_0=state_0),
        f"lstm.forward: params[{name!r}] has shape {tuple(shape)}, expected (n",
    )


def test_a_tape_of_another_cell_is_refused():
    other, _, example = made("gru")
    case = example()
    tape = other.forward(case.params, case.x)[2]
    refused(backward(tape=tape), "lstm.backward: tape is not what lstm.forward returned")


def test_a_tape_of_the_same_cell_from_another_copy_of_the_kernel_is_taken():
    tape = kernel_of(LSTM).forward(P, X, S)[2]
    again = KERNEL.backward(P, tape, DY, DS)
    expected = results(KERNEL, CASE)
    assert all(np.array_equal(a, expected[f"d {n}"]) for n, a in again.items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, u: x, "x is a ndarray, expected a dict"),
        (lambda x, u: (x, u), "x is a tuple, expected a dict"),
        (lambda x, u: {"x": x}, "x lacks 'u'"),
        (lambda x, u: {"x": x, "u": u, "z": u}, "x has the key 'z', expected x, u"),
        (
            lambda x, u: {"x": x, "u": u[:2]},
            "x['u'] has shape (2, 3, 4), expected (steps, batch, k) with steps = 4, batch = 3",
        ),
        (
            lambda x, u: {"x": x, "u": u.astype(np.float32)},
            "x['u'] has dtype float32, expected float64",
        ),
        (lambda x, u: {"x": x, "u": None}, "x['u'] has dtype object, expected float64"),
    ],
)
def test_of_several_inputs_the_wrong_one_is_named(change, said):
    kernel, _, example = made("two_inputs")
    case = example()
    given = change(case.inputs["x"], case.inputs["u"])
    refused(lambda: kernel.forward(case.params, given), f"two_inputs.forward: {said}")


def test_a_matrix_for_concatenated_columns_is_told_its_sum_of_sizes():
    kernel, _, example = made("concatenated")
    case = example()
    wrong = {**case.params, "W": np.zeros((3, 4))}
    said = "params['W'] has shape (3, 4), expected (n, m + n) with n = 3, m = 2"
    refused(lambda: kernel.forward(wrong, case.x), f"concatenated.forward: {said}")


def test_whole_sizes_are_told_as_numbers():
    kernel = kernel_of(odd("whole_sizes"))
    params = {"W": np.zeros((3, 2)), "U": np.zeros((3, 3)), "b": np.zeros(4)}
    said = "whole_sizes.forward: params['b'] has shape (4,), expected (3"
    refused(lambda: kernel.forward(params, np.zeros((4, 3, 2))), said)


def test_a_size_that_only_an_initial_state_can_tell_is_asked_for():
    text = "input x[m]\nstate h[n], s[k]\nh = tanh(W @ x)\ns = 0.5 * s[t-1]\n"
    kernel = kernel_of(parse(text, "decaying"))
    params, x = {"W": np.ones((3, 2))}, np.ones((4, 1, 2))
    said = "decaying.forward: state_0['s'] is needed to fix its size"
    refused(lambda: kernel.forward(params, x), said)
    finals = kernel.forward(params, x, {"s": np.full((1, 5), 16.0)})[1]
    assert np.array_equal(finals["s"], np.ones((1, 5)))


@pytest.mark.parametrize("lengths", [[], (), np.zeros(0, int)])
def test_no_lengths_for_no_rows_are_taken(lengths):
    y = KERNEL.forward(P, np.zeros((2, 0, 2)), lengths=lengths)[0]
    assert y.shape == (2, 0, 3)
