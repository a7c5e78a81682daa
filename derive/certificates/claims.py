"""Claims of a certificate, judged: each is decided again from the cell's text alone."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from derive.certificates import bounds, derivatives, laws, parameters, slopes
from derive.certificates.declarations import RefusedError
from derive.certificates.examples import read_example
from derive.certificates.indices import UncheckedError
from derive.certificates.subject import Subject

__all__ = ["KINDS", "OPEN", "RIGHT", "UNDECIDED", "VOID", "WRONG", "form", "judged", "lacking"]

RIGHT, WRONG, OPEN = "right", "wrong", "not rechecked"
UNDECIDED, VOID = "not decided", "does not apply"
LEVEL = "decided"

KINDS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    (files("derive.certificates") / "kinds.toml").read_text("utf-8")
)
_DECIDED: Mapping[str, tuple[Callable[..., list[str]], Callable[..., None] | None]] = {
    **derivatives.DECIDED,
    **bounds.DECIDED,
    **laws.DECIDED,
    **parameters.DECIDED,
    **slopes.DECIDED,
}
_OWN, _NUMBER = r"d(?P<s>\w+)_t/d(?P=s)_\{t-1\}", r"(?:0|[1-9]\d{0,8})(?:/[1-9]\d{0,8})?"
_COUNTED = re.compile(r" = (?:the sum of its )?\d+ paths?(?=;|,|$)")
_SAYS = {
    kind: re.compile(row["says"].replace("{d}", _OWN).replace("{n}", _NUMBER), re.ASCII)
    for kind, row in KINDS.items()
}


def judged(subject: Subject, claim: Mapping[str, Any]) -> tuple[str, str]:
    """Outcome and reason.

    Raises:
        RefusedError: the claim is not what is found here.
        UncheckedError: this checker cannot tell.
    """
    kind, verdict = KINDS.get(claim["name"]), claim["verdict"]
    if kind is None:
        raise UncheckedError("this checker does not know this kind of claim")
    if claim["should_hold"] != kind["holds"]:
        raise RefusedError("whether it should hold is not so")
    if verdict not in ("proved", "refuted", VOID, UNDECIDED):
        raise RefusedError("the verdict is none")
    if verdict in (VOID, UNDECIDED) and (claim["level"] or claim["example"]):
        raise RefusedError("a claim that is neither proved nor refuted has no evidence")
    if verdict != "proved" and claim["normal_form"]:
        raise RefusedError("a claim that is not proved has no common normal form")
    if verdict == VOID:
        return VOID, ""
    if claim["hypotheses"] != kind["hypotheses"]:
        raise RefusedError("the hypotheses are not those of this kind of claim")
    said = _said(subject, claim)
    if len(claim["witness"]) != len(_COUNTED.findall(claim["statement"])):
        raise RefusedError("the witnesses are not those of the paths that are counted")
    if verdict == UNDECIDED and kind["holds"] and not kind["optional"]:
        raise UncheckedError("it was not decided")
    if verdict == UNDECIDED:
        return UNDECIDED, ""
    if claim["level"] != LEVEL:
        raise RefusedError(f"the level is not '{LEVEL}', which is what can be rechecked here")
    if verdict == "proved":
        if claim["example"]:
            raise RefusedError("a claim that is proved has no counterexample")
        if claim["normal_form"] != form(subject, claim):
            raise RefusedError("the normal form is not the one found here")
    else:
        _refuted(subject, claim, said)
    return RIGHT, ""


def _said(subject: Subject, claim: Mapping[str, Any]) -> tuple[str | None, ...]:
    """What a statement says in the places where statements of its kind differ."""
    found = _SAYS[claim["name"]].fullmatch(claim["statement"])
    if not found or claim["statement"] != " ".join(claim["statement"].split()):
        raise RefusedError("the statement is not one of this kind of claim")
    state = found.groupdict().get("s")
    if state is not None and state not in subject.states:
        raise RefusedError(f"'{state[:40]}' is no state")
    rows = (row.partition(" = ") for row in claim["witness"])
    subject.witness = {name: said for name, _, said in rows}
    return found.groups()


def _refuted(subject: Subject, claim: Mapping[str, Any], said: Sequence[str | None]) -> None:
    proved, refuted = _DECIDED[claim["name"]]
    if refuted is not None:
        refuted(subject, read_example(claim["example"]), *said)
        return
    try:
        proved(subject, *said)
    except RefusedError:
        raise UncheckedError("this checker runs no counterexample of this kind") from None
    raise RefusedError("it is proved here")


def form(subject: Subject, claim: Mapping[str, Any]) -> list[str]:
    """The normal form of a claim that is proved; empty where there is none.

    Raises:
        RefusedError: it is not proved here.
        UncheckedError: this checker cannot tell.
    """
    proved, _ = _DECIDED[claim["name"]]
    return proved(subject, *_said(subject, claim))


def lacking(subject: Subject, claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Claims that a certificate of this cell must have and has not."""
    names = {c["name"] for c in claims}
    yield from (f"there is no claim '{kind}'" for kind in KINDS if kind not in names)
    for kind, row in KINDS.items():
        said = [
            _SAYS[kind].fullmatch(c["statement"])
            for c in claims
            if c["name"] == kind and c["verdict"] != VOID
        ]
        about = [found.groupdict().get("s") or "" if found else "?" for found in said]
        wanted = subject.about(row["about"]) if row["about"] else about
        if any(about.count(state) < wanted.count(state) for state in wanted):
            told = ", ".join(about)[:60] or "no state"
            yield f"'{kind}' is about {', '.join(wanted) or 'no state'}, not {told}"
