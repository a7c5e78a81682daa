"""What is known of a run that is not over: a file of JSON lines, one for each example."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from derive.errors import UsageError, one_line
from verify.isolation.conduct import Observation

__all__ = ["Journal", "Outcome", "run_key"]


@dataclass(frozen=True)
class Outcome:
    """What came of one example, by the names of properties; `skipped` has reasons.

    Attributes:
        wide: whether bounds were too wide to decide anything of some result.
    """

    judged: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    observed: tuple[Observation, ...] = ()
    wide: bool = False


class Journal:
    """Outcomes by example, kept in a file as they come, and found there again.

    Attributes:
        kept: how many were found.
    """

    def __init__(self, path: Path, known: dict[str, Outcome], stream: TextIO) -> None:
        self.path = path
        self.kept = len(known)
        self._known = known
        self._stream = stream

    @classmethod
    def open(cls, path: str | Path, key: Mapping[str, Any]) -> "Journal":
        """The journal of a run, begun if there is no such file.

        Args:
            key: what the run is of; see `run_key`.

        Raises:
            UsageError: the file is that of another run, is no journal, or cannot be written.
        """
        path, shown = Path(path), one_line(str(path), 80)
        try:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            first = json.loads(lines[0]) if lines else dict(key)
            known = dict(_outcome(line) for line in lines[1:] if _whole(line))
            stream = path.open("w", encoding="utf-8")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"'{shown}' is no journal: {one_line(str(error), 100)}") from None
        if first != dict(key):
            stream.write("".join(f"{line}\n" for line in lines))
            stream.close()
            apart = [n for n in key if not isinstance(first, dict) or first.get(n) != key[n]]
            names = ", ".join(apart) or "form"
            raise UsageError(f"'{shown}' is of another run: another {names}; name another file")
        stream.write("".join(f"{line}\n" for line in (lines[:1] or [json.dumps(dict(key))])))
        stream.write("".join(f"{line}\n" for line in lines[1:] if _whole(line)))
        stream.flush()
        return cls(path, known, stream)

    def find(self, label: str) -> Outcome | None:
        """What came of an example, if it is known."""
        return self._known.get(label)

    def write(self, label: str, outcome: Outcome) -> None:
        """Keep what came of an example."""
        line = {
            "example": label,
            "judged": outcome.judged,
            "failed": outcome.failed,
            "skipped": outcome.skipped,
            "wide": outcome.wide,
            "observed": [[o.kind, o.call, o.text] for o in outcome.observed],
        }
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; it stays."""
        self._stream.close()


def _whole(line: str) -> bool:
    """Whether a line was written to its end."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _outcome(line: str) -> tuple[str, Outcome]:
    found = json.loads(line)
    return found["example"], Outcome(
        tuple(found["judged"]),
        tuple(found["failed"]),
        found["skipped"],
        tuple(Observation(*one) for one in found["observed"]),
        found["wide"],
    )


def run_key(cell: str, implementation: str, **options: Any) -> dict[str, Any]:
    """What a run is of: the cell's equations, the implementation and its file, and options."""
    return {
        "cell": _digest(cell.encode()),
        "implementation": implementation,
        "file": _file(implementation),
        **options,
    }


def _file(implementation: str) -> str:
    """The digest of the file that an implementation names, '' if it names none."""
    for text in (implementation, implementation.rpartition(":")[0]):
        if text and Path(text).is_file():
            return _digest(Path(text).read_bytes())
    return ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
