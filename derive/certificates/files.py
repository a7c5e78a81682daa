"""Files of certificates, and what was found in one, for the terminal and for other programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derive.certificates.checker import Finding, MalformedError, check
from derive.certificates.claims import OPEN, RIGHT, UNDECIDED, VOID, WRONG
from derive.errors import UsageError, file_named, one_line

__all__ = ["checked", "findings_json", "findings_text", "is_open", "is_wrong"]

MAX_BYTES = 1 << 23


def checked(path: Path) -> list[Finding]:
    """What becomes of each claim of the certificate in a file.

    Raises:
        UsageError: it does not open, or is no certificate.
    """
    shown = file_named(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        raise UsageError(f"'{shown}' is no file that opens") from None
    if len(text) > MAX_BYTES:
        raise UsageError(f"'{shown}' has more than {MAX_BYTES} bytes; no certificate needs them")
    try:
        document = json.loads(text, object_pairs_hook=_once)
        return list(check(document))
    except (MalformedError, ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, MalformedError) else "it is not JSON"
        raise UsageError(f"'{shown}' is no certificate: {one_line(said)}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("a key stands twice")
    return found


def is_wrong(finding: Finding) -> bool:
    """Whether it makes a certificate wrong."""
    return finding.outcome == WRONG


def is_open(finding: Finding) -> bool:
    """Whether it was not rechecked."""
    return finding.outcome == OPEN


def findings_json(found: Sequence[Finding]) -> dict[str, Any]:
    """What was found, for other programs."""
    verdict = "wrong" if any(map(is_wrong, found)) else "right"
    verdict = "not rechecked" if verdict == "right" and any(map(is_open, found)) else verdict
    return {
        "verdict": verdict,
        "findings": [
            {"cell": f.cell, "claim": f.claim, "outcome": f.outcome, "reason": f.reason}
            for f in found
        ],
    }


def findings_text(found: Sequence[Finding]) -> str:
    """What was found, for a person: what is wrong or open with its reason, then how many."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for f in found:
        if f.outcome in (WRONG, OPEN):
            lines.setdefault((f.outcome, f.cell, f.reason), []).append(f.claim)
    said = []
    for (outcome, cell, reason), claims in lines.items():
        place = ": ".join(one_line(p, 60) for p in (outcome, cell) if p)
        about = ", ".join(dict.fromkeys(one_line(c, 60) for c in claims if c))
        said.append(": ".join(p for p in (place, about, one_line(reason, 200)) if p))
    counts = {o: sum(f.outcome == o for f in found) for o in (RIGHT, WRONG, OPEN, UNDECIDED, VOID)}
    said.append(
        f"{counts[RIGHT]} rechecked and right, {counts[WRONG]} wrong, "
        f"{counts[OPEN]} not rechecked, {counts[UNDECIDED]} not decided, "
        f"{counts[VOID]} do not apply"
    )
    return "\n".join(said) + "\n"
