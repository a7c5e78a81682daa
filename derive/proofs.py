"""Theorem + Gradients -> Claim: proved, refuted with numbers, or not decided."""

from collections.abc import Iterator, Sequence
from typing import Any

import sympy as sp

from derive.accepted import leveled
from derive.claim import DECIDED, PROVED, REFUTED, UNDECIDED, VOID, Claim
from derive.counterexamples import find, find_violation
from derive.expressions import Expr, scale
from derive.gradients import Gradients
from derive.jacobians import Operator, count_paths, operators, writer_of
from derive.normal_form import Form, TooLargeError, equal, normal_form
from derive.theorems import THEOREMS, Bound, Fact, Identity, Theorem
from derive.theorems.row import Stated

__all__ = ["prove", "settle"]

SHOWN = 40  # terms of a remainder; further ones are counted
MOST = 120  # paths of a derivative that are told one by one


def prove(gradients: Gradients, theorems: Sequence[Theorem] = THEOREMS) -> tuple[Claim, ...]:
    """Every theorem's claims for a cell, in the order of the table.

    They are decided here; that Coq accepted some of them too is read from the shipped record.
    """
    claims: list[Claim] = []
    for theorem in theorems:
        reason = theorem.absent(gradients)
        claims.extend([_void(theorem, reason)] if reason else settle(theorem, gradients))
    return leveled(gradients.cell, claims)


def settle(theorem: Theorem, gradients: Gradients) -> list[Claim]:
    """One claim for each statement of a theorem that applies."""
    return [_settled(theorem, gradients, s) for s in theorem.identities(gradients)]


def _void(theorem: Theorem, reason: str) -> Claim:
    return _claim(theorem, theorem.claim, VOID, hypotheses=reason)


def _claim(theorem: Theorem, statement: str, verdict: str, **more: Any) -> Claim:
    return Claim(
        **{
            "theorem": theorem.name,
            "statement": statement,
            "latex": "",
            "verdict": verdict,
            "level": DECIDED if verdict in (PROVED, REFUTED) else "",
            "method": "",
            "hypotheses": theorem.hypotheses,
            "source": theorem.source,
            "should_hold": theorem.should_hold,
            "kind": theorem.kind,
            "optional": theorem.optional,
            **more,
        }
    )


def _settled(theorem: Theorem, gradients: Gradients, stated: Stated) -> Claim:
    match stated:
        case Bound():
            return _bounded(theorem, gradients, stated)
        case Fact():
            return _read_off(theorem, stated)
    return _identical(theorem, gradients, stated)


def _bounded(theorem: Theorem, gradients: Gradients, bound: Bound) -> Claim:
    if bound.reasons:
        method = _by_induction("; ".join(bound.reasons), theorem)
        return _claim(theorem, bound.text, PROVED, latex=bound.latex, method=method)
    example = find_violation(gradients, bound)
    found = "a numeric counterexample" if example else "no counterexample was found"
    return _claim(
        theorem,
        bound.text,
        REFUTED if example else UNDECIDED,
        latex=bound.latex,
        method=f"ranges do not give it, and {found}",
        example=example,
        remainder=(bound.excess,) if example and bound.excess else (),
    )


def _read_off(theorem: Theorem, fact: Fact) -> Claim:
    verdict = UNDECIDED
    if fact.holds is not None:
        verdict = PROVED if fact.holds else (REFUTED if fact.example else UNDECIDED)
    method = "; ".join(fact.reasons)
    return _claim(
        theorem,
        fact.text,
        verdict,
        latex=fact.latex,
        method=_by_induction(method, theorem) if verdict == PROVED else method,
        remainder=fact.remainder,
        example=fact.example,
    )


def _by_induction(method: str, theorem: Theorem) -> str:
    return f"{method}; then induction on T: {theorem.induction}" if theorem.induction else method


def _identical(theorem: Theorem, gradients: Gradients, identity: Identity) -> Claim:
    method = _by_induction("equal polynomial normal forms, for any n, m and all values", theorem)
    # Numbers are quicker than normal forms where a difference is expected.
    example = "" if theorem.should_hold else find(gradients, identity)
    paths: tuple[Operator, ...] = ()
    monomials: tuple[str, ...] = ()
    try:
        holds = not example and equal(identity.left, identity.right)
        different = "different normal forms"
        if not holds and identity.direction is None:
            monomials = tuple(_monomials(identity))
        elif not holds and identity.direction is not None:
            paths = tuple(_remainder(identity, identity.direction))
    except TooLargeError as error:
        holds, different = False, str(error)
    verdict = PROVED
    if not holds:
        example = example or find(gradients, identity)
        verdict = REFUTED if example else UNDECIDED
        found = "and a numeric counterexample" if example else "but no counterexample was found"
        method = f"{different}, {found}"
    writer = writer_of(gradients)
    shown = paths[:SHOWN]
    more = (f"... and {len(paths) - SHOWN} more",) if len(paths) > SHOWN else ()
    return _claim(
        theorem,
        identity.text,
        verdict,
        latex=identity.latex,
        method=method,
        remainder=monomials or (*(writer.path(o) for o in shown), *more),
        remainder_latex=(
            *(writer.path_tex(o) for o in shown),
            *(rf"\text{{{text}}}" for text in more),
        ),
        example=example,
    )


def _remainder(identity: Identity, direction: Expr) -> Iterator[Operator]:
    """Paths of the left side that the right side lacks, then those it has too many, negated."""
    if count_paths(identity.left, direction) > MOST:
        raise TooLargeError(f"more than {MOST} paths to compare")
    there = list(operators(identity.left, direction))
    kept = []
    for operator in operators(identity.right, direction):
        # By hash: comparing trees that share parts takes time without end.
        same = [k for k, o in enumerate(there) if hash(o.value) == hash(operator.value)]
        if same:
            del there[same[0]]
        else:
            kept.append(operator)
    if kept:
        there, kept = _unmatched(there, kept)
    yield from there
    for operator in kept:
        yield Operator(-operator.number, operator.links, scale(sp.S.NegativeOne, operator.value))


def _unmatched(
    there: list[Operator], needed: list[Operator]
) -> tuple[list[Operator], list[Operator]]:
    """Both lists without what is equal though written differently."""
    left, kept = [(o, normal_form(o.value)) for o in there], []
    for operator in needed:
        found = _covering(normal_form(operator.value), [f for _, f in left])
        left = [term for k, term in enumerate(left) if k not in found]
        if not found:
            kept.append(operator)
    return [o for o, _ in left], kept


def _covering(form: Form, forms: Sequence[Form]) -> frozenset[int]:
    """Which of `forms` add up to `form`: diag(f + 1) is diag(f) and I; none if they fall short."""
    rest, found = dict(form), set()
    for place, other in enumerate(forms):
        if other and all(rest.get(key) == number for key, number in other.items()):
            rest = {key: number for key, number in rest.items() if key not in other}
            found.add(place)
    return frozenset() if rest else frozenset(found)


def _monomials(identity: Identity) -> Iterator[str]:
    """Left minus right, entry by entry, for an identity that is linear in many tangents."""
    left, right = normal_form(identity.left), normal_form(identity.right)
    for key in sorted({*left, *right}):
        number = left.get(key, 0) - right.get(key, 0)
        if number != 0:
            factors = (f"{name}[{','.join(axes)}]" if axes else name for name, axes in key)
            yield f"{number} {' '.join(factors)}"
