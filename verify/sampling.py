"""The examples of a run: some that every run begins with, then Hypothesis."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from derive.cell import Cell
from verify.kernels import Example
from verify.strategies import examples as drawn
from verify.strategies import make_example

__all__ = ["PINS", "Enough", "Pin", "generate", "pinned"]


# So many examples are asked of Hypothesis at a time.
ROUND = 40


class Enough(BaseException):  # Hypothesis would treat an Exception as a failing example
    """Raised by a visitor to stop Hypothesis."""


@dataclass(frozen=True)
class Pin:
    """An example that every run begins with.

    Attributes:
        upstream: a name of `verify.cotangents.upstreams`, or 'first state', 'last state' for the
            one that is on that final state.
        square: whether all sizes are the same.
        least: the smallest size.
        for the others see `verify.strategies.make_example`.
    """

    steps: int
    batch: int
    regime: str
    dtype: type[np.floating[Any]]
    state: bool
    lengths: str
    upstream: str
    square: bool = False
    least: int = 2


_F32, _F64 = np.float32, np.float64
PINS: tuple[Pin, ...] = (
    Pin(3, 3, "unsaturated", _F64, True, "unequal", "all"),
    Pin(12, 2, "mixed", _F64, True, "full", "all"),
    Pin(1, 1, "mixed", _F64, True, "full", "all"),
    Pin(4, 3, "mixed", _F32, True, "unequal", "all"),
    Pin(2, 3, "saturated", _F64, True, "full", "last output"),
    Pin(9, 2, "unsaturated", _F64, False, "unequal", "last state"),
    Pin(6, 3, "saturated", _F32, False, "full", "outputs"),
    Pin(40, 2, "remembering", _F64, True, "full", "last output"),  # longer than people truncate
    Pin(3, 2, "overflowing", _F32, True, "full", "all", least=3),
    Pin(3, 2, "overflowing", _F64, True, "full", "all", least=3),
    Pin(3, 3, "mixed", _F64, True, "equal", "final states", square=True),
    Pin(2, 2, "unsaturated", _F64, True, "full", "across outputs"),
    Pin(2, 1, "weak", _F32, True, "full", "first output"),
    Pin(1, 2, "mixed", _F64, False, "full", "none"),
    Pin(3, 1, "unsaturated", _F32, True, "full", "first state"),
)


def pinned(cell: Cell, seed: int) -> Iterator[Example]:
    """Examples that every run begins with, whatever Hypothesis draws."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = [size for size in range(2, 100) if size not in fixed]
    ends = {"first state": cell.states[0].name, "last state": cell.states[-1].name}
    named = {end: f"final {state}" for end, state in ends.items()}
    for number, pin in enumerate(PINS):
        dims = cell.dimensions
        large = [size for size in free if size >= pin.least]
        own = large[1:2] * len(dims) if pin.square else large
        yield make_example(
            cell,
            steps=pin.steps,
            batch=pin.batch,
            sizes=dict(zip(dims, own, strict=False)),
            seed=seed + number,
            regime=pin.regime,
            dtype=pin.dtype,
            with_state=pin.state,
            with_lengths=pin.lengths,
            upstream=named.get(pin.upstream, pin.upstream),
        )


def generate(
    cell: Cell, visit: Callable[[Example], None], seed: int, count: int, *, shrink: bool
) -> None:
    """Call `visit` on examples from Hypothesis, the same for the same seed.

    With `shrink`, an AssertionError of `visit` sends Hypothesis to smaller examples; it is raised
    again at the end. Without, Hypothesis is asked several times, with other seeds: a tenth of what
    it draws for one answer is small, and this is what it begins with.
    """
    strategy = st.one_of(
        drawn(cell),
        drawn(cell, dtype=np.float32),
        drawn(cell, min_steps=7, max_steps=12, max_batch=2),
    )
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    settings = hypothesis.settings(
        max_examples=2 * count if shrink else ROUND,  # some repeat
        database=None,
        deadline=None,
        phases=phases,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    for number in range(1 if shrink else -(-2 * count // ROUND)):
        key = f"{seed}, {number}" if number else seed
        hypothesis.seed(key)(settings(hypothesis.given(strategy)(visit)))()
