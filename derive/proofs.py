"""Theorem + Gradients -> Claim: proved, refuted with numbers, or not decided."""

from collections.abc import Iterator, Sequence

import sympy as sp

from derive.claim import DECIDED, PROVED, REFUTED, UNDECIDED, VOID, Claim
from derive.counterexamples import find
from derive.expressions import Expr, scale
from derive.gradients import Gradients
from derive.jacobians import Operator, Writer, operators
from derive.normal_form import Form, TooLargeError, equal, normal_form
from derive.theorems import THEOREMS, Identity, Theorem

__all__ = ["prove", "settle"]


def prove(gradients: Gradients, theorems: Sequence[Theorem] = THEOREMS) -> tuple[Claim, ...]:
    """Every theorem's claims for a cell, in the order of the table."""
    claims: list[Claim] = []
    for theorem in theorems:
        reason = theorem.absent(gradients)
        claims.extend([_void(theorem, reason)] if reason else settle(theorem, gradients))
    return tuple(claims)


def settle(theorem: Theorem, gradients: Gradients) -> list[Claim]:
    """One claim for each identity of a theorem that applies."""
    return [_settled(theorem, gradients, i) for i in theorem.identities(gradients)]


def _void(theorem: Theorem, reason: str) -> Claim:
    return Claim(
        theorem=theorem.name,
        statement=theorem.claim,
        latex="",
        verdict=VOID,
        level="",
        method="",
        hypotheses=reason,
        source=theorem.source,
        should_hold=theorem.should_hold,
    )


def _settled(theorem: Theorem, gradients: Gradients, identity: Identity) -> Claim:
    method = "equal polynomial normal forms, for any n, m and all values"
    if theorem.induction:
        method += f"; then induction on T: {theorem.induction}"
    example, level = "", DECIDED
    paths: tuple[Operator, ...] = ()
    monomials: tuple[str, ...] = ()
    try:
        holds = equal(identity.left, identity.right)
        different = "different normal forms"
        if not holds and identity.direction is None:
            monomials = tuple(_monomials(identity))
        elif not holds and identity.direction is not None:
            paths = tuple(_remainder(identity, identity.direction))
    except TooLargeError as error:
        holds, different = False, str(error)
    verdict = PROVED
    if not holds:
        example = find(gradients, identity)
        verdict, level = (REFUTED, DECIDED) if example else (UNDECIDED, "")
        found = "and a numeric counterexample" if example else "but no counterexample was found"
        method = f"{different}, {found}"
    writer = Writer(gradients)
    return Claim(
        theorem=theorem.name,
        statement=identity.text,
        latex=identity.latex,
        verdict=verdict,
        level=level,
        method=method,
        hypotheses=theorem.hypotheses,
        source=theorem.source,
        should_hold=theorem.should_hold,
        remainder=monomials or tuple(writer.path(o) for o in paths),
        remainder_latex=tuple(writer.path_tex(o) for o in paths),
        example=example,
    )


def _remainder(identity: Identity, direction: Expr) -> Iterator[Operator]:
    """Paths of the left side that the right side lacks, then those it has too many, negated."""
    left, right = _forms(identity.left, direction), _forms(identity.right, direction)
    kept = []
    for operator, form in right:
        found = _covering(form, [f for _, f in left])
        left = [term for k, term in enumerate(left) if k not in found]
        if not found:
            kept.append(operator)
    yield from (operator for operator, _ in left)
    for operator in kept:
        yield Operator(-operator.number, operator.links, scale(sp.S.NegativeOne, operator.value))


def _covering(form: Form, forms: Sequence[Form]) -> frozenset[int]:
    """Which of `forms` add up to `form`: diag(f + 1) is diag(f) and I; none if they fall short."""
    rest, found = dict(form), set()
    for place, other in enumerate(forms):
        if other and all(rest.get(key) == number for key, number in other.items()):
            rest = {key: number for key, number in rest.items() if key not in other}
            found.add(place)
    return frozenset() if rest else frozenset(found)


def _forms(expr: Expr, direction: Expr) -> list[tuple[Operator, Form]]:
    return [(path, normal_form(path.value)) for path in operators(expr, direction)]


def _monomials(identity: Identity) -> Iterator[str]:
    """Left minus right, entry by entry, for an identity that is linear in many tangents."""
    left, right = normal_form(identity.left), normal_form(identity.right)
    for key in sorted({*left, *right}):
        number = left.get(key, 0) - right.get(key, 0)
        if number != 0:
            factors = (f"{name}[{','.join(axes)}]" if axes else name for name, axes in key)
            yield f"{number} {' '.join(factors)}"
