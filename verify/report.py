"""What was found, for a terminal and for other programs."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from verify.diagnosis.answers import Diagnosis, plain, told
from verify.findings import Finding, Report, Verdict
from verify.kernels import Array, Example, sizes_of
from verify.precisions import lower
from verify.properties.calling import Failure
from verify.reproduction import Script, script

__all__ = [
    "VERSION",
    "Finding",
    "Report",
    "Verdict",
    "again",
    "example_lines",
    "finding_lines",
    "reproduction",
    "setting_lines",
    "to_json",
    "to_text",
    "verdict_line",
]

# Of the JSON document.
VERSION = 1

# Arrays are shown where a reader takes them in at a glance, and kept in JSON up to more.
SHOWN_ENTRIES, KEPT_ENTRIES = 40, 500

# Properties that fail by what happens to an argument.
WRITES = ("arguments kept", "arguments kept backward")


def to_text(report: Report) -> str:
    """The report as plain text, ending in a newline."""
    lines = [
        verdict_line(report),
        f"{_count(len(report.judged), 'property', 'properties')} on "
        f"{_count(report.examples, 'example', 'examples')}, seed {report.seed}; "
        f"{sum(not finding.remark for finding in report.findings)} failed",
        *setting_lines(report),
    ]
    if report.diagnosis is not None:
        lines += ["", *told(report.diagnosis, report.cell)]
    shown: dict[str, str] = {}
    for finding in report.findings:
        lines += ["", *finding_lines(finding)]
        if not finding.remark:
            first = shown.setdefault(finding.example.label, finding.property)
            lines += example_lines(report, finding, first)
    if report.not_judged:
        lines += ["", "not judged:"]
        lines += [f"  {what}: {why}" for what, why in report.not_judged]
    if report.findings:
        lines += ["", f"again: {again(report)}"]
    return "\n".join(lines) + "\n"


def verdict_line(report: Report) -> str:
    """The verdict in a line."""
    name = report.implementation or "the implementation"
    at = f"; it computes {_computes(report)}" if report.precision else ""
    said = {
        "right": f"{name} is {report.cell} in all that was judged{at}",
        "wrong": f"{name} is not {report.cell}, or misbehaves",
        "undecided": f"nothing of {name} could be judged",
    }
    return f"{report.verdict}: {said[report.verdict]}"


def setting_lines(report: Report) -> list[str]:
    """What the examples were judged in, and which of them decided nothing."""
    lines = []
    if report.precision:
        how = "detected" if report.detected else "declared"
        rest = "" if report.verdict == "wrong" else ": right at that precision"
        lines.append(f"computes {_computes(report)} ({how}){rest}")
    if report.replaced:
        count = _count(report.replaced, "example, its bounds were", "examples, their bounds were")
        lines.append(f"replaced: {count} too wide")
    return lines


def _computes(report: Report) -> str:
    return lower(report.precision).said


def again(report: Report) -> str:
    """The command that repeats the run."""
    given = report.implementation or "IMPLEMENTATION"
    options = f"{report.options} --examples {report.asked} --seed {report.seed}"
    return f"verify run {report.named or report.cell} {given}{options}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def finding_lines(finding: Finding) -> list[str]:
    """What is wrong, where and by how much."""
    kind = "remark, " if finding.remark else ""
    lines = [f"{kind}{finding.property}: {_said(finding)}"]
    if finding.got is not None:
        shown = f"  got {_number(finding.got)}, expected {_number(finding.expected)}"
        if finding.bound is not None:
            shown += f", may differ by {_number(finding.bound, 2)}"
        lines.append(shown)
    if finding.also:
        lines.append(f"  also: {', '.join(finding.also)}")
    lines.append(f"  {'' if finding.remark else 'must hold '}because {finding.reason}")
    return lines


def _said(finding: Finding) -> str:
    place = finding.parameter + (str(list(finding.index)) if finding.index else "")
    return " ".join(part for part in (place, finding.cause) if part)


def example_lines(report: Report, finding: Finding, first: str = "") -> list[str]:
    """The example with a script; `first` is the property that it was shown for already."""
    if first not in ("", finding.property):
        return [f"  smallest example: as for {first}"]
    lines = [f"  smallest example: {finding.example.label}"]
    shown = reproduction(report, finding)
    if shown is None:
        return lines
    if shown.size > SHOWN_ENTRIES:
        return [*lines, f"  to see it again: --reproduce FOLDER ({shown.size} numbers)"]
    return [*lines, "  to see it again:", "", *shown.text.splitlines()]


def reproduction(report: Report, finding: Finding, data: str = "") -> Script | None:
    """A script that shows the finding again without this toolkit; None if no call was recorded.

    Args:
        data: the file beside the script for its arrays, if they are many; '' writes them all out.
    """
    if not finding.calls:
        return None
    f, convention = finding, re.search(r"--convention (\S+)", report.options)
    title = f"{f.property}: {_said(f)}"
    if any(other.property == "second run" for other in report.findings):
        title += "\nresults depend on what ran before: elsewhere other numbers may come"
    return script(
        f.calls,
        Failure(f.parameter, f.cause, f.index, f.got, f.expected, f.bound),
        report.implementation,
        cell=report.cell,
        convention=convention[1] if convention else "",
        title=title,
        data=data,
        writes=f.property in WRITES and bool(f.parameter),
    )


def _number(value: Any, digits: int = 17) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _arrays(example: Example) -> dict[str, Array]:
    """Everything that the implementation is given, by the contract's names."""
    found = {f"params['{n}']": a for n, a in example.params.items()}
    single = len(example.inputs) == 1
    found |= {"x" if single else f"x['{n}']": a for n, a in example.inputs.items()}
    found |= {f"state_0['{n}']": a for n, a in (example.state_0 or {}).items()}
    if example.lengths is not None:
        found["lengths"] = np.asarray(example.lengths)
    if example.dy is not None:
        found["dy"] = example.dy
    return found | {f"dstate_T['{n}']": a for n, a in (example.dstate_T or {}).items()}


def to_json(report: Report) -> str:
    """The report as one JSON document with sorted keys, ending in a newline."""
    document = {
        "version": VERSION,
        "cell": report.cell,
        "implementation": report.implementation,
        "verdict": report.verdict,
        "is_cell": _answer(report, "values", lambda d: d.is_cell),
        "own_gradient": _answer(report, "gradients", lambda d: d.own_gradient),
        "diagnosis": [] if report.diagnosis is None else plain(report.diagnosis),
        "findings": [_plain(report, finding) for finding in report.findings],
        "judged": [{"property": name, "examples": count} for name, count in report.judged],
        "not_judged": [{"what": what, "why": why} for what, why in report.not_judged],
        "examples": report.examples,
        "asked": report.asked,
        "seed": report.seed,
        "precision": report.precision or None,
        "detected": report.detected,
        "replaced": report.replaced,
    }
    return json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _answer(report: Report, needs: str, read: Callable[[Diagnosis], str]) -> str:
    """What the diagnosis says; without one, nothing that was judged is wrong."""
    if report.diagnosis is not None:
        return read(report.diagnosis)
    return "yes" if needs in dict(report.judged) else "not judged"


def _plain(report: Report, finding: Finding) -> Mapping[str, Any]:
    shown = reproduction(report, finding)
    return {
        "property": finding.property,
        "reason": finding.reason,
        "parameter": finding.parameter,
        "cause": finding.cause,
        "example": _example(finding.example),
        "index": finding.index,
        "got": _json(finding.got),
        "expected": _json(finding.expected),
        "bound": _json(finding.bound),
        "also": finding.also,
        "remark": finding.remark,
        "reproduction": shown.text if shown and shown.size <= KEPT_ENTRIES else None,
    }


def _example(example: Example) -> Mapping[str, Any]:
    sizes = {str(dim): size for dim, size in sizes_of(example).items()}
    found: dict[str, Any] = {
        "label": example.label,
        "sizes": {"T": example.steps, "B": example.batch, **sizes},
        "dtype": str(example.dtype),
    }
    arrays = _arrays(example)
    if sum(a.size for a in arrays.values()) <= KEPT_ENTRIES:
        found["arrays"] = {name: _json(array.tolist()) for name, array in arrays.items()}
    return found


def _json(value: Any) -> Any:
    """Something that JSON can hold: a number, or text where it is none."""
    if isinstance(value, list):
        return [_json(item) for item in value]
    if value is None or (isinstance(value, int | float) and np.isfinite(value)):
        return value
    return str(value)
