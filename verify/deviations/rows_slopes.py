"""Slopes are wrong in backward."""

from verify.deviations import reading, slopes
from verify.deviations.deviation import Deviation

__all__ = ["SLOPES"]

SYSTEMATIC = "systematic"

SLOPES: tuple[Deviation, ...] = (
    Deviation("slope omitted", "a slope is left out", "pytorch #11662", "backward", slopes.omitted),
    Deviation(
        "slope at the argument",
        "a slope's formula is given the argument for the value: 1 - C**2 for 1 - tanh(C)**2",
        SYSTEMATIC,
        "backward",
        slopes.at_argument,
    ),
    Deviation(
        "slope of the activated value",
        "a derivative is applied to a value that is activated already",
        SYSTEMATIC,
        "backward",
        slopes.activated,
    ),
    Deviation(
        "slope of another function",
        "a slope is that of another function",
        "pytorch #11662",
        "backward",
        slopes.of_another,
    ),
    Deviation(
        "slope negated", "a slope has the wrong sign", SYSTEMATIC, "backward", slopes.negated
    ),
    Deviation(
        "slope formula",
        "a slope's formula is wrong",
        SYSTEMATIC,
        "backward",
        slopes.other_formula,
    ),
    Deviation(
        "several slopes",
        "several slopes are wrong in the same way",
        SYSTEMATIC,
        "backward",
        slopes.several,
    ),
    Deviation(
        "slope lost on the way",
        "a slope is left out in some of what is made with it",
        SYSTEMATIC,
        "backward",
        reading.slope_lost,
    ),
    Deviation(
        "slope of another step",
        "a slope is taken at another step",
        SYSTEMATIC,
        "backward",
        slopes.stale,
    ),
)
