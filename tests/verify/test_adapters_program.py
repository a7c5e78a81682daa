"""A program in C that reads and writes .npz, built with gcc, and programs that fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emitted import kernel_of

from derive import zoo
from derive.errors import UsageError
from verify.adapters.limits import NotGivenError
from verify.adapters.program import program
from verify.loading import load_implementation
from verify.runner import run
from verify.strategies import make_example

RNN = zoo.load("rnn")
SOURCE = Path(__file__).parents[1] / "helpers" / "rnn_program.c"
GCC = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc here")


def example(**options):
    given = {"steps": 4, "batch": 3, "sizes": {"n": 2, "m": 3}, "seed": 1}
    return make_example(RNN, **given | options)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    for name, more in (("right", []), ("wrong", ["-DWRONG"])):
        command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", *more, str(SOURCE), "-lm"]
        subprocess.run([*command, "-o", str(folder / name)], check=True)
    return folder


@pytest.fixture
def python(tmp_path):
    """A program of a few lines of Python."""

    def made(text):
        path = tmp_path / "program.py"
        path.write_text(
            f"import sys\nimport numpy as np\ngiven = dict(np.load(sys.argv[1]))\n{text}"
        )
        return program((sys.executable, str(path)), cell="rnn")

    return made


@GCC
def test_a_program_in_c_gives_what_the_kernel_gives(built):
    given = example()
    made = program(str(built / "right"), cell="rnn")
    y, last, tape = made.forward(given.params, given.x, given.state_0)
    grads = made.backward(given.params, tape, given.dy, given.dstate_T)
    kernel = kernel_of(RNN)
    right_y, right_last, right_tape = kernel.forward(given.params, given.x, given.state_0)
    right = kernel.backward(given.params, right_tape, given.dy, given.dstate_T)
    assert grads.keys() == right.keys()
    pairs = [(y, right_y), (last["h"], right_last["h"]), *((grads[n], right[n]) for n in right)]
    for got, expected in pairs:
        assert np.allclose(got, expected, rtol=1e-13, atol=1e-15)


@GCC
@pytest.mark.parametrize(("name", "verdict"), [("right", "right"), ("wrong", "wrong")])
def test_a_program_in_c_is_judged(built, name, verdict):
    report = run(RNN, load_implementation(f"cmd:{built / name}", cell="rnn"), examples=12)
    assert report.verdict == verdict
    assert {f.parameter for f in report.findings} == ({"U"} if name == "wrong" else set())
    said = dict(report.not_judged)
    assert said["no steps"] == "not given: there must be a step and a row"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sys.exit('no\\nluck')", "the program exits with 1: luck"),
        ("import os; os.abort()", "the program died of SIGABRT"),
        ("", r"the program's out\.npz cannot be read: FileNotFoundError"),
        ("open(sys.argv[2], 'w').write('x')", r"the program's out\.npz cannot be read: "),
        (
            "np.savez(sys.argv[2], y=np.array([object()]))",
            r"the program's out\.npz cannot be read: ValueError: Object arrays",
        ),
    ],
)
def test_a_program_that_fails_says_how(python, text, said):
    with pytest.raises(RuntimeError, match=said) as error:
        python(text).forward(example().params, example().x)
    assert "\n" not in str(error.value)


def test_a_program_that_does_not_take_something_is_not_accused(python):
    made = python("print('only short ones', file=sys.stderr)\nsys.exit(77)")
    with pytest.raises(NotGivenError, match="only short ones"):
        made.forward(example().params, example().x)
    assert run(RNN, made, examples=2).verdict == "undecided"


def test_a_program_is_given_everything_by_its_name(python):
    made = python("np.savez(sys.argv[2], y=np.array(sorted(given)))")
    given = example(with_lengths=True)
    y, last, _ = made.forward(given.params, given.x, given.state_0, lengths=given.lengths)
    assert y.tolist() == ["inputs/x", "lengths", "params/U", "params/W", "params/b", "state_0/h"]
    assert last == {"h": None}
    assert made.forward(given.params, given.x)[0].tolist() == sorted(
        ["inputs/x", "params/U", "params/W", "params/b"]
    )


@pytest.mark.parametrize(
    ("text", "said"), [("cmd:", "no command"), ("cmd:./no", "'./no' is no pro")]
)
def test_what_is_no_program_is_said_in_one_line(text, said):
    with pytest.raises(UsageError, match=said):
        load_implementation(text, cell="rnn")
