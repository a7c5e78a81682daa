"""Messages between two processes: arrays with their strides, and nothing to be imported."""

import os
import pickle
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Closed", "Late", "Opaque", "Strided", "pack", "plain", "receive", "send", "unpack"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)


class Closed(Exception):  # noqa: N818 - not a failure of ours
    """The other end is gone."""


class Late(Exception):  # noqa: N818
    """Nothing came in time."""


@dataclass(frozen=True)
class Strided:
    """An array that does not lie in memory row by row."""

    values: Any
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Opaque:
    """Something that is no array: only what it is called crosses over."""

    kind: str


def pack(value: Any) -> Any:
    """Arrays that are not contiguous as `Strided`, in dicts and tuples."""
    if isinstance(value, np.ndarray):
        return value if value.flags.c_contiguous else Strided(value.copy("C"), value.strides)
    if isinstance(value, dict):
        return {name: pack(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(pack(item) for item in value)
    return value


def unpack(value: Any) -> Any:
    """The inverse of `pack`: equal arrays with equal strides."""
    if isinstance(value, Strided):
        return _spread(value.values, value.strides)
    if isinstance(value, dict):
        return {name: unpack(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(unpack(item) for item in value)
    return value


def _spread(values: Any, strides: tuple[int, ...]) -> Any:
    """The values with these strides, sevens in between."""
    reach = [(n - 1) * s for n, s in zip(values.shape, strides, strict=True) if n]
    low = -sum(r for r in reach if r < 0)
    total = low + sum(r for r in reach if r > 0) + values.itemsize
    memory = np.full(-(-total // values.itemsize), 7, values.dtype)
    if low % values.itemsize or not values.size:
        return np.ndarray(values.shape, values.dtype, bytearray(total), low, strides)
    view = np.ndarray(values.shape, values.dtype, memory.data, low, strides)
    view[...] = values
    return view


def plain(value: Any) -> Any:
    """A result in arrays, numbers, text and built-in containers; all else is `Opaque`."""
    if isinstance(value, np.ndarray):
        return Opaque(type(value).__name__) if value.dtype.hasobject else np.asarray(value)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        return {n if isinstance(n, str) else repr(n): plain(item) for n, item in value.items()}
    if isinstance(value, tuple | list):
        made = [plain(item) for item in value]
        return tuple(made) if isinstance(value, tuple) else made
    if hasattr(value, "__array__"):
        try:
            found = np.asarray(value)
        except Exception:
            return Opaque(type(value).__name__)
        return Opaque(type(value).__name__) if found.dtype.hasobject else found
    return Opaque(type(value).__name__)


def send(fd: int, message: Any) -> None:
    """Write a message.

    Raises:
        Closed: nobody reads.
    """
    send_bytes(fd, pickle.dumps(message, protocol=5))


def send_bytes(fd: int, body: bytes) -> None:
    """Write a message that is pickled already."""
    left = memoryview(len(body).to_bytes(8, "little") + body)
    try:
        while left:
            left = left[os.write(fd, left) :]
    except OSError:
        raise Closed from None


def receive(fd: int, seconds: float | None = None) -> Any:
    """Read a message, waiting so long; None: for ever.

    Raises:
        Closed: nobody writes any more.
        Late: the message did not come in time.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    size = int.from_bytes(_exactly(fd, 8, deadline), "little")
    return pickle.loads(_exactly(fd, size, deadline))


def _exactly(fd: int, size: int, deadline: float | None) -> bytes:
    parts, left = [], size
    while left:
        if deadline is not None:
            waited = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not waited[0]:
                raise Late
        try:
            part = os.read(fd, min(left, 1 << 20))
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
