"""A cell that computes one step -> a kernel: the loop over time is ours."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from verify.adapters.functions import Adapted, adapt
from verify.kernels import Array, Arrays

__all__ = ["adapt_step"]

Step = Callable[[Any, Any, dict[str, Any]], tuple[Mapping[str, Any], Any]]
StepBack = Callable[[Any, Any, dict[str, Any]], Mapping[str, Any]]


def adapt_step(
    forward: Step,
    backward: StepBack | None = None,
    *,
    cell: str | Cell,
    x: str = "BF",
    state: str = "BF",
    **options: Any,
) -> Adapted:
    """A kernel from functions of one step.

        states, cache = forward(p, x_t, states)
        gradients     = backward(p, cache, dstates)

    `gradients` has somebody's arrays and inputs by name, and what is handed to the step before
    under the states' own names, 'h'. Parameters' gradients are summed over the steps.

    Args:
        x, state: axes of one step's input and states, as 'FB' for columns.
        options: as for `verify.adapters.functions.adapt`.
    """
    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    inputs, names = {v.name for v in loaded.inputs}, [s.name for s in loaded.states]
    output = loaded.output.name

    def run(p: Arrays, xs: Any, states: Arrays) -> tuple[Array, dict[str, Any], Any]:
        now: dict[str, Any] = dict(states)
        outputs, caches = [], []
        for t in range(len(next(iter(xs.values())) if isinstance(xs, Mapping) else xs)):
            x_t = {n: a[t] for n, a in xs.items()} if isinstance(xs, Mapping) else xs[t]
            found, cache = forward(p, x_t, now)
            now = {n: found[n] for n in names}
            outputs.append(np.array(now[output]))
            caches.append(cache)
        return np.stack(outputs), now, caches

    def back(p: Arrays, caches: Any, dy: Array, dstates: Arrays) -> dict[str, Any]:
        assert backward is not None
        carried: dict[str, Any] = dict(dstates)
        sums: dict[str, Any] = {}
        steps: dict[str, list[Array]] = {}
        for t in reversed(range(len(caches))):
            given = {n: a + dy[t] if n == output else a for n, a in carried.items()}
            found = backward(p, caches[t], given)
            for name, value in found.items():
                if name in inputs:
                    steps.setdefault(name, []).append(np.array(value))
                elif name not in names:
                    sums[name] = sums[name] + value if name in sums else np.array(value)
            carried = {n: found[n] for n in names}
        firsts = {f"{n}_0": a for n, a in carried.items()}
        return sums | {n: np.stack(a[::-1]) for n, a in steps.items()} | firsts

    return adapt(
        run,
        back if backward else None,
        cell=loaded,
        x="T" + x,
        state=state,
        y="T" + state,
        **options,
    )
