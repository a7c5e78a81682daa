"""`verify enclose` as it is typed: exit codes, streams, what is said."""

import json
import re
import sys
from dataclasses import replace

import pytest

from derive.backends.numpy import numpy_source
from derive.errors import RuleError
from derive.gradients import gradients
from derive.zoo import load
from verify.__main__ import main
from verify.enclosing import command

SOURCE = numpy_source(gradients(load("rnn")))
AFTER = "\n_right = backward\n\n\ndef backward(*args, **names):\n"
OFF = "    found = _right(*args, **names)\n    found['U'][0, 1] += 1e-3\n    return found\n"
SIZES = ["--steps", "3", "--size", "n=3", "--size", "m=2"]


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    (tmp_path / "right.py").write_text(SOURCE)
    (tmp_path / "wrong.py").write_text(SOURCE + AFTER + OFF)
    (tmp_path / "raises.py").write_text(SOURCE + AFTER + "    raise ValueError('no')\n")
    (tmp_path / "forward.py").write_text(SOURCE + "\ndel backward\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def balls():
    """Balls are there, or the test says that it is not run."""
    pytest.importorskip("flint", reason="no python-flint: pip install 'python-flint>=0.6'")


def test_without_the_package_a_line_says_what_to_install(kernels, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    assert main(["enclose", "rnn", "right.py", "--no-isolate"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "verify: python-flint is not installed, and it has the balls: "
        "pip install 'python-flint>=0.6'\n"
    )


@pytest.mark.usefixtures("balls")
def test_a_right_implementation_exits_with_0_and_every_result_has_a_figure(kernels, capsys):
    assert main(["enclose", "rnn", "right.py", *SIZES]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(
        "enclosed: every error of right.py is enclosed, within the rounding bound of rnn\n"
    )
    for name in ("y", "h_T", "gradient of W", "gradient of U", "gradient of x", "gradient of h_0"):
        assert out.count(f"\n  {name} ") == 4
    assert out.count("T=3, B=2, n=3, m=2") == 4
    assert out.count("float64, seed") == out.count("float32, seed") == 2


@pytest.mark.usefixtures("balls")
def test_a_wrong_implementation_exits_with_1_and_the_entry_is_shown(kernels, capsys):
    assert main(["enclose", "rnn", "wrong.py", *SIZES, "--examples", "1"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("wrong: wrong.py is certified not to compute, up to rounding, rnn\n")
    assert "\n    at [0, 1] it computes " in out
    certified = re.search(r"\n    at least (\S+) and at most (\S+); rounding explains\n", out)
    low, high = map(float, certified.groups())
    assert 0.98e-3 < low <= high < 1.2e-3


@pytest.mark.usefixtures("balls")
def test_json_has_the_same_and_nothing_else_is_printed(kernels, capsys):
    arguments = ["enclose", "rnn", "wrong.py", *SIZES, "--seed", "4", "--json"]
    assert main(arguments) == 1
    text = capsys.readouterr().out
    document = json.loads(text)
    assert (document["verdict"], document["level"]) == ("wrong", "enclosed")
    assert [e["label"].rpartition(", ")[2] for e in document["examples"]] == [
        "seed 4",
        "seed 4",
        "seed 5",
        "seed 5",
    ]
    for example in document["examples"]:
        (wrong,) = [r for r in example["results"] if r["outside"]]
        assert (wrong["name"], wrong["worst"]["index"]) == ("gradient of U", [0, 1])
        assert wrong["worst"]["bound"] < wrong["worst"]["low"] <= wrong["worst"]["high"]
    main(arguments)
    assert capsys.readouterr().out == text


@pytest.mark.usefixtures("balls")
def test_what_is_not_given_is_said_and_what_raises_is_wrong(kernels, capsys):
    assert main(["enclose", "rnn", "forward.py", *SIZES]) == 0
    out = capsys.readouterr().out
    assert "gradients: the implementation has no backward" in out
    assert "gradient of" not in out
    assert main(["enclose", "rnn", "raises.py", *SIZES]) == 1
    out = capsys.readouterr().out
    assert out.startswith("wrong: raises.py does not run as rnn\n")
    assert "backward raised ValueError: no (raises.py, line" in out


@pytest.mark.usefixtures("balls")
def test_where_no_bound_is_finite_nothing_is_decided(kernels, capsys):
    (kernels / "rising.cell").write_text(
        "input x[n]\nstate h[n]\nh = exp(exp(exp(1000 * x * x))) + exp(exp(1e3 + h[t-1]))\n"
    )
    source = numpy_source(gradients(load("rising.cell")))
    (kernels / "rising.py").write_text(source)
    assert main(["enclose", "rising.cell", "rising.py", "--examples", "1"]) == 3
    out = capsys.readouterr().out
    assert out.startswith("undecided: no precision decides whether all of rising.py is within")
    assert "without a finite bound" in out


SINGLE = """
import numpy as np
from right import forward as forwards, backward as backwards


def single(given):
    return given and {name: np.float32(array) for name, array in given.items()}


def forward(params, x, state_0=None, *, lengths=None):
    return forwards(single(params), np.float32(x), single(state_0), lengths=lengths)


def backward(params, tape, dy=None, dstate_T=None):
    return backwards(single(params), tape, None if dy is None else np.float32(dy), single(dstate_T))
"""


@pytest.mark.usefixtures("balls")
def test_a_lower_precision_is_judged_by_its_own_bound(kernels, capsys):
    (kernels / "single.py").write_text(SINGLE)
    assert main(["enclose", "rnn", "single.py", *SIZES]) == 1
    assert main(["enclose", "rnn", "single.py", *SIZES, "--precision", "float32"]) == 0
    assert "enclosed: every error of single.py" in capsys.readouterr().out


@pytest.mark.usefixtures("balls")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--precision", "float8"], "no precision 'float8'; there are "),
        (["--size", "k=3"], "rnn has no size 'k'; it has n, m"),
        (["--size", "n"], "--size n: expected a size and its number, as n=4"),
        (
            ["--size", f"n={'9' * 5000}"],
            f"--size n={'9' * 35}...: expected a size and its number, as n=4",
        ),
        (["--size", "n=0"], "--size n=0: expected a size and its number, as n=4"),
        (["--steps", "0"], "--examples, --steps and --batch must be 1 or more"),
    ],
)
def test_a_usage_error_is_one_line(kernels, capsys, arguments, said):
    assert main(["enclose", "rnn", "right.py", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"verify: {said}")
    assert err.index("\n") == len(err) - 1


@pytest.mark.usefixtures("balls")
def test_a_bound_that_the_emitted_kernel_breaks_is_our_own_failure(kernels, capsys, monkeypatch):
    def beyond(trial):
        found = right(trial)
        return replace(found, results=tuple(replace(r, outside=1) for r in found.results))

    right = command.enclose
    monkeypatch.setattr(command, "enclose", beyond)
    assert main(["enclose", "rnn", "right.py", *SIZES]) == RuleError.exit_code == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verify: our own failure: the emitted kernel is certified to be beyond")
