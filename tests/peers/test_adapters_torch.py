"""torch's layers, and wrong ones beside them, through their adapter."""

from dataclasses import replace

import numpy as np
import pytest

from derive import zoo
from derive.errors import UsageError
from verify.isolation import isolated
from verify.loading import load_implementation
from verify.runner import run

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'bptt[torch]'")

from verify.adapters.torch_module import torch_call, torch_module  # noqa: E402

LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"bias": False}], ids=str)
def test_a_layer_of_torch_is_right_in_all_that_it_gives(name, options):
    made = lambda inputs, units: LAYERS[name](inputs, units, **options)
    report = run(zoo.load(name), torch_module(made, cell=name), examples=20)
    assert report.findings == ()
    assert report.verdict == "right"
    judged = dict(report.judged)
    assert {"gradients", "differences", "padding gradients", "chaining gradients"} <= judged.keys()
    absent = [what for what, _ in report.not_judged if what.startswith("b_") or what == "b"]
    assert bool(absent) == ("bias" in options)


def test_a_layer_of_torch_is_right_in_a_process_of_its_own():
    with isolated("torch.nn:GRU", cell="gru") as kernel:
        report = run(zoo.load("gru"), kernel, examples=7)
    assert report.findings == ()


def test_an_instance_has_its_own_sizes():
    kernel = torch_module(torch.nn.LSTM(5, 3), cell="lstm")
    assert kernel.limits.sizes == {"n": 3, "m": 5}
    report = run(zoo.load("lstm"), kernel, examples=7)
    assert report.verdict == "right"
    assert dict(report.not_judged)["other sizes"] == "the implementation has n = 3, m = 5"


class Own(torch.nn.Module):
    """A module with the cell's own names; its state has no leading axis."""

    def __init__(self, inputs, units, slip=0):
        super().__init__()
        self.W = torch.nn.Parameter(torch.zeros(units, inputs))
        self.U = torch.nn.Parameter(torch.zeros(units, units))
        self.b = torch.nn.Parameter(torch.zeros(units))
        self.slip = slip

    def forward(self, x, h):
        outputs = []
        for t in range(len(x)):
            before = h.detach() if self.slip == "detached" else h
            h = torch.tanh(x[t] @ self.W.T + before @ self.U.T + self.b)
            outputs.append(h)
        return torch.stack(outputs), h


def test_a_module_with_the_cells_own_names_needs_no_convention():
    assert run(zoo.load("rnn"), torch_module(Own, cell="rnn"), examples=10).verdict == "right"


def test_a_module_that_detaches_its_state_is_found():
    kernel = torch_module(lambda m, n: Own(m, n, "detached"), cell="rnn")
    report = run(zoo.load("rnn"), kernel, examples=10)
    failed = {f.property for f in report.findings}
    assert {"gradients", "differences"} <= failed
    assert "values" not in failed


def test_two_gates_that_are_exchanged_are_found():
    row = load_implementation("torch.nn:LSTM", cell="lstm", convention="torch.lstm")
    assert run(zoo.load("lstm"), row, examples=5).verdict == "right"
    order = "[[{0}_f], [{0}_i], [{0}_g], [{0}_o]]"
    arrays = {"weight_ih": order.format("W"), "weight_hh": order.format("U")}
    arrays |= {"bias_ih": "[b_f, b_i, b_g, b_o]", "bias_hh": "[b_f, b_i, b_g, b_o]"}
    swapped = torch_module(torch.nn.LSTM, cell="lstm", arrays=arrays)
    report = run(zoo.load("lstm"), swapped, examples=5)
    assert "values" in {f.property for f in report.findings}
    assert "differences" not in {f.property for f in report.findings}


class Tanh(torch.autograd.Function):
    """tanh with a gradient of its own; `factor` makes it wrong."""

    factor = 1.0

    @staticmethod
    def forward(ctx, z):
        y = torch.tanh(z)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, d):
        (y,) = ctx.saved_tensors
        return d * (1 - y * y) * Tanh.factor


def by_function(p, x, s):
    h, outputs = s["h"], []
    for t in range(len(x)):
        h = Tanh.apply(x[t] @ p["W"].T + h @ p["U"].T + p["b"])
        outputs.append(h)
    return torch.stack(outputs), {"h": h}


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "right"), (1.0 + 1e-9, "wrong")])
def test_an_autograd_function_is_judged_by_its_own_backward(factor, verdict, monkeypatch):
    monkeypatch.setattr(Tanh, "factor", factor)
    kernel = torch_call(by_function, cell="rnn")
    assert run(zoo.load("rnn"), kernel, examples=10).verdict == verdict


def test_a_module_that_writes_to_its_input_is_found():
    def writes(p, x, s):
        with torch.no_grad():
            x.mul_(1.0).add_(1.0).sub_(0.5)
        return by_function(p, x, s)

    kernel = torch_call(writes, cell="rnn", gradients=False)
    report = run(zoo.load("rnn"), kernel, examples=5)
    assert ("arguments kept", "x") in {(f.property, f.parameter) for f in report.findings}
    assert dict(report.not_judged)["gradients"] == "the implementation has no backward"


def test_a_module_of_other_parameters_says_which_it_has():
    with pytest.raises(UsageError, match="the layer has no parameter W_f; it has W, U, b: name a"):
        torch_module(Own, cell="lstm")
    with pytest.raises(UsageError, match=r"convention torch\.gru is one of gru, not of lstm"):
        load_implementation("torch.nn:LSTM", cell="lstm", convention="torch.gru")
    with pytest.raises(UsageError, match="an adapter must know the cell"):
        load_implementation("torch.nn:LSTM")


def test_a_gradient_of_the_second_bias_that_is_lost_is_found():
    right = torch_module(torch.nn.LSTM, cell="lstm")

    def lost(*given):
        found = right.back(*given)
        return {**found, "bias_hh": np.zeros_like(found["bias_hh"])}

    report = run(zoo.load("lstm"), replace(right, back=lost), examples=7)
    assert report.verdict == "wrong"
    assert any(f.parameter.startswith("b_") for f in report.findings)
