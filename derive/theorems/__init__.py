"""Claims about cells, as rows."""

from derive.theorems.row import KINDS, Bound, Fact, Identity, MustFail, Theorem
from derive.theorems.table import THEOREMS

__all__ = ["KINDS", "THEOREMS", "Bound", "Fact", "Identity", "MustFail", "Theorem"]
