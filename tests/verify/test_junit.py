"""What a build server reads."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from derive.zoo import load
from verify.__main__ import main
from verify.properties import PROPERTIES
from verify.report import Finding, Report
from verify.reports.junit import to_junit
from verify.reproduction import calls_on
from verify.strategies import make_example

TINY = make_example(load("rnn"), steps=1, batch=1, sizes={"n": 1, "m": 1}, seed=0)

# Jenkins' schema, junit-10.xsd: (attributes that must be there, that may be there, children).
SCHEMA = {
    "testsuites": (
        set(),
        {"name", "time", "tests", "failures", "errors", "disabled"},
        ("testsuite",),
    ),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "properties": (set(), set(), ("property",)),
    "property": ({"name", "value"}, set(), ()),
    "testcase": (
        {"name", "classname"},
        {"time", "status", "assertions"},
        ("skipped", "error", "failure", "system-out", "system-err"),
    ),
    "failure": (set(), {"type", "message"}, ()),
    "skipped": (set(), {"type", "message"}, ()),
    "system-out": (set(), set(), ()),
}
WHOLE = {"tests", "failures", "errors", "skipped", "disabled"}


def breaches(element: ET.Element) -> list[str]:
    """Where an element is not as the schema says."""
    if element.tag not in SCHEMA:
        return [f"there is no {element.tag}"]
    needed, allowed, children = SCHEMA[element.tag]
    has = set(element.keys())
    found = [f"{element.tag} lacks {name}" for name in needed - has]
    found += [f"{element.tag} has {name}" for name in has - needed - allowed]
    found += [f"{n}={element.get(n)}" for n in WHOLE & has if not element.get(n).isdigit()]
    tags = [child.tag for child in element]
    found += [f"{tag} in {element.tag}" for tag in tags if tag not in children]
    known = [tag for tag in tags if tag in children]
    if element.tag == "testsuite" and known != sorted(known, key=children.index):
        found.append("children out of order")
    return found + [breach for child in element for breach in breaches(child)]


def finding(name: str = "gradients", **changes: object) -> Finding:
    given = {"property": name, "reason": "it must", "parameter": "U", "cause": "differs"}
    entry = {"index": (0, 0), "got": 0.5, "expected": 0.25, "bound": 1e-16, "example": TINY}
    return Finding(**(given | entry | changes))


def report(*findings: Finding, **changes: object) -> Report:
    given = {
        "cell": "rnn",
        "implementation": "mine.py",
        "verdict": "wrong" if findings else "right",
        "findings": findings,
        "judged": (("values", 9), ("gradients", 8)),
        "not_judged": (("state path", "no state reaches itself"),),
        "examples": 9,
        "asked": 60,
        "seed": 4,
    }
    return Report(**(given | changes))


def test_each_property_is_a_case_and_the_counts_are_those_of_the_cases() -> None:
    suite = ET.fromstring(to_junit(report(finding()))).find("testsuite")
    assert [case.get("name") for case in suite.iter("testcase")] == [
        "values",
        "gradients",
        "state path",
    ]
    assert {n: suite.get(n) for n in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }


def test_a_failure_says_what_the_report_says_and_comes_with_its_script() -> None:
    shown = finding(calls=calls_on(TINY, backward=True))
    case = ET.fromstring(to_junit(report(shown))).find(".//testcase[@name='gradients']")
    failure = case.find("failure")
    assert failure.get("message") == "U[0, 0] differs"
    assert "got 0.5, expected 0.25, may differ by 1e-16" in failure.text
    assert TINY.label in failure.text
    script = case.find("system-out").text
    compile(script, "script", "exec")
    assert "import mine as layer" in script


def test_what_was_not_judged_is_skipped_with_the_reason() -> None:
    case = ET.fromstring(to_junit(report())).find(".//testcase[@name='state path']")
    assert case.find("skipped").get("message") == "not judged: no state reaches itself"


def test_a_property_that_failed_where_nothing_judged_it_is_a_case() -> None:
    found = report(finding("global state", index=None, got=None), judged=())
    cases = ET.fromstring(to_junit(found)).findall(".//testcase")
    assert [case.get("name") for case in cases if case.find("failure") is not None] == [
        "global state"
    ]


def test_a_remark_is_output_and_no_failure() -> None:
    suite = ET.fromstring(to_junit(report(finding("prints", remark=True)))).find("testsuite")
    assert suite.get("failures") == "0"
    assert "remark, prints" in suite.find("system-out").text


@pytest.mark.parametrize("odd", ["\x00", "\x1b[31m", "\ud800", "\ufffe", "]]>", '<a b="&">'])
def test_text_that_xml_cannot_hold_does_no_harm(odd: str) -> None:
    text = to_junit(report(finding(cause=f"raised {odd}"), implementation=f"{odd}.py"))
    root = ET.fromstring(text.encode("utf-8"))
    assert breaches(root) == []
    assert root.find(".//failure").get("message").startswith("U[0, 0] raised")


def test_reports_are_as_the_schema_says() -> None:
    for found in (report(), report(finding()), report(finding("prints", remark=True))):
        assert breaches(ET.fromstring(to_junit(found))) == []


def test_a_breach_of_the_schema_is_seen() -> None:
    text = to_junit(report(finding()))
    for old, new in (
        ("<failure ", "<failing "),
        (' message="U', ' said="U'),
        (' tests="3"', ' tests="three"'),
        (' classname="verify.rnn"', ""),
    ):
        assert old in text
        changed = text.replace("</failure>", "</failing>") if "failing" in new else text
        assert breaches(ET.fromstring(changed.replace(old, new))) != []


def test_the_command_writes_the_file_beside_its_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def forward(params, x, state_0=None, *, lengths=None): 1 / 0\n")
    given = ["run", "rnn", "mine.py", "--no-isolate", "--examples", "2", "--junit", "out.xml"]
    assert main(given) == 1
    assert capsys.readouterr().out.startswith("wrong: ")
    root = ET.parse("out.xml").getroot()
    assert breaches(root) == []
    assert root.find(".//testcase[@name='runs']/failure") is not None
    forward = {p.name for p in PROPERTIES if p.needs == "forward"}
    assert forward <= {case.get("name") for case in root.iter("testcase")}
    assert main([*given[:-1], "no/folder/out.xml"]) == 2
    assert "verify: 'no/folder/out.xml' cannot be written" in capsys.readouterr().err
