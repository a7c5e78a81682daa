"""How libraries lay out the parameters of a cell, as rows, and moving parameters between them."""

from verify.conventions.converting import convert, flattened, nested
from verify.conventions.moving import (
    from_cell,
    from_directions,
    gradients_from_cell,
    gradients_to_cell,
    to_cell,
)
from verify.conventions.relations import RELATIONS, Relation, related
from verify.conventions.row import UNREAD, Convention, Stack, blocks, stacked
from verify.conventions.table import CONVENTIONS, convention

__all__ = [
    "CONVENTIONS",
    "RELATIONS",
    "UNREAD",
    "Convention",
    "Relation",
    "Stack",
    "blocks",
    "convention",
    "convert",
    "flattened",
    "from_cell",
    "from_directions",
    "gradients_from_cell",
    "gradients_to_cell",
    "nested",
    "related",
    "stacked",
    "to_cell",
]
