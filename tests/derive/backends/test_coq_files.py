"""Coq files on disk: whose they are, and what is said of them."""

import json
from pathlib import Path

import pytest

from derive import zoo
from derive.__main__ import main
from derive.backends.coq import coq_source, installed
from derive.gradients import gradients

needs_coq = pytest.mark.skipif(
    not installed(), reason="no coqc: apt-get install --no-install-recommends coq"
)


@pytest.fixture
def rnn(tmp_path: Path) -> Path:
    path = tmp_path / "rnn.v"
    path.write_text(coq_source(gradients(zoo.load("rnn"))), encoding="utf-8")
    return path


@needs_coq
def test_what_prove_writes_check_accepts(tmp_path: Path, capsys) -> None:
    file = str(tmp_path / "rnn.v")
    assert main(["prove", "rnn", "--coq", file]) == 0
    capsys.readouterr()
    assert main(["check", file]) == 0
    said = capsys.readouterr().out
    assert "theorems and lemmas about rnn" in said
    assert "it is what bptt" in said
    assert "it meets the specification of rnn" in said
    assert "  kernel-checked: gradients, output in (-1, 1), slopes, chaining, recurrent" in said


@needs_coq
def test_a_cell_of_ones_own_gets_its_levels_by_check(tmp_path: Path, capsys) -> None:
    cell, file = tmp_path / "mine.cell", str(tmp_path / "mine.v")
    cell.write_text("input x[m]\nstate h[n]\nh = relu(W @ x + U @ h[t-1] + b)\n")
    assert main(["prove", str(cell), "--coq", file]) == 0
    assert "kernel-checked" not in capsys.readouterr().out
    assert main(["check", file, "--json"]) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    assert {c["name"]: c["where"] for c in claims} == {
        "gradients": "on runs away from kinks and poles",
        "slopes": "",
        "chaining": "",
    }
    assert {c["level"] for c in claims} == {"kernel-checked"}


@needs_coq
def test_a_lemma_that_was_taken_out_is_told(rnn: Path, capsys) -> None:
    text = rnn.read_text(encoding="utf-8")
    start = text.index("Lemma losses_exist")
    rnn.write_text(text[:start] + text[text.index("Qed.", start) + 5 :], encoding="utf-8")
    assert main(["check", str(rnn)]) == 0
    said = capsys.readouterr().out
    assert "it is not what bptt" in said
    assert "kernel-checked" not in said


@needs_coq
def test_a_changed_derivation_is_not_accepted(rnn: Path, capsys) -> None:
    text = rnn.read_text(encoding="utf-8")
    changed = text.replace("*[n] (b_a_h p x s dy carry))", "*[n] (b_h p x s dy carry))", 1)
    assert changed != text
    rnn.write_text(changed, encoding="utf-8")
    assert main(["check", str(rnn)]) == 1
    assert "not accepted: Cell.v: in adjoint" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "(* nothing *)", "(* x: back-propagation through time\n\n*)"])
def test_what_has_no_cell_is_one_line(tmp_path: Path, text: str, capsys) -> None:
    path = tmp_path / "odd.v"
    path.write_text(text, encoding="utf-8")
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    assert "does not begin with a cell" in said
    assert said.count("\n") == 1


def test_a_network_has_no_file(tmp_path: Path, capsys) -> None:
    assert main(["prove", "stacked_lstm", "--coq", str(tmp_path / "n.v")]) == 2
    assert "a Coq file is about one cell" in capsys.readouterr().err
