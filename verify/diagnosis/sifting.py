"""Which observations decide, which entries tell most, and what a model can change at all."""

from collections.abc import Sequence

import numpy as np

from verify.deviations.model import Model
from verify.diagnosis.observing import Observation

__all__ = ["blurred", "chosen", "digits_of", "farthest", "local"]

# So many observations decide, with bounds; the others have sifted.
SURE = 4


def blurred(o: Observation, names: frozenset[str]) -> bool:
    """Whether most entries are outside of their bounds, as they are in a coarser format.

    Exact zeros stay what they are.
    """
    off, count = 0, 0
    for n in names:
        far = np.abs(o.results[n] - o.right.results[n]) > o.right.bounds[n]
        off += int(far.sum())
        count += int((o.right.results[n] != 0).sum())
    return o.example.dtype == np.float32 or 2 * off > count


def local(base: Model, model: Model) -> frozenset[str] | None:
    """The results that can differ, where only summands of parameters or inputs were changed."""
    if model.formulas is None or model.equations is not base.equations or _hooks(model, base):
        return None
    a, b = base.derived, model.derived
    if a.backward is not b.backward or a.states is not b.states:
        return None
    pairs = zip((*a.parameters, *a.inputs), (*b.parameters, *b.inputs), strict=True)
    return frozenset(f"d {one.of.name}" for one, other in pairs if one is not other)


def _hooks(a: Model, b: Model) -> bool:
    names = (
        *("given", "upstream", "starting", "ending", "values", "tape"),
        *(
            "carrying",
            "summing",
            "finishing",
            "precision",
            "wrap",
            "leaving",
            "holds",
            "shows",
            "early",
        ),
    )
    return any(getattr(a, n) is not getattr(b, n) for n in names)


def farthest(o: Observation, name: str) -> int:
    """The entry that is furthest off, by its bound."""
    off = np.abs(o.results[name] - o.right.results[name])
    share = off / np.maximum(o.right.bounds[name], np.finfo(np.float64).tiny)
    return int(np.argmax(np.where(np.isfinite(share), share, -1.0)))


def digits_of(o: Observation, model: Model) -> float:
    """Half of the digits that a model has on an example, as a share."""
    unit = float(np.finfo(o.example.dtype).eps)
    p = model.precision
    coarse = max(p.unit, p.operands, p.functions, p.off) if p else 0.0
    return float(np.sqrt(max(unit, coarse)))


def chosen(seen: Sequence[Observation], names: frozenset[str]) -> list[Observation]:
    """The observations that rounding is bounded on: short ones, and some that are wrong."""
    order = sorted(seen, key=lambda o: (not o.wrong & names, o.example.steps))
    return order[:SURE]
