"""Blocks -> an array and back, by the letters of `Stack.axes`.

Blocks are put together in one place, here; where a block lies in an array is found by putting
together arrays of numbers.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import numpy as np
import sympy as sp

from derive.expressions import Shape
from verify.kernels import Array

__all__ = ["DIRECTIONS", "Key", "joined", "parted", "whole_shape"]

DIRECTIONS = sp.Symbol("directions")

Key = tuple[int, int, int]  # of a block: direction, stem, gate
_LOOPS = "dsg"
T = TypeVar("T")


def joined(axes: str, found: Mapping[Key, Array]) -> Array:
    """The array in which these blocks lie as `axes` says."""
    counts = {letter: 1 + max(key[k] for key in found) for k, letter in enumerate(_LOOPS)}
    return _join(axes, counts, lambda key: _arranged(axes, found[key]), _along)


def parted(axes: str, array: Array, shapes: Mapping[Key, tuple[int, ...]]) -> dict[Key, Array]:
    """The blocks of an array, each an array of its own.

    Args:
        shapes: of every block that lies in it.
    """
    numbers, start = {}, 0
    for key, shape in shapes.items():
        size = int(np.prod(shape))
        numbers[key] = np.arange(start, start + size).reshape(shape)
        start += size
    flat = np.empty(start, array.dtype)
    flat[joined(axes, numbers).reshape(-1)] = array.reshape(-1)
    return {key: flat[number] for key, number in numbers.items()}


def whole_shape(axes: str, shapes: Mapping[Key, Shape]) -> Shape:
    """The shape of the array in which blocks of these shapes lie; for any number of directions."""
    counts = {letter: 1 + max(key[k] for key in shapes) for k, letter in enumerate(_LOOPS)}
    shape = _join(axes, counts, lambda key: _symbolic(axes, shapes[key]), _sum)
    place = next((k for k, word in enumerate(_words(axes)) if "d" in word), None)
    return tuple(dim * DIRECTIONS if k == place else dim for k, dim in enumerate(shape))


@cache
def _words(axes: str) -> tuple[str, ...]:
    """'(s c) (g r)' -> 'sc', 'gr': the letters of each axis."""
    found = re.findall(r"\(([^)]*)\)|(\S)", axes)
    return tuple("".join((group or letter).split()) for group, letter in found)


def _join(
    axes: str,
    counts: Mapping[str, int],
    leaf: Callable[[Key], T],
    along: Callable[[list[T], int, bool], T],
) -> T:
    """Blocks joined letter by letter, the innermost letter first."""
    words = _words(axes)
    loops = [(letter, k) for k, word in enumerate(words) for letter in word if letter in _LOOPS]

    def build(fixed: dict[str, int], rest: list[tuple[str, int]]) -> T:
        if not rest:
            d, s, g = (fixed.get(letter, 0) for letter in _LOOPS)
            return leaf((d, s, g))
        (letter, k), *inner = rest
        before = words[k][: words[k].index(letter)]
        parts = [build({**fixed, letter: value}, inner) for value in range(counts[letter])]
        return along(parts, k, any(own in before for own in "rc"))

    return build({}, loops)


def _along(parts: list[Array], axis: int, woven: bool) -> Array:
    """Parts end to end along an axis; or woven: the first entries of all, then the second."""
    if not woven:
        return np.concatenate(parts, axis=axis)
    whole = np.stack(parts, axis=axis + 1)
    shape = whole.shape
    return whole.reshape(*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])


def _sum(parts: list[Any], axis: int, woven: bool) -> Any:
    total = sum((part[axis] for part in parts), sp.Integer(0))
    return (*parts[0][:axis], total, *parts[0][axis + 1 :])


def _arranged(axes: str, block: Array) -> Array:
    """A copy of a block with an axis for each of the array's, as if alone in it."""
    own = dict(zip("rc", range(block.ndim), strict=False))
    order = [own[letter] for word in _words(axes) for letter in word if letter in own]
    sizes = [
        int(np.prod([block.shape[own[letter]] for letter in word if letter in own]))
        for word in _words(axes)
    ]
    return block.transpose(order).reshape(sizes).copy()


def _symbolic(axes: str, shape: Shape) -> Shape:
    own = dict(zip("rc", shape, strict=False))
    return tuple(
        sp.Mul(*(own[letter] for letter in word if letter in own)) for word in _words(axes)
    )
