"""`verify run` as it is typed: exit codes, streams, one-line errors."""

import json
import os
import subprocess
import sys

import pytest

from derive.backends.numpy import numpy_source
from derive.gradients import gradients
from derive.zoo import load
from verify.__main__ import main

HEAVY = {"sympy", "numpy", "hypothesis", "pytest", "torch", "jax", "keras", "onnx"}
SOURCE = numpy_source(gradients(load("rnn")))


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    wrong = SOURCE + "\n_right = backward\n\n\ndef backward(*args, **names):\n"
    wrong += "    found = _right(*args, **names)\n    return {**found, 'U': -found['U']}\n"
    (tmp_path / "right.py").write_text(SOURCE)
    (tmp_path / "wrong.py").write_text(wrong)
    (tmp_path / "chatty.py").write_text("print('loaded')\n" + SOURCE)
    (tmp_path / "raises.py").write_text(
        "def forward(*_, **__):\n    raise ValueError('two\\nlines')\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_right_implementation_exits_with_0(kernels, capsys):
    assert main(["run", "rnn", "right.py", "--examples", "8"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("right: right.py is rnn in all that was judged\n")
    assert err == ""


def test_a_wrong_implementation_exits_with_1_and_the_report_says_what_is_wrong(kernels, capsys):
    assert main(["run", "rnn", "wrong.py", "--examples", "8", "--seed", "3"]) == 1
    out = capsys.readouterr().out
    assert "gradients: U[" in out
    assert out.endswith("again: verify run rnn wrong.py --examples 8 --seed 3\n")


def test_json_is_the_only_thing_on_standard_output(kernels, capsys):
    assert main(["run", "rnn", "wrong.py", "--examples", "8", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "wrong"
    assert {f["parameter"] for f in document["findings"]} == {"U"}
    for way, printed in (("--isolate", ""), ("--no-isolate", "loaded\n")):
        assert main(["run", "rnn", "chatty.py", "--examples", "3", "--json", way]) == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["verdict"] == "right"
        assert err == printed


def test_a_seed_repeats_the_run_byte_for_byte(kernels, capsys):
    outputs = []
    for _ in range(2):
        main(["run", "rnn", "right.py", "--examples", "10", "--seed", "5", "--json"])
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]


def test_an_implementation_that_raises_is_wrong_and_not_our_failure(kernels, capsys):
    assert main(["run", "rnn", "raises.py", "--examples", "2"]) == 1
    out, err = capsys.readouterr()
    assert "runs: forward raised ValueError: two lines (raises.py, line 2)" in out
    assert err == ""


def test_a_users_own_cell_file_works_where_a_name_does(kernels, capsys):
    text = "input x[m]\nstate s[n]\ns = 0.5 * s[t-1] + tanh(A @ x + c)\n"
    (kernels / "own.cell").write_text(text)
    source = numpy_source(gradients(load("own.cell")))
    (kernels / "own_kernel.py").write_text(source)
    assert main(["run", "own.cell", "own_kernel.py", "--examples", "8"]) == 0
    assert capsys.readouterr().out.startswith("right: own_kernel.py is own ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no_cell", "right.py"], "'no_cell' is neither a cell of the zoo"),
        (["run", "rnn", "nowhere.py"], "'nowhere.py' is not a file"),
        (["run", "rnn", "right.py:Nobody"], "'right.py' has no 'Nobody'"),
        (["run", "rnn", "right.py", "--examples", "0"], "0 examples: at least one is needed"),
        (["run", "rnn", "right.py", "--examples", "many"], "invalid int value: 'many'"),
        (["run", "rnn", "right.py", "--profile", "fast"], "no profile 'fast'"),
        (["run", "rnn"], "required: IMPLEMENTATION"),
        (["run", "rnn", "right.py", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        ([], "required: COMMAND"),
    ],
)
def test_bad_input_is_one_line_on_standard_error_and_exit_code_2(kernels, capsys, arguments, said):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("verify: ")
    assert said in err
    assert err.count("\n") == 1


def test_our_own_failure_is_one_line_and_exit_code_4(kernels, capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("not\nexpected")

    monkeypatch.setattr("verify.runner.run", broken)
    assert main(["run", "rnn", "right.py"]) == 4
    assert capsys.readouterr().err == "verify: our own failure: RuntimeError: not expected\n"


def test_what_cannot_be_judged_at_all_exits_with_3(kernels, capsys, monkeypatch):
    from verify.report import Report

    nothing = Report("rnn", "", "undecided", (), (), (), 0, 0, 0)
    monkeypatch.setattr("verify.runner.run", lambda *_, **__: nothing)
    assert main(["run", "rnn", "right.py"]) == 3


def test_help_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "verify", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert done.stdout.startswith("usage: verify ")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not {name.partition(".")[0] for name in imported} & HEAVY
