"""Functions in another layout around a right kernel: what comes out is what the kernel gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emitted import kernel_of
from pages import read_page

from derive import zoo
from derive.language import parse
from verify.adapters import Limits, adapt, adapt_step
from verify.adapters.axes import from_axes, to_axes
from verify.adapters.limits import NotGivenError
from verify.conventions import CONVENTIONS, gradients_from_cell, to_cell
from verify.runner import run
from verify.strategies import make_example

LSTM, RNN = zoo.load("lstm"), zoo.load("rnn")
ROW = CONVENTIONS["keras.lstm"]
KERNEL, PLAIN = kernel_of(LSTM), kernel_of(RNN)
DOCS = Path(__file__).parents[2] / "docs"


def example(cell=LSTM, **options):
    given = {"steps": 4, "batch": 3, "sizes": {"n": 2, "m": 3}, "seed": 1}
    return make_example(cell, **given | options)


def turned(x, state):
    """The emitted kernel with Keras's arrays and with these axes."""

    def forward(p, xs, s, lengths):
        inside = {n: from_axes(a, state, "BF", n) for n, a in s.items()}
        params = to_cell(ROW, p)
        y, last, tape = KERNEL.forward(
            params, from_axes(xs, x, "TBF", "x"), inside, lengths=lengths
        )
        ends = {n: to_axes(a, state, "BF") for n, a in last.items()}
        return to_axes(y, x, "TBF"), ends, (params, tape)

    def backward(p, tape, dy, ds):
        finals = {n: from_axes(a, state, "BF", n) for n, a in ds.items()}
        grads = KERNEL.backward(*tape, from_axes(dy, x, "TBF", "dy"), finals)
        found = gradients_from_cell(ROW, grads) | {"x": to_axes(grads["x"], x, "TBF")}
        return found | {f"{n}_0": to_axes(grads[f"{n}_0"], state, "BF") for n in s_names}

    s_names = [s.name for s in LSTM.states]
    return adapt(
        forward, backward, cell="lstm", arrays="keras.lstm", x=x, state=state, limits=Limits()
    )


@pytest.mark.parametrize(("x", "state"), [("TBF", "BF"), ("BTF", "1BF"), ("FBT", "FB")])
def test_an_adapted_layout_gives_what_the_kernel_gives(x, state):
    given, kernel = example(with_lengths=True), turned(x, state)
    y, last, tape = kernel.forward(given.params, given.x, given.state_0, lengths=given.lengths)
    grads = kernel.backward(given.params, tape, given.dy, given.dstate_T)
    right_y, right_last, right_tape = KERNEL.forward(
        given.params, given.x, given.state_0, lengths=given.lengths
    )
    right = KERNEL.backward(given.params, right_tape, given.dy, given.dstate_T)
    assert np.array_equal(y, right_y)
    assert all(np.array_equal(last[n], right_last[n]) for n in right_last)
    assert grads.keys() == right.keys()
    for name, gradient in right.items():
        # strides differ, and with them the order of a sum
        assert np.allclose(grads[name], gradient, rtol=1e-13, atol=1e-15), name


def test_absent_states_and_cotangents_are_zeros_for_the_functions():
    given, kernel = example(), turned("BTF", "BF")
    y, _, tape = kernel.forward(given.params, given.x)
    right_y, _, right_tape = KERNEL.forward(given.params, given.x)
    assert np.array_equal(y, right_y)
    grads = kernel.backward(given.params, tape)
    right = KERNEL.backward(given.params, right_tape)
    assert all(not grads[n].any() and not right[n].any() for n in right)


def partial(**limits):
    """An RNN that lacks what a test takes away."""

    def forward(p, x, s):
        y, last, tape = PLAIN.forward(p, x, s)
        return y, {} if "final" in limits else last, tape

    def backward(p, tape, dy, ds):
        grads = PLAIN.backward(p, tape, dy, ds)
        return {n: a for n, a in grads.items() if n not in ("x", "h_0")}

    return adapt(forward, backward, cell="rnn", **limits)


def test_what_is_not_given_is_not_judged_and_the_rest_is():
    kernel = partial(initial=(), final=(), upstream=("y",), rows=1, dtypes=("float64",))
    report = run(RNN, kernel, profile="quick")
    assert report.verdict == "right"
    assert report.findings == ()
    said = dict(report.not_judged)
    assert said["initial h"] == "the implementation starts it at zero"
    assert {"final h", "cotangents of h_T", "larger batches", "float32"} <= said.keys()
    assert {"gradient of x", "gradient of h_0", "sequences of unequal lengths"} <= said.keys()
    judged = dict(report.judged)
    assert judged["values"] == judged["gradients"] == 20
    assert judged["differences"] >= 1


@pytest.mark.parametrize(
    ("limits", "call"),
    [
        ({"initial": ()}, lambda k, e: k.forward(e.params, e.x, e.state_0)),
        ({"rows": 1}, lambda k, e: k.forward(e.params, e.x)),
        ({}, lambda k, e: k.forward(e.params, e.x, lengths=np.array([1, 2, 3]))),
        (
            {"upstream": ("h_T",)},
            lambda k, e: k.backward(e.params, k.forward(e.params, e.x)[2], e.dy),
        ),
    ],
)
def test_what_the_limits_exclude_is_refused_before_the_code_sees_it(limits, call):
    with pytest.raises(NotGivenError):
        call(partial(**limits), example(RNN))


def test_a_wrong_part_is_found_where_others_are_missing():
    right = partial(final=(), upstream=("y",))
    spoilt = replace(
        right, back=lambda *a: {**right.back(*a), "U": right.back(*a)["U"] * (1 + 1e-9)}
    )
    report = run(RNN, spoilt, profile="quick")
    assert report.verdict == "wrong"
    assert {f.parameter for f in report.findings} == {"U"}


def test_code_that_writes_to_its_own_arrays_is_found_through_the_arrangement():
    def forward(p, x, s):
        found = PLAIN.forward({"W": p["all"][:, :-1], "U": p["U"], "b": p["all"][:, -1]}, x, s)
        p["all"][0, 0] += 1
        return found

    arrays = {"all": "[W, b]", "U": "U"}
    kernel = adapt(forward, cell="rnn", arrays=arrays, vectors="column")
    report = run(RNN, kernel, profile="quick")
    assert [(f.property, f.parameter) for f in report.findings] == [
        ("arguments kept", "params['W']")
    ]


def step(p, x, s):
    h = np.tanh(x @ p["W"].T + s["h"] @ p["U"].T + p["b"])
    return {"h": h}, (x, s["h"], h)


def step_back(p, cache, ds):
    x, before, h = cache
    d = ds["h"] * (1 - h**2)
    return {"W": d.T @ x, "U": d.T @ before, "b": d.sum(0), "x": d @ p["W"], "h": d @ p["U"]}


def test_a_cell_of_one_step_is_looped_over():
    report = run(RNN, adapt_step(step, step_back, cell="rnn"), profile="quick")
    assert report.verdict == "right"
    assert {"gradients", "chaining gradients", "linearity"} <= dict(report.judged).keys()


def test_a_cell_of_one_step_that_hands_back_nothing_is_found():
    def lost(p, cache, ds):
        return {**step_back(p, cache, ds), "h": np.zeros_like(ds["h"])}

    report = run(RNN, adapt_step(step, lost, cell="rnn"), profile="quick")
    assert {f.property for f in report.findings} >= {"gradients", "differences"}


def test_the_shapes_that_the_page_shows_take_fifteen_lines_at_most():
    blocks = [b for b in read_page(DOCS / "adapters.md") if b.file.endswith("_adapter.py")]
    assert len(blocks) == 4
    for block in blocks:
        lines = [line for line in block.lines[1:] if line.strip()]
        assert len(lines) <= 15, block.file


@pytest.mark.parametrize("upstream", [("y",), None])
def test_a_state_that_nobody_starts_or_gives_has_no_gradient_to_be_judged(upstream):
    def forward(p, x, s):
        y, _, tape = PLAIN.forward(p, x, None)
        return y, {}, (tape, s)

    def backward(p, tape, dy, ds):
        grads = PLAIN.backward(p, tape[0], dy)
        return grads | {"h_0": np.zeros_like(tape[1]["h"])}  # as autograd has it of what is unused

    report = run(RNN, adapt(forward, backward, cell="rnn", initial=(), final=(), upstream=upstream))
    assert report.verdict == "right", report.findings
    assert {"initial h", "final h", "cotangents of h_T"} <= {what for what, _ in report.not_judged}


def test_a_cell_without_parameters_can_be_adapted():
    cell = parse("input x[n]\nstate h[n]\nh = h[t-1] + x", "sum")

    def backward(p, x, dy, ds):
        late = np.cumsum(dy[::-1], 0)[::-1] + ds["h"]
        return {"x": late, "h_0": late[0]}

    def forward(p, x, s):
        return np.cumsum(x, 0) + s["h"], {"h": x.sum(0) + s["h"]}, x

    report = run(cell, adapt(forward, backward, cell=cell), examples=20)
    assert report.verdict == "right", report.findings
