"""Certificates of cells of the zoo, and what the checker says of changed ones."""

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from derive.certificates.checker import Finding, check, digest, seal
from derive.certificates.claims import WRONG
from derive.certificates.writer import certificate
from derive.gradients import gradients
from derive.proofs import prove
from derive.zoo import load

__all__ = ["certified", "changed", "claim_of", "reasons", "resealed", "wrong"]


@cache
def _text(name: str) -> str:
    g = gradients(load(name))
    return json.dumps(certificate([(g, prove(g))]))


def certified(name: str) -> Any:
    """A fresh copy of the certificate of a cell of the zoo, as a file gives it."""
    return json.loads(_text(name))


def resealed(document: Any) -> Any:
    """The same as a forger would leave it: digest and seal are those of what is written."""
    for cell in document["cells"]:
        if isinstance(cell["text"], str):
            cell["digest"] = digest(cell["text"])
    return {**document, "seal": seal(document)}


def changed(name: str, change: Callable[[Any], None]) -> Any:
    """The certificate with a change in its cell, sealed again."""
    document = certified(name)
    before = copy.deepcopy(document)
    change(document["cells"][0])
    assert document != before, "nothing was changed"
    return resealed(document)


def wrong(document: Any) -> list[Finding]:
    """What is wrong with a certificate."""
    return [finding for finding in check(document) if finding.outcome == WRONG]


def reasons(document: Any) -> str:
    """Why it is wrong, a line each."""
    return "\n".join(f"{finding.claim}: {finding.reason}" for finding in wrong(document))


def claim_of(cell: Any, name: str, verdict: str = "") -> Any:
    """The first claim of that name, and that verdict if one is given."""
    return next(c for c in cell["claims"] if c["name"] == name and verdict in ("", c["verdict"]))
