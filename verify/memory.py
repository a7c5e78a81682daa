"""Values with which a cell remembers: far back in time, gradients are as large as near the end.

No rule knows a cell. Square matrices are orthogonal; for each vector of parameters a few sizes and
signs are tried, and the one is kept with which a cotangent of the last output reaches the first
step, neither vanishing nor exploding.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.kernels import Array, Arrays, Example, as_value, columns_of, sizes_of
from verify.recurrence import Plain, alive, backward, forward

__all__ = ["derived_of", "kept_vectors", "orthogonal", "recurrent", "with_vectors"]

# Sizes of a vector's entries that are tried; a bias of 4 opens a gate, -4 closes it.
TRIED = (1.0, 4.0, -4.0, 0.05)

# Singular values of "orthogonal" matrices: they differ, so that all entries do.
GAINS = (0.97, 1.0)

FIELD = Plain(np.float64)


@cache
def derived_of(cell: Cell) -> Gradients:
    """A cell's gradients, derived once for all its examples."""
    return gradients(cell)


def recurrent(cell: Cell) -> tuple[str, ...]:
    """The names of square matrices: what can map a state to itself."""
    shapes = {p.name: p.shape for p in cell.parameters}
    return tuple(n for n, s in shapes.items() if len(s) == 2 and s[0] == s[1])


def orthogonal(rng: np.random.Generator, size: int) -> Array:
    """A random rotation or reflection with columns shortened by up to 3 %, each by another factor.

    Source: Mezzadri (2007), arXiv:math-ph/0609050: QR of a normal matrix, signs from R.
    """
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)) * rng.uniform(*GAINS, size))


def kept_vectors(example: Example, derived: Gradients) -> dict[str, float]:
    """For each vector of parameters, the size and sign of its entries with which most is kept.

    They are found one after the other, the others staying as they are.

    Args:
        example: with vectors whose absolute values are up to one, initial states, and the
            cotangent of the last output.
    """
    vectors = [p.name for p in example.cell.parameters if len(p.shape) == 1]
    chosen = dict.fromkeys(vectors, TRIED[0])
    for name in vectors:
        tried = [with_vectors(example.params, {**chosen, name: size}) for size in TRIED]
        chosen[name] = TRIED[int(np.argmax(_kept(example, derived, tried)))]
    return chosen


def with_vectors(params: Arrays, sizes: Mapping[str, float]) -> dict[str, Array]:
    """Parameters with the absolute values of their vectors times a size each."""
    made = {n: np.abs(params[n]) * size for n, size in sizes.items()}
    return {n: np.asarray(made.get(n, a), a.dtype) for n, a in params.items()}


@np.errstate(all="ignore")
def _kept(example: Example, derived: Gradients, tried: Sequence[Arrays]) -> Array:
    """How well each choice of parameters keeps gradients: zero if they stay as large over time.

    Below zero is by how much they change from the last output to the initial states, and from the
    last input to the first, as sums of absolute logarithms.
    """
    assert example.dy is not None
    assert example.state_0 is not None
    cell, sizes = example.cell, sizes_of(example)
    mask = alive(example.steps, example.batch, None)
    params = {
        p.name: np.stack([as_value(one[p.name], p) for one in tried])[:, None]
        for p in cell.parameters
    }
    inputs = {v.name: list(as_value(example.inputs[v.name], v)) for v in cell.inputs}
    state_0 = {s.name: as_value(example.state_0[s.name], s) for s in cell.states}
    run = forward(cell, derived.forward, params, inputs, state_0, mask, sizes, FIELD)
    dy = as_value(example.dy, cell.output)
    zeros = {s.name: np.zeros((example.batch, *columns_of(s, sizes))) for s in cell.states}
    alone = Gradients(**{**vars(derived), "parameters": ()})
    back = backward(alone, run, list(dy), zeros, mask, sizes, FIELD)
    states = _norm(list(back.states.values()), len(tried))
    early, late = (_norm([g[t] for g in back.inputs.values()], len(tried)) for t in (0, -1))
    unread = (early == 0) & (late == 0)
    change = np.abs(np.log(states / np.linalg.norm(dy)))
    change = change + np.where(unread, 0.0, np.abs(np.log(early / late)))
    return np.where(np.isfinite(change), -change, -np.inf)


def _norm(arrays: Sequence[Array], count: int) -> Array:
    """One norm of all arrays for each of the choices along the first of four axes."""
    wide = [np.broadcast_to(a, (count, *a.shape[-3:])) for a in arrays]
    return np.sqrt(sum((np.sum(np.square(a), axis=(1, 2, 3)) for a in wide), np.zeros(count)))
