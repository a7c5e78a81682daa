"""Cells by name and by file."""

from pathlib import Path

import pytest

from derive import zoo
from derive.errors import CellError, UsageError


def test_the_zoo_has_the_five_first_cells_and_lists_them_sorted() -> None:
    names = zoo.names()
    assert {"rnn", "lstm", "peephole_lstm", "gru", "gru_reset_before"} <= set(names)
    assert list(names) == sorted(names)


def test_a_file_is_a_cell_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "my lstm.cell"
    file.write_text(str(zoo.load("lstm")), encoding="utf-8")
    assert zoo.load(file) == zoo.load(str(file)) == zoo.load("lstm")
    assert zoo.load(file).name == "my_lstm"


def test_a_name_of_the_zoo_wins_over_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rnn").write_text("nothing like a cell", encoding="utf-8")
    assert zoo.load("rnn").name == "rnn"
    with pytest.raises(CellError, match=r"^\./rnn: line 1: not an equation"):
        zoo.load("./rnn")


@pytest.mark.parametrize("name", ["", ".", "/", "lsmt", "no/such/file", "a\0b", "x" * 5_000, "\n"])
def test_what_is_neither_a_name_nor_a_file_is_said_in_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="is neither a cell of the zoo") as caught:
        zoo.load(name)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) <= 400
    assert caught.value.exit_code == 2


def test_a_cell_error_names_the_file_and_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.cell"
    file.write_text("input x[m]\nstate h[n]\n\nh = selu(W @ x)\n", encoding="utf-8")
    with pytest.raises(CellError) as caught:
        zoo.load(file)
    assert "mine.cell: line 4: unknown function 'selu'" in str(caught.value)


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "large.cell"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)  # a terabyte of holes
    with pytest.raises(CellError, match="line 1: the text has more than 65536 bytes"):
        zoo.load(file)
