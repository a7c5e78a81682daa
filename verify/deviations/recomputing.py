"""Backward computes something again and otherwise: a gate, a state, an order of rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from derive.evaluate import Sizes
from derive.expressions import Apply, MatrixSymbol
from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.model import Model, Results, Step, Steps
from verify.deviations.programs import program
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = [
    "gate_offset",
    "inputs_flattened",
    "inputs_viewed",
    "outputs_reversed",
    "state_of_before",
]

Order = Callable[[int, int], Array]


def _spoilt(model: Model, label: str, change: Callable[[Field, Step, Sizes], Step]) -> Variant:
    def spoil(field: Field, known: Steps, sizes: Sizes) -> Steps:
        return [change(field, step, sizes) for step in known]

    return Variant(label, replace(model, tape=(*model.tape, spoil)))


def gate_offset(model: Model) -> Iterator[Variant]:
    """A gate that backward computes again with a constant that forward has not: a forget bias."""
    for a in model.forward:
        if not (isinstance(a.value, Apply) and a.value.name == "sigmoid"):
            continue
        for number in (1, -1):

            def change(
                field: Field,
                step: Step,
                sizes: Sizes,
                name: str = a.name,
                value: Apply = a.value,
                number: int = number,
            ) -> Step:
                z = program(value.argument)(step, sizes, field)
                shift = field.constant(sp.Rational(number), plain(field, z).shape[-2:])
                return step | {name: field.apply(value.name, field.add(z, shift))}

            yield _spoilt(model, f"{a.name} with {number} added before its {a.value.name}", change)


def state_of_before(model: Model) -> Iterator[Variant]:
    """What is computed from a state, computed again from that of the step before."""
    names = {s.name for s in model.equations.states}
    for s in model.equations.states:
        made = [
            a for a in model.forward if a.name not in names and s.now in a.value.atoms(MatrixSymbol)
        ]
        for chosen in ([a] for a in made):

            def change(
                field: Field, step: Step, sizes: Sizes, s: Any = s, chosen: Any = chosen
            ) -> Step:
                known = {**step, s.name: step[s.before.name]}
                again = {a.name: program(a.value)(known, sizes, field) for a in chosen}
                return step | again

            said = ", ".join(a.name for a in chosen)
            yield _spoilt(model, f"{said} from {s.before.name} for {s.name}", change)


def _flat(steps: int, batch: int) -> Array:
    """Where entry (t, b) comes from, if the rows are swapped first and then read in a row."""
    number = np.arange(steps * batch).reshape(steps, batch)
    return np.asarray(number.T.reshape(steps, batch), int)


def inputs_flattened(model: Model) -> Iterator[Variant]:
    """Rows of an input in another order in the gradients of what multiplies it."""
    for v in model.cell.inputs:

        def spoil(field: Field, known: Steps, sizes: Sizes, name: str = v.name) -> Steps:
            if not known:
                return known
            given = np.stack([plain(field, step[name]) for step in known])
            order = _flat(*given.shape[:2])
            found = given.reshape(-1, *given.shape[2:])[order]
            values = [field.given(a) for a in found]
            return [step | {name: value} for step, value in zip(known, values, strict=True)]

        label = f"rows of {v.name} flattened batch first, those of deltas time first"
        yield Variant(label, replace(model, tape=(*model.tape, spoil)))


def outputs_reversed(model: Model) -> Iterator[Variant]:
    """Outputs stacked from the last step to the first; cotangents follow."""

    def turned(field: Field, e: Example, found: Results) -> Results:
        return found | {"y": found["y"][::-1]}

    def back(e: Example) -> Example:
        return e if e.dy is None else replace(e, dy=np.ascontiguousarray(e.dy[::-1]))

    values = (*model.values, turned)
    yield Variant(
        "from the last to the first",
        replace(model, values=values, upstream=(*model.upstream, back)),
    )


def inputs_viewed(model: Model) -> Iterator[Variant]:
    """An input's axes exchanged by a reshape, not by a transpose; its gradient follows."""

    def change(e: Example) -> Example:
        return replace(e, inputs={n: _read(a, _flat) for n, a in e.inputs.items()})

    def back(field: Field, e: Example, found: Results) -> Results:
        return {n: _placed(field, v) if n in e.inputs else v for n, v in found.items()}

    new = replace(model, given=(*model.given, change), finishing=(*model.finishing, back))
    yield Variant("the axes of time and batch of every input", new)


def _read(array: Array, order: Order) -> Array:
    flat = array.reshape(-1, *array.shape[2:])
    return np.ascontiguousarray(flat[order(*array.shape[:2])])


def _placed(field: Field, steps: list[Any]) -> list[Any]:
    """Gradients put back to where their inputs came from."""
    if not steps:
        return steps
    batch = plain(field, steps[0]).shape[0]
    order = _flat(len(steps), batch)
    found = [field.zeros(plain(field, s).shape) for s in steps]
    for t in range(len(steps)):
        for b in range(batch):
            time, row = divmod(int(order[t, b]), batch)
            mask = (np.arange(batch) == row)[:, None, None]
            found[time] = field.where(mask, _rolled(field, steps[t], b, row), found[time])
    return found


def _rolled(field: Field, value: Any, row: int, to: int) -> Any:
    """The value with one row moved to another place."""
    if row == to:
        return value
    if not hasattr(value, "value"):
        return np.roll(value, to - row, axis=0)
    parts = {
        n: np.roll(getattr(value, n), to - row, axis=0) for n in ("value", "inherited", "size")
    }
    return replace(value, **parts)
