"""What a run finds: a property that fails, on its smallest example; and all of them together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from derive.gradients import Gradients
from verify.diagnosis.answers import Diagnosis
from verify.isolation import CONDUCT, Observation
from verify.kernels import Example, Kernel
from verify.properties import Failure, Property, Trial
from verify.reproduction import Call, Recorder, calls_on

__all__ = ["Finding", "Report", "Verdict", "conduct_findings", "finding"]

Verdict = Literal["right", "wrong", "undecided"]


@dataclass(frozen=True)
class Finding:
    """A property that fails, on the smallest example that was found.

    Attributes:
        reason: why the property must hold.
        parameter: which result: 'y', a final state ('C_T'), a gradient under its contract name, an
            argument; '' if none in particular.
        cause: what is wrong, in a line.
        index, got, expected, bound: one entry of it, and how far it may be off; None if it is not
            about an entry.
        also: other results that fail in the same way.
        remark: whether it is said and leaves the verdict alone.
        calls: what the implementation was asked while the property was judged.
    """

    property: str
    reason: str
    parameter: str
    cause: str
    example: Example
    index: tuple[int, ...] | None = None
    got: Any = None
    expected: Any = None
    bound: Any = None
    also: tuple[str, ...] = ()
    remark: bool = False
    calls: tuple[Call, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Report:
    """The verdict on an implementation.

    Attributes:
        judged: (property, on how many examples).
        not_judged: (what, why not).
        examples: how many were tried; after a failure fewer than were asked for.
        asked, seed, options, named: repeat the run; `named` is what the cell was called by.
        diagnosis: the likely cause; None if nothing is wrong or nothing was judged.
        precision: the row of `verify.precisions` that it was judged in; '' is that of the inputs.
        detected: whether that was found out, not declared.
        replaced: how many more examples were tried, whose bounds were too wide to decide.
    """

    cell: str
    implementation: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    judged: tuple[tuple[str, int], ...]
    not_judged: tuple[tuple[str, str], ...]
    examples: int
    asked: int
    seed: int
    diagnosis: Diagnosis | None = None
    options: str = ""
    named: str = ""
    precision: str = ""
    detected: bool = False
    replaced: int = 0


def finding(
    row: Property,
    kernel: Kernel,
    example: Example,
    derived: Gradients,
    offered: frozenset[str] | None,
) -> Finding:
    """A property that fails on an example, judged again with every call recorded."""
    recorder = Recorder(kernel)
    failure = row.judge(Trial(recorder, example, derived, offered))
    if not isinstance(failure, Failure):
        failure = Failure("", "failed once and not again on the same example")
    return Finding(
        property=row.name,
        reason=row.reason,
        parameter=failure.parameter,
        cause=failure.message,
        example=example,
        index=failure.index,
        got=failure.got,
        expected=failure.expected,
        bound=failure.bound,
        also=failure.also,
        calls=tuple(recorder.calls),
    )


def conduct_findings(
    seen: Mapping[Observation, Example], *, backward: bool, adapted: bool
) -> Iterator[Finding]:
    """What the implementation did beside computing, each kind once.

    Args:
        seen: with an example that each was seen on.
        backward: whether there is a backward; `adapted`, an adapter.
    """
    for kind, row in CONDUCT.items():
        found = [o for o in seen if o.kind == kind]
        if found:
            causes = list(dict.fromkeys(f"in {o.call}: {o.text}" for o in found))
            first = seen[found[0]]
            yield Finding(
                property=kind,
                reason=row.reason,
                parameter="",
                cause="; ".join(causes[:3]),
                example=first,
                remark=row.remark,
                calls=calls_on(first, backward=backward, adapted=adapted),
            )
