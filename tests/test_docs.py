"""The pages say what happens: their examples are run, their tables compared with the source."""

import re
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import blocks_of, difference, read_page, run_page, unchecked

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md"]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")

# Kinds of blocks in docs/ that a test of its own sees to.
ELSEWHERE = {"diff": "test_what_contributing_shows_is_all_that_it_takes"}


def called(page: Path) -> str:
    return page.name


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


# What a page's examples need beside the package: why it is missing, or ''.
NEEDS = {
    "enclosures.md": lambda: "" if find_spec("flint") else "no python-flint",
    "coq.md": lambda: "" if shutil.which("coqc") else "no coqc",
}


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_what_a_page_shows_is_what_happens(page: Path, folder: Path) -> None:
    missing = NEEDS.get(page.name, str)()
    if missing:
        pytest.skip(f"{missing}: its examples are not run")
    run_page(page.name, read_page(page), folder)


@pytest.mark.parametrize("page", DOCS, ids=called)
def test_every_block_of_a_page_is_checked(page: Path) -> None:
    assert unchecked(read_page(page), ELSEWHERE) == []


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_links_lead_to_files(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=called)
def test_tables_are_up_to_date(page: Path) -> None:
    renewed = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))["renewed"]
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run python docs/make_tables.py"


NEW = {
    "derive/cells/star.cell": (
        "-m derive list",
        "-m pytest -q -p no:cacheprovider tests/derive/test_every_cell.py -k star",
    ),
    "derive/primitives.py": (
        "-m derive numpy new.cell -o new.py",
        "new.py",
        "-m pytest -q -p no:cacheprovider tests/derive/test_primitives.py",
    ),
}


@pytest.mark.parametrize("file", NEW)
def test_what_contributing_shows_is_all_that_it_takes(file: str, tmp_path: Path) -> None:
    page = read_page(ROOT / "docs" / "contributing.md")
    diffs = {b.lines[1].removeprefix("+++ "): b.lines for b in page if b.kind == "diff"}
    assert diffs.keys() == NEW.keys()
    for name in ("derive", "verify", "tests/derive", "tests/helpers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    apply(diffs[file], tmp_path)
    (tmp_path / "new.cell").write_text("input x[m]\nstate h[n]\nh = logsigmoid(W @ x + U @ h[t-1])")
    said = ""
    for command in NEW[file]:
        done = subprocess.run(
            [sys.executable, *command.split()],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said += done.stdout
    assert "star " in said or "logsigmoid" in (tmp_path / "new.py").read_text()


def apply(diff: tuple[str, ...], root: Path) -> None:
    """Apply a difference of one hunk; its line numbers are not looked at."""
    file = root / diff[1].removeprefix("+++ ")
    old = "\n".join(line[1:] for line in diff[3:] if line[0] in " -")
    new = "\n".join(line[1:] for line in diff[3:] if line[0] in " +")
    if diff[0] == "--- /dev/null":
        assert not file.exists()
        file.write_text(new + "\n", encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"what the difference is against stands not once in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")


TRUE_PAGE = """
```text
# tiny.cell
input x[m]
state h[n]
h = tanh(W @ x + U @ h[t-1])
```

```console
$ derive show tiny.cell; echo $?
tiny
...
  h = tanh(W @ x + U @ h[t-1])
...
  parameter  W  (n, m)
  parameter  U  (n, n)
...
That these are the gradients, for any T: proved, decided
0
$ derive show none.cell; echo $?
derive: 'none.cell' is neither a cell of the zoo (...) nor a file that opens
2
```

```python
import derive
cell = derive.load("tiny.cell")
```

```python
print(cell.name, len(cell.parameters))
print(7.8e-12)
```

```text
tiny 2
7.1e-12
```

```console
$ python -c "print('done in 0.25 s')"
done in 3.1 s
```
"""


def test_a_true_page_passes(folder: Path) -> None:
    run_page("page", blocks_of(TRUE_PAGE), folder)


@pytest.mark.parametrize(
    ("true", "lie", "said"),
    [
        ("parameter  U  (n, n)", "parameter  U  (n, m)", "line 10: .* shows `  parameter"),
        ("(n, m)\n  param", "(n, m)\n  bias\n  param", "line 10: .* shows `  bias`, not"),
        ("W  (n, m)\n  parameter  U", "U  (n, n)\n  parameter  W", "line 10: .* shows"),
        ("tiny\n...", "tiny", "line 10: .* shows `  h = tanh"),
        ("\n0\n$", "\n1\n$", "line 10: .* shows `1`, not `0`"),
        ("proved, decided\n0", "proved, decided\nmore\n0", "line 10: .* shows"),
        ("h = tanh(W @ x + U @ h[t-1])\n```", "h = tanh(x)\n```", "line 10: .* shows `tiny`"),
        ("\n2\n", "\n0\n", "line 20: .* shows `0`, not `2`"),
        ("is neither", "is either", "line 20: .* shows `derive: .*`, not `derive"),
        ("tiny 2", "tiny 3", "line 35: .* shows `tiny 3`, not `tiny 2`"),
        ("\n7.1e-12", "", "line 35: the block above: the page lacks `7.8e-12`"),
        ("\n7.1e-12", "\n7.1e-10", "line 35: .* shows `7.1e-10`, not `7.8e-12`"),
        ("done in 3.1 s", "gone in 3.1 s", "line 41: .* shows `gone in 3.1 s`"),
        ('load("tiny.cell")', 'load("toy.cell")', "line 25: raises UsageError"),
        ("$ derive show none.cell; echo $?", "$ forge none.cell", "line 20: nobody runs `forge`"),
        ('$ python -c "print', '$ pytest\nfine\n$ python -c "print', "line 41: output of `pytest`"),
        ("done in 3.1 s", "done in 3.1 s\n$ derive show none.cell", "line 43: .* exits with 2"),
        ("```console\n$ derive", "```console\nderive", "line 9: a console block must start"),
        ("3.1 s\n```", "3.1 s", "line 40: a block that is not closed"),
    ],
)
def test_a_page_that_lies_is_caught(true: str, lie: str, said: str, folder: Path) -> None:
    assert TRUE_PAGE.count(true) == 1
    with pytest.raises(AssertionError, match=said):
        run_page("page", blocks_of(TRUE_PAGE.replace(true, lie)), folder)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\n...\nb", "a\nb", True),
        ("a\n...\nb", "a\nx\ny\nb", True),
        ("a\n...\nb", "a\nx\nb\ny", False),
        ("...\nb\n...", "a\nb", True),
        ("...\nb\nc\n...", "b\na\nb\nc", True),
        ("...\nb\n...\nb", "a\nb", False),
        ("a ... c", "a b c", True),
        ("a ... c", "a b d", False),
        ("1.0e-12", "9.0e-12", True),
        ("1.0e-12", "2.0e-11", False),
        ("-0.12345678901234", "-0.12345678901299", True),
        ("-0.12345678901234", "-0.12345679901234", False),
        ("-0.12345678901234", "0.12345678901234", False),
        ("0.5214", "0.5215", False),
        ("(a|b)", "a", False),
        ("a", "a\n\n", True),
        ("a", "", False),
    ],
)
def test_what_is_shown_is_compared_line_by_line(shown: str, printed: str, same: bool) -> None:
    assert (difference(shown.splitlines(), printed.splitlines()) == "") is same


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```text\nsaid\n```", ["line 1: a block of kind 'text'"]),
        ("```python\n1\n```\n\nProse.\n\n```text\nsaid\n```", ["line 7: a block of kind 'text'"]),
        ("```python\n1\n```\n\n```text\nsaid\n```", []),
        ("```sh\nderive list\n```", ["line 1: a block of kind 'sh'"]),
        ("```text\n# my.cell\ninput x[m]\n```\n```console\n$ derive list\n```", []),
    ],
)
def test_a_block_that_nothing_checks_is_seen(text: str, found: list[str]) -> None:
    assert unchecked(blocks_of(text), ELSEWHERE) == found


def test_a_table_that_is_out_of_date_is_seen() -> None:
    renewed = runpy.run_path(str(ROOT / "docs" / "make_tables.py"))["renewed"]
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    changed = text.replace("| `y*(1 - y)` |", "| `y*(1 + y)` |")
    assert changed != text
    assert renewed(changed) == renewed(text)
    with pytest.raises(KeyError, match="nothing"):
        renewed("<!-- table: nothing -->\n<!-- end -->")
