"""Floats as a program has them, for evaluations that must stay inside an error bound."""

import numpy as np

from derive.evaluate import compiled
from verify.recurrence import Plain

__all__ = ["Native"]


class Native(Plain):
    """Floats as a program has them: sums of products in random order, the library's functions."""

    def __init__(self, dtype, seed):
        super().__init__(dtype)
        self.rng = np.random.default_rng(seed)

    def matmul(self, a, b):
        order = self.rng.permutation(a.shape[-1])
        total = a[..., :, order[0], None] * b[..., order[0], None, :]
        for k in order[1:]:
            total = total + a[..., :, k, None] * b[..., k, None, :]
        return total

    def apply(self, name, z):
        with np.errstate(all="ignore"):
            # log(1 + exp(z)) overflows where softplus does not: no program for all numbers has it.
            value = np.logaddexp(z, 0) if name == "softplus" else compiled(name)(z)
            return np.asarray(value, self.dtype)

    def log_sum_exp(self, a):
        top = a.max(axis=-2, keepdims=True)
        with np.errstate(all="ignore"):
            plain = np.log(np.sum(np.exp(a), axis=-2, keepdims=True))
            ways = [
                np.log(np.sum(np.exp(a - top), axis=-2, keepdims=True)) + top,
                np.logaddexp.reduce(a, axis=-2, keepdims=True),
            ]
            if np.isfinite(plain).all():  # it overflows, or is log(0), where the sum is not
                ways.append(plain)
            return ways[self.rng.integers(len(ways))]
