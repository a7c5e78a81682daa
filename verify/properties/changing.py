"""Examples made from an example."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verify.kernels import Array, Arrays, Example, sizes_of

__all__ = ["copied", "mapped", "row_alone", "sized"]

Change = Callable[[Array], Array]


def _same(array: Array) -> Array:
    return array


def mapped(
    example: Example,
    *,
    params: Change = _same,
    inputs: Change = _same,
    states: Change = _same,
    lengths: Change = _same,
    dy: Change = _same,
) -> Example:
    """The example with each array of a kind changed; what is None stays None.

    Args:
        states: for initial states and for cotangents of final ones, the batch in front.
    """
    return replace(
        example,
        params=_each(example.params, params),
        inputs=_each(example.inputs, inputs),
        state_0=None if example.state_0 is None else _each(example.state_0, states),
        lengths=None if example.lengths is None else lengths(np.asarray(example.lengths)),
        dy=None if example.dy is None else dy(example.dy),
        dstate_T=None if example.dstate_T is None else _each(example.dstate_T, states),
    )


def _each(arrays: Arrays, change: Change) -> dict[str, Array]:
    return {name: change(array) for name, array in arrays.items()}


def copied(example: Example) -> Example:
    """The same example in arrays of its own."""
    return mapped(
        example, params=np.array, inputs=np.array, states=np.array, lengths=np.array, dy=np.array
    )


def row_alone(example: Example, row: int, *, steps: int | None = None) -> Example:
    """One row of the batch; with `steps`, that many steps of it and no lengths."""
    one, stop = slice(row, row + 1), example.steps if steps is None else steps
    alone = mapped(
        example,
        inputs=lambda a: a[:stop, one],
        states=lambda a: a[one],
        lengths=lambda a: a[one],
        dy=lambda a: a[:stop, one],
    )
    return alone if steps is None else replace(alone, lengths=None)


def sized(example: Example) -> bool:
    """Whether the sizes of all states follow from the example."""
    known = set(sizes_of(example))
    return all(size.free_symbols <= known for s in example.cell.states for size in s.shape)
