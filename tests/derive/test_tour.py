"""Everything about a cell in a folder, and its kernel checked."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from spoilt_source import negated

import derive.tour
from derive.errors import UsageError
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.proofs import prove
from derive.tour import Tour, tour
from derive.zoo import load

RNN = gradients(load("rnn"))
CLAIMS = prove(RNN)


def test_a_tour_writes_four_files_and_checks_the_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    result = tour(RNN, CLAIMS, folder)
    assert result.checked
    written = {"rnn.txt", "rnn.theorems.txt", "rnn.tex", "rnn.py"}
    assert {path.name for path in folder.iterdir()} == written
    assert {Path(place).name for place in result.facts["files"].values()} == written
    for place in result.facts["files"].values():
        assert f"    {place}  " in result.text
    error = re.search(r"largest relative error ([\d.e-]+)", result.text)
    assert error
    assert float(error[1]) < 1e-8
    assert result.facts["check"] in result.text


def test_a_tour_tells_a_newcomer_the_equations_and_the_theorems(tmp_path: Path) -> None:
    cell = gradients(load("lstm"))
    text = tour(cell, prove(cell), tmp_path).text
    assert "    C = f * C[t-1] + i * g\n" in text
    assert "    proved, kernel-checked dC_t/dC_{t-1} = diag(f_t), direct\n" in text
    assert (
        "    refuted, decided       dC_t/dC_{t-1} = diag(f_t), total  (a common misreading)\n"
        in text
    )
    assert "where dC_t/dh_{t-1}" not in text


def test_the_written_kernel_is_the_one_that_was_checked(tmp_path: Path) -> None:
    result = tour(RNN, CLAIMS, tmp_path)
    again = subprocess.run(
        [sys.executable, str(tmp_path / "rnn.py")], capture_output=True, text=True, check=True
    )
    assert again.stdout.splitlines()[-1] == result.facts["check"]


def next_command(result: Tour) -> list[str]:
    (line,) = [line for line in result.text.splitlines() if "verify run" in line]
    return shlex.split(line)


def test_the_next_command_calls_the_cell_as_the_caller_does(tmp_path: Path) -> None:
    kernel = str(tmp_path / "rnn.py")
    assert next_command(tour(RNN, CLAIMS, tmp_path)) == ["verify", "run", "rnn", kernel]
    named = tour(RNN, CLAIMS, tmp_path, named="my cells/mine.cell")
    assert next_command(named) == ["verify", "run", "my cells/mine.cell", kernel]


def test_a_cell_may_be_called_like_a_module_that_numpy_imports(tmp_path: Path) -> None:
    cell = gradients(parse("input x[m]\nstate h[n]\nh = tanh(W @ x + U @ h[t-1])", "random"))
    assert cell.cell.name == "random"
    assert tour(cell, (), tmp_path).checked


def test_a_kernel_that_fails_its_own_check_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = derive.tour.numpy_source
    wrong = lambda *given: negated(right(*given), "U")
    monkeypatch.setattr(derive.tour, "numpy_source", wrong)
    result = tour(RNN, CLAIMS, tmp_path)
    assert not result.checked
    assert "largest relative error 2.0e+00 (in U)" in result.text
    monkeypatch.setattr(derive.tour, "numpy_source", lambda *given: "raise SystemExit(3)\n")
    result = tour(RNN, CLAIMS, tmp_path)
    assert not result.checked
    assert result.facts["check"] == "it says nothing"


def test_what_is_not_decided_is_shown(tmp_path: Path) -> None:
    open_claim = replace(CLAIMS[0], verdict="not decided", level="", statement="a = b")
    assert "    not decided            a = b\n" in tour(RNN, (open_claim,), tmp_path).text


def test_a_folder_that_cannot_be_written_is_the_callers_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write into '.*file'"):
        tour(RNN, CLAIMS, tmp_path / "file")


def test_the_same_cell_gives_the_same_files(tmp_path: Path) -> None:
    def texts(derived: Gradients, folder: Path) -> dict[str, bytes]:
        tour(derived, prove(derived), folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert texts(RNN, tmp_path / "a") == texts(gradients(load("rnn")), tmp_path / "b")
