"""A Coq file on disk: whose it is, whether Coq accepts it, and whether it meets a specification."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derive import zoo
from derive.backends.coq.checking import Checked, check
from derive.backends.coq.claims import Settled, claims_of
from derive.backends.coq.instances import meaningful
from derive.backends.coq.module import coq_source
from derive.backends.coq.specifications import specified
from derive.cell import Cell
from derive.claim import KERNEL_CHECKED
from derive.errors import CellError, UsageError
from derive.gradients import gradients
from derive.language import parse
from derive.version import VERSION

__all__ = ["CheckedFile", "checked_json", "checked_text", "read_and_check"]

_HEAD = re.compile(r"\(\* (\w+): back-propagation through time.*?\n\n(.*?)\n\*\)", re.DOTALL)


@dataclass(frozen=True)
class CheckedFile:
    """What came of a file.

    Attributes:
        cell: the name in its head.
        own: whether it is, byte for byte, what this version writes for the cell in its head.
        specification: the one that it was held against; '' if there is none for it.
        settled: claims of `derive prove` that its theorems say; none unless Coq accepts the file
            and it is `own`, for then its list is ours too.
    """

    file: str
    cell: str
    own: bool
    specification: str
    checked: Checked
    settled: tuple[Settled, ...] = ()


def read_and_check(path: Path) -> CheckedFile:
    """Have Coq check a file that `derive prove CELL --coq FILE` wrote.

    Raises:
        UsageError: it cannot be read, has no such head, or there is no Coq.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read '{path}': {error}") from None
    cell = _cell_of(source)
    if cell is None:
        raise UsageError(
            f"'{path}' does not begin with a cell: it should be what "
            "`derive prove CELL --coq FILE` writes"
        )
    derived = gradients(cell)
    own = coq_source(derived) == source
    named = cell.name in specified() and zoo.load(cell.name) == cell
    held = cell.name if named else ""
    checked = check(source, held)
    trusted = own and checked.accepted
    settled = meaningful(claims_of(source, held), derived) if trusted else ()
    return CheckedFile(str(path), cell.name, own, held, checked, settled)


def _cell_of(source: str) -> Cell | None:
    """The cell in a file's head."""
    found = _HEAD.match(source)
    if not found:
        return None
    lines = [line.removeprefix("     ") for line in found[2].splitlines()]
    try:
        return parse("\n".join(lines), found[1])
    except CellError:
        return None


def checked_text(found: CheckedFile) -> str:
    """What came of it, for the terminal."""
    checked = found.checked
    if not checked.accepted:
        return f"{found.file}: not accepted: {checked.reason}\n"
    lines = [
        f"{found.file}: Coq accepts {len(checked.proved)} theorems and lemmas about {found.cell}",
        f"  axioms, all of Coq's own: {', '.join(checked.axioms)}",
        f"  it {'is' if found.own else 'is not'} what bptt {VERSION} writes for this cell"
        + ("" if found.own else ": read its statements"),
    ]
    if found.specification:
        lines.append(f"  it meets the specification of {found.specification}, written by hand")
    rows: dict[str, dict[str, None]] = {}
    for claim in found.settled:
        rows.setdefault(claim.where, {})[claim.name] = None
    for where, names in rows.items():
        lines.append(f"  {KERNEL_CHECKED}{where and f' {where}'}: {', '.join(names)}")
    return "\n".join(lines) + "\n"


def checked_json(found: CheckedFile) -> dict[str, Any]:
    """The same for programs."""
    return {
        "file": found.file,
        "cell": found.cell,
        "accepted": found.checked.accepted,
        "reason": found.checked.reason,
        "proved": list(found.checked.proved),
        "axioms": list(found.checked.axioms),
        "own": found.own,
        "specification": found.specification,
        "claims": [
            {
                "name": c.name,
                "verdict": c.verdict,
                "level": KERNEL_CHECKED,
                "statement": c.statement,
                "where": c.where,
                "theorems": list(c.theorems),
            }
            for c in found.settled
        ],
    }
