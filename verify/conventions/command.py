"""`verify convert`: a file with a layer's parameters, from one convention to another."""

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from derive.errors import UsageError, one_line
from verify.conventions.converting import convert
from verify.kernels import Array

__all__ = ["convert_file"]

VERSION = 1  # of the JSON


def convert_file(
    path: str,
    source: str,
    target: str,
    output: str,
    *,
    sizes: Iterable[str] = (),
    direction: int | None = None,
    prefix: str = "",
    as_json: bool = False,
) -> str:
    """Write the converted arrays; what to print of them.

    Args:
        path, output: `.npz` files.
        sizes: such as 'n=4'.
        direction, prefix: as for `convert`.

    Raises:
        UsageError: a file cannot be read or written, or as for `convert`.
    """
    if not output.endswith(".npz"):
        raise UsageError(f"'{one_line(output, 60)}' is no .npz file; name one after -o")
    given = dict(_size(text) for text in sizes)
    arrays = convert(_read(path), source, target, sizes=given, direction=direction, prefix=prefix)
    try:
        with Path(output).open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise UsageError(f"'{one_line(output, 60)}' cannot be written: {error.strerror}") from None
    return _json(arrays, target) if as_json else _text(arrays, target)


def _read(path: str) -> dict[str, Array]:
    shown = one_line(path, 60)
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UsageError(f"'{shown}' has one array, expected an .npz file of a layer's")
        with file:
            return dict(file)
    except OSError as error:
        raise UsageError(f"'{shown}' cannot be read: {error.strerror}") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise UsageError(f"'{shown}' is no .npz file with arrays of numbers") from None


def _size(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"([a-z]\w*)=(\d{1,9})", text)
    if found is None:
        raise UsageError(f"'{one_line(text, 40)}' is no size; write --size n=4")
    return found[1], int(found[2])


def _text(arrays: dict[str, Array], target: str) -> str:
    width = max(map(len, arrays))
    lines = (f"  {name:<{width}}  {array.shape}  {array.dtype}" for name, array in arrays.items())
    return "\n".join((f"{target}:", *lines)) + "\n"


def _json(arrays: dict[str, Array], target: str) -> str:
    rows = [
        {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
        for name, array in arrays.items()
    ]
    return json.dumps({"version": VERSION, "convention": target, "arrays": rows}, indent=2) + "\n"
