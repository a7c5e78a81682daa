"""Cells and networks by name or by file: the zoo is data, and a user's own file is as good."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from derive.cell import Cell
from derive.errors import CellError, UsageError, file_named
from derive.language import parse
from derive.networks import Network, parse_network

__all__ = ["is_network", "load", "load_network", "names", "network_names"]

_Read = TypeVar("_Read")


def names() -> tuple[str, ...]:
    """The names of the zoo's cells, sorted."""
    return _stems(".cell")


def network_names() -> tuple[str, ...]:
    """The names of the zoo's networks, sorted."""
    return _stems(".network")


def _stems(ending: str) -> tuple[str, ...]:
    folder = files("derive") / "cells"
    return tuple(
        sorted(p.name.removesuffix(ending) for p in folder.iterdir() if p.name.endswith(ending))
    )


def is_network(place: str | Path) -> bool:
    """Whether a name or a file is a network's: by the zoo, or by the file's ending."""
    if str(place) in names():
        return False
    return str(place) in network_names() or str(place).endswith(".network")


def load(cell: str | Path) -> Cell:
    """The cell of that name in the zoo, or of that file.

    Raises:
        UsageError: there is no such name and no such file, or it is a network's.
        CellError: 'file:line N: …', the text is not a cell.
    """
    place = str(cell)
    if place in names():
        return parse((files("derive") / "cells" / f"{place}.cell").read_bytes(), place)
    if is_network(place):
        raise UsageError(f"'{file_named(place)}' is a network; a cell is expected here")
    return _of_file(place, "a cell of the zoo (`derive list` shows them)", parse)


def load_network(network: str | Path) -> Network:
    """The network of that name in the zoo, or of that file.

    Raises:
        UsageError: there is no such name and no such file.
        CellError: 'file:line N: …', the text is not a network, or a cell of it not a cell.
    """
    place = str(network)
    if place in network_names():
        text = (files("derive") / "cells" / f"{place}.network").read_bytes()
        return parse_network(text, load, place)

    def read(text: bytes, name: str) -> Network:
        return parse_network(text, lambda word: _beside(Path(place).parent, word), name)

    return _of_file(place, "a network of the zoo (`derive list` shows them)", read)


def _beside(folder: Path, word: str) -> Cell:
    """The cell that a network's text means: the zoo's, or a file in the network's folder."""
    if word in names():
        return load(word)
    path = folder / (word if word.endswith(".cell") else f"{word}.cell")
    if not path.is_file():
        raise CellError(f"no cell of the zoo (`derive list`), and no file '{path.name}' beside it")
    return load(path)


def _of_file(place: str, what: str, read: Callable[[bytes, str], _Read]) -> _Read:
    path = Path(place)
    try:
        with path.open("rb") as file:
            text = file.read(1 << 17)
    except (OSError, ValueError):
        shown = file_named(place)
        raise UsageError(f"'{shown}' is neither {what} nor a file that opens") from None
    try:
        return read(text, path.stem)
    except CellError as error:
        raise CellError(f"{file_named(place)}: {error}") from None
