"""Inputs for a cell, from its shapes: never uniform, and drawn so that failures shrink.

Structure is drawn by Hypothesis (steps, batch, sizes, regime, lengths, upstream), and shrinks to
the smallest; values come from a drawn seed. Every weight, bias, initial state and cotangent is
non-zero and differs from the others of its kind also in absolute value, so that no two can be
exchanged, dropped or negated unseen. (Cotangents across outputs of one unit are zero: no other is.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp
from hypothesis import strategies as st

from derive.cell import Cell
from derive.errors import UsageError
from derive.evaluate import Sizes
from derive.expressions import Shape
from verify.cotangents import Upstream, across, finals, only, upstreams
from verify.kernels import Array, Example
from verify.memory import derived_of, kept_vectors, orthogonal, recurrent, with_vectors
from verify.regimes import REGIMES, Regime, beyond, computable

__all__ = ["LENGTHS", "REGIMES", "Regime", "Upstream", "examples", "make_example", "upstreams"]


def _unequal(rng: np.random.Generator, steps: int, batch: int) -> Array:
    """Whole numbers from 0 to T, in random order; T, 0 and 1 among them if there is room."""
    ends = [steps, 0, min(steps, 1)][:batch] if batch > 1 else []
    rest = rng.integers(0, steps + 1, batch - len(ends))
    return rng.permutation(np.concatenate([np.array(ends, np.int64), rest]))


def _equal(rng: np.random.Generator, steps: int, batch: int) -> Array:
    return np.full(batch, rng.integers(min(steps, 1), steps + 1), np.int64)


# Lengths of a batch's rows, by name; the first is what failures shrink to.
LENGTHS: Mapping[str, Callable[[np.random.Generator, int, int], Array | None]] = {
    "full": lambda rng, steps, batch: None,
    "unequal": _unequal,
    "equal": _equal,
}


_ENDS = {False: "full", True: "unequal"}


def make_example(
    cell: Cell,
    *,
    steps: int,
    batch: int,
    sizes: Sizes | Mapping[str, int],
    seed: int,
    regime: str | Regime = "unsaturated",
    dtype: npt.DTypeLike = np.float64,
    with_state: bool = True,
    with_lengths: bool | str = False,
    upstream: str | Upstream = "all",
) -> Example:
    """One example, the same for the same arguments.

    Args:
        steps, batch: T and B; 0 is allowed.
        sizes: of the cell's symbolic dimensions, by symbol or by name.
        regime: a row of `REGIMES` or its name.
        dtype: float32 or float64.
        with_lengths: a name of `LENGTHS`, or whether they are unequal: 0 and T are among them if
            B > 1, and 1 if B > 2.
        upstream: a row of `upstreams(cell)` or its name.

    Raises:
        UsageError: an unknown name, or a size that is missing.
    """
    kind = _row(REGIMES, regime, "regime")
    entry = _row(upstreams(cell), upstream, "upstream")
    ends = with_lengths if isinstance(with_lengths, str) else _ENDS[with_lengths]
    lengths = _row(LENGTHS, ends, "lengths")
    known = _sizes(cell, sizes)
    rng = np.random.default_rng(seed)
    shape: Callable[[Shape], tuple[int, ...]] = lambda s: tuple(_size(d, known) for d in s)
    drawn = [shape(p.shape) for p in cell.parameters]
    limits = [_limit(s, kind) for s in drawn]
    values = _distinct(rng, drawn, limits, dtype)
    params = {p.name: a for p, a in zip(cell.parameters, values, strict=True)}
    if kind.remembers:
        params = _remembering(cell, params, seed)
    xs = [(steps, batch, *shape(v.shape)) for v in cell.inputs]
    inputs = _distinct(rng, xs, [kind.inputs] * len(xs), dtype)
    rows = [(batch, *shape(s.shape)) for s in cell.states]
    state_0 = _distinct(rng, rows, [kind.states] * len(rows), dtype)
    outputs = (steps, batch, *shape(cell.output.shape))
    dy, *ends_at = _distinct(rng, [outputs, *rows], [1.0] * (1 + len(rows)), dtype)
    names = [s.name for s in cell.states]
    label = (
        f"{cell.name}: T={steps}, B={batch}, "
        + "".join(f"{dim}={size}, " for dim, size in known.items())
        + f"{kind.name}, upstream {entry.name}, {'with' if with_state else 'no'} initial state, "
        + f"{ends} lengths, {np.dtype(dtype)}, seed {seed}"
    )
    made = Example(
        cell=cell,
        params=params,
        inputs={v.name: a for v, a in zip(cell.inputs, inputs, strict=True)},
        state_0=dict(zip(names, state_0, strict=True)) if with_state else None,
        lengths=lengths(rng, steps, batch),
        dy=None if entry.steps is None else only(dy, entry.steps),
        dstate_T=finals(names, ends_at, entry.states),
        label=label,
    )
    made = computable(beyond(made, kind.biases)) if kind.overflows else made
    return replace(made, dy=across(made)) if entry.across else made


_ONE_IN_FOUR = st.sampled_from([False, False, False, True])


@st.composite
def examples(
    draw: st.DrawFn,
    cell: Cell,
    dtype: npt.DTypeLike = np.float64,
    max_steps: int = 6,
    *,
    min_steps: int = 1,
    min_batch: int = 1,
    max_batch: int = 4,
    max_size: int = 5,
    regimes: Sequence[str] = tuple(REGIMES),
    kinds: Sequence[str] | None = None,
    with_state: bool | None = None,
    with_lengths: bool | str | None = None,
) -> Example:
    """Examples of a cell; they shrink towards few steps, few rows, small sizes, no saturation.

    Args:
        max_size: of the symbolic dimensions, which all differ, or are all the same.
        kinds: names out of `upstreams(cell)`; None means all of them.
        with_state, with_lengths: None draws both; otherwise as given.
    """
    sizes = draw(_drawn_sizes(cell, max_size), label="sizes")
    if len(sizes) > 1 and draw(_ONE_IN_FOUR, label="one size"):
        sizes = dict.fromkeys(sizes, max(sizes.values()))
    return make_example(
        cell,
        steps=draw(st.integers(min_steps, max_steps), label="steps"),
        batch=draw(st.integers(min_batch, max_batch), label="batch"),
        sizes=sizes,
        seed=draw(st.integers(0, 2**32 - 1), label="seed"),
        regime=draw(st.sampled_from(list(regimes)), label="regime"),
        dtype=dtype,
        with_state=draw(st.booleans(), label="state") if with_state is None else with_state,
        with_lengths=draw(st.sampled_from(list(LENGTHS)), label="lengths")
        if with_lengths is None
        else with_lengths,
        upstream=draw(st.sampled_from(list(kinds or upstreams(cell))), label="upstream"),
    )


def _drawn_sizes(cell: Cell, max_size: int) -> st.SearchStrategy[dict[sp.Symbol, int]]:
    """Pairwise different sizes that also differ from the sizes that the cell declares."""
    shapes = [v.shape for v in (*cell.inputs, *cell.states, *cell.parameters)]
    fixed = {int(d) for s in shapes for d in s if d.is_Integer}
    dims = cell.dimensions
    free = [n for n in range(1, max_size + len(fixed) + len(dims) + 1) if n not in fixed]
    pool = free[: max(max_size, len(dims))]
    several = st.lists(st.sampled_from(pool), min_size=len(dims), max_size=len(dims), unique=True)
    return several.map(lambda drawn: dict(zip(dims, drawn, strict=True)))


def _row(table: Mapping[str, Any], given: Any, what: str) -> Any:
    if not isinstance(given, str):
        return given
    if given not in table:
        raise UsageError(f"no {what} '{given}'; there are {', '.join(table)}")
    return table[given]


def _sizes(cell: Cell, sizes: Sizes | Mapping[str, int]) -> dict[sp.Symbol, int]:
    by_name = {str(dim): int(size) for dim, size in sizes.items()}
    missing = [str(dim) for dim in cell.dimensions if str(dim) not in by_name]
    if missing:
        raise UsageError(f"the size of {', '.join(missing)} is not given")
    return {dim: by_name[str(dim)] for dim in cell.dimensions}


def _size(dim: sp.Expr, known: Sizes) -> int:
    return int(dim if dim.is_Integer else known.get(dim) or dim.subs(dict(known)))


def _limit(shape: tuple[int, ...], regime: Regime) -> float:
    """A row of a matrix adds up about as the square root of its length."""
    return regime.biases if len(shape) == 1 else regime.weights / float(np.sqrt(shape[1]))


def _remembering(cell: Cell, params: dict[str, Array], seed: int) -> dict[str, Array]:
    """Parameters with orthogonal square matrices, and vectors with which the cell remembers."""
    rng = np.random.default_rng([seed, 1])
    square = {n: orthogonal(rng, len(params[n])) for n in recurrent(cell)}
    near = {n: 0.6 * np.sign(a) + 0.4 * a for n, a in params.items() if a.ndim == 1}
    made = {n: np.asarray({**near, **square}.get(n, a), a.dtype) for n, a in params.items()}
    return with_vectors(made, _vectors(cell))


@cache
def _vectors(cell: Cell) -> dict[str, float]:
    """Sizes of vectors with which a cell remembers, found on one small example."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in range(3, 100) if size not in fixed)
    example = make_example(
        cell,
        steps=6,
        batch=4,
        sizes=dict(zip(cell.dimensions, free, strict=False)),
        seed=0,
        regime=replace(REGIMES["remembering"], remembers=False),
        upstream="last output",
    )
    rng = np.random.default_rng(0)
    square = {n: orthogonal(rng, len(example.params[n])) for n in recurrent(cell)}
    return kept_vectors(replace(example, params={**example.params, **square}), derived_of(cell))


def _distinct(
    rng: np.random.Generator,
    shapes: Sequence[tuple[int, ...]],
    limits: Sequence[float],
    dtype: npt.DTypeLike,
) -> list[Array]:
    """Arrays of random signs and different, non-zero absolute values from a tenth of the limit."""
    counts = [int(np.prod(shape)) for shape in shapes]
    total = sum(counts)
    scale = np.repeat(np.asarray(limits), counts)
    for _ in range(64):
        strata = (rng.permutation(total) + rng.uniform(0.25, 0.75, total)) / max(total, 1)
        signs = rng.choice(np.array([-1.0, 1.0]), total)
        values = (signs * scale * (0.1 + 0.9 * strata)).astype(dtype)
        if len(np.unique(np.abs(values))) == total:
            break
    assert len(np.unique(np.abs(values))) == total, "values are not distinct"
    assert np.all(values != 0), "a value is zero"
    parts = np.split(values, np.cumsum(counts))[: len(counts)]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
