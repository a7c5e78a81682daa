"""Vectors of a cell: rows of examples that differ in all that implementations get wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from derive.backends.numpy.module import digest
from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import Gradients, gradients
from verify.kernels import Array, Example, sizes_of
from verify.references import reference
from verify.rounding import Precision
from verify.strategies import make_example
from verify.vectors.formats import Vector, Vectors, described, flat_example, flat_results

__all__ = ["ROWS", "Row", "make"]

# A row tries so many seeds in its own regime until rounding leaves enough of the example, and then
# as many in each of these.
ATTEMPTS, MILDER = 6, ("unsaturated", "weak")


@dataclass(frozen=True)
class Row:
    """What an example is made of; `upstream` 'final' makes one for each state."""

    steps: int
    batch: int
    regime: str
    dtype: str
    state: bool
    lengths: bool
    upstream: str


# The first find most: who asks for few gets these.
ROWS = (
    Row(3, 3, "unsaturated", "float64", state=True, lengths=True, upstream="all"),
    Row(12, 2, "mixed", "float64", state=True, lengths=False, upstream="all"),
    Row(1, 1, "mixed", "float64", state=True, lengths=False, upstream="all"),
    Row(4, 3, "mixed", "float32", state=True, lengths=True, upstream="all"),
    Row(2, 3, "saturated", "float64", state=True, lengths=False, upstream="last output"),
    Row(6, 2, "unsaturated", "float64", state=False, lengths=True, upstream="final"),
    Row(8, 3, "saturated", "float32", state=False, lengths=False, upstream="outputs"),
    Row(5, 2, "weak", "float64", state=True, lengths=True, upstream="first output"),
    Row(12, 3, "unsaturated", "float32", state=True, lengths=True, upstream="all"),
    Row(1, 2, "saturated", "float32", state=True, lengths=False, upstream="all"),
    Row(10, 1, "mixed", "float64", state=False, lengths=False, upstream="outputs"),
    Row(7, 2, "mixed", "float32", state=True, lengths=True, upstream="final"),
)


def make(cell: Cell, *, seed: int = 0, count: int | None = None) -> Vectors:
    """Vectors of a cell, the same for the same arguments.

    Args:
        count: how many examples; None means each row once. More than that repeats the rows with
            other values.

    Raises:
        UsageError: `count` or `seed` is negative, or no example is left after rounding.
    """
    if seed < 0 or (count is not None and count < 1):
        raise UsageError(f"a seed from 0 and examples from 1 are possible, not {seed} and {count}")
    derived, vectors, passed_over = gradients(cell), list[Vector](), 0
    rows = list(_rows(cell))
    for number, row in enumerate(rows if count is None else _first(rows, count)):
        tried = list[Vector]()
        regimes = [regime for regime in (row[0].regime, *MILDER) for _ in range(ATTEMPTS)]
        for attempt, regime in enumerate(regimes):
            example = _example(cell, row, regime, number, [seed, number, attempt])
            tried.append(_vector(example, derived))
            if not tried[-1].left_out:
                break
        best = min(tried, key=lambda vector: len(vector.left_out))
        vectors += [best] if best.expected else []
        passed_over += len(tried) - bool(best.expected)
    if not vectors:
        raise UsageError(f"{cell.name}: rounding leaves nothing of any example; try another seed")
    return Vectors(
        cell=cell.name,
        text=str(cell),
        digest=digest(cell),
        variables=described(cell),
        seed=seed,
        asked=count,
        passed_over=passed_over,
        vectors=tuple(vectors),
    )


def _rows(cell: Cell) -> Iterator[tuple[Row, str]]:
    for row in ROWS:
        finals = [f"final {state.name}" for state in cell.states]
        for upstream in finals if row.upstream == "final" else [row.upstream]:
            yield row, upstream


def _first(rows: list[tuple[Row, str]], count: int) -> Iterator[tuple[Row, str]]:
    return (row for row, _ in zip(cycle(rows), range(count), strict=False))


def _example(
    cell: Cell, row: tuple[Row, str], regime: str, number: int, entropy: list[int]
) -> Example:
    kind, upstream = row
    return make_example(
        cell,
        steps=kind.steps,
        batch=kind.batch,
        sizes=_sizes(cell, number),
        seed=int(np.random.SeedSequence(entropy).generate_state(1)[0]),
        regime=regime,
        dtype=kind.dtype,
        with_state=kind.state,
        with_lengths=kind.lengths,
        upstream=upstream,
    )


def _sizes(cell: Cell, number: int) -> dict[str, int]:
    """Different sizes, also from those that the cell declares; each is the larger one in turn."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in range(2, 100) if size not in fixed)
    pool = [size for size, _ in zip(free, range(len(cell.dimensions) + 1), strict=False)]
    turned = [pool[(number + place) % len(pool)] for place in range(len(cell.dimensions))]
    return {str(dim): size for dim, size in zip(cell.dimensions, turned, strict=True)}


def _vector(example: Example, derived: Gradients) -> Vector:
    """Results of which rounding leaves half of the digits; others are left out.

    Digits are counted from the largest of all outputs and final states, or of all gradients.
    """
    expected, bound = flat_results(reference(example, derived))
    enough = float(np.sqrt(Precision.of(example.dtype).unit))
    backward = {name for name in expected if name.startswith("grads/")}
    left_out = []
    for names in (expected.keys() - backward, backward):
        scale = enough * max(_largest(expected[name]) for name in names)
        left_out += [name for name in names if not _largest(bound[name]) <= scale < np.inf]
    kept = [name for name in expected if name not in left_out]
    sizes = {str(dim): size for dim, size in sizes_of(example).items()}
    return Vector(
        label=example.label,
        dtype=str(example.dtype),
        sizes={"T": example.steps, "B": example.batch, **sizes},
        given=flat_example(example),
        expected={name: expected[name] for name in kept},
        bound={name: bound[name] for name in kept},
        left_out=[name for name in expected if name in left_out],
    )


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))
