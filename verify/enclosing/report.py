"""What was enclosed, for a terminal and for other programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Literal

import numpy as np

from verify.enclosing.enclosure import Enclosure, Entry, Result

__all__ = ["Report", "Verdict", "to_json", "to_text"]

Verdict = Literal["enclosed", "wrong", "undecided"]

# Of the JSON document.
VERSION = 1


@dataclass(frozen=True)
class Report:
    """What was certified of an implementation.

    Attributes:
        broken: examples on which it raised or gave something else, each with what.
        not_given: what it does not give, each with the reason.
    """

    cell: str
    implementation: str
    enclosures: tuple[Enclosure, ...]
    broken: tuple[tuple[str, str], ...] = ()
    not_given: tuple[tuple[str, str], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Wrong if any error is certified to be beyond its bound."""
        results = [r for e in self.enclosures for r in e.results]
        if self.broken or any(r.outside for r in results):
            return "wrong"
        bounded = any(r.entries > r.unbounded for r in results)
        return "undecided" if not bounded or any(r.undecided for r in results) else "enclosed"


def to_text(report: Report) -> str:
    """The report as plain text, ending in a newline."""
    name = report.implementation
    said = {
        "enclosed": f"every error of {name} is enclosed, within the rounding bound of",
        "wrong": f"{name} is certified not to compute, up to rounding,",
        "undecided": f"no precision decides whether all of {name} is within the rounding bound of",
    }
    if report.broken and not any(r.outside for e in report.enclosures for r in e.results):
        said["wrong"] = f"{name} does not run as"
    lines = [f"{report.verdict}: {said[report.verdict]} {report.cell}"]
    for label, what in report.broken:
        lines += ["", label, f"  {what}"]
    for enclosure in report.enclosures:
        lines += ["", *_enclosure(enclosure)]
    if report.not_given:
        lines += ["", "not judged:", *(f"  {what}: {why}" for what, why in report.not_given)]
    return "\n".join(lines) + "\n"


def _enclosure(enclosure: Enclosure) -> Iterator[str]:
    yield f"{enclosure.label}; balls of {enclosure.bits} bits"
    width = max((len(r.name) for r in enclosure.results), default=0)
    yield f"  {'':{width}}  error <=  in ulps   of its bound"
    for r in enclosure.results:
        share = _up(r.share) if r.unbounded < r.entries else "-"
        figures = f"{_up(r.largest):8}  {_up(r.ulps):8} {share:8}"
        yield f"  {r.name:{width}}  {figures}{_remarks(r)}".rstrip()
        if r.worst is not None:
            yield from _beyond(r.worst)


def _remarks(r: Result) -> str:
    counts = (
        (r.outside, "beyond their bound"),
        (r.undecided, "undecided: on a jump or a pole, or outside of a domain"),
        (r.unbounded, "without a finite bound"),
        (r.wide, "enclosed, but not closely"),
    )
    return "".join(f"  {count} of {r.entries} {what}" for count, what in counts if count)


def _beyond(worst: Entry) -> Iterator[str]:
    yield f"    at {list(worst.index)} it computes {worst.got!r}; that is certified to be off by"
    yield f"    at least {_down(worst.low)} and at most {_up(worst.high)}; rounding explains"
    yield f"    no more than {_up(worst.bound)}"


def _up(value: float) -> str:
    """Two digits that are not below the value."""
    return _digits(value, ROUND_CEILING)


def _down(value: float) -> str:
    """Two digits that are not above the value."""
    return _digits(value, ROUND_FLOOR)


def _digits(value: float, rounding: str) -> str:
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    exact = Decimal(value)
    last = Decimal(1).scaleb(exact.adjusted() - 1)
    return f"{float(exact.quantize(last, rounding=rounding)):.1e}"


def to_json(report: Report) -> str:
    """The report as one JSON document with sorted keys, ending in a newline."""
    document = {
        "version": VERSION,
        "cell": report.cell,
        "implementation": report.implementation,
        "verdict": report.verdict,
        "level": "enclosed",
        "examples": [_plain(asdict(enclosure)) for enclosure in report.enclosures],
        "broken": [{"example": label, "what": what} for label, what in report.broken],
        "not_judged": [{"what": what, "why": why} for what, why in report.not_given],
    }
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Something that JSON can hold: what is no finite number is text."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
