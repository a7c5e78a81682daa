"""Gradients that are right but for one factor on each example: clipped by a norm of more."""

from collections.abc import Sequence

import numpy as np

from verify.diagnosis.observing import Observation, Seen
from verify.kernels import Array

__all__ = ["proportional"]

# Factors that differ by more than this are not one.
APART = 1e-6

# Entries are known to so many digits, beside their bounds.
DIGITS = 1e-9


def proportional(seen: Sequence[Observation], names: frozenset[str]) -> frozenset[str]:
    """The wrong gradients, if each example has one factor for all, at most 1, not always the same.

    Args:
        names: of gradients.
    """
    wrong = frozenset().union(*(o.wrong for o in seen)) & names
    factors = [_factor(o, wrong) for o in seen if o.example.dtype == np.float64]
    known = [f for f in factors if f is not None]
    if len(known) < len(factors) or len(known) < 2 or not wrong:
        return frozenset()
    falls = all(0 < f <= 1 + APART for f in known) and min(known) < 1 - APART
    return wrong if falls and max(known) - min(known) > APART else frozenset()


def _factor(o: Observation, names: frozenset[str]) -> float | None:
    """The factor of all these results; None if they have none in common."""
    kept = sorted(names & o.results.keys())
    if not kept:
        return None
    got, right, bound = (_joined(s, kept) for s in (o.results, o.right.results, o.right.bounds))
    if not (np.isfinite(got).all() and np.isfinite(right).all() and np.any(right)):
        return None
    largest = int(np.argmax(np.abs(right)))
    factor = float(got[largest] / right[largest])
    reach = 4 * np.nan_to_num(bound, posinf=np.inf) + DIGITS * np.abs(right).max()
    return factor if bool((np.abs(got - factor * right) <= reach).all()) else None


def _joined(found: Seen, names: Sequence[str]) -> Array:
    return np.concatenate([np.ravel(found[n]).astype(np.float64) for n in names])
