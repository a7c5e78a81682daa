"""The pages say what happens: their examples are run, their tables compared with the source."""

import runpy
import sys
from pathlib import Path

import pytest
from pages import Block, blocks_of, difference, read_page, run_page, unchecked

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, *([ROOT / "README.md"] if (ROOT / "README.md").is_file() else [])]

# Kinds of blocks in docs/ that other tests see to.
ELSEWHERE = {"diff": "test_the_row_that_is_shown_works_in_a_copy"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory from which modules can be imported; they are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_is_what_happens(page: Path, folder: Path) -> None:
    run_page(page.name, read_page(page), folder)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_block_of_a_page_is_checked(page: Path) -> None:
    assert unchecked(read_page(page), ELSEWHERE) == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_tables_are_up_to_date(page: Path) -> None:
    renewed = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))["renewed"]
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run python docs/make_tables.py"
