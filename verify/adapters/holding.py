"""Which parameter of a layer object is which array of a convention."""

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from derive.cell import Cell
from derive.errors import UsageError
from verify.adapters.arrangement import Given, convention_for, named
from verify.conventions import UNREAD, Convention, blocks, to_cell

__all__ = ["Held", "held", "sizes_held", "undrawn"]


@dataclass(frozen=True)
class Held:
    """What a layer has.

    Attributes:
        arrays: the convention or the expressions, for `adapt`.
        own: the layer's name of each array that it has.
        absent: the cell's parameters that it has not; they are zero.
    """

    arrays: Given
    own: Mapping[str, str]
    absent: tuple[str, ...]


def held(
    arrays: Given, cell: Cell, library: str, owned: tuple[str, ...], names: Mapping[str, str] | None
) -> Held:
    """Find each array among the parameters that a layer has.

    Args:
        arrays: what the user says; None: the library's row where the layer has such names, else
            the cell's own names.
        names: the layer's name for each array; None: the same, perhaps with '_l0' behind it.

    Raises:
        UsageError: an array is not found.
    """
    row = _row(arrays, cell, library, owned)
    given = row if row is not None else arrays
    if isinstance(given, Convention):
        wanted = tuple(given.arrays)
    else:
        wanted = (
            tuple(given) if isinstance(given, Mapping) else tuple(p.name for p in cell.parameters)
        )
    found = {}
    for array in wanted:
        options = [names[array]] if names and array in names else [array, f"{array}_l0"]
        name = next((n for n in options if n in owned), None)
        if name is not None:
            found[array] = name
        elif row is None or array not in row.optional:
            raise UsageError(
                f"the layer has no parameter {options[0]}; it has {', '.join(owned)}: name a "
                "convention, or say which parameter is which array"
            )
    absent: set[str] = set()
    if row is not None:
        stand = blocks(row)
        absent = {p for a in stand for p in stand[a]} - {p for a in found for p in stand[a]}
    return Held(given, found, tuple(sorted(absent - {UNREAD})))


@contextmanager
def undrawn() -> Iterator[None]:
    """Random states are as they were: a layer that is made here draws weights that nobody reads."""
    own, numbers = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    state = None if torch is None else torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(numbers)
        if torch is not None:
            torch.set_rng_state(state)


def _row(arrays: Given, cell: Cell, library: str, owned: tuple[str, ...]) -> Convention | None:
    """The convention that is meant, if it is one."""
    if isinstance(arrays, str | Convention):
        return named(arrays, cell)
    row = convention_for(library, cell) if arrays is None else None
    known = row is not None and any(n.removesuffix("_l0") in row.arrays for n in owned)
    return row if known else None


def sizes_held(cell: Cell, found: Held, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The cell's dimensions in a layer whose parameters have these shapes.

    Raises:
        UsageError: they do not follow from expressions.
    """
    zeros = {array: np.zeros(shapes[name]) for array, name in found.own.items()}
    if isinstance(found.arrays, Mapping):
        raise UsageError("give the sizes, as sizes={'n': 4, 'm': 3}, or what makes such a layer")
    params = to_cell(found.arrays, zeros) if isinstance(found.arrays, Convention) else zeros
    sizes = {}
    for parameter in cell.parameters:
        for dim, size in zip(parameter.shape, params[parameter.name].shape, strict=True):
            if dim.is_Symbol:
                sizes[str(dim)] = int(size)
    return sizes
