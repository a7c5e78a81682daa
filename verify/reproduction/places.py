"""Where in the results of recorded calls a number stands: it is looked for by its value.

Values of an example are all different, so that the same bits hardly stand in two places by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from verify.kernels import Array
from verify.reproduction.recording import Call

__all__ = ["Place", "find"]

# What properties multiply results by before they compare.
FACTORS = (1.0, -1 / 256.0)


@dataclass(frozen=True)
class Place:
    """An entry of a result of each of some calls; the number is their sum times `factor`."""

    calls: tuple[int, ...]
    index: tuple[int, ...]
    factor: float = 1.0


def find(
    calls: Sequence[Call], name: str, index: tuple[int, ...], value: Any, other: Place | None = None
) -> Place | None:
    """Where `value` comes from; None if from nowhere.

    Args:
        name, index: of the entry that it should be; elsewhere it is looked for if it is not there.
        other: a place that it is not; without one, the last of several is taken, else the first.
    """
    if not isinstance(value, float):
        return None
    held = [(k, c.results[name]) for k, c in enumerate(calls) if name in c.results]
    held = held if other is not None else held[::-1]
    for place in _places(held, index, value):
        if place != other and (value != 0.0 or place.index == index):
            return place
    return None


def _places(
    held: Sequence[tuple[int, Array]], index: tuple[int, ...], value: float
) -> Iterator[Place]:
    there = [(k, a[index]) for k, a in held if _has(a, index)]
    for factor in FACTORS:
        for k, entry in there:
            if _same(entry * entry.dtype.type(factor), value):
                yield Place((k,), index, factor)
    for k, array in held:
        for match in np.argwhere(np.isnan(array) if np.isnan(value) else array == value):
            yield Place((k,), tuple(int(i) for i in match))
    order = sorted(there, key=lambda pair: pair[0])
    for count in range(2, min(len(order), 5) + 1):
        for some in combinations(order, count):
            wide = [np.longdouble(entry) for _, entry in some]
            own = [entry for _, entry in some]
            if _same(sum(wide), value) or _same(sum(own[1:], own[0]), value):
                yield Place(tuple(k for k, _ in some), index)


def _has(array: Array, index: tuple[int, ...]) -> bool:
    return array.ndim == len(index) and all(
        i < size for i, size in zip(index, array.shape, strict=True)
    )


def _same(entry: Any, value: float) -> bool:
    return float(entry) == value or bool(np.isnan(entry) and np.isnan(value))
