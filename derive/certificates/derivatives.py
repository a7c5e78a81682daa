"""Claims about derivatives: what a statement says is a map, compared with the derivative itself."""

import re
from functools import partial

from derive.certificates.declarations import RefusedError, lagged, tangent
from derive.certificates.examples import Example, derivatives
from derive.certificates.forms import shown
from derive.certificates.indices import Poly, add
from derive.certificates.reader import Value
from derive.certificates.statements import terms
from derive.certificates.steps import everything
from derive.certificates.subject import Subject

__all__ = ["DECIDED"]

_WHOLE = ("gradients", "Jacobian of all states")  # of them the sweep decides
_PARTIAL = re.compile(r"d(\w+)_t/d(\w+)_\{t-1\} = (.+)")


def proved(kind: str, subject: Subject, *said: str | None) -> list[str]:
    """The normal form that both sides have.

    Raises:
        RefusedError: they have not one form.
    """
    if kind == "gradients":
        return shown(subject.sweep.algebra, subject.sweep.form)
    if kind == "Jacobian of all states":
        return blocks(subject, *said)
    state, *rest = (text or "" for text in said)
    kind = _sense(kind, rest)
    step = subject.step
    if kind == "total derivatives multiply":
        left, right = chained(subject, state)
    else:
        right = _said(subject, kind, state, *rest)
        d = step.direction(state)
        total = kind.startswith("total")
        moving = step.arriving(state, d) if total else {lagged(state, 1): d}
        through = _no_function if kind == "output path" else everything
        left = step.moved(moving, through).get(state, {})
    if add(left, right, sign=-1):
        raise RefusedError("the two sides have different normal forms")
    return shown(step.algebra, left)


def refuted(kind: str, subject: Subject, example: Example, *said: str | None) -> None:
    """That the numbers give what is written, and that the sides differ.

    Raises:
        RefusedError: they do not.
    """
    state, *rest = (text or "" for text in said)
    kind = _sense(kind, rest)
    chain = kind == "total derivatives multiply"
    map_ = None if chain else _said(subject, kind, state, *rest)
    example.differ(*derivatives(subject.maps, kind, state, map_, example))


def _sense(kind: str, rest: list[str]) -> str:
    """The carousel is about a memory's path, or about the output's."""
    if kind != "constant error carousel":
        return kind
    return "path" if rest.pop() == "direct" else "output path"


def _said(subject: Subject, kind: str, state: str, said: str, where: str = "") -> Poly:
    """What a statement says of a derivative, as a map of the tangent of the lag."""
    step = subject.step
    if kind == "output path" and state != subject.states[0]:
        raise RefusedError("it is not about the output")
    subject.maps.parts = {}
    for part in where.split("; ") if where else ():
        found = _PARTIAL.fullmatch(part)
        if not found or found[1] != state or found[2] not in subject.states:
            raise RefusedError(f"`{part[:40]}` in the statement")
        moved = _block(subject, state, found[2], found[3])
        link = f"(d{state}_t/d{found[2]}_{{t-1}})"
        subject.maps.parts[link] = (tangent(lagged(found[2], 1)), Value(moved, step.shapes[state]))
    d = Value(step.direction(state), step.shapes[state])
    if kind == "own lag" and _count(said) is not None:
        return _block(subject, state, state, said)
    value = subject.maps.applied(f"diag({said})" if kind == "path over T steps" else said, d)
    if not value.single and value.shape != d.shape:
        raise RefusedError("the two sides have different shapes")
    return value.poly


def blocks(subject: Subject, now: str | None, before: str | None, said: str | None) -> list[str]:
    """The Jacobian of all states by blocks; the sweep has been found to carry its transpose."""
    pairs = [(s, o) for s in subject.states for o in subject.states]
    texts = [_PARTIAL.fullmatch(part) for part in (said or "").split("; ")]
    found = [(text[1], text[2]) for text in texts if text]
    if now != before or now != ", ".join(subject.states) or found != pairs or None in texts:
        raise RefusedError("the blocks are not those of all states")
    subject.maps.parts = {}
    for text in filter(None, texts):
        _block(subject, text[1], text[2], text[3])
    return []


def _block(subject: Subject, state: str, other: str, said: str) -> Poly:
    """That a direct derivative is what is written of it."""
    step = subject.step
    moved = step.moved({lagged(other, 1): step.direction(other)}).get(state, {})
    name = f"d{state}_t/d{other}_{{t-1}}"
    if (count := _count(said)) is not None:
        said = subject.witness.get(name, "")
        if not said:
            raise RefusedError(f"the paths of {name} are not written")
        if len(list(terms(said))) != count:
            raise RefusedError(f"{name} has another number of paths")
    d = Value(step.direction(other), step.shapes[other])
    if add(moved, subject.maps.applied(said, d).poly, sign=-1):
        raise RefusedError(f"{name} is not what is written")
    return moved


def _count(said: str) -> int | None:
    found = re.fullmatch(r"\(?(?:the sum of its )?(\d+) paths?\)?", said)
    return int(found[1]) if found else None


def _no_function(function: str) -> bool:
    """Gates and candidates are functions of each entry, and stand still; log-sum-exp is a sum."""
    return function == "logsumexp"


def chained(subject: Subject, state: str) -> tuple[Poly, Poly]:
    """The total derivative over two steps, and the product of two over one."""
    step, d = subject.step, subject.step.direction(state)
    arriving = step.arriving(state, d)
    moved = step.moved(arriving)
    once = {s: step.earlier(moved[s]) for s in subject.states if s in moved}
    left = step.moved({lagged(name, 1): poly for name, poly in once.items()})
    values = {tangent(lagged(state, 1)): once.get(state, {})}
    again = {n: step.algebra.substituted(poly, values) for n, poly in arriving.items()}
    return left.get(state, {}), step.moved(again).get(state, {})


DECIDED = {
    kind: (partial(proved, kind), partial(refuted, kind) if kind not in _WHOLE else None)
    for kind in (
        *_WHOLE,
        "path",
        "path over T steps",
        "constant error carousel",
        "total derivative",
        "total derivative is the path",
        "total derivatives multiply",
        "recurrent Jacobian",
        "output path",
        "own lag",
    )
}
