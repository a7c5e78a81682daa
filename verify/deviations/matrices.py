"""Backward's matrices and deltas: transposes, another gate's delta, values held constant."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    Transpose,
    coefficient,
    transpose,
)
from derive.gradients import Adjoint, Term, bar
from verify.deviations.deviation import Variant
from verify.deviations.editing import adjoints, mapped, title, with_terms
from verify.deviations.gates import roles
from verify.deviations.model import Model

__all__ = [
    "delta_of_another",
    "deltas_exchanged",
    "gradient_turned",
    "held_constant",
    "normaliser_held",
    "one_delta",
    "statistics_held",
    "unturned",
]

WHERE = {"parameters": "the gradients of parameters", "inputs": "dx", "states": "the carries"}


def unturned(model: Model) -> Iterator[Variant]:
    """U for its transpose: each square matrix alone, and all."""
    squares: dict[Name, None] = {}
    for part in ("backward", "inputs", "states"):
        for a in adjoints(model, part):
            for t in a.terms:
                for node in t.value.atoms(Transpose):
                    square = node.args[0]
                    parameter = square in {p.now for p in model.equations.parameters}
                    if parameter and square.shape[0] == square.shape[1] != 1:
                        squares[square] = None
    found = list(squares)
    for chosen in (*([m] for m in found), found) if len(found) > 1 else ([m] for m in found):

        def change(a: Adjoint, t: Term, chosen: list[Name] = chosen) -> Expr:
            return t.value.xreplace({Transpose(m): m for m in chosen})

        formulas = mapped(model.derived, change, ("backward", "inputs", "states"))
        label = ", ".join(f"{m.name} for {m.name}^T" for m in chosen)
        yield Variant(label, replace(model, formulas=formulas))


def gradient_turned(model: Model) -> Iterator[Variant]:
    """The gradient of a square matrix transposed."""
    places = [
        k
        for k, a in enumerate(adjoints(model, "parameters"))
        if a.of.shape[0] == a.of.shape[1] != 1
    ]
    for chosen in (*([k] for k in places), places) if len(places) > 1 else ([k] for k in places):
        new, names = model, []
        for k in chosen:
            a = adjoints(model, "parameters")[k]
            terms = tuple(replace(t, value=transpose(t.value)) for t in a.terms)
            new = with_terms(new, "parameters", k, terms)
            names.append(a.of.name)
        yield Variant(f"the gradient of {', '.join(names)}", new)


def _deltas(model: Model) -> list[Name]:
    """Pre-activations and gates: what parameters' gradients are made with."""
    read = {
        leaf
        for a in (*model.derived.parameters, *model.derived.states, *model.derived.inputs)
        for t in a.terms
        for leaf in t.value.atoms(MatrixSymbol)
    }
    return [a.of for a in model.derived.backward if bar(a.of) in read and a.terms]


def delta_of_another(model: Model) -> Iterator[Variant]:
    """A parameter's gradient made with another gate's delta, or with one of another stage."""
    every = [a.of for a in model.derived.backward if a.terms]
    for place, adjoint in enumerate(adjoints(model, "parameters")):
        for k, term in enumerate(adjoint.terms):
            own = [n for n in every if bar(n) in term.value.atoms(MatrixSymbol)]
            for name in own:
                for other in every:
                    if other != name and other.shape == name.shape:
                        value = term.value.xreplace({bar(name): bar(other)})
                        terms = list(adjoint.terms)
                        terms[k] = replace(term, value=value)
                        label = (
                            f"{title('parameters', adjoint)} with the delta of {other.name} "
                            f"for that of {name.name}"
                        )
                        yield Variant(label, with_terms(model, "parameters", place, tuple(terms)))


def one_delta(model: Model) -> Iterator[Variant]:
    """Every gate's parameter of one kind made with the delta of one gate."""
    kinds: dict[str, list[Name]] = {}
    for gate in roles(model).values():
        for role, parameter in gate.items():
            kinds.setdefault(role, []).append(parameter)
    deltas = _deltas(model)
    for kind in (k for k in kinds.values() if len(k) > 2):
        for one in deltas:
            names = {bar(d): bar(one) for d in deltas if d.shape == one.shape}
            places = [
                replace(a, terms=tuple(replace(t, value=t.value.xreplace(names)) for t in a.terms))
                if a.of in kind
                else a
                for a in model.derived.parameters
            ]
            formulas = replace(model.derived, parameters=tuple(places))
            said = ", ".join(p.name for p in kind)
            yield Variant(f"{said} with that of {one.name}", replace(model, formulas=formulas))


def deltas_exchanged(model: Model) -> Iterator[Variant]:
    """Two gates' deltas exchanged, or one taken for both, in a part of backward."""
    for one, other in combinations(_deltas(model), 2):
        if one.shape != other.shape:
            continue
        a, b = bar(one), bar(other)
        ways = (
            (f"{one.name} and {other.name} exchanged", {a: b, b: a}),
            (f"that of {one.name} for {other.name}", {b: a}),
            (f"that of {other.name} for {one.name}", {a: b}),
        )
        for label, names in ways:
            for part in WHERE:
                formulas = mapped(model.derived, _renamed(names), (part,))
                yield Variant(f"{label}, in {WHERE[part]}", replace(model, formulas=formulas))
            formulas = mapped(model.derived, _renamed(names), tuple(WHERE))
            yield Variant(f"{label}, everywhere", replace(model, formulas=formulas))


def _renamed(names: dict[Name, Name]) -> Callable[[Adjoint, Term], Expr]:
    return lambda adjoint, term: term.value.xreplace(names)


def _held(model: Model, normalisers: bool) -> Iterator[Variant]:
    stabilisers = _normalisers(model)
    for k, adjoint in enumerate(adjoints(model, "backward")):
        state = adjoint.of.name in {s.name for s in model.equations.states}
        if not adjoint.terms or (adjoint.of.name in stabilisers) != normalisers:
            continue
        if state and not normalisers:
            continue
        yield Variant(adjoint.of.name, with_terms(model, "backward", k, ()))


def held_constant(model: Model) -> Iterator[Variant]:
    """A value through which no gradient goes."""
    yield from _held(model, False)


def normaliser_held(model: Model) -> Iterator[Variant]:
    """A normaliser or stabiliser through which no gradient goes."""
    yield from _held(model, True)


def statistics_held(model: Model) -> Iterator[Variant]:
    """Every normaliser held constant at once, and every mean as well."""
    stabilisers = _normalisers(model)
    counted = {a.name for a in model.forward if any(n.free_symbols for n in _counts(a.value))}
    for label, chosen in (
        ("every normaliser", stabilisers),
        ("every mean", counted),
        ("every mean and every normaliser", stabilisers | counted),
    ):
        found = [k for k, a in enumerate(adjoints(model, "backward")) if a.of.name in chosen]
        new = model
        for k in found:
            new = with_terms(new, "backward", k, ())
        if len(found) > 1:
            yield Variant(label, new)


def _counts(value: Expr) -> list[sp.Expr]:
    """The numbers in front of an expression's summands."""
    parts = value.args if isinstance(value, MatAdd) else (value,)
    return [sp.sympify(coefficient(part)[0]) for part in parts]


def _normalisers(model: Model) -> set[str]:
    """What divides, is in a square root, or is subtracted inside of an exponential."""
    values = {a.name: a.value for a in model.forward}
    found: set[str] = set()
    for name, value in values.items():
        if isinstance(value, Apply) and value.name in ("reciprocal", "sqrt"):
            found |= {name, *(leaf.name for leaf in value.atoms(MatrixSymbol))}
        if isinstance(value, Apply) and value.name == "exp":
            inside = values.get(value.argument.name)
            if inside is not None:
                found |= {
                    n.args[-1].name
                    for n in inside.args
                    if isinstance(n, MatMul) and n.args[0] == -1 and hasattr(n.args[-1], "name")
                }
    return found & set(values)
