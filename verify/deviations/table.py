"""The known ways to be wrong, one row each."""

from verify.deviations import terms
from verify.deviations.deviation import Deviation

__all__ = ["DEVIATIONS"]

SYSTEMATIC = "systematic"

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation("recurrent path missing", "a way back to the step before is missing", SYSTEMATIC,
        "backward", terms.missing("states")),
    Deviation("term missing", "a term is missing", SYSTEMATIC, "backward", terms.missing("backward")),
    Deviation("term scaled", "a term is scaled", SYSTEMATIC, "backward", families=terms.scaled("states")),
    Deviation("factor missing", "a factor is missing", "fla #1071", "backward", terms.factor_missing),
)
