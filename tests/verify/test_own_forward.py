"""A gradient against its own forward: no cell is needed, and a little of one entry is seen."""

from dataclasses import replace

import numpy as np
import pytest
from grown_cells import CLASSIC
from low_precision import emitted
from wrong_kernels import grads, having

from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.adapters.limits import Limits
from verify.complex_step import complex_step_gradients
from verify.differences import Box
from verify.lines import complex_slope, direction, remainder, restricted
from verify.properties import PROPERTIES, Failure, Skip, Trial
from verify.references import reference_kernel
from verify.runner import run
from verify.sampling import pinned
from verify.strategies import make_example

ROWS = {row.name: row for row in PROPERTIES}
LSTM = load("lstm")
# Nobody's cell, with the LSTM's names: judged as an LSTM, only its own forward can be asked.
OTHER = parse(
    "input x[m]\nstate h[n], C[n]\n"
    "f = sigmoid(W_f @ x + U_f @ h[t-1] + b_f)\ni = tanh(W_i @ x + U_i @ h[t-1] + b_i)\n"
    "o = sigmoid(2 * (W_o @ x + U_o @ h[t-1] + b_o))\ng = tanh(W_g @ x + U_g @ h[t-1] + b_g)\n"
    "C = f * C[t-1] + i * g\nh = o * C",
    "other",
)
EXAMPLES = [e for e in pinned(LSTM, 0) if e.dtype == np.float64]


def judged(row, kernel, example, cell=LSTM):
    return ROWS[row].judge(Trial(kernel, example, gradients(cell)))


def one_entry(name, flat, factor):
    """A gradient with one entry times a factor."""

    def change(g, *_):
        changed = np.array(g[name])
        if changed.size:
            changed.flat[flat % changed.size] *= factor
        return having(g, name, changed)

    return grads(change)


@pytest.mark.parametrize("row", ["Taylor slope", "complex step"])
@pytest.mark.parametrize("name", CLASSIC)
def test_a_right_gradient_is_its_own(name, row):
    cell = load(name)
    for example in [e for e in pinned(cell, 2) if e.dtype == np.float64][:5]:
        assert judged(row, reference_kernel(cell), example, cell) is None


@pytest.mark.parametrize("row", ["Taylor slope", "complex step"])
def test_a_right_gradient_of_another_cell_is_its_own(row):
    for example in EXAMPLES[:5]:
        assert judged(row, reference_kernel(OTHER), example) is None


@pytest.mark.parametrize("row", ["Taylor slope", "complex step"])
@pytest.mark.parametrize("cell", [LSTM, OTHER], ids=["the cell", "another"])
def test_one_part_in_a_hundred_thousand_of_one_entry_is_seen_and_placed(cell, row):
    right = reference_kernel(cell)
    for name, index in {"U_g": (1, 0), "b_f": (0,), "W_o": (0, 2)}.items():
        flat = int(np.ravel_multi_index(index, EXAMPLES[0].params[name].shape))
        found = judged(row, one_entry(name, flat, 1 + 1e-5)(right), EXAMPLES[0])
        assert isinstance(found, Failure)
        assert (found.parameter, found.index, found.also) == (name, index, ())
        assert found.got == pytest.approx(found.expected * (1 + 1e-5), rel=1e-7)
        assert abs(found.got - found.expected) > found.bound


def test_another_cell_is_asked_about_any_entry():
    found_in(3)


@pytest.mark.slow
def test_another_cell_is_asked_about_any_of_many_entries():
    found_in(60)


def found_in(trials):
    rng = np.random.default_rng(3)
    for seed in range(trials):
        name = str(rng.choice([p.name for p in LSTM.parameters]))
        wrong = one_entry(name, int(rng.integers(1000)), 1 + 1e-5)(emitted(OTHER))
        seen = [
            judged("Taylor slope", wrong, e) for e in pinned(LSTM, seed) if e.dtype == np.float64
        ]
        assert any(isinstance(found, Failure) for found in seen), name


def test_a_wrong_gradient_leaves_a_remainder_of_first_order_and_a_right_one_of_third():
    example = make_example(LSTM, steps=3, batch=2, sizes={"n": 3, "m": 2}, seed=1)
    right = {n: np.asarray(a, float) for n, a in complex_step_gradients(example).items()}
    along = direction(right, 0)
    forward = reference_kernel(LSTM).forward
    found = remainder(forward, example, right, along, noise=1e-14)
    assert found.order == pytest.approx(3, abs=0.05)
    assert abs(found.value) <= found.error < 1e-9
    wrong = having(right, "W_g", right["W_g"] * 1.01)
    found = remainder(forward, example, wrong, along, noise=1e-14)
    assert found.order == pytest.approx(1, abs=0.05)
    off = -0.01 * float(np.sum(right["W_g"] * along["W_g"]))
    assert abs(found.value - off) <= found.error < 1e-9
    alone = remainder(forward, example, wrong, restricted(along, "b_g"), noise=1e-14)
    assert abs(alone.value) <= alone.error


def test_a_complex_slope_is_the_gradient_along_the_line():
    example = make_example(LSTM, steps=4, batch=2, sizes={"n": 3, "m": 2}, seed=4)
    right = complex_step_gradients(example)
    along = direction(right, 1)
    slope, size = complex_slope(reference_kernel(LSTM).forward, example, along)
    expected = sum(np.sum(along[n] * g) for n, g in right.items())
    assert abs(slope - expected) <= 1e-13 * size


class Lossy:
    """Forward is right, and drops the imaginary part of what it is given."""

    def __init__(self, lose):
        self.right, self.lose = reference_kernel(LSTM), lose

    def forward(self, params, x, state_0=None, *, lengths=None):
        return self.right.forward(
            {n: self.lose(a) for n, a in params.items()}, x, state_0, lengths=lengths
        )

    def backward(self, *args):
        return self.right.backward(*args)


def refused(array):
    if array.dtype.kind == "c":
        raise TypeError("float32 or float64")
    return array


def half(array):
    """An absolute value that is the array where it is real: no analytic function."""
    return np.sign(array.real) * np.abs(array) if array.dtype.kind == "c" else array


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (Lossy(refused), "forward takes no complex numbers"),
        (Lossy(np.real), "forward drops imaginary parts"),
        (Lossy(half), "forward drops imaginary parts"),
    ],
    ids=["refuses", "takes the real part", "takes absolute values"],
)
def test_what_is_not_analytic_in_its_numbers_is_not_accused_by_a_complex_step(kernel, said):
    found = judged("complex step", kernel, EXAMPLES[0])
    assert isinstance(found, Skip)
    assert found.reason.startswith(said)


def test_a_cell_with_kinks_is_judged_between_them():
    cell = parse("input x[m]\nstate h[n]\nh = relu(W @ x + U @ h[t-1] + b) + h[t-1] / 2", "kinked")
    right, examples = reference_kernel(cell), list(pinned(cell, 0))[:3]
    for example in examples:
        assert not isinstance(judged("Taylor slope", right, example, cell), Failure)
    wrong = one_entry("W", 1, 1.01)(right)
    assert any(isinstance(judged("Taylor slope", wrong, e, cell), Failure) for e in examples)


def test_what_computes_in_float32_alone_is_asked_in_float32():
    class Single:
        limits = Limits(dtypes=("float32",))
        right = emitted(OTHER)
        forward = staticmethod(right.forward)

        def __init__(self, factor=1.0):
            self.factor = factor

        def backward(self, *args):
            found = self.right.backward(*args)
            return having(found, "U_g", found["U_g"] * np.float32(self.factor))

    examples = [e for e in pinned(LSTM, 0) if e.dtype == np.float32]
    single = [replace(e, label=f"{e.label} again") for e in examples]
    for example in single:
        assert not isinstance(judged("Taylor slope", Single(), example), Failure)
    for row in ("Taylor slope", "differences"):
        found = [judged(row, Single(1.001), e) for e in single]
        assert any(isinstance(f, Failure) for f in found), row


def test_noise_of_the_values_is_allowed_for():
    rng = np.random.default_rng(0)
    right = reference_kernel(LSTM)

    class Noisy:
        backward = staticmethod(right.backward)

        def forward(self, params, x, state_0=None, *, lengths=None):
            y, states, tape = right.forward(params, x, state_0, lengths=lengths)
            return y * (1 + 1e-7 * rng.standard_normal(y.shape)), states, tape

    for example in EXAMPLES[:4]:
        assert not isinstance(judged("Taylor slope", Noisy(), example), Failure)


def test_the_two_answers_stay_apart():
    right = run(LSTM, emitted(OTHER), examples=2)
    assert (right.diagnosis.is_cell, right.diagnosis.own_gradient) == ("no", "yes")
    assert {"Taylor slope", "differences"} & {f.property for f in right.findings} == set()
    wrong = run(LSTM, one_entry("U_i", 2, 1 + 1e-5)(emitted(OTHER)), examples=2)
    assert (wrong.diagnosis.is_cell, wrong.diagnosis.own_gradient) == ("no", "no")
    assert "Taylor slope" in {f.property for f in wrong.findings}


def test_what_is_copied_exactly_leaves_no_more_than_adding_up_the_loss_does(monkeypatch):
    rnn = load("rnn")
    kernel, sizes = emitted(rnn), {"n": 2, "m": 1}
    made = [make_example(rnn, steps=9, batch=1, sizes=sizes, seed=seed) for seed in range(40)]
    untouched = [replace(e, lengths=np.array([0])) for e in made]
    found = [judged("Taylor slope", kernel, e, rnn) for e in untouched]
    assert not any(isinstance(f, Failure) for f in found)
    monkeypatch.setattr(Box, "summing", 0.0)
    found = [judged("Taylor slope", kernel, e, rnn) for e in untouched]
    assert any(isinstance(f, Failure) for f in found)
