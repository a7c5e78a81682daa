"""No cell text can run code, read a file, hang the parser or bring out a traceback."""

import builtins
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from derive import zoo
from derive.errors import CellError
from derive.language import parse
from tests.derive.language.hostile import MARKER, ROWS, Row

WALL = 2.0  # seconds for one text; the slowest row takes a tenth of it
EVENTS = ("exec", "open", "import", "os.", "subprocess.", "socket.", "ctypes.", "shutil.")
EACH = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

Watch = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture(scope="module")
def watch() -> Watch:
    """A context in which Python's audit events are noted; a hook cannot be taken off again."""
    places: list[list[str]] = []

    def hook(event: str, _: object) -> None:
        if places and event.startswith(EVENTS):
            places[-1].append(event)

    @contextmanager
    def watched() -> Iterator[list[str]]:
        places.append([])
        try:
            yield places[-1]
        finally:
            places.pop()

    sys.addaudithook(hook)
    return watched


def check_message(message: str) -> None:
    assert message.isascii()
    assert message.isprintable(), "one line, without control characters"
    assert len(message) <= 400


def test_the_table_has_two_hundred_different_texts() -> None:
    raw = {t if isinstance(t, bytes) else t.encode(errors="surrogatepass") for t in texts()}
    assert len(raw) == len({row.name for row in ROWS}) == len(ROWS) >= 200


def texts() -> Iterator[str | bytes]:
    return (row.text for row in ROWS)


@EACH
def test_a_hostile_text_gets_one_clear_line_in_bounded_time(row: Row) -> None:
    start = time.process_time()
    with pytest.raises(CellError) as caught:
        parse(row.text)
    assert time.process_time() - start < WALL
    message = str(caught.value)
    check_message(message)
    assert message.startswith(f"line {row.line}: ")
    assert message.count("line 1: ") <= 1, "the place stands once"
    assert any(says in message for says in row.says.split("|")), message
    assert caught.value.exit_code == 2


@EACH
def test_a_hostile_text_is_never_executed(
    row: Row, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CellError):
        parse(row.text)  # SymPy's own late imports happen here, and are not the text's doing
    monkeypatch.chdir(tmp_path)
    for patched in ("eval", "exec"):
        monkeypatch.setattr(builtins, patched, lambda *_, **__: pytest.fail("executed"))
    with watch() as events, pytest.raises(CellError):
        parse(row.text)
    assert events == []
    assert list(tmp_path.iterdir()) == []


def test_the_watch_sees_an_execution(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with watch() as events:
        eval(f"open('{MARKER}', 'w').close()")
    assert events == ["exec", "open"]
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]


@EACH
def test_a_hostile_file_is_refused_by_its_name(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = row.text
    raw = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    Path("mine.cell").write_bytes(raw)
    start = time.process_time()
    with pytest.raises(CellError) as caught:
        zoo.load("mine.cell")
    assert time.process_time() - start < WALL
    message = str(caught.value)
    check_message(message)
    assert re.match(r"mine\.cell: line \d+: ", message), message
    assert message.count("mine.cell") == 1
