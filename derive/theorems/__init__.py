"""Claims about cells, as rows."""

from derive.theorems.row import Identity, MustFail, Theorem
from derive.theorems.table import THEOREMS

__all__ = ["THEOREMS", "Identity", "MustFail", "Theorem"]
