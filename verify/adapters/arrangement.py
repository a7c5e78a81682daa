"""What a user says of parameters -> where they stand: a convention, expressions, or the cell's own.

A row of `verify.conventions` is a map of entries as well; it is read off the row's own functions.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from derive.cell import Cell
from derive.errors import UsageError, one_line
from verify.adapters.blocks import Vectors, read_blocks
from verify.adapters.places import Arrangement, Place, Shapes, numbered
from verify.conventions import CONVENTIONS, Convention, from_cell, gradients_from_cell

__all__ = ["Given", "arrangement", "convention_for", "named"]

# What a user says of parameters: a row or its name, expressions by array, or nothing.
Given = str | Convention | Mapping[str, str] | None


def arrangement(given: Given, cell: Cell, vectors: Vectors = "flat") -> Arrangement:
    """What a user says of parameters, as both directions.

    Raises:
        UsageError: no such convention, one of another cell, or an expression that cannot be read.
    """
    names = tuple(p.name for p in cell.parameters)
    if given is None:
        return replace(read_blocks({name: name for name in names}, names), own=True)
    if isinstance(given, Mapping):
        return read_blocks(given, names, vectors)
    row = named(given, cell)
    return Arrangement(lambda shapes: _places(row, shapes))


def _places(row: Convention, shapes: Shapes) -> dict[str, Place]:
    numbers = {n: 1.0 + i for n, i in numbered(shapes).items()}
    ones = {n: np.full(shape, float(n not in row.missing)) for n, shape in shapes.items()}
    constants = from_cell(row, {n: np.zeros(shape) for n, shape in shapes.items()})
    values, factors = from_cell(row, ones), gradients_from_cell(row, ones)
    ids = gradients_from_cell(row, numbers)
    found = {}
    for name, factor in factors.items():
        read = factor != 0
        place = np.where(read, ids[name] / np.where(read, factor, 1), 0)
        first = values[name] - constants[name] != 0
        found[name] = Place(np.rint(place).astype(np.int64) - 1, factor, constants[name], first)
    return found


def named(given: str | Convention, cell: Cell) -> Convention:
    """A convention by its name, if it is one of the cell.

    Raises:
        UsageError: there is none of that name, or it is one of another cell.
    """
    if isinstance(given, str) and given not in CONVENTIONS:
        known = [n for n, row in CONVENTIONS.items() if row.cell == cell.name]
        raise UsageError(
            f"no convention '{one_line(given, 40)}'; of {cell.name} there are "
            f"{', '.join(known) or 'none'}"
        )
    row = CONVENTIONS[given] if isinstance(given, str) else given
    if row.cell != cell.name:
        raise UsageError(f"convention {row.name} is one of {row.cell}, not of {cell.name}")
    return row


def convention_for(library: str, cell: Cell) -> Convention | None:
    """The library's row for a cell, if it has one."""
    return next(
        (r for n, r in CONVENTIONS.items() if n.startswith(f"{library}.") and r.cell == cell.name),
        None,
    )
