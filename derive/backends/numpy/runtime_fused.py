"""What emitted kernels in fused form share, beside `runtime`: blocks of steps and of columns.

The text below the line `# --- emitted ---` is copied into each of them as it stands.
"""

import numpy as np


# --- emitted ---
def _flat(array):
    """(T, B, k) as (T*B, k)."""
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2])


def _chunk(width, batch, dtype):
    """How many steps to treat at once, so that their factors stay in the cache."""
    return max(1, (1 << 19) // max(1, width * batch * dtype.itemsize))


def _blocks(matrix, batch):
    """`matrix` (K, N) for products with (batch, K), in blocks of columns if that is faster.

    BLAS copies the operands of a large product before it multiplies; below some 10**6
    multiplications it does not, and at these shapes the copy costs more than it gains.
    """
    inner, columns = matrix.shape
    if batch > 1 and batch * inner * columns > 1_000_000:
        for width in (128, 64, 32):
            if columns % width == 0 and columns > width and batch * inner * width <= 1_000_000:
                blocks = matrix.reshape(inner, columns // width, width)
                return np.ascontiguousarray(blocks.transpose(1, 0, 2))
    return np.ascontiguousarray(matrix)


def _in_blocks(array, blocks):
    """The view of `array` (batch, N) that a product with `blocks` writes into."""
    if blocks.ndim == 2:
        return array
    count, _, width = blocks.shape
    return array.reshape(array.shape[0], count, width).transpose(1, 0, 2)
