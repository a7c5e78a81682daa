"""Is there a run that keeps away from a cell's kinks and poles? Numbers that do are looked for.

Where there is none, the theorems that suppose it say nothing of the cell.
"""

from collections.abc import Iterable

import numpy as np

from derive.backends.coq.claims import Settled
from derive.backends.coq.functions import function_of
from derive.evaluate import Array, Numbers, run_step, whole_shape
from derive.expressions import Apply, MatrixSymbol
from derive.gradients import Gradients

__all__ = ["meaningful", "somewhere_smooth"]

TRIES = 20


def meaningful(claims: Iterable[Settled], gradients: Gradients) -> tuple[Settled, ...]:
    """The claims but those that suppose what never is."""
    found = tuple(claims)
    if any(c.where for c in found) and not somewhere_smooth(gradients):
        return tuple(c for c in found if not c.where)
    return found


def somewhere_smooth(gradients: Gradients) -> bool:
    """Whether numbers are found at which every condition of the record `smooth` is met."""
    return any(_is_smooth(gradients, seed) for seed in range(TRIES))


def _is_smooth(g: Gradients, seed: int) -> bool:
    random, cell = np.random.default_rng(seed), g.cell
    sizes = {d: 2 + k for k, d in enumerate(cell.dimensions)}
    names = [v.now for v in (*cell.parameters, *cell.inputs)] + [s.before for s in cell.states]
    given = {n.name: random.normal(size=whole_shape(n, sizes)) for n in names}
    with np.errstate(all="ignore"):
        known = run_step(g.forward, given, sizes, Numbers(np.dtype(float)))
    return all(
        _met(function_of(a.value.name).smooth, known[a.value.argument.name])
        for a in g.forward
        if isinstance(a.value, Apply) and isinstance(a.value.argument, MatrixSymbol)
    )


def _met(condition: str, values: Array) -> bool:
    if not condition:
        return True
    if condition.startswith("0 <"):
        return bool(np.all(values > 0))
    return bool(np.all(values % 1 != 0 if condition.startswith("frac_part") else values != 0))
