"""Every convention by name, and the cells' own parameters as one more."""

from collections.abc import Mapping
from difflib import get_close_matches

from derive import zoo
from derive.errors import UsageError, one_line
from verify.conventions.row import Convention, Stack, parameters_of
from verify.conventions.rows_jax import ROWS as JAX
from verify.conventions.rows_others import ROWS as OTHERS
from verify.conventions.rows_tensorflow import ROWS as TENSORFLOW
from verify.conventions.rows_torch import ROWS as TORCH

__all__ = ["CONVENTIONS", "convention"]

CONVENTIONS: Mapping[str, Convention] = {
    row.name: row for row in (*TORCH, *TENSORFLOW, *JAX, *OTHERS)
}


def convention(name: str) -> Convention:
    """The row of that name; for a cell of the zoo or of a file, its own parameters.

    Raises:
        UsageError: there is neither.
    """
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    if name in zoo.names() or name.endswith(".cell"):
        return _own(name)
    close = get_close_matches(name, CONVENTIONS, n=4, cutoff=0.5)
    near = [n for n in CONVENTIONS if n.partition(".")[0] == name.partition(".")[0]]
    said = ", ".join(near or close) or ", ".join(sorted({n.partition(".")[0] for n in CONVENTIONS}))
    raise UsageError(f"no convention '{one_line(name, 40)}' and no such cell; there are {said}")


def _own(cell: str) -> Convention:
    """A cell's parameters by their names in the equations, as an emitted kernel has them."""
    shapes = parameters_of(cell)
    return Convention(
        cell,
        cell,
        (),
        {name: (Stack((name,), "r c"[: 2 * len(shape) - 1]),) for name, shape in shapes.items()},
        optional=frozenset(),
        source="the cell's equations",
        library="an emitted kernel",
        checked="run",
    )
