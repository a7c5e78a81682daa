"""The record of what Coq accepts, written anew: `python -m derive.backends.coq.record [CELL ...]`.

It runs coqc on the file of every cell of the zoo whose entry in derive/accepted.json is not that of
the file as it is written today, and writes the entry when coqc has accepted it; so it can be
stopped and started again. A cell that is not accepted loses its entry.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from derive import zoo
from derive.accepted import RECORD, digest
from derive.backends.coq.checking import check
from derive.backends.coq.claims import claims_of
from derive.backends.coq.instances import meaningful
from derive.backends.coq.module import coq_source, library_source
from derive.backends.coq.specifications import specification, specified
from derive.errors import UsageError
from derive.gradients import gradients

__all__ = ["digest_of", "main"]

PLACE = Path(str(files("derive") / RECORD))


def digest_of(name: str, source: str) -> str:
    """The digest of what Coq reads for a cell of the zoo: library, file, specification."""
    others = specification(name) if name in specified() else ()
    return digest(library_source(), source, *(text for _, text in others))


def main(names: Sequence[str]) -> int:
    """Renew the entries of these cells, or of all; 1 if one is not accepted."""
    for name in _entries().keys() - set(zoo.names()):
        _put(name, None)
    rejected = [name for name in names or zoo.names() if not _renewed(name)]
    return 1 if rejected else 0


def _renewed(name: str) -> bool:
    """Whether a cell has an entry that is up to date, or needs none."""
    try:
        source = coq_source(gradients(zoo.load(name)))
    except UsageError as reason:
        _put(name, None)
        print(f"{name}: {reason}", flush=True)
        return True
    read = digest_of(name, source)
    if _entries().get(name, {}).get("files") == read:
        return True
    found = check(source, name if name in specified() else "")
    _put(name, _entry(name, source, read, found.proved) if found.accepted else None)
    said = f"{len(found.proved)} theorems and lemmas" if found.accepted else found.reason
    print(f"{name}: {'accepted' if found.accepted else 'not accepted'}, {said}", flush=True)
    return found.accepted


def _entry(name: str, source: str, read: str, proved: Sequence[str]) -> dict[str, Any]:
    held = name if name in specified() else ""
    claims = meaningful(claims_of(source, held), gradients(zoo.load(name)))
    known = {p.removeprefix("Cell.") for p in proved}
    missing = {t for c in claims for t in c.theorems} - known
    assert not missing, f"{name}: the list names {missing}, which the file does not prove"
    return {
        "cell": digest(str(zoo.load(name))),
        "files": read,
        "coq": _version(),
        "claims": [[c.name, c.verdict, c.statement, c.where, *c.theorems] for c in claims],
    }


def _version() -> str:
    said = subprocess.run(["coqc", "--version"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\d+\.\d+(?:\.\d+)?", said)[0]


def _entries() -> dict[str, Any]:
    return dict(json.loads(PLACE.read_text(encoding="utf-8"))["cells"])


def _put(name: str, entry: dict[str, Any] | None) -> None:
    entries = _entries()
    entries.pop(name, None)
    if entry is not None:
        entries[name] = entry
    lines = ",\n".join(f'"{name}": {_written(entries[name])}' for name in sorted(entries))
    new = PLACE.with_suffix(".new")
    new.write_text(f'{{"version": 1, "cells": {{\n{lines}\n}}}}\n', encoding="utf-8")
    new.replace(PLACE)


def _written(entry: dict[str, Any]) -> str:
    """An entry, one line for each claim."""
    head = json.dumps({k: v for k, v in entry.items() if k != "claims"})
    return f'{head[:-1]}, "claims": [\n{_rows(entry["claims"])}]}}'


def _rows(claims: list[list[str]]) -> str:
    return ",\n".join(f"  {json.dumps(claim)}" for claim in claims)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
