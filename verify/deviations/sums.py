"""Sums over batch and time, and what is done to gradients after them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from verify.deviations.around import plain
from verify.deviations.deviation import Family, Variant
from verify.deviations.model import Model, Results
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = [
    "averaged",
    "clipped",
    "clipped_norm",
    "common_factor",
    "divided",
    "dx_moved",
    "lost_without_state",
    "one_row",
    "one_step",
    "taken",
    "zeroed",
]

Finish = Callable[[Field, Example, Results], Results]


def _finished(model: Model, label: str, finish: Finish) -> Variant:
    return Variant(label, replace(model, finishing=(*model.finishing, finish)))


def _times(field: Field, value: Any, number: Fraction) -> Any:
    return field.multiply(field.constant(sp.Rational(number), (1, 1)), value)


def _picked(keep: Callable[[int, int, Array], Array]) -> Callable[[Model, list[str]], Model]:
    """A model that sums only what `keep` (t, T, which rows live) says."""

    def change(model: Model, names: list[str]) -> Model:
        def summing(field: Field, name: str, parts: Sequence[Any], mask: Array) -> list[Any]:
            if name not in names:
                return list(parts)
            return [
                field.where(keep(t, len(parts), mask[t]), p, field.zeros(plain(field, p).shape))
                for t, p in enumerate(parts)
            ]

        return replace(model, summing=(*model.summing, summing))

    return change


def _rows(batch: int, row: int) -> Array:
    found = np.zeros((batch, 1, 1), bool)
    if batch:
        found[row] = True
    return found


def _groups(model: Model) -> list[list[str]]:
    names = [p.name for p in model.cell.parameters]
    return [names, *([n] for n in names)] if len(names) > 1 else [names]


def _label(model: Model, names: list[str]) -> str:
    return "all parameters" if len(names) == len(model.cell.parameters) else names[0]


def one_step(model: Model) -> Iterator[Variant]:
    """The last or the first step for the sum over time."""
    kinds = (
        ("the last step", lambda t, T, live: np.full(live.shape, t == T - 1)),
        ("the first step", lambda t, T, live: np.full(live.shape, t == 0)),
        ("all steps but the first", lambda t, T, live: np.full(live.shape, t > 0)),
        ("all steps but the last", lambda t, T, live: np.full(live.shape, t < T - 1)),
    )
    for names in _groups(model):
        for label, keep in kinds:
            yield Variant(f"{label}, {_label(model, names)}", _picked(keep)(model, names))


def one_row(model: Model) -> Iterator[Variant]:
    """The last or the first row for the sum over the batch."""
    kinds = (
        ("the last row", lambda t, T, live: _rows(len(live), -1)),
        ("the first row", lambda t, T, live: _rows(len(live), 0)),
    )
    for names in _groups(model):
        for label, keep in kinds:
            yield Variant(f"{label}, {_label(model, names)}", _picked(keep)(model, names))


def averaged(model: Model) -> Iterator[Variant]:
    """Means for sums, in parameters."""
    kinds: tuple[tuple[str, Callable[[Example], int]], ...] = (
        ("the batch", lambda e: e.batch),
        ("time", lambda e: e.steps),
        ("batch and time", lambda e: e.batch * e.steps),
    )
    for names in _groups(model):
        for over, count in kinds:

            def finish(
                field: Field,
                e: Example,
                found: Results,
                names: list[str] = names,
                count: Callable[[Example], int] = count,
            ) -> Results:
                share = Fraction(1, max(count(e), 1))
                return {
                    n: [_times(field, v, share) for v in vs] if n in names else vs
                    for n, vs in found.items()
                }

            yield _finished(model, f"over {over}, {_label(model, names)}", finish)


def divided(model: Model) -> Iterator[Variant]:
    """All gradients divided by B, by T or by both, as if upstream were a mean."""
    kinds: tuple[tuple[str, Callable[[Example], int]], ...] = (
        ("B", lambda e: e.batch),
        ("T", lambda e: e.steps),
        ("B T", lambda e: e.batch * e.steps),
    )
    for label, count in kinds:

        def finish(
            field: Field,
            e: Example,
            found: Results,
            count: Callable[[Example], int] = count,
        ) -> Results:
            share = Fraction(1, max(count(e), 1))
            return {n: [_times(field, v, share) for v in vs] for n, vs in found.items()}

        yield _finished(model, f"1 / ({label})", finish)


def common_factor(model: Model) -> Iterator[Family]:
    """All gradients times one number."""

    def at(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return {n: [_times(field, v, number) for v in vs] for n, vs in found.items()}

        return replace(model, finishing=(*model.finishing, finish))

    yield Family(
        "every gradient times {}", at, "affine", (Fraction(2), Fraction(-1), Fraction(2, 7))
    )


def clipped(model: Model) -> Iterator[Family]:
    """Gradients clipped by value."""

    def at(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return {n: [_clip(field, v, number) for v in vs] for n, vs in found.items()}

        return replace(model, finishing=(*model.finishing, finish))

    def parameters(number: Fraction) -> Model:
        names = {p.name for p in model.cell.parameters}

        def finish(field: Field, e: Example, found: Results) -> Results:
            return {
                n: [_clip(field, v, number) for v in vs] if n in names else vs
                for n, vs in found.items()
            }

        return replace(model, finishing=(*model.finishing, finish))

    yield Family("every gradient at {}", at, "gradient ceiling", (Fraction(1), Fraction(5)))
    yield Family(
        "gradients of parameters at {}", parameters, "gradient ceiling", (Fraction(1), Fraction(5))
    )


def _clip(field: Field, value: Any, number: Fraction) -> Any:
    v = plain(field, value)
    ends = [field.given(np.full(v.shape, s * float(number), v.real.dtype)) for s in (1, -1)]
    return field.where(v < -float(number), ends[1], field.where(v > float(number), ends[0], value))


def clipped_norm(model: Model) -> Iterator[Family]:
    """Gradients of parameters scaled down to a norm: all together, or each alone."""
    names = {p.name for p in model.cell.parameters}

    def together(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return _limited(field, found, sorted(names), number)

        return replace(model, finishing=(*model.finishing, finish))

    def alone(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            for name in sorted(names):
                found = _limited(field, found, [name], number)
            return found

        return replace(model, finishing=(*model.finishing, finish))

    yield Family("all parameters together at {}", together, "norm", (Fraction(1), Fraction(5)))
    yield Family("each parameter at {}", alone, "norm of one", (Fraction(1), Fraction(5)))


def _limited(field: Field, found: Results, names: list[str], number: Fraction) -> Results:
    """The gradients of these names scaled down together to that norm.

    The norm is summed in the field's own arithmetic, so that its rounding is bounded like the rest.
    """
    size = sum(float(np.sum(plain(field, v) ** 2)) for n in names for v in found[n]) ** 0.5
    if not size > float(number):
        return found
    squares = [
        field.matmul(_ones(field, v, 0), field.matmul(field.multiply(v, v), _ones(field, v, 1)))
        for n in names
        for v in found[n]
    ]
    norm = field.apply("sqrt", _added(field, squares))
    factor = field.multiply(
        field.constant(sp.Rational(number), (1, 1)), field.apply("reciprocal", norm)
    )
    return {
        n: [field.multiply(factor, v) for v in vs] if n in names else vs for n, vs in found.items()
    }


def _added(field: Field, values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = field.add(total, value)
    return total


def _ones(field: Field, value: Any, side: int) -> Any:
    rows, columns = plain(field, value).shape[-2:]
    return field.constant(sp.S.One, (1, rows) if side == 0 else (columns, 1))


def zeroed(model: Model) -> Iterator[Variant]:
    """A gradient that is zero."""
    names = [
        *(v.name for v in (*model.cell.parameters, *model.cell.inputs)),
        *(f"{s.name}_0" for s in model.cell.states),
    ]
    for name in names:

        def finish(field: Field, e: Example, found: Results, name: str = name) -> Results:
            zeros = [field.zeros(plain(field, v).shape) for v in found[name]]
            return found | {name: zeros}

        yield _finished(model, name, finish)


def taken(model: Model) -> Iterator[Variant]:
    """One result given under two names: a gradient that is another's."""
    variables = [*model.cell.parameters]
    pairs = [(v.name, v.shape) for v in variables]
    pairs += [(f"{s.name}_0", s.shape) for s in model.cell.states]
    for name, shape in pairs:
        for other, its in pairs:
            if shape == its and name != other:

                def finish(
                    field: Field, e: Example, found: Results, a: str = name, b: str = other
                ) -> Results:
                    same = _shape(field, found[a][0]) == _shape(field, found[b][0])
                    return found | {a: found[b]} if same else found

                yield _finished(model, f"the gradient of {other} for that of {name}", finish)


def _shape(field: Field, value: Any) -> tuple[int, ...]:
    return plain(field, value).shape


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

            yield _finished(model, f"the gradient of {v.name} {label}", finish)


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

    yield _finished(model, "all parameters", finish)
