"""Everything for one cell: derivation, theorems, article and kernel in a folder, kernel checked."""

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derive.backends.numpy import numpy_source
from derive.claim import VOID, Claim
from derive.errors import UsageError
from derive.gradients import Gradients
from derive.language.printing import text_of_expression
from derive.latex import latex
from derive.reports import claims_text, gradient_lines, show_text

__all__ = ["Tour", "checked", "claim_lines", "tour", "write_all"]


_READING = (
    "direct: the other states of step t-1 are held fixed; total: every path is followed;",
    "decided: both sides have one normal form, for all sizes and values, or numbers refute it",
)


@dataclass(frozen=True)
class Tour:
    """What was written and found; `checked` says whether the kernel passed its own check."""

    text: str
    facts: dict[str, Any]
    checked: bool


def tour(gradients: Gradients, claims: Sequence[Claim], folder: Path, named: str = "") -> Tour:
    """Write everything about a cell and run its kernel's check.

    Args:
        named: what the caller calls the cell, where that is not its name: a file.

    Raises:
        UsageError: the folder cannot be written.
    """
    cell = gradients.cell
    files = {
        "gradients, step by step": (f"{cell.name}.txt", show_text(gradients)),
        "theorems": (f"{cell.name}.theorems.txt", claims_text(cell, claims)),
        "LaTeX article": (f"{cell.name}.tex", latex(gradients, claims)),
        "NumPy kernel": (f"{cell.name}.py", numpy_source(gradients, claims)),
    }
    write_all(folder, files)
    kernel = folder / f"{cell.name}.py"
    said, passed = checked(kernel)
    lines = [cell.title or cell.name, ""]
    lines += [f"    {e.name} = {text_of_expression(e.value)}" for e in cell.equations]
    lines += ["", "Back-propagation through time", "", *_introduced(gradients)]
    lines += [f"    {line}" if line else "" for line in gradient_lines(gradients)]
    lines += ["", "Theorems", ""]
    lines += [f"    {line}" for claim in claims for line in claim_lines(claim)]
    lines += ["", *(f"    {line}" for line in _READING)]
    lines += ["", "The kernel's check of itself", "", f"    {said}", "", "Written", ""]
    lines += [f"    {folder / name}  {what}" for what, (name, _) in files.items()]
    place, article = shlex.quote(str(folder)), shlex.quote(str(folder / f"{cell.name}.tex"))
    lines += [
        "",
        f"Next: pdflatex -output-directory {place} {article}",
        f"      verify run {shlex.quote(named or cell.name)} {shlex.quote(str(kernel))}",
    ]
    facts = {
        "files": {what: str(folder / name) for what, (name, _) in files.items()},
        "check": said,
        "claims": [{"name": c.theorem, "verdict": c.verdict, "level": c.level} for c in claims],
    }
    return Tour("\n".join(lines) + "\n", facts, passed)


def write_all(folder: Path, files: Mapping[str, tuple[str, str]]) -> None:
    """Write (name, text) for each thing into the folder, which is made if there is none.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.values():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write into '{folder}': {error.strerror}") from None


def checked(kernel: Path) -> tuple[str, bool]:
    """The last line that an emitted module's check of itself says, and whether it passed."""
    # -P: a cell may have the name of a module that NumPy imports.
    command = [sys.executable, "-P", str(kernel)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (run.stdout.strip() or run.stderr.strip() or "it says nothing").splitlines()[-1]
    return said, run.returncode == 0


def _introduced(gradients: Gradients) -> list[str]:
    """Where to find names that the equations do not have."""
    own = {e.name for e in gradients.cell.equations}
    names = [a.name for a in gradients.forward if a.name not in own]
    if not names:
        return []
    where = f"{gradients.cell.name}.txt"
    return [f"    Names that the equations lack, such as {names[0]}, are defined in {where}.", ""]


def claim_lines(claim: Claim) -> list[str]:
    """One line for a claim; nothing for what does not apply."""
    if claim.verdict == VOID:
        return []
    note = "  (a common misreading)" if claim.misread else ""
    statement = claim.statement.partition(", where ")[0]
    return [f"{claim.settled:<23}{statement}{note}"]
