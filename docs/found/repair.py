"""A line of somebody's that is repaired in memory."""

from dataclasses import dataclass

__all__ = ["Repair"]


@dataclass(frozen=True)
class Repair:
    """Lines that make one thing right.

    Attributes:
        what: what was wrong.
        kind: 'bug', or 'choice' where it is meant so.
        edits: (file, line, what stands there, what should).
    """

    what: str
    kind: str
    edits: tuple[tuple[str, int, str, str], ...]
