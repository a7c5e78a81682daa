"""From an implementation to a verdict."""

import numpy as np
import pytest
from grown_cells import CLASSIC
from wrong_kernels import LSTM, backward, fail, forward, grads, having, values

from derive.backends.numpy import numpy_source
from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import gradients
from derive.language import parse
from derive.zoo import load
from verify.loading import kernel_from_source
from verify.properties import PROPERTIES
from verify.references import reference_kernel
from verify.report import to_json
from verify.runner import AFTER_FAILURE, run

RNN = load("rnn")


def emitted(cell: Cell):
    return kernel_from_source(numpy_source(gradients(cell)))


def found(report):
    return {f.property: f for f in report.findings}


EMITTED = emitted(LSTM)


@pytest.mark.parametrize("name", CLASSIC)
def test_an_emitted_kernel_is_right_and_every_property_is_judged_or_explained(name):
    cell = load(name)
    report = run(cell, emitted(cell), examples=40, seed=1)
    assert report.findings == ()
    assert (report.verdict, report.examples) == ("right", 40)
    explained = {what for what, _ in report.not_judged}
    assert {n for n, _ in report.judged} | explained == {p.name for p in PROPERTIES}
    assert explained <= {"state path"}


def test_the_interpreted_reference_is_right():
    report = run(RNN, reference_kernel(RNN), examples=12)
    assert (report.verdict, report.findings) == ("right", ())


def test_a_users_own_cell_is_judged_like_any_other():
    cell = parse(
        "input x[m]\nstate s[n]\n"
        "a = sigmoid(A @ [x, s[t-1]] + c)\n"
        "s = a * s[t-1] + (1 - a) * softplus(B @ [s[t-1], x])\n",
        "own",
    )
    assert run(cell, emitted(cell), examples=20).verdict == "right"


def only(condition, change):
    """Wrong only where `condition(x)` holds."""

    def changed(y, s, x, lengths):
        return (change(y) if condition(x) else y), s

    return values(changed)(EMITTED)


@pytest.mark.parametrize(
    ("condition", "smallest"),
    [
        (lambda x: x.shape[1] >= 3, {"batch": 3, "steps": 1}),
        (lambda x: x.shape[0] >= 2, {"batch": 1, "steps": 2}),
        (lambda x: x.shape[2] >= 2 and x.size, {"batch": 1, "steps": 1}),
    ],
    ids=["B >= 3", "T >= 2", "m >= 2"],
)
def test_the_example_shown_is_the_smallest_that_fails(condition, smallest):
    report = run(LSTM, only(condition, lambda y: 1.25 * y))
    example = found(report)["values"].example
    assert report.verdict == "wrong"
    assert {"batch": example.batch, "steps": example.steps} == smallest


def test_a_wrong_gradient_is_found_named_and_reported_early():
    wrong = grads(lambda g, *_: having(g, "U_g", g["U_g"] * (1 + 1e-9)))(EMITTED)
    report = run(LSTM, wrong)
    finding = found(report)["gradients"]
    assert report.verdict == "wrong"
    assert finding.parameter == "U_g"
    assert abs(finding.got - finding.expected) > finding.bound
    assert report.examples <= 1 + AFTER_FAILURE


def test_every_property_is_judged_though_others_fail():
    report = run(RNN, changed_rnn(), examples=40)
    judged = {name for name, _ in report.judged}
    assert {p.name for p in PROPERTIES} - judged == {"state path"}
    assert {"values", "dtype"} <= set(found(report))


def changed_rnn():
    right = reference_kernel(RNN)

    class Changed:
        def forward(self, params, x, state_0=None, *, lengths=None):
            y, state_T, tape = right.forward(params, x, state_0, lengths=lengths)
            return 1.5 * y.astype(np.float64), state_T, tape

        backward = staticmethod(right.backward)

    return Changed()


@pytest.mark.parametrize(
    ("wrong", "row", "said"),
    [
        (forward(fail), "runs", "forward raised ValueError: no such thing"),
        (forward(lambda *_: exit(3)), "runs", "forward raised SystemExit: 3"),
        (forward(lambda *_: 7), "shapes", "forward gave int, expected (y, state_T, tape)"),
        (backward(fail), "runs backward", "backward raised ValueError: no such thing"),
        (backward(lambda *_: None), "shapes backward", "backward gave NoneType, expected a dict"),
    ],
    ids=["raises", "exits", "gives a number", "backward raises", "backward gives nothing"],
)
def test_what_an_implementation_raises_or_gives_is_a_finding_and_not_our_failure(wrong, row, said):
    report = run(LSTM, wrong(EMITTED), examples=8)
    assert report.verdict == "wrong"
    assert found(report)[row].cause.startswith(said)


def test_an_implementation_without_backward_is_judged_by_its_forward():
    class Half:
        forward = staticmethod(reference_kernel(RNN).forward)

    report = run(RNN, Half(), examples=10)
    assert report.verdict == "right"
    assert ("gradients", "the implementation has no backward") in report.not_judged
    assert "gradients" not in dict(report.judged)
    assert "values" in dict(report.judged)


def test_a_backward_that_is_not_implemented_counts_as_not_given():
    class Half:
        forward = staticmethod(reference_kernel(RNN).forward)

        def backward(self, *_):
            raise NotImplementedError

    report = run(RNN, Half(), examples=6)
    assert report.verdict == "right"
    assert ("gradients", "backward is not implemented") in report.not_judged


def test_gradients_that_are_never_given_are_reported_and_the_others_judged():
    right = reference_kernel(RNN)

    class Partial:
        forward = staticmethod(right.forward)

        def backward(self, *args):
            found = right.backward(*args)
            return {"U": 2 * found["U"], "W": found["W"], "h_0": None}

    report = run(RNN, Partial(), examples=6)
    assert {f.parameter for f in report.findings} == {"U"}
    for name in ("b", "x", "h_0"):
        assert (f"gradient of {name}", "backward does not give it") in report.not_judged


def test_a_gradient_that_is_missing_only_sometimes_is_a_finding():
    def sometimes(g, *_):
        return g if g["x"].shape[1] > 1 else {n: a for n, a in g.items() if n != "x"}

    finding = found(run(LSTM, grads(sometimes)(EMITTED), examples=10))["shapes backward"]
    assert finding.parameter == "x"
    assert finding.cause == "no gradient of x here, though given elsewhere"


def test_an_implementation_that_never_runs_is_wrong_and_the_rest_is_said_not_to_be_judged():
    report = run(LSTM, forward(fail)(EMITTED), examples=3)
    assert set(found(report)) == {"runs"}
    assert ("values", "no example ran") in report.not_judged


def test_a_run_is_repeated_by_its_seed(monkeypatch):
    monkeypatch.setattr("verify.runner.SHRINK_SECONDS", 60.0)
    wrong = grads(lambda g, *_: having(g, "b_o", -g["b_o"]))(EMITTED)
    first, second = (to_json(run(LSTM, wrong, seed=7, examples=9)) for _ in range(2))
    assert first == second


def test_a_profile_or_number_that_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="no profile 'fast'; there are quick, default, thorough"):
        run(RNN, reference_kernel(RNN), profile="fast")
    with pytest.raises(UsageError, match="0 examples: at least one is needed"):
        run(RNN, reference_kernel(RNN), examples=0)


def test_a_failure_is_noticed_before_its_cause_is_sought():
    seen: list[str] = []
    wrong = grads(lambda g, *_: having(g, "b_o", -g["b_o"]))(EMITTED)
    report = run(LSTM, wrong, examples=9, noticed=seen.append)
    assert seen[0] == "gradients"
    assert set(found(report)) == set(seen)


def test_progress_counts_up_to_the_end():
    seen = []
    run(RNN, emitted(RNN), examples=9, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 9) for k in range(1, 10)]
