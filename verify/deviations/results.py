"""Gradients that are zero, another's, or in another order."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.model import Model, Results
from verify.deviations.sums import finished
from verify.kernels import Example
from verify.recurrence import Field

__all__ = ["dx_moved", "initial_early", "lost_without_state", "taken", "zeroed"]


def zeroed(model: Model) -> Iterator[Variant]:
    """A gradient that is zero."""
    names = [v.name for v in (*model.cell.parameters, *model.cell.inputs)]
    starts = [f"{s.name}_0" for s in model.cell.states]
    for chosen in (*([n] for n in (*names, *starts)), *([starts] if len(starts) > 1 else ())):

        def finish(field: Field, e: Example, found: Results, chosen: list[str] = chosen) -> Results:
            zeros = {n: [field.zeros(plain(field, v).shape) for v in found[n]] for n in chosen}
            return found | zeros

        yield finished(model, " and ".join(chosen), finish)


def taken(model: Model) -> Iterator[Variant]:
    """One result given under two names: a gradient that is another's."""
    parameters = [(p.name, p.shape) for p in model.cell.parameters]
    states = [(f"{s.name}_0", s.shape) for s in model.cell.states]
    for name, shape, other, its in (
        (*a, *b) for kind in (parameters, states) for a in kind for b in kind if a != b
    ):
        if shape == its:

            def finish(
                field: Field, e: Example, found: Results, a: str = name, b: str = other
            ) -> Results:
                return found | {a: found[b]}

            yield finished(model, f"the gradient of {other} for that of {name}", finish)


def initial_early(model: Model) -> Iterator[Variant]:
    """The gradient of an initial state kept before the first step is gone back through."""
    names = [s.name for s in model.cell.states]
    for chosen in (names, *([n] for n in names)) if len(names) > 1 else (names,):
        said = " and ".join(f"{n}_0" for n in chosen)
        yield Variant(said, replace(model, early=frozenset(chosen)))
        whole = frozenset(f"bar({n})" for n in chosen)
        yield Variant(f"{said}, with what enters there", replace(model, early=whole))


def dx_moved(model: Model) -> Iterator[Variant]:
    """The gradient of an input in another order of steps."""
    for v in model.cell.inputs:
        kinds: tuple[tuple[str, Callable[[list[Any]], list[Any]]], ...] = (
            ("in reversed order", lambda steps: steps[::-1]),
            ("one step late", lambda steps: [*steps[-1:], *steps[:-1]]),
            ("one step early", lambda steps: [*steps[1:], *steps[:1]]),
        )
        for label, order in kinds:

            def finish(
                field: Field,
                e: Example,
                found: Results,
                name: str = v.name,
                order: Callable[[list[Any]], list[Any]] = order,
            ) -> Results:
                return found | {name: order(found[name])}

            yield finished(model, f"the gradient of {v.name} {label}", finish)


def lost_without_state(model: Model) -> Iterator[Variant]:
    """No gradients of parameters where no initial state is given."""
    names = {p.name for p in model.cell.parameters}

    def finish(field: Field, e: Example, found: Results) -> Results:
        if e.state_0 is not None:
            return found
        return {
            n: [field.zeros(plain(field, v).shape) for v in vs] if n in names else vs
            for n, vs in found.items()
        }

    yield finished(model, "all parameters", finish)
