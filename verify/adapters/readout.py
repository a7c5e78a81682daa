"""Code that ends in a softmax and a cross-entropy, asked for the gradient of anything.

Such code takes targets where the contract has cotangents. Any cotangents can be had from it: with a
class for every step of every row, biases that make class 0 certain whatever h is, and the negative
cotangents as rows of the readout, softmax minus target is exactly e_0 - e_k, and what reaches h is
-(W_k - W_0), the cotangent of that step.
"""

from dataclasses import dataclass

import numpy as np

from verify.kernels import Array

__all__ = ["Readout", "readout"]

# exp of it is 0 in every precision, also where W @ h is added
FAR = -3000.0


@dataclass(frozen=True)
class Readout:
    """Weights and targets with which the loss's gradient by h is what was asked for.

    Attributes:
        W: (K, n), so that z = W @ h + b.
        b: (K,).
        targets: (T, B), classes from 0 to K - 1.
        one_hot: (T, B, K), the same as zeros and ones.
    """

    W: Array
    b: Array
    targets: Array

    @property
    def one_hot(self) -> Array:
        """The targets as zeros and ones."""
        return np.eye(len(self.b), dtype=self.W.dtype)[self.targets]


def readout(dy: Array, count: float = 1.0) -> Readout:
    """The readout that hands `dy`, (T, B, n), to the outputs.

    Args:
        count: what the code divides its loss by, if it takes a mean; 1 for a sum.
    """
    steps, batch, size = dy.shape
    W = np.zeros((1 + steps * batch, size), dy.dtype)
    W[1:] = -count * dy.reshape(-1, size)
    b = np.full(len(W), FAR, dy.dtype)
    b[0] = 0
    return Readout(W, b, 1 + np.arange(steps * batch).reshape(steps, batch))
