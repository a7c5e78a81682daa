"""pdflatex has nothing to say about an article of any cell."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from articles import CELLS, CLAIMS

from derive.gradients import gradients
from derive.latex import latex


def compiled(tex: str, folder: Path) -> str:
    """The log of the third run of pdflatex, unwrapped."""
    (folder / "article.tex").write_text(tex)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "article.tex"]
    for _ in range(3):
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            env={"max_print_line": "1000", "PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": "."},
            timeout=60,
            check=False,
        )
    log = (folder / "article.log").read_text(errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return log


def complaints(log: str) -> list[str]:
    """Lines of a log worth reading; a box may stick out by one point."""
    found = []
    for line in log.splitlines():
        overfull = re.match(r"Overfull \\hbox \(([\d.]+)pt", line)
        if overfull and float(overfull[1]) <= 1:
            continue
        if re.search(r"Warning|Overfull|Underfull|^!|undefined|multiply defined", line):
            found.append(line)
    return found


needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed"
)


@needs_pdflatex
@pytest.mark.parametrize("name", CELLS)
def test_pdflatex_compiles_the_article_without_a_warning(name: str, tmp_path: Path) -> None:
    log = compiled(latex(gradients(CELLS[name]), CLAIMS), tmp_path)
    assert complaints(log) == []
    assert re.search(r"Output written on article.pdf \(\d+ pages", log)


@needs_pdflatex
def test_an_undefined_reference_and_a_wide_line_are_complaints(tmp_path: Path) -> None:
    tex = latex(gradients(CELLS["rnn"]), ())
    wide = r"\noindent\rule{600pt}{1pt} \ref{nowhere}" + "\n\\end{document}"
    found = complaints(compiled(tex.replace("\\end{document}", wide), tmp_path))
    assert any("Overfull" in line for line in found)
    assert any("nowhere" in line for line in found)
