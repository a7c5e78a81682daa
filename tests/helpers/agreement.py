"""What two implementations of one layer computed, side by side, and how far they are apart."""

import numpy as np

from verify.conventions import gradients_from_cell

__all__ = ["flipped", "named", "relative_difference", "share_of_bound"]


def named(convention, y, state_T, grads):
    """All results in one dict; parameter gradients in the library's arrays.

    Works for values and for their bounds alike.
    """
    arrays = gradients_from_cell(convention, grads)
    others = {k: a for k, a in grads.items() if k == "x" or k.endswith("_0")}
    found = {"y": y} | {f"{name}_T": a for name, a in state_T.items()}
    return found | {f"d {k}": a for k, a in (arrays | others).items()}


def relative_difference(ours, theirs):
    """The largest over all arrays of: the largest difference over the peer's largest entry.

    Where the peer has zeros alone the two must be equal.
    """
    described = lambda arrays: {k: (a.shape, a.dtype) for k, a in arrays.items()}
    assert described(ours) == described(theirs)
    parts = []
    for k, a in theirs.items():
        apart, largest = np.max(np.abs(ours[k] - a)), np.max(np.abs(a))
        assert largest > 0 or apart == 0, f"{k} is 0, not {ours[k]}"
        parts.append(apart / largest if largest else 0.0)
    return float(np.max(parts))  # unlike `max`, not a number where one of them is not


def share_of_bound(ours, theirs, bounds):
    """The largest of |ours - theirs| / (2 bound): each of the two may be off by the bound.

    Above 1 is wrong. Where the bound is 0 the two must be equal.
    """
    parts = [0.0]
    for k, a in theirs.items():
        assert (ours[k].shape, ours[k].dtype) == (a.shape, a.dtype), k
        apart, limit = np.abs(ours[k].astype(np.longdouble) - a), 2 * bounds[k]
        assert np.all(np.isfinite(limit)), f"the bound of {k} says nothing"
        assert np.all(apart[limit == 0] == 0), k
        parts.append(np.max(apart[limit > 0] / limit[limit > 0], initial=0))
    return float(np.max(parts))


def flipped(x, lengths):
    """Each row of (T, B, …) with its first `length` steps in reverse order."""
    t = np.arange(x.shape[0])[:, np.newaxis]
    steps = np.where(t < lengths, lengths - 1 - t, t)
    return np.take_along_axis(x, steps[:, :, np.newaxis], axis=0)
