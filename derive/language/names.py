"""Which names an author may use. The emitted source uses the others, so nothing can clash."""

import builtins
import keyword
import re

from derive.errors import CellError, one_line
from derive.language.shorthands import SHORTHANDS
from derive.primitives import PRIMITIVES

__all__ = ["EMITTED", "check_name", "label"]

# Names that emitted NumPy source defines or reads. A test reads every emitted kernel and compares.
EMITTED = frozenset(
    (
        *("np", "sys", "t", "params", "state_0", "dstate_T", "tape", "lengths", "dy"),
        *("forward", "backward", "self_check", "state_T", "sizes", "steps", "batch", "dtype"),
        *("chunk", "lo", "hi", "rows"),
    )
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_KEYWORDS = frozenset((*keyword.kwlist, *keyword.softkwlist, "input", "state", "parameter"))


def check_name(name: str) -> None:
    """Refuse a name that the language, LaTeX or emitted source cannot carry.

    Raises:
        CellError: says what is wrong with the name and what to use instead.
    """
    shown = one_line(name, 40)
    if not _WORD.fullmatch(name) or "__" in name or name.endswith("_"):
        raise CellError(
            f"'{shown}' is not a name here: use an ASCII letter, then letters, digits and single "
            "'_' (at most 32 in all), for example alpha or W_f"
        )
    if name in _KEYWORDS:
        raise CellError(f"'{shown}' is a keyword: choose another name")
    if name in PRIMITIVES or name in SHORTHANDS:
        raise CellError(f"'{shown}' is a function of the language: choose another name")
    if name in EMITTED or hasattr(builtins, name):
        raise CellError(f"'{shown}' is used by the emitted source: choose another name")


def label(name: str) -> str:
    """A cell's name, often a file's, as emitted source and LaTeX can carry it."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name)[:64].strip("_") or "cell"
