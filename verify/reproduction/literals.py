"""Arrays as Python text that reads back to the same bits."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from verify.kernels import Array

__all__ = ["WIDTH", "Store", "literal"]

WIDTH = 100


def literal(array: Array, indent: int = 0, lead: int = 0) -> str:
    """An expression for an array, over several lines if it is wide.

    Args:
        indent: of the line that it stands in; `lead` is how much of that line comes before it.
    """
    if array.size == 0 or (array.size > 1 and not array.any() and not np.signbit(array).any()):
        dtype = "" if array.dtype == np.float64 else f", np.{array.dtype}"
        return f"np.zeros({array.shape}{dtype})"
    usual = array.dtype in (np.float64, np.int64)
    start = "np.array(" if usual else f"np.{array.dtype}("
    text = _nested(array)
    if indent + lead + len(start) + len(text) + 2 <= WIDTH:
        return f"{start}{text})"
    inner = "\n".join(_lines(array, indent + 4))
    return f"{start}\n{inner}\n{' ' * indent})"


def _nested(array: Array) -> str:
    if array.ndim == 0:
        return _number(array)
    return f"[{', '.join(_nested(part) for part in array)}]"


def _lines(array: Array, indent: int) -> Iterator[str]:
    pad, text = " " * indent, _nested(array)
    if len(text) + indent + 1 <= WIDTH:
        yield f"{pad}{text}"
    elif array.ndim > 1:
        yield f"{pad}["
        for part in array:
            *most, last = _lines(part, indent + 1)
            yield from most
            yield f"{last},"
        yield f"{pad}]"
    else:
        line = f"{pad}["
        for entry in array:
            piece = f"{_number(entry)}, "
            if len(line) + len(piece) > WIDTH:
                yield line.rstrip()
                line = f"{pad} "
            line += piece
        yield f"{line.rstrip(', ')}]"


def _number(entry: Any) -> str:
    """The shortest text of the same number in its own precision."""
    text = str(entry)
    return f"np.{text.lstrip('-')}" if text in ("nan", "inf") else text.replace("-inf", "-np.inf")


class Store:
    """Arrays that are kept in a file beside a script; equal ones once."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def literal(self, array: Array, name: str) -> str:
        """An expression for the array in what the script has loaded."""
        for known, held in self.arrays.items():
            same = held.dtype == array.dtype and held.shape == array.shape
            if same and held.tobytes() == array.tobytes():
                return f'saved["{known}"]'
        key, number = name, 1
        while key in self.arrays:
            number += 1
            key = f"{name}_{number}"
        self.arrays[key] = array
        return f'saved["{key}"]'
