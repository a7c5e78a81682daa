"""The two forms of a kernel: which cells get which, and that both say the same."""

import pytest
from core import CORE
from emitted import SIZES, deviations, results

from derive.backends.numpy import module as emission
from derive.backends.numpy.forms import form_of, is_fused
from derive.backends.numpy.stepwise import Stepwise
from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.loading import kernel_from_source
from verify.strategies import make_example

FUSED = [name for name in CORE if is_fused(gradients(load(name)))]
HEAD = "input x[m]\nstate h[n]\n"


@pytest.mark.parametrize("with_lengths", [False, True])
@pytest.mark.parametrize("name", FUSED)
def test_a_fused_cell_in_stepwise_form_gives_the_reference_too(name, with_lengths, monkeypatch):
    derived = gradients(load(name))
    monkeypatch.setattr(emission, "form_of", Stepwise)
    kernel = kernel_from_source(emission.numpy_source(derived))
    sizes = {dim: SIZES[str(dim)] for dim in derived.cell.dimensions}
    case = make_example(
        derived.cell, steps=4, batch=3, sizes=sizes, seed=1, with_lengths=with_lengths
    )
    assert deviations(results(kernel, case), case, derived) == []


@pytest.mark.parametrize(
    ("equations", "fused"),
    [
        ("h = tanh(W @ x + U @ h[t-1] + b)", True),
        ("h = relu(W @ x + u * h[t-1])", True),
        ("h = tanh(W @ x) / (2 + tanh(h[t-1]))", False),
        ("h = tanh(W @ x - mean(h[t-1]))", False),
        ("h = tanh(W @ x + h[t-1] / sqrt(n))", False),
        ("h = softmax(W @ x + h[t-1])", False),
        ("h = log(2 + tanh(W @ x + h[t-1]))", False),
    ],
)
def test_what_the_fused_form_cannot_say_is_stepwise(equations: str, fused: bool) -> None:
    derived = gradients(parse(HEAD + equations))
    assert is_fused(derived) is fused
    assert isinstance(form_of(derived), Stepwise) is not fused


def test_lstm_and_gru_are_fused() -> None:
    assert {"rnn", "lstm", "gru", "peephole_lstm"} <= set(FUSED)


def test_a_state_that_is_a_stack_of_states_is_computed() -> None:
    cell = parse(
        "input x[m]\nstate h[n + n], a[n], b[n]\n"
        "a = tanh(W_a @ x + R_a @ a[t-1])\nb = tanh(W_b @ x + R_b @ b[t-1])\nh = [a, b]"
    )
    derived = gradients(cell)
    kernel = kernel_from_source(emission.numpy_source(derived))
    sizes = {dim: SIZES[str(dim)] for dim in cell.dimensions}
    case = make_example(cell, steps=4, batch=3, sizes=sizes, seed=1, with_lengths=True)
    assert deviations(results(kernel, case), case, derived) == []
