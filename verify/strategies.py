"""Inputs for a cell, from its shapes: never uniform, and drawn so that failures shrink.

Structure is drawn by Hypothesis (steps, batch, sizes, regime, lengths, upstream), and shrinks to
the smallest; values come from a drawn seed. Every weight, bias, initial state and cotangent is
non-zero and differs from the others of its kind also in absolute value, so that no two can be
exchanged, dropped or negated unseen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp
from hypothesis import strategies as st

from derive.cell import Cell
from derive.errors import UsageError
from derive.evaluate import Sizes
from derive.expressions import Shape
from verify.kernels import Array, Arrays, Example

__all__ = ["REGIMES", "Regime", "Upstream", "examples", "make_example", "upstreams"]


@dataclass(frozen=True)
class Regime:
    """How large the values of an example are.

    Attributes:
        weights: largest contribution of a whole row of a matrix to a pre-activation, about.
        biases: largest absolute value of a vector parameter.
        inputs, states: largest absolute values of x and of initial states.
    """

    name: str
    weights: float
    biases: float
    inputs: float = 1.0
    states: float = 1.0


# The first is what failures shrink to.
REGIMES: Mapping[str, Regime] = {
    row.name: row
    for row in (
        Regime("unsaturated", weights=1.0, biases=0.5),
        Regime("mixed", weights=2.5, biases=2.0, inputs=1.5),
        Regime("saturated", weights=4.0, biases=8.0, inputs=2.0, states=2.0),
        Regime("weak", weights=0.05, biases=0.05, inputs=0.5, states=0.5),
    )
}


@dataclass(frozen=True)
class Upstream:
    """Where cotangents enter.

    Attributes:
        steps: which of the T output cotangents are given; None for no `dy` at all.
        states: names of the final states whose cotangent is not zero; None for no `dstate_T`.
    """

    name: str
    steps: slice | None
    states: tuple[str, ...] | None


def upstreams(cell: Cell) -> dict[str, Upstream]:
    """The kinds of upstream cotangents for a cell, by name; the first is everything."""
    every = tuple(s.name for s in cell.states)
    rows = [
        Upstream("all", slice(None), every),
        Upstream("outputs", slice(None), None),
        Upstream("last output", slice(-1, None), None),
        Upstream("first output", slice(0, 1), None),
        *(Upstream(f"final {name}", None, (name,)) for name in every),
        Upstream("none", None, None),
    ]
    return {row.name: row for row in rows}


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
    with_lengths: bool = False,
    upstream: str | Upstream = "all",
) -> Example:
    """One example, the same for the same arguments.

    Args:
        steps, batch: T and B; 0 is allowed.
        sizes: of the cell's symbolic dimensions, by symbol or by name.
        regime: a row of `REGIMES` or its name.
        dtype: float32 or float64.
        with_lengths: whether the rows end at different steps; 0 and T are among the lengths if
            B > 1.
        upstream: a row of `upstreams(cell)` or its name.

    Raises:
        UsageError: an unknown name, or a size that is missing.
    """
    kind = _row(REGIMES, regime, "regime")
    entry = _row(upstreams(cell), upstream, "upstream")
    known = _sizes(cell, sizes)
    rng = np.random.default_rng(seed)
    shape: Callable[[Shape], tuple[int, ...]] = lambda s: tuple(_size(d, known) for d in s)
    limits = [_limit(shape(p.shape), kind) for p in cell.parameters]
    params = _distinct(rng, [shape(p.shape) for p in cell.parameters], limits, dtype)
    xs = [(steps, batch, *shape(v.shape)) for v in cell.inputs]
    inputs = _distinct(rng, xs, [kind.inputs] * len(xs), dtype)
    rows = [(batch, *shape(s.shape)) for s in cell.states]
    state_0 = _distinct(rng, rows, [kind.states] * len(rows), dtype)
    outputs = (steps, batch, *shape(cell.output.shape))
    dy, *finals = _distinct(rng, [outputs, *rows], [1.0] * (1 + len(rows)), dtype)
    names = [s.name for s in cell.states]
    label = (
        f"{cell.name}: T={steps}, B={batch}, "
        + "".join(f"{dim}={size}, " for dim, size in known.items())
        + f"{kind.name}, upstream {entry.name}, {'with' if with_state else 'no'} initial state, "
        + f"{'unequal' if with_lengths else 'full'} lengths, {np.dtype(dtype)}, seed {seed}"
    )
    return Example(
        cell=cell,
        params={p.name: a for p, a in zip(cell.parameters, params, strict=True)},
        inputs={v.name: a for v, a in zip(cell.inputs, inputs, strict=True)},
        state_0=dict(zip(names, state_0, strict=True)) if with_state else None,
        lengths=_lengths(rng, steps, batch) if with_lengths else None,
        dy=None if entry.steps is None else _only(dy, entry.steps),
        dstate_T=_finals(names, finals, entry.states),
        label=label,
    )


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
    with_lengths: bool | None = None,
) -> Example:
    """Examples of a cell; they shrink towards few steps, few rows, small sizes, no saturation.

    Args:
        max_size: of the symbolic dimensions, which all differ.
        kinds: names out of `upstreams(cell)`; None means all of them.
        with_state, with_lengths: None draws both; otherwise as given.
    """
    return make_example(
        cell,
        steps=draw(st.integers(min_steps, max_steps), label="steps"),
        batch=draw(st.integers(min_batch, max_batch), label="batch"),
        sizes=draw(_drawn_sizes(cell, max_size), label="sizes"),
        seed=draw(st.integers(0, 2**32 - 1), label="seed"),
        regime=draw(st.sampled_from(list(regimes)), label="regime"),
        dtype=dtype,
        with_state=draw(st.booleans(), label="state") if with_state is None else with_state,
        with_lengths=draw(st.booleans(), label="lengths") if with_lengths is None else with_lengths,
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


def _lengths(rng: np.random.Generator, steps: int, batch: int) -> Array:
    """Whole numbers from 0 to T, in random order, 0 and T among them if there is room."""
    ends = [steps, 0] if batch > 1 else []
    rest = rng.integers(0, steps + 1, batch - len(ends))
    return rng.permutation(np.concatenate([np.array(ends, np.int64), rest]))


def _only(dy: Array, steps: slice) -> Array:
    kept = np.zeros_like(dy)
    kept[steps] = dy[steps]
    return kept


def _finals(
    names: Sequence[str], values: Sequence[Array], kept: tuple[str, ...] | None
) -> Arrays | None:
    """Cotangents of all final states, zero where not asked for."""
    if kept is None:
        return None
    pairs = zip(names, values, strict=True)
    return {name: value if name in kept else np.zeros_like(value) for name, value in pairs}
