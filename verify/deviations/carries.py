"""What comes from the step after, and from outside: carries, final cotangents, dy, truncation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from verify.deviations.around import limited, plain, shifted
from verify.deviations.deviation import Family, Variant
from verify.deviations.model import Model, Results, States
from verify.kernels import Array, Arrays, Example
from verify.recurrence import Field

__all__ = [
    "carry_clipped",
    "carry_dropped",
    "dy_dropped",
    "dy_last",
    "dy_moved",
    "dy_repeated",
    "finals_dropped",
    "lengths_ignored",
    "output_final_mixed",
    "root",
    "truncated",
]


def _upstream(model: Model, label: str, change: Callable[[Example], Example]) -> Variant:
    return Variant(label, replace(model, upstream=(*model.upstream, change)))


def carry_dropped(model: Model) -> Iterator[Variant]:
    """Nothing carried from t+1 to t by one state, or by all; final cotangents still enter."""
    names = [s.name for s in model.cell.states]
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):

        def drop(
            field: Field, t: int, T: int, arriving: States, chosen: list[str] = chosen
        ) -> States:
            if t == T - 1:
                return arriving
            return {n: _zero(field, v) if n in chosen else v for n, v in arriving.items()}

        label = " and ".join(chosen)
        yield Variant(label, replace(model, carrying=(*model.carrying, drop)))


def _zero(field: Field, value: Any) -> Any:
    return field.zeros(plain(field, value).shape)


def finals_dropped(model: Model) -> Iterator[Variant]:
    """Cotangents of final states ignored."""
    names = [s.name for s in model.cell.states]
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):

        def change(e: Example, chosen: list[str] = chosen) -> Example:
            if e.dstate_T is None:
                return e
            kept = {n: np.zeros_like(a) if n in chosen else a for n, a in e.dstate_T.items()}
            return replace(e, dstate_T=kept)

        yield _upstream(model, " and ".join(f"{n}_T" for n in chosen), change)


def output_final_mixed(model: Model) -> Iterator[Variant]:
    """The cotangents of two final states exchanged."""
    states = model.cell.states
    for k, one in enumerate(states):
        for other in states[k + 1 :]:
            if one.shape != other.shape:
                continue

            def change(e: Example, a: str = one.name, b: str = other.name) -> Example:
                found: Arrays = e.dstate_T or {}
                swap = {a: b, b: a}
                return replace(e, dstate_T={n: found[swap.get(n, n)] for n in found} or None)

            yield _upstream(model, f"{one.name}_T and {other.name}_T", change)


def dy_dropped(model: Model) -> Iterator[Variant]:
    """No cotangents of outputs."""
    yield _upstream(model, "dy ignored", lambda e: replace(e, dy=None))


def dy_last(model: Model) -> Iterator[Variant]:
    """Cotangents of outputs only at the last step, at the first, or not at the last."""

    def only(steps: slice) -> Callable[[Example], Example]:
        def change(e: Example) -> Example:
            if e.dy is None:
                return e
            kept = np.zeros_like(e.dy)
            kept[steps] = e.dy[steps]
            return replace(e, dy=kept)

        return change

    yield _upstream(model, "dy of the last step alone", only(slice(-1, None)))
    yield _upstream(model, "dy of the first step alone", only(slice(0, 1)))
    yield _upstream(model, "dy of all steps but the last", only(slice(0, -1)))
    yield _upstream(model, "dy of all steps but the first", only(slice(1, None)))


def dy_repeated(model: Model) -> Iterator[Variant]:
    """One dy at every step: the last one's, the sum, the mean."""

    def each(value: Callable[[Array], Array]) -> Callable[[Example], Example]:
        def change(e: Example) -> Example:
            if e.dy is None or not e.steps:
                return e
            dy = np.broadcast_to(value(e.dy), e.dy.shape).astype(e.dy.dtype)
            return replace(e, dy=dy)

        return change

    yield _upstream(model, "dy of the last step at every step", each(lambda dy: dy[-1:]))
    yield _upstream(model, "dy of the first step at every step", each(lambda dy: dy[:1]))

    def summed(e: Example) -> Example:
        if e.dy is None or not e.steps:
            return e
        dy = np.zeros_like(e.dy)
        dy[-1] = e.dy.sum(axis=0)
        return replace(e, dy=dy)

    yield _upstream(model, "the sum of dy at the last step", summed)


def dy_moved(model: Model) -> Iterator[Variant]:
    """Cotangents of outputs shifted in time, or turned round."""

    def by(steps: int) -> Callable[[Example], Example]:
        return lambda e: e if e.dy is None else replace(e, dy=shifted(e.dy, steps))

    yield _upstream(model, "one step later", by(1))
    yield _upstream(model, "one step earlier", by(-1))

    def turned(e: Example) -> Example:
        return e if e.dy is None else replace(e, dy=np.ascontiguousarray(e.dy[::-1]))

    yield _upstream(model, "in reversed order", turned)


def lengths_ignored(model: Model) -> Iterator[Variant]:
    """Backward goes over steps beyond a row's end."""
    yield _upstream(model, "backward", lambda e: replace(e, lengths=None))


# Of more steps than eight, those that people write.
LONGER = (10, 12, 15, 16, 20, 24, 25, 30, 32)


def truncated(model: Model) -> Iterator[Variant]:
    """Nothing carried over the edge of blocks of k steps, or further than k steps."""
    for k in (*range(1, 9), *LONGER):

        def blocks(field: Field, t: int, T: int, arriving: States, k: int = k) -> States:
            edge = t < T - 1 and (t + 1) % k == 0
            return {n: _zero(field, v) for n, v in arriving.items()} if edge else arriving

        def back(field: Field, t: int, T: int, arriving: States, k: int = k) -> States:
            edge = t < T - 1 and (T - 1 - t) % k == 0
            return {n: _zero(field, v) for n, v in arriving.items()} if edge else arriving

        yield Variant(
            f"blocks of {k} from the first step", replace(model, carrying=(*model.carrying, blocks))
        )
        yield Variant(
            f"blocks of {k} from the last step", replace(model, carrying=(*model.carrying, back))
        )

        def whole(field: Field, t: int, T: int, arriving: States, k: int = k) -> States:
            edge = (t + 1) % k == 0
            return {n: _zero(field, v) for n, v in arriving.items()} if edge else arriving

        if k > 1:  # of one step: the carry is never added
            yield Variant(
                f"blocks of {k} from the first step, final states at an edge too",
                replace(model, carrying=(*model.carrying, whole)),
            )

        def deep(field: Field, t: int, T: int, arriving: States, k: int = k) -> States:
            if t == T - 1 - k:
                return {n: _zero(field, v) for n, v in arriving.items()}
            return arriving

        yield Variant(f"after the last {k} steps", replace(model, carrying=(*model.carrying, deep)))
    yield _segments(model)


def _segments(model: Model) -> Variant:
    """Nothing carried over the edges of segments of checkpoints."""

    def segments(field: Field, t: int, T: int, arriving: States) -> States:
        edge = t < T - 1 and (t + 1) % root(T) == 0
        return {n: _zero(field, v) for n, v in arriving.items()} if edge else arriving

    new = replace(model, carrying=(*model.carrying, segments))
    return Variant("segments of sqrt(T), rounded up, from the first step", new)


def root(steps: int) -> int:
    """The square root of T, rounded up: how long segments between checkpoints are."""
    return isqrt(max(steps - 1, 0)) + 1


def carry_clipped(model: Model) -> Iterator[Family]:
    """Carries clipped by value at every step."""

    def at(number: Fraction) -> Model:
        def clip(field: Field, t: int, T: int, arriving: States) -> States:
            if t == T - 1:
                return arriving
            return {n: limited(field, v, number) for n, v in arriving.items()}

        def first(field: Field, e: Example, found: Results) -> Results:
            ends = {f"{s.name}_0" for s in model.cell.states}
            return {
                n: [limited(field, v, number) for v in vs] if n in ends and e.steps else vs
                for n, vs in found.items()
            }

        return replace(model, carrying=(*model.carrying, clip), finishing=(*model.finishing, first))

    yield Family("carries clipped at {}", at, "gradient ceiling", (Fraction(1, 2),))
