"""What an implementation refuses aloud is said, not held against it."""

import numpy as np
import pytest
from by_hand import written
from emitted import kernel_of

from derive.gradients import gradients
from derive.zoo import load
from verify.adapters import adapt
from verify.adapters.filling import filled
from verify.loading import load_implementation
from verify.properties import PROPERTIES, Failure, Skip, Trial
from verify.runner import run
from verify.sampling import pinned

LSTM = load("lstm")
EXAMPLE = next(iter(pinned(LSTM, 0)))


class Demands:
    """Its backward has no default for dy."""

    def __init__(self, *edits):
        self.inner = written(*edits)

    def forward(self, params, x, state_0=None, *, lengths=None):
        return self.inner.forward(params, x, state_0, lengths=lengths)

    def backward(self, params, tape, dy, dstate_T=None):
        return self.inner.backward(params, tape, dy * 1.0, dstate_T)


class Allows(Demands):
    def backward(self, params, tape, dy=None, dstate_T=None):
        return self.inner.backward(params, tape, dy * 1.0, dstate_T)


def judged(name, kernel):
    row = next(p for p in PROPERTIES if p.name == name)
    return row.judge(Trial(kernel, EXAMPLE, gradients(LSTM)))


def test_a_cotangent_that_backward_demands_is_never_none():
    report = run(LSTM, filled(Demands()), examples=16)
    assert report.verdict == "right"
    assert dict(report.not_judged)["dy = None"] == "backward's dy has no default"


def test_a_wrong_gradient_is_found_where_a_cotangent_is_demanded():
    report = run(LSTM, filled(Demands(("e * i * (1 - g ** 2)", "e * i"))), examples=3)
    assert {f.property for f in report.findings} >= {"gradients"}


def test_who_offers_none_must_take_it():
    kernel = Allows()
    assert filled(kernel) is kernel
    assert isinstance(judged("absent cotangents", kernel), Failure)


def test_both_cotangents_may_be_demanded():
    class Both(Demands):
        def backward(self, params, tape, dy, dstate_T):
            return self.inner.backward(params, tape, dy * 1.0, dict(dstate_T))

    kernel = filled(Both())
    assert kernel.limits.demanded == ("dy", "dstate_T")
    assert judged("absent cotangents", kernel) is None
    assert judged("linearity", kernel) is None


def test_a_file_whose_backward_demands_dy_is_loaded_so(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def forward(params, x, state_0=None, *, lengths=None):\n    raise NotImplementedError\n"
        "def backward(params, tape, dy, dstate_T=None):\n    raise NotImplementedError\n"
    )
    assert load_implementation(str(path)).limits.demanded == ("dy",)


def when_empty(answer):
    inner = written()

    class Kernel:
        backward = staticmethod(inner.backward)

        @staticmethod
        def forward(params, x, state_0=None, *, lengths=None):
            found = inner.forward(params, x, state_0, lengths=lengths)
            return found if len(x) else answer(found)

    return Kernel()


def refuses(found):
    raise ValueError("need at least one array to stack")


def test_no_steps_may_be_refused_aloud():
    found = judged("no steps", when_empty(refuses))
    assert isinstance(found, Skip)
    assert found.reason.startswith("refused: forward raised ValueError: need at least one array")


@pytest.mark.parametrize(
    "answer",
    [
        lambda found: (found[0], {n: a + 1 for n, a in found[1].items()}, found[2]),
        lambda found: exit(3),
    ],
)
def test_a_wrong_answer_or_an_exit_is_no_refusal(answer):
    assert isinstance(judged("no steps", when_empty(answer)), Failure)


def test_gradients_that_are_coarse_beside_an_exact_forward_are_no_precision_of_all():
    tape = "steps.append((live, now, h, C, f, i, o, g, C_new, h_new))"
    half = "half = lambda a: a.astype(np.float16).astype(a.dtype)\n        "
    report = run(
        LSTM,
        written((tape, half + tape.replace("f, i, o,", "half(f), half(i), half(o),"))),
        examples=6,
    )
    assert (report.verdict, report.precision) == ("wrong", "")
    assert report.diagnosis.causes[0].deviation == "kept in a coarser format"
    assert np.isfinite(EXAMPLE.x).all()


def test_a_backward_that_never_runs_is_not_said_to_miss_a_cotangent():
    def broken(p, tape, dy, ds):
        raise NameError("name 'Wf' is not defined")

    rnn, right = load("rnn"), kernel_of(load("rnn"))
    report = run(rnn, adapt(right.forward, broken, cell=rnn, upstream=("y",)), examples=16)
    assert report.verdict == "wrong"
    assert report.diagnosis.causes == ()
    assert report.diagnosis.symptoms == ("a call raises",)
