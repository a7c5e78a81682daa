"""Honest lower precision is named, and nothing that is wrong is excused by it."""

import numpy as np
import pytest
from low_precision import ARITHMETICS, Computed, Narrowed, emitted
from wrong_kernels import grads, having, values

from derive.backends.numpy import numpy_source
from derive.errors import UsageError
from derive.gradients import gradients
from derive.zoo import load
from verify.__main__ import main
from verify.adapters.limits import Limits
from verify.deviations.machine import kernel_of
from verify.diagnosis.diagnose import Library
from verify.mutants import mutants_of
from verify.precisions import LOWER, lower, representable
from verify.properties.approximations import explained
from verify.properties.lowering import detect
from verify.references import reference, reference_kernel
from verify.rounding import Precision
from verify.runner import run
from verify.sampling import pinned
from verify.strategies import make_example

LSTM, GRU = load("lstm"), load("gru")
LSTM_PARAMETERS = {p.name for p in LSTM.parameters}
CELLS = {"lstm": LSTM, "gru": GRU}


def detected(cell, kernel):
    return detect(kernel, gradients(cell), list(pinned(cell, 0))[:6], backwards=True)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("row", ARITHMETICS)
def test_what_computes_in_a_lower_precision_is_said_to_compute_in_that(name, row):
    cell = CELLS[name]
    assert detected(cell, Computed(cell, ARITHMETICS[row])) == row


@pytest.mark.parametrize("name", CELLS)
def test_what_is_right_at_the_precision_of_its_inputs_has_no_lower_one(name):
    assert detected(CELLS[name], emitted(CELLS[name])) == ""


@pytest.mark.parametrize("name", CELLS)
def test_no_mutant_is_excused_as_low_precision(name):
    excused(name, each=1, step=5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_no_mutant_of_the_whole_catalogue_is_excused_as_low_precision(name):
    excused(name, each=None, step=1)


def excused(name, each, step):
    library = Library.of(CELLS[name])
    mutants = list(mutants_of(library, each))[::step]
    assert len(mutants) >= 10
    for mutant in mutants:
        if mutant.deviation.name != "lower precision":
            found = detected(CELLS[name], kernel_of(mutant.variant.model))
            assert found == "", f"{mutant.name} is excused as {found}"


def scaled(name, factor):
    return grads(lambda g, *_: having(g, name, (g[name] * factor).astype(g[name].dtype)))


WRONG = {
    "a gradient times 1 + 1e-4": scaled("U_f", 1 + 1e-4),
    "a gradient times 1 + 1e-7": scaled("b_o", 1 + 1e-7),
    "outputs times 1 + 1e-4": values(lambda y, s, *_: (y * y.dtype.type(1 + 1e-4), s)),
    "outputs and a little of the memory": values(
        lambda y, s, x, n: (y + (1e-4 * s["C"]).astype(y.dtype), s)
    ),
    "states a little larger": values(
        lambda y, s, *_: (y, {k: (a * (1 + 1e-6)).astype(a.dtype) for k, a in s.items()})
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_formula_is_not_excused_however_small_its_error_is(what):
    assert detected(LSTM, WRONG[what](emitted(LSTM))) == ""


@pytest.mark.parametrize("what", ["a gradient times 1 + 1e-4", "outputs times 1 + 1e-4"])
def test_in_float32_it_is_wrong_in_float32(what):
    report = run(LSTM, Narrowed(WRONG[what](emitted(LSTM))), examples=2)
    assert (report.verdict, report.precision, report.detected) == ("wrong", "float32", True)


def test_a_gradient_that_is_wrong_in_float32_is_that_of_the_cell_and_not_its_own():
    wrong = Narrowed(scaled("U_f", -1)(emitted(LSTM)))
    report = run(LSTM, wrong, examples=2)
    assert (report.verdict, report.precision) == ("wrong", "float32")
    assert (report.diagnosis.is_cell, report.diagnosis.own_gradient) == ("yes", "no")
    assert "U_f" in report.diagnosis.causes[0].text


def test_what_is_right_in_float32_is_right_and_the_report_says_in_what():
    report = run(LSTM, Narrowed(emitted(LSTM)), examples=9)
    assert (report.verdict, report.precision, report.detected) == ("right", "float32", True)
    assert (report.findings, report.examples) == ((), 9)


def test_a_declared_precision_is_taken_at_its_word_and_no_lower_one_is_looked_for():
    kernel = Computed(LSTM, ARITHMETICS["tf32"])
    right = run(LSTM, kernel, examples=3, precision="tf32")
    assert (right.verdict, right.precision, right.detected) == ("right", "tf32", False)
    wrong = run(LSTM, kernel, examples=3, precision="float32")
    assert (wrong.verdict, wrong.precision, wrong.detected) == ("wrong", "float32", False)


def test_an_adapter_declares_a_precision_by_its_limits():
    kernel = Narrowed(emitted(LSTM))
    kernel.limits = Limits(precision="float32")
    report = run(LSTM, kernel, examples=3)
    assert (report.verdict, report.precision, report.detected) == ("right", "float32", False)


def test_what_breaks_or_overflows_nearby_is_not_excused():
    class Breaks:
        right = reference_kernel(LSTM)
        backward = staticmethod(right.backward)
        calls = 0

        def forward(self, *args, **given):
            self.calls += 1
            if self.calls > 6:
                raise ValueError("no more")
            y, states, tape = self.right.forward(*args, **given)
            return single(y), states, tape

    assert detected(LSTM, Breaks()) == ""
    overflowing = values(lambda y, s, *_: (y / 0, s))(emitted(LSTM))
    assert detected(LSTM, overflowing) == ""


def single(array):
    return array.astype(np.float32).astype(array.dtype)


@pytest.mark.parametrize(
    "change",
    [
        values(lambda y, s, *_: (single(y), s)),
        grads(lambda g, *_: {n: single(a) if n in LSTM_PARAMETERS else a for n, a in g.items()}),
    ],
    ids=["outputs", "gradients of parameters"],
)
def test_one_buffer_of_float32_is_float32(change):
    assert detected(LSTM, change(reference_kernel(LSTM))) == "float32"


def test_the_command_takes_the_name_of_a_precision(tmp_path, capsys):
    path = tmp_path / "layer.py"
    path.write_text(numpy_source(gradients(LSTM)))
    rest = ["--no-isolate", "--examples", "1", "--precision"]
    assert main(["run", "lstm", str(path), *rest, "float32"]) == 0
    out = capsys.readouterr().out
    assert "computes in float32 (declared): right at that precision" in out
    assert "it computes in float32" in out.splitlines()[0]
    assert main(["run", "lstm", str(path), *rest, "1e-3"]) == 2
    assert "no precision '1e-3'" in capsys.readouterr().err


def test_a_precision_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="no precision 'single'; there are absolute-functions, "):
        run(LSTM, emitted(LSTM), precision="single")


def test_float32_is_no_lower_precision_where_inputs_are_float32():
    nominal = Precision.of(np.float32)
    assert lower("float32").precision.over(nominal) == nominal


@pytest.mark.parametrize("row", [r for r in ARITHMETICS if r not in ("float16", "bfloat16")])
def test_bounds_of_a_row_cover_what_is_computed_so(row):
    precision = lower(row).precision.over(Precision.of(np.float64))
    for seed in range(6):
        example = make_example(
            GRU, steps=1 + seed, batch=2, sizes={"n": 3, "m": 2}, seed=seed, regime="mixed"
        )
        right = reference(example, gradients(GRU), precision)
        kernel = Computed(GRU, ARITHMETICS[row])
        y, _, tape = kernel.forward(example.params, example.x, example.state_0)
        found = kernel.backward(example.params, tape, example.dy, example.dstate_T)
        assert (np.abs(y - right.y) <= right.y_bound).all()
        for name, grad in found.items():
            assert (np.abs(grad - right.grads[name]) <= right.grads_bound[name]).all()


def test_rows_have_names_of_their_own_and_say_what_they_are():
    assert all(name == row.name and row.said for name, row in LOWER.items())
    assert sum(row.ends for row in LOWER.values()) == 2


def test_numbers_of_few_digits_are_told_from_others():
    few = np.array([1.0, -0.375, 5.0, 0.0, 3072.0])
    assert representable([few], 3)
    assert not representable([few, np.array([1.125])], 3)
    assert not representable([np.zeros(9)], 3)


def test_a_rough_function_explains_errors_and_a_wrong_term_does_not():
    derived = gradients(LSTM)
    assert explained(Computed(LSTM, ARITHMETICS["functions-1e-4"]), derived, 1e-4)
    for what in ("outputs times 1 + 1e-4", "outputs and a little of the memory"):
        assert not explained(WRONG[what](emitted(LSTM)), derived, 1e-4)
    assert not explained(emitted(LSTM), derived, 0.0)
