"""Backward reads something else: half of a cotangent, 1 - z, another value, another first state."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from derive.evaluate import Sizes
from derive.expressions import (
    Apply,
    Expr,
    HadamardProduct,
    MatAdd,
    MatrixSymbol,
    Name,
    OneMatrix,
    add,
    scale,
    times,
)
from derive.gradients import Adjoint, Term, bar
from derive.language.printing import text_of_expression
from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.editing import PARTS, adjoints, places, title, with_terms
from verify.deviations.model import Model, Steps
from verify.deviations.programs import program
from verify.deviations.terms import term_name
from verify.deviations.timing import WHERE
from verify.recurrence import Field

__all__ = [
    "Reader",
    "changed",
    "complement",
    "elsewhere",
    "first_state",
    "incomplete",
    "matrices",
    "named",
    "part_of_value",
    "readers",
    "slope_lost",
]

OUTSIDE = {"dy": "dy", "carry": "the carry from t+1"}

# A part of the derivation, a cotangent's place in it, a term's place in that.
Reader = tuple[str, int, int, Adjoint, Term]


def readers(model: Model, parts: tuple[str, ...] = tuple(PARTS)) -> Iterator[Reader]:
    """Every term of some parts of backward."""
    for part in parts:
        for place, adjoint in enumerate(adjoints(model, part)):
            for k, term in enumerate(adjoint.terms):
                yield part, place, k, adjoint, term


def named(reader: Reader) -> str:
    """What a term is called."""
    part, _, _, adjoint, term = reader
    said = term_name(part, title(part, adjoint), term)
    several = sum(t.through == term.through for t in adjoint.terms) > 1
    return f"{said} as {text_of_expression(term.value)}" if several else said


def changed(model: Model, reader: Reader, value: Expr) -> Model:
    """The model with another value in one term."""
    part, place, k, adjoint, term = reader
    terms = (*adjoint.terms[:k], replace(term, value=value), *adjoint.terms[k + 1 :])
    return with_terms(model, part, place, terms)


def _several(model: Model, chosen: list[Reader], change: dict[Expr, Expr]) -> Model:
    for reader in chosen:
        part, place, k = reader[:3]
        adjoint = adjoints(model, part)[place]
        current = (part, place, k, adjoint, adjoint.terms[k])
        model = changed(model, current, adjoint.terms[k].value.xreplace(change))
    return model


def incomplete(model: Model) -> Iterator[Variant]:
    """A cotangent read before one of its terms is added: by one reader, or by what is carried."""
    every = list(readers(model))
    for adjoint in adjoints(model, "backward"):
        whole = bar(adjoint.of)
        reading = [r for r in every if whole in r[4].value.atoms(MatrixSymbol)]
        if len(adjoint.terms) < 2 or len(reading) < 2:
            continue
        for j, left in enumerate(adjoint.terms):
            rest = add(*(t.value for i, t in enumerate(adjoint.terms) if i != j))
            said = OUTSIDE.get(left.through, f"the way through {left.through}")
            after = f"reads the cotangent of {adjoint.of.name} without {said}"
            for reader in reading:
                new = _several(model, [reader], {whole: rest})
                yield Variant(f"{named(reader)} {after}", new)
            for part in PARTS:
                chosen = [r for r in reading if r[0] == part]
                if 1 < len(chosen) < len(reading):
                    what = "what makes " + WHERE[part]
                    yield Variant(f"{what} {after}", _several(model, chosen, {whole: rest}))


def part_of_value(model: Model) -> Iterator[Variant]:
    """A value that a gradient reads without one of its summands: U @ h for U @ h + c."""
    sums = {a.symbol: a.value.args for a in model.forward if isinstance(a.value, MatAdd)}
    for reader in readers(model):
        value = reader[4].value
        for name in sorted(value.atoms(MatrixSymbol) & sums.keys(), key=str):
            for k, left in enumerate(sums[name]):
                rest = add(*sums[name][:k], *sums[name][k + 1 :])
                label = f"{named(reader)}, with {name.name} without {text_of_expression(left)}"
                yield Variant(label, changed(model, reader, value.xreplace({name: rest})))


def first_state(model: Model) -> Iterator[Variant]:
    """Something else read for the states before the first step."""
    states = model.equations.states
    labels = (
        "zero",
        "the last step's state, as index -1 gives it,",
        "the first step's own state",
    )
    lagged = {s.before for s in states}
    made = [
        a
        for a in model.forward
        if isinstance(a.value, HadamardProduct) and a.value.atoms(MatrixSymbol) & lagged
    ]
    groups = [*([s] for s in states), *([list(states)] if len(states) > 1 else ())]
    for group, again in product(groups, ([], made) if made else ([],)):
        for number, label in enumerate(labels):

            def spoil(
                field: Field,
                known: Steps,
                sizes: Sizes,
                group: Any = group,
                number: int = number,
                again: Any = again,
            ) -> Steps:
                if not known:
                    return known
                new = dict(known[0])
                for s in group:
                    zeros = field.zeros(plain(field, known[0][s.before.name]).shape)
                    new[s.before.name] = (zeros, known[-1][s.name], known[0][s.name])[number]
                new |= {a.name: program(a.value)(new, sizes, field) for a in again}
                return [new, *known[1:]]

            said = ", ".join(n for n in (*(s.before.name for s in group), *(a.name for a in again)))
            new = replace(model, tape=(*model.tape, spoil))
            yield Variant(f"{label} for {said} at the first step", new)


def _gates(model: Model) -> list[Name]:
    sigmoid = (a for a in model.forward if isinstance(a.value, Apply) and a.value.name == "sigmoid")
    return [a.symbol for a in sigmoid]


def complement(model: Model) -> Iterator[Variant]:
    """1 - z for z in one term, or z for 1 - z."""
    for reader in readers(model, ("backward", "states", "parameters")):
        value = reader[4].value
        for z in _gates(model) if "activation" not in reader[4].rules else ():
            if z in value.atoms(MatrixSymbol):
                other = add(OneMatrix(*z.shape), scale(-1, z))
                label = f"{named(reader)}, with 1 - {z.name} for {z.name}"
                yield Variant(label, changed(model, reader, value.xreplace({z: other})))


def _values(model: Model) -> list[Name]:
    kept = [a.symbol for a in model.forward if not a.name.startswith("a_")]
    return [*kept, *(s.before for s in model.equations.states)]


def elsewhere(model: Model) -> Iterator[Variant]:
    """Another value of the same shape in a parameter's gradient, or in a slope, there also once."""
    pool = _values(model)
    for reader in readers(model, ("parameters", "backward")):
        sloped = "activation" in reader[4].rules
        if sloped != (reader[0] == "backward"):
            continue
        value = reader[4].value
        for old in sorted({n for n in value.atoms(MatrixSymbol) if n in pool}, key=str):
            found = [rebuild for node, _, rebuild in places(value) if node == old]
            for other in pool:
                if other.shape != old.shape or other == old:
                    continue
                label = f"{named(reader)}, with {other.name} for {old.name}"
                yield Variant(label, changed(model, reader, value.xreplace({old: other})))
                for number, rebuild in enumerate(found if len(found) > 1 else (), 1):
                    again = f"{label} in place {number} of {len(found)}"
                    yield Variant(again, changed(model, reader, rebuild(other)))


def matrices(model: Model) -> Iterator[Variant]:
    """Another parameter of the same shape on the way back."""
    pool = [p.now for p in model.equations.parameters]
    for reader in readers(model, ("inputs", "states", "backward")):
        value = reader[4].value
        for old in sorted({n for n in value.atoms(MatrixSymbol) if n in pool}, key=str):
            for other in pool:
                if other.shape == old.shape and other != old:
                    label = f"{named(reader)}, with {other.name} for {old.name}"
                    yield Variant(label, changed(model, reader, value.xreplace({old: other})))


def slope_lost(model: Model) -> Iterator[Variant]:
    """A slope that some readers of a delta leave out: what is carried, dx, or parameters."""
    values = {a.name: a.value for a in model.forward}
    every = list(readers(model))
    for adjoint in adjoints(model, "backward"):
        terms = adjoint.terms
        if len(terms) != 1 or terms[0].rules != ("activation",):
            continue
        value = values[terms[0].through]
        output = MatrixSymbol(terms[0].through, *value.shape)
        plainly = times(bar(output), OneMatrix(*value.shape))
        whole = bar(adjoint.of)
        reading = [r for r in every if whole in r[4].value.atoms(MatrixSymbol)]
        for part in PARTS:
            chosen = [r for r in reading if r[0] == part]
            if chosen and len(chosen) < len(reading):
                name = value.name if isinstance(value, Apply) else "the slope"
                label = f"{name} in {output.name}, in {WHERE[part]}"
                yield Variant(label, _several(model, chosen, {whole: plainly}))
