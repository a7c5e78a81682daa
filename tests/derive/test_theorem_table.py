"""The page with every theorem for every cell is what `derive prove` says."""

import re
import runpy
import time
from pathlib import Path

import pytest

from derive.gradients import gradients
from derive.proofs import prove
from derive.theorems import KINDS
from derive.zoo import load, names

DOCS = Path(__file__).parents[2] / "docs"
TABLES = runpy.run_path(str(DOCS / "make_tables.py"))
TEXT = (DOCS / "theorem_table.md").read_text(encoding="utf-8")
SAMPLE = ("rnn", "gru", "lstm", "peephole_lstm", "lstm_projection", "janet", "slstm")


def rows(kind: str) -> dict[str, tuple[str, ...]]:
    """A table of the page: by cell, its letters."""
    (table,) = re.findall(rf"<!-- verdicts: {kind} -->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    lines = [tuple(line.strip("| ").split(" | ")) for line in table.strip().splitlines()[2:]]
    return {cell.strip("`"): letters for cell, *letters in lines}


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_has_a_row_in_every_table(kind: str) -> None:
    assert tuple(rows(kind)) == names()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_cells_has_the_letters_of_the_page(kind: str) -> None:
    found = {cell.strip("`"): letters for cell, *letters in TABLES["verdicts"](kind, SAMPLE)}
    shown = rows(kind)
    assert found == {cell: shown[cell] for cell in SAMPLE}


@pytest.mark.slow
def test_all_cells_have_the_letters_of_the_page() -> None:
    assert TABLES["with_verdicts"](TEXT, names()) == TEXT


@pytest.mark.slow
def test_the_zoo_is_proved_within_a_minute() -> None:
    """In this process' own time; no cell takes more than two seconds of it on an idle machine."""
    derived = [gradients(load(name)) for name in names()]
    start = time.process_time()
    for found in derived:
        prove(found)
    assert time.process_time() - start < 60
