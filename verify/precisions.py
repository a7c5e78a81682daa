"""Honest lower precision, as rows: what people compute in, and how it shows in what comes out.

A row is what a user declares or what `verify.properties.lowering` detects; a number that says how
much error is allowed is nowhere. Where a row is applied to inputs that are as coarse, it changes
nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from derive.errors import UsageError
from derive.primitives import PRIMITIVES
from verify.kernels import Array
from verify.rounding import Precision

__all__ = ["LOWER", "Lower", "lower", "representable"]

_single = Precision.of(np.float32)
_half = Precision.of(np.float16)


@dataclass(frozen=True)
class Lower:
    """A way to compute in lower precision than the inputs have.

    Attributes:
        said: after 'computes'.
        precision: of the evaluation.
        digits: binary digits that results have, where all are rounded to that format at the end.
        ends: whether it shows by that alone.
        typical: errors come no nearer to the bounds than that; they are wide where operands are.
        smooth: whether the error is a smooth function of the inputs, as that of a rational
            approximation is, and not one of rounding.
    """

    name: str
    said: str
    precision: Precision
    digits: int | None = None
    ends: bool = False
    typical: float = 1.0
    smooth: bool = False

    @property
    def slopes(self) -> float:
        """How much further off the slope of a function is than its value.

        A polynomial of degree 7 on [-3, 3] that is never off by more than d changes by up to
        7**2 / 3 times d (Markov 1889).
        """
        return 16.0 if self.smooth else 1.0

    @property
    def over_time(self) -> bool:
        """Whether it is sums over time that lose digits: then gradients may show it alone."""
        return self.precision.logarithms or self.precision.telescoped


def _fast(digits: int) -> Lower:
    """Functions that are right to so many decimals."""
    off = 10.0**-digits
    wide = Precision(0.0, 0.0, np.inf, off=off)
    said = f"sigmoid, tanh and their like to {off:.0e}"
    return Lower(f"functions-1e-{digits}", said, wide, smooth=True)


# The first that holds is said, so finer ones come first.
_ROWS = (
    Lower(
        "absolute-functions",
        "functions to an absolute error of the last digit, as 2*sigmoid(2*z) - 1 is tanh(z)",
        Precision(0.0, 0.0, np.inf, absolute=tuple(sorted(PRIMITIVES))),
    ),
    Lower(
        "telescoped",
        "gradients of gates as differences of sums over later steps",
        Precision(0.0, 0.0, np.inf, telescoped=True),
    ),
    Lower(
        "log-space",
        "products and sums over time as those of logarithms",
        Precision(0.0, 0.0, np.inf, logarithms=True),
    ),
    Lower(
        "float32-functions",
        "functions in float32",
        Precision(0.0, 0.0, np.inf, tuple(sorted(PRIMITIVES)), functions=_single.unit),
    ),
    Lower("float32", "in float32", _single, 24),
    Lower(
        "tf32",
        "in float32, matrix products of TF32 (10 binary digits of the fraction)",
        Precision(_single.unit, _single.smallest, _single.largest, operands=2.0**-11),
        typical=0.25,
    ),
    Lower("float16", "in float16", _half, 11, ends=True),
    Lower(
        "bfloat16-products",
        "in float32, matrix products of bfloat16",
        Precision(_single.unit, _single.smallest, _single.largest, operands=2.0**-8),
    ),
    Lower(
        "bfloat16", "in bfloat16", Precision(2.0**-8, _single.smallest, _single.largest), 8, True
    ),
    *(_fast(digits) for digits in (7, 6, 5, 4, 3)),
)

LOWER: Mapping[str, Lower] = MappingProxyType({row.name: row for row in _ROWS})


def lower(name: str) -> Lower:
    """The row of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in LOWER:
        raise UsageError(f"no precision '{name}'; there are {', '.join(LOWER)}")
    return LOWER[name]


def representable(arrays: Iterable[Array], digits: int) -> bool:
    """Whether every number has so few binary digits; False if hardly any is given."""
    count = 0
    for array in arrays:
        kept = np.asarray(array, np.float64)
        kept = kept[np.isfinite(kept) & (kept != 0)]
        fraction, _ = np.frexp(kept)
        wide = fraction * 2.0**digits
        if not bool((wide == np.rint(wide)).all()):
            return False
        count += kept.size
    return count >= 4
