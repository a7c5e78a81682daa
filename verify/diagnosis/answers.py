"""What is said of an implementation: is it the cell, is its gradient its own, and why not."""

from dataclasses import dataclass, field
from typing import Any, Literal

from verify.deviations.model import Model

__all__ = ["Answer", "Cause", "Diagnosis", "plain", "told"]

Answer = Literal["yes", "no", "not judged"]

# Of causes that explain equally so many are written out in text; JSON has all.
SHOWN = 4


@dataclass(frozen=True)
class Cause:
    """A deviation that reproduces what was seen.

    Attributes:
        deviation: the row's name.
        cause: what the row says.
        variant: which one.
        by_design: whether people do it on purpose, so that it is no wrong formula.
        explains: the wrong results that it reproduces: 'y', 'C_T', 'd W_f' for the gradient of
            W_f; or the property that tells it.
        only: where the implementation does it, if not everywhere.
        model: what computes all that; None if it is told by a property.
    """

    deviation: str
    cause: str
    variant: str
    by_design: bool
    explains: tuple[str, ...]
    only: str = ""
    model: Model | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """In a line."""
        where = f" (only {self.only})" if self.only else ""
        kind = "by design, " if self.by_design else ""
        which = f": {self.variant}" if self.variant else ""
        return f"{kind}{self.cause}{which}{where}"


@dataclass(frozen=True)
class Diagnosis:
    """What an implementation is, and why.

    Attributes:
        is_cell: whether outputs and final states are the cell's.
        own_gradient: whether gradients are those of its own forward.
        causes: those with the same `explains` explain equally; others hold at once. Empty if
            nothing is wrong, or if no known deviation explains it.
        wrong: the results that are not the cell's.
        symptoms: what is seen, no cause, where causes do not account for all.
        failed: why no diagnosis could be made, if none could.
    """

    is_cell: Answer
    own_gradient: Answer
    causes: tuple[Cause, ...] = ()
    wrong: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    failed: str = ""

    @property
    def explained(self) -> bool:
        """Whether the causes account for all that is wrong."""
        return bool(self.causes) and not self.unexplained

    @property
    def unexplained(self) -> tuple[str, ...]:
        """The wrong results that no cause accounts for."""
        found = {name for cause in self.causes for name in cause.explains}
        return tuple(name for name in self.wrong if name not in found)

    @property
    def computed(self) -> bool:
        """Whether formulas that are known compute all wrong outputs and final states."""
        values = {n for n in self.wrong if not n.startswith("d ")}
        found = {n for cause in self.causes if cause.model is not None for n in cause.explains}
        return bool(values) and values <= found


def told(found: Diagnosis, cell: str) -> list[str]:
    """The diagnosis as lines of a report."""
    lines = [
        "diagnosis:",
        f"  outputs and final states are {cell}'s: {found.is_cell}",
        f"  gradients are those of its own forward: {found.own_gradient}",
    ]
    groups: dict[tuple[str, ...], list[Cause]] = {}
    for cause in found.causes:
        groups.setdefault(cause.explains, []).append(cause)
    for number, group in enumerate(groups.values()):
        for k, cause in enumerate(group[:SHOWN]):
            word = "or equally" if k else "and" if number else "likely cause"
            lines.append(f"  {word}: {cause.text}")
        if len(group) > SHOWN:
            lines.append(f"  and {len(group) - SHOWN} more that explain equally")
    if found.failed:
        lines.append(f"  it could not be made: {found.failed}")
    elif not found.causes:
        lines.append("  none of the known deviations explains it")
    elif found.unexplained:
        rest = ", ".join(found.unexplained)
        lines.append(f"  not explained by a known deviation: {rest}")
    lines += [f"  symptom, no cause: {symptom}" for symptom in found.symptoms]
    return lines


def plain(found: Diagnosis) -> list[dict[str, Any]]:
    """The causes for JSON, and after them symptoms as 'symptom'."""
    seen = [_row(text, "symptom") for text in found.symptoms]
    failed = [_row(found.failed, "no diagnosis")] if found.failed else []
    causes = [
        {
            "cause": c.cause,
            "deviation": c.deviation,
            "variant": c.variant,
            "by_design": c.by_design,
            "explains": list(c.explains),
            "only": c.only,
        }
        for c in found.causes
    ]
    return [*causes, *seen, *failed]


def _row(text: str, kind: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"variant": "", "by_design": False, "explains": [], "only": ""}
    return {"cause": text, "deviation": kind, **empty}
