"""Axes of an array as letters: T for time, B for batch, F for features, 1 for one of length one.

The contract has (T, B, F) for sequences and (B, F) for states; F stands for all axes of a variable,
two for a matrix. 'BTF' is batch-first, 'TFB' has columns, 'TF' has no batch, 'TF1' one column.
"""

import numpy as np

from derive.errors import UsageError
from verify.kernels import Array

__all__ = ["check_axes", "from_axes", "to_axes"]


def check_axes(axes: str, contract: str, what: str) -> str:
    """`axes`, if they are those of the contract in some order.

    Raises:
        UsageError: a letter is missing, twice, or unknown.
    """
    letters = axes.replace("1", "")
    needed = set(contract) - {"B"}
    if len(set(letters)) != len(letters) or not needed <= set(letters) <= set(contract):
        raise UsageError(
            f"axes '{axes}' of {what}: expected the letters of '{contract}' in some order, "
            "without B for a single row, with 1 for an axis of length one"
        )
    return axes


def to_axes(array: Array, axes: str, contract: str) -> Array:
    """An array with the contract's axes as a view with these."""
    order = [i for c in axes if c != "1" for i in _places(c, contract, array.ndim)]
    if "B" not in axes:
        array = np.take(array, 0, contract.index("B"))
        order = [i - (i > contract.index("B")) for i in order]
    return np.expand_dims(array.transpose(order), _ones(axes, array.ndim))


def from_axes(array: Array, axes: str, contract: str, what: str) -> Array:
    """The inverse of `to_axes`.

    Raises:
        ValueError: the array has other axes.
    """
    ones = axes.count("1")
    count = array.ndim - ones + ("B" not in axes)
    if count < len(contract) or any(array.shape[i] != 1 for i in _ones(axes, array.ndim - ones)):
        raise ValueError(f"{what} has shape {array.shape}, expected axes {axes}")
    array = array.squeeze(_ones(axes, array.ndim - ones))
    if "B" not in axes:
        array, axes = array[None], "B" + axes
    letters = axes.replace("1", "")
    order = [i for c in contract for i in _places(c, letters, array.ndim)]
    return array.transpose(order)


def _places(letter: str, axes: str, ndim: int) -> range:
    """The axes that a letter stands for."""
    place, extra = axes.index(letter), ndim - len(axes)
    later = "F" in axes[:place]
    start = place + extra * later
    return range(start, start + 1 + extra * (letter == "F"))


def _ones(axes: str, ndim: int) -> tuple[int, ...]:
    """Where axes of length one stand, in an array that has `ndim` others."""
    extra, places, place = ndim - len(axes.replace("1", "")), [], 0
    for letter in axes:
        if letter == "1":
            places.append(place)
        place += 1 + extra * (letter == "F")
    return tuple(places)
