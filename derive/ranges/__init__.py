"""Where values lie: intervals, polynomials on boxes of them, and what a step makes of both."""

from derive.ranges.intervals import EVERYTHING, MONOTONE, Interval, Number
from derive.ranges.polynomials import Polynomial, linear_in
from derive.ranges.reasoning import Ranges, cases

__all__ = [
    "EVERYTHING",
    "MONOTONE",
    "Interval",
    "Number",
    "Polynomial",
    "Ranges",
    "cases",
    "linear_in",
]
