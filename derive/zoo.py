"""Cells by name or by file: the zoo is data, and a user's own file is a cell like any other."""

from importlib.resources import files
from pathlib import Path

from derive.cell import Cell
from derive.errors import CellError, UsageError, one_line
from derive.language import parse

__all__ = ["load", "names"]


def names() -> tuple[str, ...]:
    """The names of the zoo, sorted."""
    folder = files("derive") / "cells"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".cell")))


def load(cell: str | Path) -> Cell:
    """The cell of that name in the zoo, or of that file.

    Raises:
        UsageError: there is no such name and no such file.
        CellError: 'file:line N: …', the text is not a cell.
    """
    place = str(cell)
    if place in names():
        return parse((files("derive") / "cells" / f"{place}.cell").read_bytes(), place)
    path = Path(place)
    try:
        with path.open("rb") as file:
            text = file.read(1 << 17)
    except (OSError, ValueError):
        shown = one_line(place, 60)
        raise UsageError(
            f"'{shown}' is neither a cell of the zoo ({', '.join(names())}) nor a file that opens"
        ) from None
    try:
        return parse(text, path.stem)
    except CellError as error:
        raise CellError(f"{one_line(place, 80)}: {error}") from None
