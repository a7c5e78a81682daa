"""Sums and means inside of a step: a count that is missing in backward, or one too many."""

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from derive.expressions import Expr, MatMul, MatrixSymbol, OneMatrix, coefficient, scale, times
from derive.gradients import Term
from verify.deviations.deviation import Variant
from verify.deviations.editing import adjoints, places, title, with_terms
from verify.deviations.model import Model
from verify.deviations.terms import term_name

__all__ = ["count_wrong", "gain_missing"]

Place = tuple[str, int, int]


def _named(model: Model, part: str, place: int, term: Term) -> str:
    return term_name(part, title(part, adjoints(model, part)[place]), term)


def count_wrong(model: Model) -> Iterator[Variant]:
    """The 1/n of a mean left out on the way back; or a sum over units taken for a mean."""
    every: list[tuple[Place, Term, str]] = []
    for part in ("backward", "parameters", "states", "inputs"):
        for place, adjoint in enumerate(adjoints(model, part)):
            for k, term in enumerate(adjoint.terms):
                number, _ = coefficient(term.value)
                symbols = sorted(sp.sympify(number).free_symbols, key=str)
                said = _named(model, part, place, term)
                if symbols:
                    plain = number.subs(dict.fromkeys(symbols, 1))
                    count = sp.sympify(plain / number)
                    new = replace(term, value=scale(count, term.value))
                    every.append(((part, place, k), new, f"{said}, times {count}"))
                for rows in _summed(term.value):
                    new = replace(term, value=scale(1 / rows, term.value))
                    every.append(((part, place, k), new, f"{said}, divided by {rows}"))
    for (part, place, k), new, label in every:
        terms = adjoints(model, part)[place].terms
        yield Variant(label, with_terms(model, part, place, (*terms[:k], new, *terms[k + 1 :])))


def _summed(value: Expr) -> list[sp.Expr]:
    """How many entries a sum in an expression has."""
    found = []
    for node, _, _ in places(value):
        if isinstance(node, MatMul) and any(isinstance(a, OneMatrix) for a in node.args):
            ones = next(a for a in node.args if isinstance(a, OneMatrix))
            found.append(ones.shape[1] if node.args[0] is ones else ones.shape[0])
    return [size for size in dict.fromkeys(found) if size != 1]


def gain_missing(model: Model) -> Iterator[Variant]:
    """A parameter left out of all that comes back through one equation: a gain."""
    parameters = {p.now for p in model.equations.parameters}
    found: dict[tuple[str, MatrixSymbol], list[tuple[int, int, Term]]] = {}
    for place, adjoint in enumerate(adjoints(model, "backward")):
        for k, term in enumerate(adjoint.terms):
            for gain in term.value.atoms(MatrixSymbol) & parameters:
                value = term.value.xreplace({gain: OneMatrix(*gain.shape)})
                if "elementwise product" in term.rules:
                    new = replace(term, value=times(value))
                    found.setdefault((term.through, gain), []).append((place, k, new))
    for (through, gain), chosen in sorted(found.items(), key=str):
        if len(chosen) > 1:
            new_model = model
            for place, k, new in chosen:
                terms = adjoints(new_model, "backward")[place].terms
                terms = (*terms[:k], new, *terms[k + 1 :])
                new_model = with_terms(new_model, "backward", place, terms)
            label = f"{gain.name} in all that comes back through {through}"
            yield Variant(label, new_model)
