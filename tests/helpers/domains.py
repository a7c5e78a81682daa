"""Examples on which a cell can be judged: away from poles and kinks, by a rule for all cells."""

from collections.abc import Iterator

import numpy as np

from derive.cell import Cell
from derive.gradients import Gradients
from verify.kernels import Array, Example
from verify.references import Reference, reference
from verify.strategies import make_example

__all__ = ["judged", "says_enough"]

# Sizes and regimes that examples are drawn with; the first of each comes first.
SIZES = ((3, 2, 4, 5), (5, 4, 3, 2))
REGIMES = ("unsaturated", "weak", "mixed")
SEEDS = 8

# A bound of this share of the largest entry, or below, is called small: a wrong factor, term or
# sign is far above it. It chooses examples; what is right is decided by the bound itself.
SMALL = 1e-8


def judged(gradients: Gradients) -> tuple[Example, Reference]:
    """The first example drawn whose bounds are small, else the one with the smallest.

    Near a pole, and where a kink lies within the rounding error, bounds are infinite or large: such
    examples say nothing. So a cell is driven in its domain without anybody saying what that is.
    """
    tried = []
    for example in _drawn(gradients.cell):
        found = reference(example, gradients)
        if says_enough(found):
            return example, found
        tried.append((_share(found), len(tried), example, found))
    return min(tried)[2:]


def says_enough(found: Reference) -> bool:
    """Whether all bounds are small."""
    return _share(found) < SMALL


def _share(found: Reference) -> float:
    """The largest bound of an array, as a share of its largest entry or of one."""
    pairs = [(found.y, found.y_bound)]
    pairs += [(found.state_T[name], bound) for name, bound in found.state_T_bound.items()]
    pairs += [(found.grads[name], bound) for name, bound in found.grads_bound.items()]
    return max(_largest(bound) / max(1.0, _largest(np.abs(value))) for value, bound in pairs)


def _largest(array: Array) -> float:
    return float(np.max(np.where(np.isnan(array), np.inf, array), initial=0.0))


def _drawn(cell: Cell) -> Iterator[Example]:
    shapes = [v.shape for v in (*cell.inputs, *cell.states, *cell.parameters)]
    fixed = {int(size) for shape in shapes for size in shape if size.is_Integer}
    for seed in range(SEEDS):
        for regime in REGIMES:
            for row in SIZES:
                free = [size for size in (*row, 6, 7) if size not in fixed]
                sizes = dict(zip(cell.dimensions, free, strict=False))
                yield make_example(cell, steps=3, batch=2, sizes=sizes, seed=seed, regime=regime)
