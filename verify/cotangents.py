"""Where cotangents enter, as rows: outputs of some steps, final states, or across the outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from derive.cell import Cell
from verify.kernels import Array, Arrays, Example, as_array
from verify.memory import derived_of
from verify.recurrence import Plain
from verify.references import forward_in

__all__ = ["Upstream", "across", "finals", "only", "upstreams"]


# What is left of a cotangent where rounding alone leaves something.
ROUNDED = 1e-12


@dataclass(frozen=True)
class Upstream:
    """Where cotangents enter.

    Attributes:
        steps: which of the T output cotangents are given; None for no `dy` at all.
        states: names of the final states whose cotangent is not zero; None for no `dstate_T`.
        across: whether the cotangent of an output is orthogonal to that output.
    """

    name: str
    steps: slice | None
    states: tuple[str, ...] | None
    across: bool = False


def upstreams(cell: Cell) -> dict[str, Upstream]:
    """The kinds of upstream cotangents for a cell, by name; the first is everything."""
    every = tuple(s.name for s in cell.states)
    rows = [
        Upstream("all", slice(None), every),
        Upstream("outputs", slice(None), None),
        Upstream("last output", slice(-1, None), None),
        Upstream("first output", slice(0, 1), None),
        *(Upstream(f"final {name}", None, (name,)) for name in every),
        Upstream("none", None, None),
        Upstream("final states", None, every),
        Upstream("across outputs", slice(None), None, across=True),
    ]
    return {row.name: row for row in rows}


def only(dy: Array, steps: slice) -> Array:
    """Cotangents of outputs, zero where not asked for."""
    kept = np.zeros_like(dy)
    kept[steps] = dy[steps]
    return kept


def finals(
    names: Sequence[str], values: Sequence[Array], kept: tuple[str, ...] | None
) -> Arrays | None:
    """Cotangents of all final states, zero where not asked for."""
    if kept is None:
        return None
    pairs = zip(names, values, strict=True)
    return {name: value if name in kept else np.zeros_like(value) for name, value in pairs}


@np.errstate(all="ignore")
def across(example: Example) -> Array:
    """The cotangents of outputs without their part along the output, <dy_t, y_t> = 0 in each row.

    Where the equations give no number, and where the output is zero, they stay as they are.
    """
    assert example.dy is not None
    run = forward_in(example, derived_of(example.cell), Plain(np.longdouble))
    read = [as_array(y, example.cell.output) for y in run.outputs]
    dy = example.dy.astype(np.longdouble)
    y = np.stack(np.broadcast_arrays(*read)).reshape(dy.shape) if read else dy
    axes = tuple(range(2, dy.ndim))
    share = np.sum(dy * y, axis=axes, keepdims=True) / np.sum(y * y, axis=axes, keepdims=True)
    turned = dy - share * y
    turned[np.abs(turned) < ROUNDED * np.abs(dy)] = 0  # all of it lies along the output
    return np.asarray(np.where(np.isfinite(turned), turned, dy), example.dtype)
