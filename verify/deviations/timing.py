"""Backward reads the right thing of the wrong step."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from derive.cell import lag
from derive.evaluate import Sizes
from derive.expressions import Expr, MatrixSymbol, Name
from derive.gradients import Adjoint, Gradients, Term, bar
from verify.deviations.deviation import Variant
from verify.deviations.editing import PARTS, mapped
from verify.deviations.model import Model, Steps
from verify.recurrence import Field

__all__ = ["carried_late", "delta_late", "overwritten", "read_early", "read_late"]

# What is read where there is no step before or after: zeros, or what a list gives.
ENDS = {
    1: (
        ("t+1", ""),
        ("t+1 or 0", ", beyond a row's end too"),
        ("t+1 or T", ", at the last step its own"),
    ),
    -1: (
        ("t-1", ""),
        ("t-1 or T", ", at the first step the last one's"),
        ("t-1 or end", ", at the first step the final state"),
        ("t-1 or 1", ", at the first step its own"),
    ),
}

WHERE = {
    "parameters": "the gradients of parameters",
    "inputs": "dx",
    "states": "the carries",
    "backward": "the cotangents inside of a step",
}


def _moved(model: Model, by: int) -> Iterator[Variant]:
    """Each name that a part of backward reads, at a neighbouring step."""
    cell = model.equations
    fixed = {p.now for p in cell.parameters}
    states = {s.before for s in cell.states}
    for part in PARTS:
        names = _read(model.derived, part) - fixed
        for name in sorted(names, key=str):
            for other, end in _others(name, by, name in states):
                formulas = mapped(model.derived, _renamed({name: other}), (part,))
                said = re.sub(" or [^]]*", "", other.name)
                label = f"{said} for {name.name} in {WHERE[part]}{end}"
                yield Variant(label, replace(model, formulas=formulas))


def _renamed(names: Mapping[Any, Any]) -> Callable[[Adjoint, Term], Expr]:
    return lambda adjoint, term: term.value.xreplace(dict(names))


def _read(g: Gradients, part: str) -> set[Name]:
    """Values of forward that a part reads at its own step."""
    found = {
        leaf for a in getattr(g, part) for t in a.terms for leaf in t.value.atoms(MatrixSymbol)
    }
    lagged = {s.before for s in g.cell.states}
    return {n for n in found if n in lagged or not re.match(r"bar\(|carry\(|dy$|.*\[", n.name)}


def _others(name: Name, by: int, state: bool) -> Iterator[tuple[Name, str]]:
    """v[t+1] or v[t-1]; of a lagged state its value now or two steps on, or one further back."""
    stem = name.name.partition("[")[0]
    if state and by > 0:
        yield MatrixSymbol(stem, *name.shape), ""
    for place, end in ENDS[by]:
        if state or place != "t-1 or end":
            stays = stem if by > 0 else lag(stem) if state else name.name
            yield MatrixSymbol(f"{stays}[{place}]", *name.shape), end


def read_late(model: Model) -> Iterator[Variant]:
    """One step too late."""
    yield from _moved(model, 1)


def read_early(model: Model) -> Iterator[Variant]:
    """One step too early."""
    yield from _moved(model, -1)


def delta_late(model: Model) -> Iterator[Variant]:
    """Gradients of parameters made with the deltas of the step after."""
    changes: dict[Expr, Expr] = {}
    for a in model.derived.backward:
        symbol = bar(a.of)
        changes[symbol] = MatrixSymbol(f"{symbol.name}[t+1]", *symbol.shape)
    for part in ("parameters", "inputs", "states"):
        formulas = mapped(model.derived, _renamed(changes), (part,))
        yield Variant(f"{WHERE[part]}", replace(model, formulas=formulas))


def overwritten(model: Model) -> Iterator[Variant]:
    """A cached array that is a view: at every step backward finds the last step's value."""
    read: set[str] = set()
    for part in PARTS:
        read |= {n.name for n in _read(model.derived, part)}
    fixed = {p.name for p in model.equations.parameters}
    for name in sorted(read - fixed):
        stem, _, lagged = name.partition("[")
        for last in (name, stem) if lagged else (name,):

            def spoil(
                field: Field, known: Steps, sizes: Sizes, name: str = name, last: str = last
            ) -> Steps:
                return [step | {name: known[-1][last]} for step in known]

            label = name if last == name else f"{name}, the final {last}"
            yield Variant(label, replace(model, tape=(*model.tape, spoil)))


def carried_late(model: Model) -> Iterator[Variant]:
    """The carry of a state handed over a step late: from t+2."""
    for state in model.equations.states:
        for a in model.derived.backward:
            if a.of == state.now and any(t.through == "carry" for t in a.terms):
                terms = tuple(
                    replace(t, value=_late(t.value)) if t.through == "carry" else t for t in a.terms
                )
                backward = tuple(
                    replace(b, terms=terms) if b is a else b for b in model.derived.backward
                )
                formulas = replace(model.derived, backward=backward)
                yield Variant(
                    f"the carry of {state.name} from t+2", replace(model, formulas=formulas)
                )


def _late(value: Expr) -> Expr:
    names = {n: MatrixSymbol(f"{n.name}[t+1]", *n.shape) for n in value.atoms(MatrixSymbol)}
    return value.xreplace(names)
