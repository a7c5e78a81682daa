"""Which names an author may use. The emitted source uses the others, so nothing can clash."""

import builtins
import keyword
import re

from derive.errors import CellError, one_line
from derive.primitives import PRIMITIVES

__all__ = ["EMITTED", "check_name"]

# Names that emitted NumPy source defines or reads. A test reads every emitted kernel and compares.
EMITTED = frozenset(
    ("np", "t", "params", "state_0", "dstate_T", "tape", "lengths", "forward", "backward", "dy")
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_KEYWORDS = frozenset((*keyword.kwlist, *keyword.softkwlist, "input", "state", "parameter"))


def check_name(name: str, states: frozenset[str] = frozenset()) -> None:
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
    if name in PRIMITIVES:
        raise CellError(f"'{shown}' is a function of the language: choose another name")
    if name in EMITTED or hasattr(builtins, name):
        raise CellError(f"'{shown}' is used by the emitted source: choose another name")
    stem, _, end = name.rpartition("_")
    if end == "0" and stem in states:
        raise CellError(f"'{shown}' names the initial state of '{stem}': choose another name")
