"""Markdown pages -> blocks, and what happens when their examples are run.

How a page is read:

- A block whose first line is a comment with a file's name, `# mine.cell` or `# train.py`, is
  written to that file. Any other `python` block is run; a page's blocks share their names. A `text`
  block with nothing but blank lines before it is what the `python` block above it prints.
- In a `console` block `$ command` is run, and what stands below it is what it prints, on both
  streams; where nothing stands below it, it must exit with 0 or 1. `derive`, `verify`, `python` and
  `cat` are run, but for `NOT_RUN` and `BY_HAND`; `; echo $?` prints the exit code.
- In what is printed a line `...` stands for any number of lines, and `...` in a line for any text.
  Error figures such as 7.8e-12 may differ tenfold, numbers with more than ten decimals in the last
  digits, durations such as `0.3 s` at will.
"""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from derive.__main__ import main as derive
from verify.__main__ import main as verify

__all__ = ["Block", "blocks_of", "difference", "read_page", "run_page", "unchecked"]

ROOT = Path(__file__).parents[2]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # matrices here are small
CI = ("CI", "BUILD_NUMBER")  # where one is set, pytest shortens nothing: not what a reader sees

# Commands that are shown and not run, with the reason. They may show no output.
NOT_RUN = {
    "pytest": "a test cannot run all tests",
    "ruff": "part of .ci/run, not of what a user installs",
    "mypy": "part of .ci/run, not of what a user installs",
    "pdflatex": "tests/derive/test_latex_compiles.py runs it where it is installed",
    "python docs/make_tables.py": "test_tables_are_up_to_date runs it",
    "verify convert theirs.npz": "the file is the reader's own; docs/conventions.md runs others",
}
# These may show some: figures of one machine, taken by hand.
BY_HAND = ("python benchmarks/",)

_FENCE = re.compile(r"\s*```(\S*)")
_FILE = re.compile(r"# ([\w-]+\.(?:py|cell|network))")
_FIGURE, _LONG, _DURATION = r"(\d(?:\.\d+)?e[-+]\d+)", r"(\d+\.\d{11,})", r"\d+(?:\.\d+)? s\b"
_TOKEN = re.compile(rf"{_FIGURE}|{_LONG}|({_DURATION})|(\.\.\.)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is where it opens, `follows` whether text stands before it."""

    kind: str
    lines: tuple[str, ...]
    line: int
    follows: bool = False

    @property
    def file(self) -> str:
        """The file that it is written to, or ''."""
        found = _FILE.fullmatch(self.lines[0]) if self.lines else None
        return found[1] if found else ""

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines) + "\n"


@dataclass
class Page:
    """A page that is being run in a folder."""

    name: str
    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})


def read_page(path: Path) -> list[Block]:
    """The blocks of a Markdown file."""
    return blocks_of(path.read_text(encoding="utf-8"))


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a text in Markdown."""
    found: list[Block] = []
    held: list[str] | None = None
    kind, start, apart = "", 0, True
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if held is None and fence:
            kind, held, start = fence[1], [], number
        elif held is not None and fence:
            found.append(Block(kind, tuple(held), start, not apart))
            held, apart = None, False
        elif held is not None:
            held.append(line)
        elif line.strip():
            apart = True
    assert held is None, f"line {start}: a block that is not closed"
    return found


def run_page(name: str, blocks: Sequence[Block], folder: Path) -> None:
    """Run a page's examples, in order, in `folder`, which must be the working directory.

    Raises:
        AssertionError: the page does not show what happens; says where.
    """
    page, printed = Page(name, folder), None
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
            printed = None
        elif block.kind == "python":
            printed = _python(page, block)
        elif block.kind == "text" and block.follows and printed is not None:
            _compare(page, block.line, "the block above", block.lines, printed)
            printed = None
        elif block.kind == "console":
            for line, command, shown in _commands(block):
                _console(page, line, command, shown)
            printed = None


def _python(page: Page, block: Block) -> list[str]:
    with _captured() as stream:
        try:
            code = compile("\n" * block.line + block.text, page.name, "exec")
            exec(code, page.names)
        except Exception as error:
            raise AssertionError(f"{page.name}, line {block.line}: raises {error!r}") from error
    return stream.getvalue().splitlines()


def _commands(block: Block) -> Iterator[tuple[int, str, list[str]]]:
    """(line, command, what it prints)."""
    places = [k for k, line in enumerate(block.lines) if line.startswith("$ ")]
    assert places[:1] == [0], f"line {block.line}: a console block must start with `$ command`"
    for place, end in zip(places, [*places[1:], len(block.lines)], strict=True):
        yield block.line + 1 + place, block.lines[place][2:], list(block.lines[place + 1 : end])


def _console(page: Page, line: int, command: str, shown: list[str]) -> None:
    bare, echo, rest = command.partition("; echo $?")
    assert not rest, f"{page.name}, line {line}: `{command}` goes on after `echo $?`"
    words = shlex.split(bare, comments=True)
    words[0] = Path(words[0]).name
    bare = " ".join(words)
    if bare.startswith(BY_HAND):
        return
    if bare.startswith(tuple(NOT_RUN)):
        assert not shown, f"{page.name}, line {line}: output of `{bare}`, which is not run"
        return
    code, printed = _ran(page, line, words[0], words[1:])
    assert shown or code < 2, f"{page.name}, line {line}: `{bare}` exits with {code}: {printed}"
    if shown:
        said = [*printed, str(code)] if echo else printed
        _compare(page, line, f"`{command}`", shown, said)


def _ran(page: Page, line: int, program: str, arguments: list[str]) -> tuple[int, list[str]]:
    """(exit code, lines on both streams)."""
    inside = {"derive": derive, "verify": verify}
    if program in ("python", "python3"):
        if arguments[:1] == ["-m"] and arguments[1] in inside:
            return _ran(page, line, arguments[1], arguments[2:])
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=page.folder,
            env={**_terminal(), "PYTHONPATH": str(ROOT), **ONE_THREAD},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()
    if program == "cat":
        return 0, (page.folder / arguments[0]).read_text(encoding="utf-8").splitlines()
    known = f"run {', '.join(inside)}, python or cat, or add '{program}' to NOT_RUN with a reason"
    assert program in inside, f"{page.name}, line {line}: nobody runs `{program}`; {known}"
    with _captured() as stream:
        code = inside[program](arguments)
    return code, stream.getvalue().splitlines()


def _terminal() -> dict[str, str]:
    """The environment of somebody who follows a page."""
    return {name: value for name, value in os.environ.items() if name not in CI}


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    """Both streams in one text."""
    stream = io.StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        yield stream


def _compare(
    page: Page, line: int, what: str, shown: Sequence[str], printed: Sequence[str]
) -> None:
    found = difference(shown, printed)
    real = "\n".join(f"    {text}" for text in printed)
    assert not found, f"{page.name}, line {line}: {what}: {found}; it prints\n{real}"


def difference(shown: Sequence[str], printed: Sequence[str]) -> str:
    """'' if `shown` is `printed`, perhaps with parts left out; else the first line that is not."""
    pieces: list[list[str]] = [[]]
    for text in _stripped(shown):
        if text.strip() == "...":
            pieces.append([])
        else:
            pieces[-1].append(text)
    rest = _stripped(printed)
    for number, piece in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        starts = range(1) if first else range(len(rest) + 1)
        if last and not first:
            starts = range(max(0, len(rest) - len(piece)), len(rest) + 1)
        place = next((k for k in starts if _alike(piece, rest[k:]) == len(piece)), None)
        if place is None:
            return _unseen(piece, rest, range(1) if first else range(len(rest) + 1))
        rest = rest[place + len(piece) :]
    return f"the page lacks `{rest[0]}`" if rest and len(pieces) == 1 else ""


def _unseen(piece: Sequence[str], rest: Sequence[str], starts: range) -> str:
    """The first line that differs, where most lines before it are as shown."""
    alike = {k: _alike(piece, rest[k:]) for k in starts}
    start = max(alike, key=lambda k: alike[k])
    number = alike[start]
    shown = piece[min(number, len(piece) - 1)] if piece else ""
    place = start + number
    found = f", not `{rest[place]}`" if place < len(rest) and (number or len(starts) == 1) else ""
    return f"the page shows `{shown}`{found}"


def _alike(piece: Sequence[str], printed: Sequence[str]) -> int:
    """How many lines are the same before one is not."""
    pairs = enumerate(zip(piece, printed, strict=False))
    return next((k for k, (a, b) in pairs if not _same(a, b)), min(len(piece), len(printed)))


def _stripped(lines: Iterable[str]) -> list[str]:
    found = [line.rstrip() for line in lines]
    while found and not found[-1]:
        found.pop()
    return found


def _same(shown: str, printed: str) -> bool:
    """Whether a line is as shown, up to what may differ."""
    pattern, numbers, place = "", [], 0
    for token in _TOKEN.finditer(shown):
        figure, long, duration, _ = token.groups()
        pattern += re.escape(shown[place : token.start()])
        pattern += _FIGURE if figure else _LONG if long else _DURATION if duration else ".*"
        numbers += [(float(figure or long), bool(figure))] if figure or long else []
        place = token.end()
    found = re.fullmatch(pattern + re.escape(shown[place:]), printed)
    if found is None:
        return False
    return all(
        abs(a) <= 10 * abs(b) <= 100 * abs(a) if loose else abs(a - b) <= 1e-9 * abs(a)
        for (a, loose), b in zip(numbers, map(float, found.groups()), strict=True)
    )


def unchecked(blocks: Sequence[Block], kinds: Mapping[str, str]) -> list[str]:
    """Blocks that nothing runs or compares: neither a file, code, output nor one of `kinds`."""
    found, before = [], None
    for block in blocks:
        runs = block.file or block.kind in ("python", "console") or block.kind in kinds
        output = block.kind == "text" and block.follows and before == "python"
        if not runs and not output:
            found.append(f"line {block.line}: a block of kind '{block.kind}'")
        before = "" if block.file else block.kind
    return found
