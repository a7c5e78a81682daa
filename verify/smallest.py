"""The smallest example on which something still holds, as far as Hypothesis reaches in a budget."""

import time
from collections.abc import Callable
from contextlib import suppress

from hypothesis.errors import Flaky

from verify.adapters.limits import Limits
from verify.adapters.restricting import within
from verify.kernels import Example
from verify.sampling import Enough, generate

__all__ = ["size", "smallest"]

# It is sought with so many calls of a check.
CALLS = 80


def smallest(
    first: Example,
    fails: Callable[[Example], bool],
    *,
    limits: Limits,
    seed: int,
    deadline: float,
) -> Example:
    """A smaller example that fails, or the first.

    Args:
        limits: of the implementation.
        deadline: of `time.monotonic`.
    """
    best, calls = first, 0

    def visit(example: Example) -> None:
        nonlocal best, calls
        calls += 1
        if calls > CALLS or time.monotonic() > deadline:
            raise Enough
        example = within(limits, example)
        if fails(example):
            best = min(best, example, key=size)
            raise AssertionError

    # Flaky: it does not fail twice on the same example; the best so far is kept.
    with suppress(Enough, AssertionError, Flaky):
        generate(first.cell, visit, seed, CALLS, shrink=True)
    return best


def size(example: Example) -> tuple[int, int, int]:
    """What makes an example small for a reader."""
    arrays = [*example.params.values(), *example.inputs.values()]
    for states in (example.state_0, example.dstate_T):
        arrays += list((states or {}).values())
    return example.steps * example.batch, sum(a.size for a in arrays), len(example.label)
