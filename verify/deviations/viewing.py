"""Inputs whose axes are exchanged by a reshape: the numbers stay in a row, the axes do not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from verify.deviations.around import plain
from verify.deviations.deviation import Variant
from verify.deviations.model import Model, Results
from verify.deviations.recomputing import Order, flat_order
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = ["inputs_viewed"]


def inputs_viewed(model: Model) -> Iterator[Variant]:
    """An input's axes exchanged by a reshape, not by a transpose; its gradient follows."""

    def change(e: Example) -> Example:
        return replace(e, inputs={n: _read(a, flat_order) for n, a in e.inputs.items()})

    def back(field: Field, e: Example, found: Results) -> Results:
        return {n: _placed(field, v) if n in e.inputs else v for n, v in found.items()}

    new = replace(model, given=(*model.given, change), finishing=(*model.finishing, back))
    yield Variant("the axes of time and batch of every input", new)
    yield from _columns(model)


def _columns(model: Model) -> Iterator[Variant]:
    """(B, m) read as (m, B); the gradient is brought back in the same way, or transposed."""

    def change(e: Example) -> Example:
        return replace(
            e, inputs={n: np.stack([_read_as(s) for s in a]) for n, a in e.inputs.items()}
        )

    def back(field: Field, e: Example, found: Results) -> Results:
        return {
            n: [_moved(s, _given_back) for s in v] if n in e.inputs else v for n, v in found.items()
        }

    if all(len(v.shape) == 1 for v in model.cell.inputs):
        new = replace(model, given=(*model.given, _of_steps(change)))
        label = "the axes of batch and features of every input"
        yield Variant(label, replace(new, finishing=(*model.finishing, back)))
        yield Variant(f"{label}, its gradient transposed", new)


def _of_steps(change: Callable[[Example], Example]) -> Callable[[Example], Example]:
    return lambda e: change(e) if e.steps else e


def _read_as(rows: Array) -> Array:
    """The rows' numbers in a row, as columns."""
    return np.ascontiguousarray(rows.reshape(rows.shape[::-1]).T)


def _given_back(rows: Array) -> Array:
    """The inverse, of values with a column axis."""
    return np.ascontiguousarray(rows[..., 0].T).reshape(rows.shape)


def _moved(value: Any, change: Callable[[Array], Array]) -> Any:
    """A value, with its bounds, of which the entries are rearranged."""
    if not hasattr(value, "value"):
        return change(np.asarray(value))
    parts = {n: change(getattr(value, n)) for n in ("value", "inherited", "size")}
    return replace(value, **parts)


def _read(array: Array, order: Order) -> Array:
    flat = array.reshape(-1, *array.shape[2:])
    return np.ascontiguousarray(flat[order(*array.shape[:2])])


def _placed(field: Field, steps: list[Any]) -> list[Any]:
    """Gradients put back to where their inputs came from."""
    if not steps:
        return steps
    batch = plain(field, steps[0]).shape[0]
    order = flat_order(len(steps), batch)
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
