"""Sums over batch and time: one of them, means, shares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.gates import roles
from verify.deviations.model import Model, Results
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = ["averaged", "divided", "finished", "multiple", "one_row", "one_step", "over_units"]

Finish = Callable[[Field, Example, Results], Results]


def finished(model: Model, label: str, finish: Finish) -> Variant:
    """The model, with its gradients changed after they are computed."""
    return Variant(label, replace(model, finishing=(*model.finishing, finish)))


def multiple(field: Field, value: Any, number: Fraction) -> Any:
    """A number times a value."""
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


def _groups(model: Model) -> Iterator[tuple[str, list[str]]]:
    """All parameters, those that do the same in several gates, and each."""
    names = [p.name for p in model.cell.parameters]
    if len(names) > 1:
        yield "all parameters", names
    kinds: dict[str, list[str]] = {}
    for gate in roles(model).values():
        for role, parameter in gate.items():
            kinds.setdefault(role, []).append(parameter.name)
    for kind in kinds.values():
        if 1 < len(kind) < len(names):
            yield ", ".join(kind), kind
    yield from ((name, [name]) for name in names)


def one_step(model: Model) -> Iterator[Variant]:
    """The last or the first step for the sum over time."""
    kinds = (
        ("the last step", lambda t, T, live: np.full(live.shape, t == T - 1)),
        ("the first step", lambda t, T, live: np.full(live.shape, t == 0)),
        ("all steps but the first", lambda t, T, live: np.full(live.shape, t > 0)),
        ("all steps but the last", lambda t, T, live: np.full(live.shape, t < T - 1)),
    )
    for said, names in _groups(model):
        for label, keep in kinds:
            yield Variant(f"{label}, {said}", _picked(keep)(model, names))


def one_row(model: Model) -> Iterator[Variant]:
    """The last or the first row for the sum over the batch."""
    kinds = (
        ("the last row", lambda t, T, live: _rows(len(live), -1)),
        ("the first row", lambda t, T, live: _rows(len(live), 0)),
    )
    for said, names in _groups(model):
        for label, keep in kinds:
            yield Variant(f"{label}, {said}", _picked(keep)(model, names))


def averaged(model: Model) -> Iterator[Variant]:
    """Means for sums, in parameters."""
    kinds: tuple[tuple[str, Callable[[Example], int]], ...] = (
        ("the batch", lambda e: e.batch),
        ("time", lambda e: e.steps),
        ("batch and time", lambda e: e.batch * e.steps),
    )
    for said, names in _groups(model):
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
                    n: [multiple(field, v, share) for v in vs] if n in names else vs
                    for n, vs in found.items()
                }

            yield finished(model, f"over {over}, {said}", finish)


def over_units(model: Model) -> Iterator[Variant]:
    """A vector's gradient summed over units as well; a scalar's averaged over them."""
    kinds: tuple[tuple[str, Callable[[Example, int], int]], ...] = (
        ("units", lambda e, n: n),
        ("rows and units", lambda e, n: n * e.batch),
    )
    for p in model.cell.parameters:
        if p.shape in ((), (1,)):
            for over, count in kinds:

                def mean(
                    field: Field,
                    e: Example,
                    found: Results,
                    name: str = p.name,
                    count: Callable[[Example, int], int] = count,
                ) -> Results:
                    units = plain(field, found[f"{model.cell.output.name}_0"][0]).shape[-2]
                    share = Fraction(1, max(count(e, units), 1))
                    return found | {name: [multiple(field, v, share) for v in found[name]]}

                yield finished(model, f"the mean over {over} for {p.name}", mean)
        elif len(p.shape) == 1:

            def spread(field: Field, e: Example, found: Results, name: str = p.name) -> Results:
                return found | {name: [_spread(field, v) for v in found[name]]}

            yield finished(model, f"the sum over units in every entry of {p.name}", spread)

    vectors = {p.name for p in model.cell.parameters if len(p.shape) == 1}
    for said, names in _groups(model):
        if len(names) > 1 and set(names) <= vectors:

            def together(
                field: Field, e: Example, found: Results, names: list[str] = names
            ) -> Results:
                total = _spread(field, found[names[0]][0])
                for name in names[1:]:
                    total = field.add(total, _spread(field, found[name][0]))
                return found | {name: [total] for name in names}

            yield finished(model, f"the sum over all units in every entry of {said}", together)


def _spread(field: Field, value: Any) -> Any:
    """The sum of a vector's entries in every entry."""
    rows, columns = plain(field, value).shape[-2:]
    tall = field.matmul(field.constant(sp.S.One, (rows, rows)), value)
    return field.matmul(tall, field.constant(sp.S.One, (columns, columns)))


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
            return {n: [multiple(field, v, share) for v in vs] for n, vs in found.items()}

        yield finished(model, f"1 / ({label})", finish)
