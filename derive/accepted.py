"""Which claims Coq's kernel has accepted: the record that is shipped, and what it says of a cell.

`python -m derive.backends.coq.record` writes it, by running coqc on the file of every cell of the
zoo. It is found by the digest of a cell's text, so that it says nothing of any other cell.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from derive.cell import Cell
from derive.claim import KERNEL_CHECKED, PROVED, Claim

__all__ = ["RECORD", "Accepted", "accepted", "digest", "leveled", "recorded"]

RECORD = "accepted.json"

_Key = tuple[str, str, str]  # row, verdict, statement


@dataclass(frozen=True)
class Accepted:
    """What coqc accepted of one cell.

    Attributes:
        cell: the digest of the cell's text.
        files: the digest of everything that coqc read for it.
        coq: the version that accepted it.
        claims: by row, verdict and statement, where that is so ('': everywhere), and the theorems
            of the file that say it.
    """

    cell: str
    files: str
    coq: str
    claims: Mapping[_Key, tuple[str, ...]]


def digest(*texts: str) -> str:
    """SHA-256 of texts, one after the other."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def recorded() -> Mapping[str, Accepted]:
    """The record: by the name of the zoo, what was accepted."""
    text = (files("derive") / RECORD).read_text(encoding="utf-8")
    return MappingProxyType(
        {
            name: Accepted(
                **{k: v for k, v in row.items() if k != "claims"},
                claims={(c[0], c[1], c[2]): tuple(c[3:]) for c in row["claims"]},
            )
            for name, row in json.loads(text)["cells"].items()
        }
    )


def accepted(cell: Cell) -> Accepted | None:
    """What was accepted of a cell of this very text; None if it is not in the record."""
    own = digest(str(cell))
    return next((found for found in recorded().values() if found.cell == own), None)


def leveled(cell: Cell, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims; those that Coq accepted too say so, with the theorems that state them."""
    found = accepted(cell)
    return tuple(claims) if found is None else tuple(_leveled(claim, found) for claim in claims)


def _leveled(claim: Claim, found: Accepted) -> Claim:
    key = (claim.theorem, claim.verdict, claim.statement)
    if key not in found.claims:
        return claim
    where, *theorems = found.claims[key]
    evidence = "proof" if claim.verdict == PROVED else "refutation"
    by = f"Coq {found.coq} accepts a {evidence}{where and f', {where}'}"
    return replace(
        claim,
        level=KERNEL_CHECKED,
        coq=tuple(theorems),
        method=f"{claim.method}; {by}".lstrip("; "),
    )
