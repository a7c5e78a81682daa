"""A layer's parameters from one convention to another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from derive.errors import UsageError, one_line
from verify.conventions.moving import every_direction, from_cell, from_directions
from verify.conventions.relations import related
from verify.conventions.row import Convention
from verify.conventions.table import convention
from verify.kernels import Array, Arrays

__all__ = ["convert", "flattened", "nested"]


def convert(
    arrays: Mapping[str, Any],
    source: str | Convention,
    target: str | Convention,
    *,
    sizes: Mapping[str, int] | None = None,
    direction: int | None = None,
    prefix: str = "",
) -> dict[str, Array]:
    """The arrays with which the target computes what the source computes.

    Args:
        arrays: of one layer, by the source's names, or nested: {'hi': {'bias': …}} is 'hi/bias'.
        source, target: names of conventions or rows; a cell's name means its own parameters.
        sizes: by name, where shapes do not tell them: n or m of a flat array.
        direction: of several, the one to convert; None: all.
        prefix: what the layer's arrays are called before their names, as 'encoder.rnn.' in a model;
            arrays called otherwise are left alone.

    Returns:
        arrays by the target's names, as it spells them for each direction.

    Raises:
        UsageError: an array is missing, unknown, of a wrong shape or not of numbers; or the target
            cannot say what the source says: another cell, a parameter that is not zero and has no
            place, more directions than it has.
    """
    given, wanted = (convention(row) if isinstance(row, str) else row for row in (source, target))
    found = [
        {name: np.asarray(array) for name, array in part.items()}
        for part in _by_direction(given, _of_layer(flattened(arrays), prefix))
    ]
    for name, array in (pair for part in found for pair in part.items()):
        if array.dtype.kind != "f":
            raise UsageError(f"{given.name}: {name} has dtype {array.dtype}, expected floats")
    cells = [params for part in found for params in every_direction(given, part, sizes)]
    if direction is not None:
        if not 0 <= direction < len(cells):
            raise UsageError(
                f"{given.name}: the arrays have no direction {direction}, they have {len(cells)}"
            )
        cells = [cells[direction]]
    moved = [related(params, given.cell, wanted.cell) for params in cells]
    if wanted.directions:
        return from_directions(wanted, moved)
    if len(moved) > max(1, len(wanted.spelled)):
        raise UsageError(
            f"{wanted.name} has one direction, the arrays have {len(moved)}: convert each, with "
            "direction 0 and direction 1"
        )
    spelled = wanted.spelled or ("{}",)
    return {
        spelled[place].format(name): array
        for place, params in enumerate(moved)
        for name, array in from_cell(wanted, params).items()
    }


def flattened(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts as one, with names joined by '/'."""
    result: dict[str, Any] = {}
    for name, value in arrays.items():
        inner = flattened(value) if isinstance(value, Mapping) else {"": value}
        result |= {f"{name}/{rest}" if rest else name: array for rest, array in inner.items()}
    return result


def nested(arrays: Arrays) -> dict[str, Any]:
    """Names with '/' as nested dicts, as Flax has them."""
    result: dict[str, Any] = {}
    for name, array in arrays.items():
        *outer, last = name.split("/")
        place = result
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = array
    return result


def _of_layer(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays with a prefix, by what follows it."""
    found = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
    if not found:
        shown = one_line(", ".join(sorted(arrays)[:3]), 80) or "no arrays at all"
        raise UsageError(f"no array begins with '{one_line(prefix, 40)}'; there are {shown}")
    return found


def _by_direction(row: Convention, arrays: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Arrays by the row's names, for each direction; spelled for it, or by the names themselves."""
    if not row.spelled or arrays.keys() <= row.arrays.keys():
        return [dict(arrays)]
    places = {
        spelling.format(name): (place, name)
        for place, spelling in enumerate(row.spelled)
        for name in row.arrays
    }
    unknown = sorted(arrays.keys() - places.keys())
    if unknown:
        raise UsageError(
            f"{row.name}: {one_line(', '.join(unknown), 80)} is no array of one layer; expected "
            f"{', '.join(row.spelled[0].format(name) for name in row.arrays)}"
        )
    count = 1 + max(places[name][0] for name in arrays)
    found: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, array in arrays.items():
        place, own = places[name]
        found[place][own] = array
    return found
