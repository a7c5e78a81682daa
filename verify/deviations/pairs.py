"""Parameters' gradients of pairs that do not belong together; a map that is not transposed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from derive.cell import Variable
from derive.differentials import differential, tangent
from derive.expressions import (
    Expr,
    HadamardProduct,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    Name,
    OneMatrix,
    Transpose,
    add,
    coefficient,
    matmul,
    stack,
    times,
)
from derive.gradients import Adjoint, Term, bar
from verify.deviations.deviation import Variant
from verify.deviations.editing import adjoints, mapped, with_terms
from verify.deviations.model import Model

__all__ = ["cut_elsewhere", "jacobian_transposed", "pairs_of_rows", "units_mixed"]

# What a sum over is called, and where the running of models finds it.
OVER = (("rows of the batch", "rows"), ("steps", "steps"))


def _outer(term: Term, factors: set[Name]) -> Name | None:
    """Of delta @ v.T the value v."""
    value = term.value
    if isinstance(value, MatMul) and isinstance(value.args[-1], Transpose):
        right = value.args[-1].args[0]
        return right if right in factors else None
    return None


def pairs_of_rows(model: Model) -> Iterator[Variant]:
    """Outer products of all pairs of rows, or of steps: of sums, where the sum is of products."""
    cell = model.equations
    factors = {v.now for v in cell.inputs} | {s.before for s in cell.states}
    found: dict[Name, list[str]] = {}
    for adjoint in adjoints(model, "parameters"):
        for term in adjoint.terms:
            right = _outer(term, factors)
            if right is not None:
                found.setdefault(right, []).append(adjoint.of.name)
    groups = [(set(names), ", ".join(names)) for names in found.values() if len(names) > 1]
    groups += [({name}, name) for names in found.values() for name in names]
    if len(found) > 1:
        every = [name for names in found.values() for name in names]
        groups.insert(0, (set(every), ", ".join(every)))
    for over, place in OVER:
        for chosen, said in groups:

            def change(a: Adjoint, t: Term, chosen: set[str] = chosen, place: str = place) -> Expr:
                right = _outer(t, factors) if a.of.name in chosen else None
                if right is None:
                    return t.value
                other = MatrixSymbol(f"{right.name}[{place}]", *right.shape)
                return t.value.xreplace({right: other})

            formulas = mapped(model.derived, change, ("parameters",))
            yield Variant(f"all pairs of {over}, in {said}", replace(model, formulas=formulas))


def units_mixed(model: Model) -> Iterator[Variant]:
    """Of a vector that multiplies entry by entry a row sum: every unit's value meets each delta."""
    places: list[tuple[int, tuple[Term, ...], str]] = []
    for place, adjoint in enumerate(adjoints(model, "parameters")):
        rows, columns = adjoint.of.shape
        terms = tuple(replace(t, value=_row_sum(t.value)) for t in adjoint.terms)
        changed = any(a.value != b.value for a, b in zip(terms, adjoint.terms, strict=True))
        if columns == 1 and rows != 1 and changed:
            places.append((place, terms, adjoint.of.name))
    for chosen in (places, *([p] for p in places)) if len(places) > 1 else (places,):
        new = model
        for place, terms, _ in chosen:
            new = with_terms(new, "parameters", place, terms)
        if chosen:
            yield Variant(f"row sums for {', '.join(name for *_, name in chosen)}", new)


def _row_sum(value: Expr) -> Expr:
    """Delta times the sum of what it is multiplied by."""
    if not (isinstance(value, HadamardProduct) and len(value.args) == 2):
        return value
    deltas = [a for a in value.args if isinstance(a, MatrixSymbol) and a.name.startswith("bar(")]
    rest = [a for a in value.args if a not in deltas]
    if len(deltas) != 1 or len(rest) != 1:
        return value
    rows = value.shape[0]
    return times(deltas[0], matmul(OneMatrix(rows, rows), rest[0]))


def cut_elsewhere(model: Model) -> Iterator[Variant]:
    """The gradients of an input and of a state cut from one column at the wrong place."""
    cell = model.equations
    for place, state in enumerate(cell.states):
        for k, given in enumerate(cell.inputs):
            own, other = model.derived.states[place], model.derived.inputs[k]
            back = [t for t in own.terms if _comes_back(t)]
            n, m = state.now.shape[0], given.now.shape[0]
            if not back or state.now.shape[1] != 1 or given.now.shape[1] != 1 or not other.terms:
                continue
            up, down = add(*(t.value for t in back)), other.value
            rest = tuple(t for t in own.terms if t not in back)
            ways = (
                (f"{state.name} before {given.name}", stack((up, down)), (m, m + n), (0, m)),
                (f"{given.name} before {state.name}", stack((down, up)), (0, n), (n, n + m)),
            )
            for said, column, for_state, for_input in ways:
                new = with_terms(
                    model,
                    "states",
                    place,
                    (*rest, _cut(column, for_state)),
                )
                new = with_terms(new, "inputs", k, (_cut(column, for_input),))
                yield Variant(f"a column that has {said}, read the other way round", new)


def _comes_back(term: Term) -> bool:
    """Whether it is a matrix transposed times a delta."""
    value = coefficient(term.value)[1]
    return isinstance(value, MatMul) and isinstance(value.args[0], Transpose)


def _cut(column: Expr, rows: tuple[Any, Any]) -> Term:
    return Term("column", MatrixSlice(column, rows, (0, 1)), ())


def jacobian_transposed(model: Model) -> Iterator[Variant]:
    """What is carried back is J times the cotangents of the states, not J transposed times."""
    states = model.equations.states

    def moved(state: Variable) -> Expr:
        moved = differential(
            model.derived, state.now, {q.before: tangent(q.before) for q in states}
        )
        return moved.xreplace({tangent(q.before): bar(q.now) for q in states})

    found = [
        replace(a, terms=(Term("J", moved(s), ()),))
        for s, a in zip(states, model.derived.states, strict=True)
    ]
    formulas = replace(model.derived, states=tuple(found))
    yield Variant("every state", replace(model, formulas=formulas))
