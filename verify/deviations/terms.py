"""Terms and factors of gradients: missing, doubled, negated, scaled, exchanged."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import sympy as sp

from derive.expressions import (
    Expr,
    HadamardProduct,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    Transpose,
    coefficient,
    scale,
    times,
)
from derive.gradients import Term
from verify.deviations.deviation import Family, Variant
from verify.deviations.editing import adjoints, places, title, with_terms
from verify.deviations.model import Model

__all__ = [
    "alone",
    "factor_missing",
    "factor_replaced",
    "missing",
    "multiplied",
    "overwritten",
    "scaled",
    "term_name",
]

Variants = Callable[[Model], Iterator[Variant]]


def term_name(part: str, name: str, term: Term) -> str:
    """'the term of ... that comes through C'."""
    outside = {"dy": "dy", "carry": "the carry from t+1"}
    through = outside.get(term.through, f"the way through {term.through}")
    return f"{name}: {through}"


def _terms(model: Model, part: str, outside: bool) -> Iterator[tuple[int, int, str, Term]]:
    for place, adjoint in enumerate(adjoints(model, part)):
        name = title(part, adjoint)
        for number, term in enumerate(adjoint.terms):
            if outside or term.through not in ("dy", "carry"):
                said = term_name(part, name, term)
                if sum(t.through == term.through for t in adjoint.terms) > 1:
                    said += f" as {_short(term.value)}"
                yield place, number, said, term


def _changed(model: Model, part: str, place: int, number: int, new: tuple[Term, ...]) -> Model:
    terms = adjoints(model, part)[place].terms
    return with_terms(model, part, place, (*terms[:number], *new, *terms[number + 1 :]))


def missing(part: str) -> Variants:
    """Each term of each cotangent of a part dropped."""

    def variants(model: Model) -> Iterator[Variant]:
        for place, number, name, _ in _terms(model, part, outside=False):
            yield Variant(name, _changed(model, part, place, number, ()))

    return variants


def overwritten(model: Model) -> Iterator[Variant]:
    """The carry of a state written over by what comes from inside of the step: = for +=."""
    for place, number, _, term in _terms(model, "backward", outside=True):
        if term.through == "carry":
            name = adjoints(model, "backward")[place].of.name
            yield Variant(name, _changed(model, "backward", place, number, ()))


def alone(model: Model) -> Iterator[Variant]:
    """One term of several kept, the others written over by it: = for += in a loop over gates."""
    for part in ("inputs", "states", "backward"):
        for place, adjoint in enumerate(adjoints(model, part)):
            inside = [t for t in adjoint.terms if t.through not in ("dy", "carry")]
            outside = tuple(t for t in adjoint.terms if t not in inside)
            for term in inside if len(inside) > 2 else ():
                label = f"{term_name(part, title(part, adjoint), term)} alone"
                yield Variant(label, with_terms(model, part, place, (*outside, term)))
            for term in inside:
                value = _last_unit(term.value)
                if value is not None:
                    label = (
                        f"{term_name(part, title(part, adjoint), term)} from the last unit alone"
                    )
                    new = (*outside, replace(term, value=value))
                    yield Variant(label, with_terms(model, part, place, new))


def _last_unit(value: Expr) -> Expr | None:
    """Of W^T @ delta what the last entry of delta gives: = for += in a loop over units."""
    if not (isinstance(value, MatMul) and len(value.args) == 2):
        return None
    left, right = value.args
    if not (isinstance(left, Transpose) and isinstance(right, MatrixSymbol)):
        return None
    rows = right.shape[0]
    if rows == 1 or not isinstance(left.args[0], MatrixSymbol):
        return None
    kept = MatrixSlice(left.args[0], (rows - 1, rows), (0, left.shape[0]))
    return MatMul(Transpose(kept), MatrixSlice(right, (rows - 1, rows), (0, 1)))


def multiplied(part: str, factor: int) -> Variants:
    """Each term of each cotangent of a part times a whole number."""

    def variants(model: Model) -> Iterator[Variant]:
        for place, number, name, term in _terms(model, part, outside=True):
            new = replace(term, value=scale(sp.Integer(factor), term.value))
            yield Variant(name, _changed(model, part, place, number, (new,)))

    return variants


def scaled(part: str) -> Callable[[Model], Iterator[Family]]:
    """Each term of each cotangent of a part times any number."""

    def families(model: Model) -> Iterator[Family]:
        for place, number, name, term in _terms(model, part, outside=True):

            def at(
                factor: Fraction, place: int = place, number: int = number, term: Term = term
            ) -> Model:
                new = replace(term, value=scale(sp.Rational(factor), term.value))
                return _changed(model, part, place, number, (new,))

            yield Family(f"{name}, times {{}}", at, "affine", (Fraction(3, 10),))

    return families


def factor_missing(model: Model) -> Iterator[Variant]:
    """Each factor of each term that is a product, but for the cotangent in it, dropped."""
    for part in ("backward", "states", "inputs", "parameters"):
        for place, number, name, term in _terms(model, part, outside=False):
            for factor, value in _without(term.value):
                new = (replace(term, value=value),)
                label = f"{name}, without the factor {_short(factor)}"
                yield Variant(label, _changed(model, part, place, number, new))


def _without(value: Expr) -> Iterator[tuple[Expr, Expr]]:
    for node, _, rebuild in places(value):
        if isinstance(node, HadamardProduct):
            for k, factor in enumerate(node.args):
                if not any(_is_cotangent(leaf) for leaf in factor.atoms(MatrixSymbol)):
                    yield factor, rebuild(times(*node.args[:k], *node.args[k + 1 :]))


def factor_replaced(model: Model) -> Iterator[Variant]:
    """A value that a term reads replaced by another of the same shape from the same step."""
    cell = model.equations
    names = [
        *(a.symbol for a in model.forward if not a.name.startswith("a_")),
        *(s.before for s in cell.states),
    ]
    for part in ("backward", "states"):
        for place, number, name, term in _terms(model, part, outside=False):
            if "activation" in term.rules:
                continue
            read = {leaf for leaf in term.value.atoms(MatrixSymbol) if leaf in names}
            for old in sorted(read, key=str):
                for other in names:
                    if other.shape != old.shape or other == old:
                        continue
                    new = (replace(term, value=term.value.xreplace({old: other})),)
                    label = f"{name}, with {other.name} for {old.name}"
                    yield Variant(label, _changed(model, part, place, number, new))


def factors_exchanged(model: Model) -> Iterator[Variant]:
    """The cotangents of two factors of one product exchanged: d_i = dC * i, d_g = dC * g."""
    every = [
        (part, place, number, term, adjoint)
        for part in ("backward", "states")
        for place, adjoint in enumerate(adjoints(model, part))
        for number, term in enumerate(adjoint.terms)
        if "elementwise product" in term.rules
    ]
    for a, b in combinations(every, 2):
        (part, place, number, term, one), (its, where, k, other, two) = a, b
        alike = term.through == other.through and one.of.shape == two.of.shape
        if alike and term.value != other.value and one.of != two.of:
            new = _changed(model, part, place, number, (other,))
            new = _changed(new, its, where, k, (term,))
            said = (
                f"{_short(term.value)} for {one.of.name}, {_short(other.value)} for {two.of.name}"
            )
            yield Variant(f"{said} in {term.through}", new)


def _is_cotangent(leaf: MatrixSymbol) -> bool:
    return leaf.name == "dy" or leaf.name.startswith(("bar(", "carry("))


def _short(expr: Expr) -> str:
    from derive.language.printing import text_of_expression

    number, rest = coefficient(expr)
    return text_of_expression(rest if number == 1 else expr)
