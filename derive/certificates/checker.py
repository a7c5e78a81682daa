"""A certificate checked: every claim is decided again, and what is written is not trusted.

For each cell the text is read again; the single assignments must be its equations; the cotangents
must be the transpose of the differential of the step; the right side of each statement is read and
compared with the derivative that is taken here; counterexamples are run. Only equality of normal
forms proves, and only numbers refute. Sources are literature and versions are information: they
are compared with nothing, but the seal covers them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from derive.certificates.claims import KINDS, OPEN, WRONG, form, judged, lacking
from derive.certificates.declarations import RefusedError
from derive.certificates.indices import UncheckedError
from derive.certificates.subject import Subject

__all__ = [
    "FORMAT",
    "VERSION",
    "Finding",
    "MalformedError",
    "check",
    "digest",
    "normal_forms",
    "seal",
]

DEEP = "an expression that nests too deep"
FORMAT, VERSION = "derive certificate", 1
_CELL: Mapping[str, type] = {
    "name": str,
    "text": str,
    "digest": str,
    "assignments": list,
    "cotangents": list,
    "claims": list,
}
_CLAIM: Mapping[str, type] = {
    "name": str,
    "statement": str,
    "level": str,
    "verdict": str,
    "should_hold": bool,
    "hypotheses": str,
    "source": str,
    "example": str,
    "normal_form": list,
    "witness": list,
}


@dataclass(frozen=True)
class Finding:
    """What became of one claim, or of a whole cell if `claim` is ''."""

    cell: str
    claim: str
    outcome: str
    reason: str = ""


def digest(text: str) -> str:
    """The digest of a cell's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal(document: Mapping[str, Any]) -> str:
    """The digest of everything else in a certificate: it shows a slip, not a forger."""
    rest = {key: value for key, value in document.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


class MalformedError(Exception):
    """A file that is no certificate."""


def check(document: Any) -> Iterator[Finding]:
    """What becomes of each claim of a certificate.

    Raises:
        MalformedError: the document has not the parts of a certificate.
    """
    _shaped(document, {"format": str, "version": int, "versions": dict, "cells": list, "seal": str})
    if document["format"] != FORMAT or document["version"] != VERSION or not document["cells"]:
        raise MalformedError(f"expected format '{FORMAT}', version {VERSION}, and cells")
    for cell in document["cells"]:
        _shaped(cell, _CELL)
        for row in cell["assignments"]:
            _shaped(row, {"name": str, "value": str, "shape": list})
        for row in cell["cotangents"]:
            _shaped(row, {"name": str, "value": str})
        for claim in cell["claims"]:
            _shaped(claim, _CLAIM)
            if not all(isinstance(row, str) for row in claim["witness"]):
                raise MalformedError("a witness is no text")
    if document["seal"] != seal(document):
        yield Finding("", "", WRONG, "the seal is not that of the text: something was changed")
    for cell in document["cells"]:
        yield from _checked(cell)


def normal_forms(cell: Mapping[str, Any]) -> Iterator[list[str]]:
    """For each claim the form that both sides have; nothing where there is none, or not here."""
    try:
        subject: Subject | None = Subject(cell)
    except (RefusedError, UncheckedError, RecursionError):
        subject = None
    for claim in cell["claims"]:
        found: list[str] = []
        if subject and claim["verdict"] == "proved" and claim["name"] in KINDS:
            try:
                found = form(subject, claim)
            except (RefusedError, UncheckedError, RecursionError):
                found = []
        yield found


def _shaped(part: Any, keys: Mapping[str, type]) -> None:
    if not isinstance(part, dict) or part.keys() != keys.keys():
        raise MalformedError(f"expected the keys {', '.join(keys)}")
    for key, kind in keys.items():
        if not isinstance(part[key], kind):
            raise MalformedError(f"'{key}' is no {kind.__name__}")


def _checked(cell: Mapping[str, Any]) -> Iterator[Finding]:
    name = cell["name"]
    if digest(cell["text"]) != cell["digest"]:
        yield Finding(name, "", WRONG, "the digest is not that of the cell's text")
    try:
        subject = Subject(cell)
    except RefusedError as error:
        yield Finding(name, "", WRONG, str(error))
        return
    except (UncheckedError, RecursionError) as error:
        yield Finding(name, "", OPEN, DEEP if isinstance(error, RecursionError) else str(error))
        return
    for claim in cell["claims"]:
        try:
            outcome, reason = judged(subject, claim)
        except RefusedError as error:
            outcome, reason = WRONG, str(error)
        except UncheckedError as error:
            outcome, reason = OPEN, str(error)
        except RecursionError:
            outcome, reason = OPEN, DEEP
        yield Finding(name, claim["name"], outcome, reason)
    try:
        for reason in lacking(subject, cell["claims"]):
            yield Finding(name, "", WRONG, reason)
    except (UncheckedError, RecursionError):
        yield Finding(name, "", OPEN, "whether a claim is missing")
