"""A run that is interrupted goes on where it was."""

import json

import pytest
from emitted import kernel_of

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.errors import UsageError
from derive.gradients import gradients
from verify.__main__ import main
from verify.isolation import Journal, Observation, Outcome, run_key
from verify.report import to_json
from verify.runner import run

RNN = zoo.load("rnn")
KERNEL = kernel_of(RNN)
KEY = run_key(str(RNN), "none.py", seed=0)
OUTCOME = Outcome(
    ("values",), ("gradients",), {"lengths": "no"}, (Observation("prints", "a", "b"),)
)


class Counting:
    """A kernel that counts its forward calls, and may interrupt the run."""

    def __init__(self, kernel, stop=None):
        self.kernel, self.stop, self.calls = kernel, stop, 0

    def forward(self, *args, **names):
        self.calls += 1
        if self.stop is not None and self.calls > self.stop:
            raise KeyboardInterrupt
        return self.kernel.forward(*args, **names)

    def backward(self, *args):
        return self.kernel.backward(*args)


class Spoilt:
    """A kernel with a wrong gradient of U."""

    forward = staticmethod(KERNEL.forward)

    def backward(self, *args):
        grads = KERNEL.backward(*args)
        return {**grads, "U": -grads["U"]}


@pytest.mark.parametrize("kernel", [KERNEL, Spoilt()], ids=["right", "wrong"])
def test_an_interrupted_run_ends_as_one_that_was_not(kernel, tmp_path):
    whole = run(RNN, kernel, examples=12)
    path, stop, rounds = tmp_path / "run.jsonl", 60, 0
    while True:
        rounds += 1
        counting = Counting(kernel, stop)
        try:
            with Journal.open(path, KEY) as journal:
                report = run(RNN, counting, examples=12, journal=journal)
        except KeyboardInterrupt:
            stop += 40
            continue
        break
    assert rounds > 2
    assert to_json(report) == to_json(whole)


def test_what_is_known_is_not_judged_again(tmp_path):
    calls = []
    for _ in range(2):
        counting = Counting(KERNEL)
        with Journal.open(tmp_path / "run.jsonl", KEY) as journal:
            run(RNN, counting, examples=12, journal=journal)
        calls.append(counting.calls)
    assert calls[0] > 100
    assert calls[1] <= 7  # what the implementation gives is asked again


def test_a_line_that_was_not_written_to_its_end_is_left_out(tmp_path):
    path = tmp_path / "run.jsonl"
    with Journal.open(path, KEY) as journal:
        journal.write("one", OUTCOME)
        journal.write("two", OUTCOME)
    path.write_text(path.read_text()[:-20])
    with Journal.open(path, KEY) as journal:
        assert journal.kept == 1
        assert journal.find("one") == OUTCOME
        assert journal.find("two") is None
        journal.write("two", OUTCOME)
    with Journal.open(path, KEY) as journal:
        assert journal.kept == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({**KEY, "seed": 1}) + "\n", "is of another run: another seed; name another"),
        (json.dumps({**KEY, "cell": "0"}) + "\n", "is of another run: another cell;"),
        ("not json\n", "is no journal: "),
        ("[]\n", "is of another run: "),
        (json.dumps(KEY) + "\n{}\n", "is no journal: "),
    ],
)
def test_a_file_that_is_another_is_refused_and_stays(tmp_path, text, said):
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        Journal.open(path, KEY)
    assert "\n" not in str(error.value)
    assert path.read_text() == text


def test_a_changed_implementation_is_another_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "layer.py"
    path.write_text("one")
    keys = [run_key("cell", text) for text in ("layer.py", "layer.py:Name", "module:Name")]
    assert keys[0]["file"] == keys[1]["file"] != ""
    assert keys[2]["file"] == ""
    path.write_text("two")
    assert run_key("cell", "layer.py")["file"] != keys[0]["file"]


def test_the_command_resumes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layer.py").write_text(numpy_source(gradients(RNN)))
    command = ["run", "rnn", "layer.py", "--examples", "8", "--resume", "run.jsonl"]
    outputs = []
    for _ in range(2):
        assert main(command) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 9
    assert main([*command, "--seed", "5"]) == 2
    assert "is of another run: another seed" in capsys.readouterr().err
