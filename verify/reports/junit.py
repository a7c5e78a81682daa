"""A report as JUnit's XML, which build servers read: one test case for each property."""

from xml.etree import ElementTree as ET

from verify.properties import PROPERTIES
from verify.report import Finding, Report, finding_lines, reproduction

__all__ = ["to_junit"]


def to_junit(report: Report) -> str:
    """One suite; a property that was not judged is skipped, a remark is output of the suite.

    Elements, attributes and their order are those of Jenkins' schema for JUnit.
    """
    name = f"verify.{report.cell}"
    failed = {f.property: f for f in report.findings if not f.remark}
    judged = dict(report.judged)
    rows = [p.name for p in PROPERTIES if p.name in judged or p.name in failed]
    rows += [n for n in failed if n not in rows]
    skipped = [(what, why) for what, why in report.not_judged if what not in rows]
    counts = {
        "tests": str(len(rows) + len(skipped)),
        "failures": str(len(failed)),
        "errors": "0",
        "skipped": str(len(skipped)),
    }
    root = ET.Element("testsuites", {"name": "verify", **_without(counts, "skipped")})
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    told = ET.SubElement(suite, "properties")
    for key in ("cell", "implementation", "verdict", "examples", "asked", "seed"):
        ET.SubElement(told, "property", {"name": key, "value": _clean(str(getattr(report, key)))})
    for row in rows:
        case = ET.SubElement(suite, "testcase", {"name": row, "classname": name})
        if row in failed:
            _failure(case, report, failed[row])
    for what, why in skipped:
        case = ET.SubElement(suite, "testcase", {"name": _clean(what), "classname": name})
        ET.SubElement(case, "skipped", {"message": _clean(f"not judged: {why}")})
    remarks = [line for f in report.findings if f.remark for line in (*finding_lines(f), "")]
    if remarks:
        ET.SubElement(suite, "system-out").text = _clean("\n".join(remarks))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _without(counts: dict[str, str], name: str) -> dict[str, str]:
    return {n: v for n, v in counts.items() if n != name}


def _failure(case: ET.Element, report: Report, finding: Finding) -> None:
    first, *rest = finding_lines(finding)
    message = first.removeprefix(f"{finding.property}: ")
    failure = ET.SubElement(case, "failure", {"message": _clean(message), "type": "wrong"})
    failure.text = _clean("\n".join([first, *rest, f"  on {finding.example.label}"]))
    again = reproduction(report, finding)
    if again is not None:
        ET.SubElement(case, "system-out").text = _clean(again.text)


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return "".join(c if c in "\t\n" or _allowed(ord(c)) else f"\\x{ord(c):02x}" for c in text)


def _allowed(code: int) -> bool:
    return 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
