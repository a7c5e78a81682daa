"""Claims about cells, as rows. None of them names a cell: each finds in the equations what it is
about, or says why it does not apply. `derive.proofs` settles them.
"""

from derive.theorems.row import Theorem
from derive.theorems.rows_paths import PATHS
from derive.theorems.rows_ranges import RANGES
from derive.theorems.rows_structure import STRUCTURE

__all__ = ["THEOREMS"]

THEOREMS: tuple[Theorem, ...] = (*PATHS, *RANGES, *STRUCTURE)
