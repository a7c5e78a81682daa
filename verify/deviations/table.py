"""The known ways to be wrong: all rows, in the order in which equal explanations are said."""

from verify.deviations.deviation import Deviation
from verify.deviations.rows_around import AROUND
from verify.deviations.rows_arriving import ARRIVING
from verify.deviations.rows_conduct import CONDUCT, SOMETIMES
from verify.deviations.rows_formulas import FORMULAS
from verify.deviations.rows_forward import FORWARD

__all__ = ["DEVIATIONS"]

DEVIATIONS: tuple[Deviation, ...] = (*FORWARD, *AROUND, *ARRIVING, *FORMULAS, *CONDUCT, *SOMETIMES)
