"""Rows that end at the wrong step, states that run on, final states and their cotangents."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.model import Model, States, Steps
from verify.kernels import Array, Example
from verify.recurrence import Field, alive

__all__ = [
    "earlier_states",
    "ends_moved",
    "finals_everywhere",
    "finals_lost",
    "finals_twice",
    "padding_added",
    "runs_on",
    "state_reset",
]

Change = Callable[[Example], Example]


def ends_moved(model: Model) -> Iterator[Variant]:
    """Every row one step too long or too short, or lengths taken as if they were sorted."""

    def moved(by: int) -> Change:
        def change(e: Example) -> Example:
            if e.lengths is None:
                return e
            return replace(e, lengths=np.clip(np.asarray(e.lengths) + by, 0, e.steps))

        return change

    def ordered(e: Example) -> Example:
        if e.lengths is None:
            return e
        return replace(e, lengths=np.sort(np.asarray(e.lengths))[::-1].copy())

    kinds = (
        ("one step too late", moved(1)),
        ("one step too early", moved(-1)),
        ("in the order of falling lengths, whichever row has which", ordered),
    )
    for label, change in kinds:
        yield Variant(label, replace(model, given=(*model.given, change)))


def runs_on(model: Model) -> Iterator[Variant]:
    """States computed on beyond a row's end, with no input; outputs are zero there."""
    yield Variant("all states", replace(model, holds=False))


def earlier_states(model: Model) -> Iterator[Variant]:
    """A final state that is the one before the last step, or the initial one."""
    names = [s.name for s in model.cell.states]
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):

        def before(
            field: Field,
            known: Steps,
            mask: Array,
            states: States,
            chosen: list[str] = chosen,
        ) -> States:
            found = dict(states)
            for s in model.equations.states:
                for t, step in enumerate(known if s.name in chosen else ()):
                    after = mask[t + 1] if t + 1 < len(known) else np.zeros_like(mask[t])
                    last = mask[t] & ~after
                    found[s.name] = field.where(last, step[s.before.name], found[s.name])
            return found

        def late(
            field: Field,
            known: Steps,
            mask: Array,
            states: States,
            chosen: list[str] = chosen,
        ) -> States:
            read = {s.name: known[-1][s.before.name] for s in model.equations.states if known}
            return states | {n: read[n] for n in chosen if n in read}

        def first(
            field: Field,
            known: Steps,
            mask: Array,
            states: States,
            chosen: list[str] = chosen,
        ) -> States:
            start = {s.name: known[0][s.before.name] for s in model.equations.states if known}
            return states | {n: start[n] for n in chosen if n in start}

        said = " and ".join(f"{n}_T" for n in chosen)
        for label, leave in (
            ("the step before the last", before),
            ("the start of the last step, whatever a row's length", late),
            ("the start", first),
        ):
            new = replace(model, leaving=(*model.leaving, leave))
            yield Variant(f"{said} of {label}", new)


def _upstream(model: Model, label: str, change: Change) -> Variant:
    return Variant(label, replace(model, upstream=(*model.upstream, change)))


def finals_everywhere(model: Model) -> Iterator[Variant]:
    """The cotangent of a final state added at every step."""
    yield from _finals_in_outputs(model)
    yield from _finals_added(model)


def _finals_in_outputs(model: Model) -> Iterator[Variant]:
    """The cotangent of a final state added at every step."""
    for state in model.cell.states:
        if state.name == model.cell.output.name:

            def change(e: Example, name: str = state.name) -> Example:
                if e.dstate_T is None or e.dy is None:
                    return e
                first = e.dstate_T[name]
                dy = e.dy.copy()
                dy[:-1] += first
                return replace(e, dy=dy)

            yield _upstream(model, f"{state.name}_T", change)


def _finals_added(model: Model) -> Iterator[Variant]:
    """The cotangent of a final state that is no output, added to what is carried at every step."""
    for state in model.cell.states:
        final: States = {}

        def carry(
            field: Field,
            t: int,
            T: int,
            arriving: States,
            n: str = state.name,
            final: States = final,
        ) -> States:
            if t == T - 1:
                final[n] = arriving[n]
                return arriving
            return {**arriving, n: field.add(arriving[n], final[n])}

        new = replace(model, carrying=(*model.carrying, carry))
        yield Variant(f"{state.name}_T, to what is carried", new)


def finals_twice(model: Model) -> Iterator[Variant]:
    """The cotangent of a final state counted twice."""
    names = [s.name for s in model.cell.states]
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):

        def change(e: Example, chosen: list[str] = chosen) -> Example:
            found = e.dstate_T or {}
            twice = {n: 2 * a if n in chosen else a for n, a in found.items()}
            return replace(e, dstate_T=twice or None)

        yield _upstream(model, " and ".join(f"{n}_T" for n in chosen), change)


# Chunks that people write.
CHUNKS = (2, 4, 5, 8, 10, 16, 20, 25, 30, 32)


def state_reset(model: Model) -> Iterator[Variant]:
    """A state that is zero at the start of every k steps; its cotangent ends there, or goes on."""
    names = [s.name for s in model.cell.states]
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):
        for k in CHUNKS:

            def start(
                field: Field,
                t: int,
                read: States,
                first: States,
                chosen: list[str] = chosen,
                k: int = k,
            ) -> States:
                edge = t > 0 and t % k == 0
                return {n: _lost(field, v, edge and n in chosen) for n, v in read.items()}

            def end(
                field: Field,
                t: int,
                T: int,
                arriving: States,
                chosen: list[str] = chosen,
                k: int = k,
            ) -> States:
                edge = t < T - 1 and (t + 1) % k == 0
                return {n: _lost(field, v, edge and n in chosen) for n, v in arriving.items()}

            label = f"{' and '.join(chosen)} every {k} steps"
            new = replace(model, starting=(*model.starting, start))
            yield Variant(label, replace(new, carrying=(*model.carrying, end)))
            yield Variant(f"{label}, its cotangent carried on", new)


def _lost(field: Field, value: Any, lost: bool) -> Any:
    return field.zeros(plain(field, value).shape) if lost else value


def finals_lost(model: Model) -> Iterator[Variant]:
    """Cotangents of final states lost where a row ends before the last step."""

    def change(e: Example) -> Example:
        if e.lengths is None or e.dstate_T is None:
            return e
        whole = np.asarray(e.lengths) == e.steps
        kept = {n: _rows(a, whole) for n, a in e.dstate_T.items()}
        return replace(e, dstate_T=kept)

    yield _upstream(model, "of rows that end early", change)


def _rows(array: Array, kept: Array) -> Any:
    mask = kept.reshape(-1, *(1,) * (array.ndim - 1))
    return np.where(mask, array, 0).astype(array.dtype)


def padding_added(model: Model) -> Iterator[Variant]:
    """Cotangents of outputs beyond a row's end added to that of its final state."""
    out = model.cell.output.name

    def change(e: Example) -> Example:
        if e.lengths is None or e.dy is None:
            return e
        dead = ~alive(e.steps, e.batch, e.lengths).reshape(e.steps, e.batch)
        beyond = np.where(dead.reshape(*dead.shape, *(1,) * (e.dy.ndim - 2)), e.dy, 0).sum(axis=0)
        found = dict(e.dstate_T or {})
        given = found.get(out, np.zeros_like(beyond))
        return replace(e, dstate_T=found | {out: (given + beyond).astype(e.dy.dtype)})

    yield _upstream(model, f"dy beyond the end enters as that of {out}_T", change)
