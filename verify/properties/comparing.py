"""Results against what they must be: the worst entry outside of its bound is the failure."""

from collections.abc import Mapping

import numpy as np

from verify.kernels import Array
from verify.properties.calling import Failure

__all__ = ["compare", "scaled", "zero_exactly"]

Named = Mapping[str, Array]


def compare(
    got: Named, expected: Named, bound: Named | float, message: str, times: float = 1.0
) -> Failure | None:
    """None if every entry of `got` is within `times` * `bound` of `expected`.

    Names that `expected` or `bound` lack are not compared. Where the bound is not finite nothing
    can be said. A `got` that is not a number is outside of every finite bound.
    """
    failures = []
    for name, value in got.items():
        if name not in expected or (isinstance(bound, Mapping) and name not in bound):
            continue
        limit = bound[name] if isinstance(bound, Mapping) else np.full(value.shape, bound)
        found = _worst(name, value, expected[name], times * np.asarray(limit), message)
        if found is not None:
            failures.append(found)
    if not failures:
        return None
    failures.sort(key=lambda pair: -pair[0])
    _, first = failures[0]
    also = tuple(sorted(failure.parameter for _, failure in failures[1:]))
    return Failure(
        first.parameter, message, first.index, first.got, first.expected, first.bound, also
    )


def _worst(
    name: str, got: Array, expected: Array, bound: Array, message: str
) -> tuple[float, Failure] | None:
    """How many bounds the worst entry is off, and that entry."""
    with np.errstate(all="ignore"):
        off = np.abs(got.astype(np.longdouble) - expected)
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        wrong = np.isfinite(bound) & ~same & ~(off <= bound)
        if not wrong.any():
            return None
        excess = np.where(wrong, off / np.maximum(bound, np.finfo(np.float64).tiny), -1.0)
    excess = np.where(wrong & np.isnan(excess), np.inf, excess)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))
    shown = (float(got[index]), float(expected[index]), float(bound[index]))
    return float(excess[index]), Failure(name, message, index, *shown)


def scaled(arrays: Named, factor: float) -> dict[str, Array]:
    """Each array times `factor`, in its own dtype."""
    return {name: np.asarray(a * factor, a.dtype) for name, a in arrays.items()}


def zero_exactly(got: Named, bound: Named, message: str) -> Failure | None:
    """None if every entry is zero; where `bound` is not finite nothing can be said."""
    nothing = {name: np.zeros_like(a) for name, a in got.items()}
    exact = {name: np.where(np.isfinite(bound[name]), 0.0, np.inf) for name in got}
    return compare(got, nothing, exact, message)
