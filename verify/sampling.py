"""The examples of a run: some that every run begins with, then Hypothesis."""

from collections.abc import Callable, Iterator

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from derive.cell import Cell
from verify.kernels import Example
from verify.strategies import examples as drawn
from verify.strategies import make_example, upstreams

__all__ = ["Enough", "generate", "pinned"]


class Enough(BaseException):  # Hypothesis would treat an Exception as a failing example
    """Raised by a visitor to stop Hypothesis."""


def pinned(cell: Cell, seed: int) -> Iterator[Example]:
    """Examples that every run begins with, whatever Hypothesis draws."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in range(2, 100) if size not in fixed)
    sizes = dict(zip(cell.dimensions, free, strict=False))
    finals = [name for name in upstreams(cell) if name.startswith("final ")]
    rows = [
        (3, 3, "unsaturated", np.float64, True, True, "all"),
        (12, 2, "mixed", np.float64, True, False, "all"),
        (1, 1, "mixed", np.float64, True, False, "all"),
        (4, 3, "mixed", np.float32, True, True, "all"),
        (2, 3, "saturated", np.float64, True, False, "last output"),
        (9, 2, "unsaturated", np.float64, False, True, finals[-1]),
        (6, 3, "saturated", np.float32, False, False, "outputs"),
    ]
    for number, (steps, batch, regime, dtype, state, lengths, upstream) in enumerate(rows):
        yield make_example(
            cell,
            steps=steps,
            batch=batch,
            sizes=sizes,
            seed=seed + number,
            regime=regime,
            dtype=dtype,
            with_state=state,
            with_lengths=lengths,
            upstream=upstream,
        )


def generate(
    cell: Cell, visit: Callable[[Example], None], seed: int, count: int, *, shrink: bool
) -> None:
    """Call `visit` on examples from Hypothesis, the same for the same seed.

    With `shrink`, an AssertionError of `visit` sends Hypothesis to smaller examples; it is raised
    again at the end.
    """
    strategy = st.one_of(
        drawn(cell),
        drawn(cell, dtype=np.float32),
        drawn(cell, min_steps=7, max_steps=12, max_batch=2),
    )
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    settings = hypothesis.settings(
        max_examples=2 * count,  # some repeat
        database=None,
        deadline=None,
        phases=phases,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    hypothesis.seed(seed)(settings(hypothesis.given(strategy)(visit)))()
