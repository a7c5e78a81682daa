"""What emitted kernels in stepwise form share, beside `runtime`: masks, shapes, stable sums.

The text below the line `# --- emitted ---` is copied into each of them as it stands.
"""

import numpy as np


# --- emitted ---
def _flat(array):
    """(T, B, k) as (T*B, k)."""
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2])


def _alive(value, rows, held=0):
    """`value`, but `held` in rows that are past their sequence's end; `rows` is None for none."""
    if rows is None:
        return value
    return np.where(rows.reshape(rows.shape + (1,) * (value.ndim - rows.ndim)), held, value)


def _full(value, *shape):
    """`value` with its last axes, each of which has length one or is whole, made whole."""
    return np.broadcast_to(value, value.shape[: value.ndim - len(shape)] + shape)


def _stacked(*parts):
    """Vectors one after the other; some may have no leading axes."""
    lead = np.broadcast_shapes(*(part.shape[:-1] for part in parts))
    return np.concatenate([_full(p, *lead, p.shape[-1]) for p in parts], axis=-1)


def _logsumexp(z):
    """log(sum(exp(z))) over the last axis, which stays, without overflow."""
    top = z.real.max(-1, keepdims=True)
    return top + np.log(np.exp(z - top).sum(-1, keepdims=True))
