"""Claims left <= right: proved by the ranges of values, refuted by numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import inf
from typing import Any

from derive.certificates.declarations import RefusedError, lagged, tangent
from derive.certificates.examples import Example, begun, most
from derive.certificates.indices import ONE, SINGLE
from derive.certificates.intervals import UNIT, ZERO, Interval
from derive.certificates.ranges import Ranges
from derive.certificates.subject import Subject
from derive.certificates.terms import split
from derive.certificates.values import Array

__all__ = ["DECIDED"]

SMALL = 1e-9


@dataclass(frozen=True)
class Bound:
    """left <= right in every entry, for each pair of `sides`: texts of the language.

    Attributes:
        holds: whether ranges of values give it.
        given: pairs low <= high that the hypotheses demand.
        back: how many earlier steps `sides` name.
        moved: 'direct' or 'total', if they name d(state), which is how the state moves then.
    """

    sides: tuple[tuple[str, str], ...]
    holds: Callable[[], bool]
    given: tuple[tuple[str, str], ...] = ()
    back: int = 0
    moved: str = ""


def proved(form: Callable[..., Bound], subject: Subject, *said: str | None) -> list[str]:
    """That ranges of values give it; there is no normal form.

    Raises:
        RefusedError: they do not.
    """
    if not form(subject, *said).holds():
        raise RefusedError("it does not follow from the ranges of values")
    return []


def refuted(
    form: Callable[..., Bound], subject: Subject, example: Example, *said: str | None
) -> None:
    """That the hypotheses allow the numbers, and that a side is exceeded, as it is written.

    Raises:
        RefusedError: they do not, or it is not.
    """
    bound, state = form(subject, *said), said[0] or ""
    step, lag = subject.step, lagged(state, 1)
    moves = {"state": state, "free": tangent(lag)} if bound.moved else {}
    run, d = begun(subject.maps, example, bound.back, **moves)
    run.steps(bound.back + 1, step.at, {lag: d} if bound.moved else {})
    if bound.moved:
        run.values |= {tangent(state): run.derivative(state), tangent(lag): d}
        step.reader.shapes |= {tangent(name): step.shapes[state] for name in (state, lag)}

    def pair(texts: tuple[str, str]) -> tuple[Array, Array]:
        both = [step.reader.read(text) for text in texts]
        shape = next((v.shape for v in both if not v.single and v.shape), both[0].shape)
        shape = shape or step.shapes.get(state, (SINGLE, SINGLE))
        left, right = (run.array(v.poly, shape, str) for v in both)
        if shape == (SINGLE, SINGLE):  # one number, however often it is written
            left, right = (
                [[side[0][0]] * len(row) for row in example.left] for side in (left, right)
            )
        return left, right

    for texts in bound.given:
        if most(*pair(texts)) > SMALL:
            raise RefusedError("the hypotheses do not allow the counterexample's numbers")
    found = [pair(texts) for texts in bound.sides]
    told = [both for both in found if example.is_of(*both)]
    example.exceed(*max(told or found, key=lambda both: most(*both)))


def _ranges(subject: Subject, given: Mapping[str, Interval] | None = None) -> Ranges:
    return Ranges(subject.step.algebra, subject.step.equations, given)


def _range(subject: Subject, text: str) -> Interval:
    return _ranges(subject).of(subject.step.reader.read(text).poly)


def _gate(subject: Subject, what: str, left: str, low: str, high: str, right: str) -> Bound:
    text = subject.maps.plain(what)
    claimed = Interval(_number(low), _number(high), left == "(", right == ")")
    sides = [(text, high), (low, text)]
    return Bound(
        tuple(pair for pair in sides if not {"oo", "-oo"} & {*pair}),
        lambda: _range(subject, text) == claimed,
    )


def _number(text: str) -> Any:
    if text in ("oo", "-oo"):
        return inf if text == "oo" else -inf
    return _fraction(text)


def _fraction(text: str) -> Fraction:
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError):
        found = Fraction(-1, 999)
    if str(found) != text:
        raise RefusedError(f"`{text[:20]}` is no number")
    return found


def _output(subject: Subject, state: str) -> Bound:
    if state != subject.states[0]:
        raise RefusedError("it is not about the output")
    return Bound(
        ((f"abs({state})", "1"),), lambda: _range(subject, state).within(Interval(-UNIT, UNIT))
    )


def _linear(subject: Subject, state: str, factor: str | None, grows: str | None) -> Bound:
    most = _fraction(factor or "1") if grows else ZERO
    return Bound(
        ((f"abs({state})", f"abs({state}[t-1]) + {most}"),),
        lambda: subject.grows(state) == (True, most),
    )


def _convex(subject: Subject, state: str, top: str) -> Bound:
    g = _fraction(top)
    return Bound(
        ((f"abs({state})", top),),
        lambda: subject.level(state) == g,
        ((f"abs({state}[t-1])", top),),
    )


def _forgetting(subject: Subject, state: str, factor: str | None, kept: str) -> Bound:
    k, most = subject.maps.plain(kept), _fraction(factor or "1")

    def holds() -> bool:
        ranges = _ranges(subject)
        parts = split(ranges.terms(subject.step.reader.value(state)), subject.lag(state))
        own = ranges.terms(subject.step.reader.read(k).poly)
        return (
            parts is not None
            and parts[0] in ({}, own)
            and ranges.range(own).low >= 0
            and ranges.range(parts[1]).size == most
        )

    right = f"relu({k}) * abs({state}[t-1]) + {most}"
    return Bound(((f"abs({state})", right),), holds, ((k, "1 - 1 / 1000"),))


def _products(subject: Subject, factor: str) -> Bound:
    k = subject.maps.plain(factor)
    before = subject.maps.plain(factor, 1)

    def holds() -> bool:
        factors = [subject.factor(state) for state in subject.about("kept")]
        own = subject.spelled(subject.sweep.reader.read(k).poly)
        return own in factors and _range(subject, k).low >= 0

    product = f"({k}) * ({before})"
    sides = ((product, f"max({k}, {before}) ** 2"), (f"min({k}, {before}) ** 2", product))
    return Bound(sides, holds, back=1)


def _explodes(subject: Subject, state: str) -> Bound:
    size = f"sum(abs(d({state}[t-1])))"
    return Bound(((f"abs(d({state}))", size),), lambda: False, back=1, moved="total")


def _solved(subject: Subject, state: str) -> Bound:
    step = subject.step

    def holds() -> bool:
        d = step.direction(state)
        moved = step.moved({lagged(state, 1): d}).get(state, {})
        where = (tangent(lagged(state, 1)), step.reader.axes(state))
        whole = all(where in factors for _, factors, _ in moved)
        one = {tangent(lagged(state, 1)): ONE}
        factor = _ranges(subject).of(step.algebra.substituted(moved, one))
        return whole and factor.low >= Fraction(1, 100)

    sides = ((f"abs(d({state}[t-1])) / 100", f"abs(d({state}))"),)
    return Bound(sides, holds, moved="direct")


def _from_zero(subject: Subject, state: str) -> Bound:
    def holds() -> bool:
        zero, above = Interval(ZERO, ZERO, False, False), Interval(UNIT, inf, False)
        first = {lagged(s, 1): zero for s in subject.states}
        return all(_at_least_one(subject, state, g) for g in (first, {lagged(state, 1): above}))

    zeros = tuple((f"abs({s}[t-1])", "0") for s in subject.states)
    return Bound((("1", state),), holds, zeros)


def _from_any(subject: Subject, state: str) -> Bound:
    given = {lagged(state, 1): Interval(ZERO, inf, False)}
    return Bound(
        (("1", state),),
        lambda: _at_least_one(subject, state, given),
        (("0", f"{state}[t-1]"),),
    )


def _at_least_one(subject: Subject, state: str, given: Mapping[str, Interval]) -> bool:
    ranges = _ranges(subject, given)
    return all(found.low >= 1 for found in ranges.cases(subject.step.reader.value(state)))


_FORMS: Mapping[str, Callable[..., Bound]] = {
    "gates": _gate,
    "output in (-1, 1)": _output,
    "linear growth": _linear,
    "less than linear growth": _linear,
    "convex combination": _convex,
    "bounded forgetting": _forgetting,
    "product of path factors": _products,
    "cannot explode": _explodes,
    "solves vanishing gradients": _solved,
    "normaliser from zero": _from_zero,
    "normaliser from any state": _from_any,
}
DECIDED = {kind: (partial(proved, form), partial(refuted, form)) for kind, form in _FORMS.items()}
