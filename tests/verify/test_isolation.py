"""Implementations that misbehave in every way we know, in a process of their own."""

import os
import random
import re
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from emitted import kernel_of

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.errors import UsageError
from derive.gradients import gradients
from verify.adapters.limits import NotGivenError
from verify.isolation import isolated
from verify.isolation.isolated import RaisedError
from verify.isolation.process import EndedError
from verify.loading import load_implementation
from verify.runner import run
from verify.strategies import make_example

RNN = zoo.load("rnn")
KERNEL = kernel_of(RNN)
NASTY = """
import ctypes, os, random, sys, threading, time, warnings
import numpy as np
import right


class Layer:
    '''Does something before forward, then what is right.'''

    def __init__(self, before=lambda params, x: None, after=lambda found: found):
        self.before, self.after = before, after

    def forward(self, params, x, state_0=None, *, lengths=None):
        self.before(params, x)
        return self.after(right.forward(params, x, state_0, lengths=lengths))

    def backward(self, params, tape, dy=None, dstate_T=None):
        return right.backward(params, tape, dy, dstate_T)


def hang(params, x):
    while True:
        pass


def hog(params, x):
    held = [np.ones(4_000_000) for _ in range(10_000)]


def print_in_c(params, x):
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)


def fail(params, x):
    raise ValueError("two\\nlines")


def refuse(params, x):
    raise NotImplementedError("one row at a time")


def sleep(params, x):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()


def sometimes(params, x):
    if len(x) == 4:
        os._exit(3)


plain = Layer()
hangs, hogs = Layer(hang), Layer(hog)
exits = Layer(lambda params, x: os._exit(3))
crashes = Layer(lambda params, x: ctypes.string_at(1))
aborts = Layer(lambda params, x: os.abort())
leaves = Layer(lambda params, x: sys.exit("enough"))
interrupts = Layer(lambda params, x: signal_me())
fails, refuses, sometimes = Layer(fail), Layer(refuse), Layer(sometimes)
recurses = Layer(lambda params, x: recurses.before(params, x))
asks = Layer(lambda params, x: input())
errors = Layer(lambda params, x: np.seterr(all="raise"))
seeds = Layer(lambda params, x: (np.random.seed(1), random.seed(1)))
moves = Layer(lambda params, x: os.chdir("/"))
sets = Layer(lambda params, x: os.environ.update(VERIFY_TEST="1"))
deepens = Layer(lambda params, x: sys.setrecursionlimit(5000))
prints, prints_in_c = Layer(lambda params, x: print("step")), Layer(print_in_c)
warns = Layer(lambda params, x: warnings.warn("attention"))
threads = Layer(sleep)
writes = Layer(lambda params, x: x.fill(0))
takes = Layer(lambda params, x: params.pop("W"))
objects = Layer(after=lambda found: (object(), *found[1:]))
one = Layer(after=lambda found: {1, 2})
lists = Layer(after=lambda found: (found[0].tolist(), *found[1:]))
only_forward = right.forward
BUFFER = np.zeros(1000)


class Reuses:
    def forward(self, params, x, state_0=None, *, lengths=None):
        y, *rest = right.forward(params, x, state_0, lengths=lengths)
        held = BUFFER[: y.size].reshape(y.shape)
        held[...] = y
        return held, *rest


def signal_me():
    raise KeyboardInterrupt
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "right.py").write_text(numpy_source(gradients(RNN)))
    (tmp_path / "nasty.py").write_text(NASTY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def child(name, **limits):
    with isolated(f"nasty.py:{name}", **limits) as kernel:
        yield kernel


def example(**options):
    given = {"steps": 3, "batch": 2, "sizes": {"n": 2, "m": 3}, "seed": 1, "with_lengths": True}
    return make_example(RNN, **given | options)


def forward(kernel, given):
    return kernel.forward(given.params, given.x, given.state_0, lengths=given.lengths)


def test_a_child_gives_what_the_implementation_gives(folder):
    given = example()
    with child("plain") as kernel:
        y, last, tape = forward(kernel, given)
        grads = kernel.backward(given.params, tape, given.dy, given.dstate_T)
        assert kernel.observed() == []
    right_y, right_last, right_tape = forward(KERNEL, given)
    right = KERNEL.backward(given.params, right_tape, given.dy, given.dstate_T)
    assert np.array_equal(y, right_y)
    assert np.array_equal(last["h"], right_last["h"])
    assert grads.keys() == right.keys()
    assert all(np.array_equal(grads[n], right[n]) for n in right)
    assert all(a.dtype == given.dtype for a in (y, *grads.values()))


ENDS = {
    "exits": "ended the process with exit code 3",
    "crashes": r"died of SIGSEGV \(nasty.py, line \d+\)",
    "aborts": r"died of SIGABRT \(nasty.py, line \d+\)",
    "hangs": r"did not return within 1 s \(nasty.py, line 2\d\)",
}


@pytest.mark.parametrize("name", ENDS)
def test_a_process_that_ends_says_how_and_where_and_is_started_again(folder, name):
    with child(name, seconds=1) as kernel:
        for _ in range(2):
            with pytest.raises(EndedError) as error:
                forward(kernel, example())
            assert error.match(ENDS[name])
            assert error.value.finding == str(error.value)


RAISES = {
    "fails": r"raised ValueError: two lines \(nasty.py, line \d+\)",
    "leaves": r"raised SystemExit: enough \(nasty.py",
    "interrupts": r"raised KeyboardInterrupt: \(nasty.py",
    "recurses": r"raised RecursionError: maximum recursion depth exceeded",
    "hogs": r"raised .*MemoryError: Unable to allocate .* \(nasty.py, line \d+\)",
    "asks": r"raised EOFError: EOF when reading a line \(nasty.py",
}


@pytest.mark.parametrize("name", RAISES)
def test_what_is_raised_crosses_over_and_the_process_goes_on(folder, name):
    with child(name, memory=300) as kernel:
        for _ in range(2):
            with pytest.raises(RaisedError) as error:
                forward(kernel, example())
            assert re.match(RAISES[name], error.value.finding)
        first = kernel._child
        assert first is not None


def test_what_is_not_implemented_is_not_given(folder):
    with child("refuses") as kernel, pytest.raises(NotGivenError, match="one row at a time"):
        forward(kernel, example())


OBSERVED = {
    "errors": ("global state", "NumPy's error state: divide='raise', over='raise', under='raise'"),
    "seeds": ("global state", "NumPy's random state"),
    "moves": ("global state", "the working directory: /, was "),
    "sets": ("global state", "the environment: VERIFY_TEST"),
    "deepens": ("global state", "the recursion limit: 5000, was "),
    "prints": ("prints", "'step\\n'"),
    "prints_in_c": ("prints", "'from C\\n'"),
    "warns": ("warns", "UserWarning: attention (nasty.py, line "),
    "threads": ("threads", "a thread that goes on"),
    "Reuses": ("earlier results", "the results of the call before are overwritten"),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_what_a_call_does_beside_computing_is_observed_once_and_put_back(folder, name):
    given, other = example(), example(seed=2)
    with child(name) as kernel:
        results = [forward(kernel, e)[0] for e in (given, other, given)]
        found = [(o.kind, o.text) for o in kernel.observed()]
        assert kernel.observed() == []
    assert np.array_equal(results[0], results[2])
    kind, text = OBSERVED[name]
    assert found
    assert (found[0][0], found[0][1][: len(text)]) == (kind, text)
    assert {k for k, _ in found} == {kind}


def test_nothing_of_it_reaches_this_process(folder, capfd):
    before = (np.geterr(), random.getstate(), Path.cwd(), dict(os.environ))
    for name in ("errors", "seeds", "moves", "sets", "prints_in_c", "crashes"):
        with child(name) as kernel:
            try:
                forward(kernel, example())
            except EndedError:
                assert name == "crashes"
    assert (np.geterr(), random.getstate(), Path.cwd(), dict(os.environ)) == before
    assert capfd.readouterr() == ("", "")


def test_writing_to_arguments_is_seen_here(folder):
    given = example()
    with child("writes") as kernel:
        forward(kernel, given)
    assert not given.x.any()
    given = example()
    with child("takes") as kernel, pytest.raises(RaisedError, match="lacks 'W'"):
        forward(kernel, given)
    assert given.params.keys() == {"U", "b"}


def test_arrays_keep_their_strides_on_the_way(folder):
    (folder / "strides.py").write_text(
        "def forward(params, x, state_0=None, *, lengths=None):\n"
        "    return x.copy(), {'strides': list(x.strides), 'w': params['W'].copy()}, None\n"
    )
    wide = np.arange(240.0).reshape(4, 6, 10)
    for view in (wide, wide[::2, ::-1, 1::3], wide.T, wide[:, :0], wide[::-1, ::-1, ::-1]):
        with isolated("strides.py") as kernel:
            y, found, _ = kernel.forward({"W": wide[0].T}, view)
        assert np.array_equal(y, view)
        assert found["strides"] == list(view.strides) or not view.size
        assert np.array_equal(found["w"], wide[0].T)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("objects", r"y is object\[\], expected float"),
        ("one", "forward gave set, expected"),
        ("exits", "forward ended the process with exit code 3"),
    ],
)
def test_a_wrong_result_is_a_finding_like_that_of_any_implementation(folder, name, cause):
    with child(name) as kernel:
        report = run(RNN, kernel, examples=3)
    assert report.verdict == "wrong"
    assert re.search(cause, report.findings[0].cause)


@pytest.mark.parametrize("name", ["plain", "lists", "objects", "one", "fails", "writes"])
def test_what_is_found_is_what_is_found_without_isolation(folder, name):
    with child(name) as kernel:
        there = run(RNN, kernel, examples=3)
    here = run(RNN, load_implementation(f"nasty.py:{name}"), examples=3)
    found = [(f.property, f.parameter, f.cause) for f in there.findings]
    assert found == [(f.property, f.parameter, f.cause) for f in here.findings]
    assert there.verdict == here.verdict == ("right" if name == "plain" else "wrong")


def test_a_run_goes_on_after_a_crash_and_loses_nothing(folder):
    with child("sometimes") as kernel:
        report = run(RNN, kernel, examples=12)
    assert {f.property for f in report.findings} >= {"runs"}
    assert report.examples > 4
    judged = dict(report.judged)
    assert judged["values"] >= 3
    assert "values" not in {f.property for f in report.findings}
    assert all(f.example.steps == 4 for f in report.findings if f.property == "runs")


def test_a_tape_outlives_the_process_that_made_it(folder):
    given, other = example(), example(steps=4)
    with child("sometimes") as kernel:
        _, _, tape = forward(kernel, given)
        with pytest.raises(EndedError):
            forward(kernel, other)
        grads = kernel.backward(given.params, tape, given.dy, given.dstate_T)
    _, _, right_tape = forward(KERNEL, given)
    right = KERNEL.backward(given.params, right_tape, given.dy, given.dstate_T)
    assert all(np.array_equal(grads[n], right[n]) for n in right)


def test_remarks_leave_the_verdict_alone_and_misconduct_does_not(folder):
    for name, verdict in (("prints", "right"), ("warns", "right"), ("errors", "wrong")):
        with child(name) as kernel:
            report = run(RNN, kernel, examples=3)
        assert report.verdict == verdict
        assert [(f.property, f.remark) for f in report.findings] == [
            (OBSERVED[name][0], verdict == "right")
        ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "'broken.py' fails to import: ZeroDivisionError"),
        ("x = 1", "'broken.py' has no forward"),
        ("import os; os._exit(7)", "loading 'broken.py': the process ended .* exit code 7"),
        ("import ctypes; ctypes.string_at(1)", "loading 'broken.py': the process died of SIGSEGV"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(folder, source, said):
    (folder / "broken.py").write_text(source)
    with pytest.raises(UsageError, match=said) as error:
        isolated("broken.py")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"memory": 0}, {"seconds": -1}])
def test_limits_must_be_positive(folder, limits):
    with pytest.raises(UsageError, match="both must be positive"):
        isolated("nasty.py:plain", **limits)


def test_a_child_ends_with_everything_that_it_started(folder):
    (folder / "parent.py").write_text(
        "import subprocess\n"
        "def forward(params, x, state_0=None, *, lengths=None):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    return x, {'pid': child.pid}, None\n"
    )
    with isolated("parent.py") as kernel:
        pid = kernel.forward({}, np.zeros(2))[1]["pid"]
        os.kill(pid, 0)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not gone(pid):
        time.sleep(0.02)
    assert gone(pid)


def gone(pid):
    """Whether a process is no more, or only its exit code is left."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_hang_shortens_the_patience_with_what_follows(folder):
    with child("hangs", seconds=2) as kernel:
        for seconds in (2, 1):
            with pytest.raises(EndedError, match=f"within {seconds} s"):
                forward(kernel, example())


def test_tapes_that_nobody_has_any_more_are_dropped(folder):
    (folder / "counting.py").write_text(
        "import weakref\n"
        "class Tape: pass\n"
        "LIVING = weakref.WeakSet()\n"
        "def forward(params, x, state_0=None, *, lengths=None):\n"
        "    tape = Tape()\n"
        "    LIVING.add(tape)\n"
        "    return x, {'living': len(LIVING)}, tape\n"
    )
    with isolated("counting.py") as kernel:
        counts = [kernel.forward({}, np.zeros(2))[1]["living"] for _ in range(20)]
    assert max(counts) <= 3
