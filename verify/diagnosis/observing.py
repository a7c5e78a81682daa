"""What an implementation gives on examples, beside what is right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from derive.cell import Cell
from derive.gradients import Gradients
from verify.deviations.machine import Predicted, predicted
from verify.deviations.model import Model
from verify.kernels import Array, Example, Kernel
from verify.properties import BrokenError, Trial
from verify.rounding import Precision
from verify.strategies import make_example

__all__ = ["Observation", "Right", "Seen", "agree", "flat", "observed", "rights", "standard"]

# What is compared, by name: 'y', 'C_T', and 'd W_f' for the gradient of W_f.
Seen = dict[str, Array]

# Upstream cotangents times this meet any threshold that clips.
LARGE = -256.0

# The sieve lets pass what is within so many bounds of what is right.
NOISE = 4.0


@dataclass(frozen=True)
class Right:
    """An example with what is right on it."""

    example: Example
    expected: Predicted

    @cached_property
    def results(self) -> Seen:
        """The right results, in long double."""
        return flat(self.expected)

    @cached_property
    def bounds(self) -> Seen:
        """How far rounding may take each."""
        return flat_bounds(self.expected)


@dataclass(frozen=True)
class Observation:
    """What an implementation gave on an example."""

    right: Right
    results: Seen

    @property
    def example(self) -> Example:
        """The example."""
        return self.right.example

    @cached_property
    def wrong(self) -> frozenset[str]:
        """Names of results that are outside of their bounds."""
        return frozenset(outside(self.results, self.right.results, self.right.bounds))


def standard(cell: Cell, seed: int = 0) -> tuple[Example, ...]:
    """Examples that tell deviations apart: long, short, alone, without states, large upstream."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in (3, 2, *range(4, 100)) if size not in fixed)
    sizes = dict(zip(cell.dimensions, free, strict=False))
    rows = (
        (3, 3, "unsaturated", np.float64, True, False, "all"),
        (5, 3, "mixed", np.float64, True, True, "all"),
        (9, 2, "unsaturated", np.float64, True, False, "all"),
        (1, 2, "mixed", np.float64, True, False, "all"),
        (3, 2, "unsaturated", np.float64, False, False, "outputs"),
        (2, 1, "unsaturated", np.float64, True, False, "all"),
        (12, 1, "unsaturated", np.float64, True, False, "all"),
        (4, 3, "unsaturated", np.float32, True, False, "all"),
    )
    made = [
        make_example(
            cell,
            steps=steps,
            batch=batch,
            sizes=sizes,
            seed=seed + 100 + number,
            regime=regime,
            dtype=dtype,
            with_state=state,
            with_lengths=lengths,
            upstream=upstream,
        )
        for number, (steps, batch, regime, dtype, state, lengths, upstream) in enumerate(rows)
    ]
    return (*made, enlarged(made[0]))


def enlarged(example: Example) -> Example:
    """The example with large cotangents."""
    return replace(
        example,
        dy=None if example.dy is None else example.dy * example.dtype.type(LARGE),
        dstate_T={n: a * a.dtype.type(LARGE) for n, a in (example.dstate_T or {}).items()},
        label=f"{example.label}, cotangents times {LARGE:g}",
    )


def rights(
    cell: Cell, examples: Iterable[Example], precision: Precision | None = None
) -> tuple[Right, ...]:
    """Examples with what is right, in a lower precision than that of the inputs if one is given."""
    model = replace(Model.right(cell), precision=precision)
    return tuple(Right(e, predicted(model, e)) for e in examples)


def observed(
    kernel: Kernel, known: Sequence[Right], derived: Gradients, backwards: bool
) -> list[Observation]:
    """What an implementation gives; an example that it breaks on is left out."""
    found = []
    for right in known:
        trial = Trial(kernel, right.example, derived)
        try:
            result = trial.full(right.example) if backwards else trial.forward(right.example)
        except BrokenError:
            continue
        found.append(Observation(right, _flat(result.values, result.grads)))
    return found


def flat(found: Predicted) -> Seen:
    """Values and gradients under one kind of name."""
    return _flat(found.values, found.grads)


def flat_bounds(found: Predicted) -> Seen:
    """As `flat`, the bounds."""
    return _flat(found.value_bounds, found.grad_bounds)


def _flat(values: Seen, grads: Seen) -> Seen:
    return values | {f"d {name}": a for name, a in grads.items()}


def outside(got: Seen, expected: Seen, bounds: Seen, times: float = 1.0) -> list[str]:
    """The names in `got` with an entry further from `expected` than its bound.

    Where the bound is not finite nothing can be said.
    """
    return [n for n, a in got.items() if _off(a, expected[n], times * bounds[n])]


def _off(got: Array, expected: Array, bound: Array) -> bool:
    with np.errstate(all="ignore"):
        near = np.abs(got - expected) <= bound
        same = near | ~np.isfinite(bound) | (np.isnan(got) & np.isnan(expected))
    return not bool(same.all())


def agree(o: Observation | Right, expected: Seen, names: Iterable[str], digits: float) -> bool:
    """Whether results agree to about half of their digits: a sieve, no verdict.

    What is right up to noise, such as a gradient that cancels, may be noise again.
    """
    bounds = o.bounds if isinstance(o, Right) else o.right.bounds
    for name in names:
        a, b, noise = o.results[name], expected[name], bounds[name]
        with np.errstate(all="ignore"):
            reach = digits * max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
            near = np.abs(a - b) <= reach + NOISE * np.nan_to_num(noise, posinf=0.0)
            if not bool((near | (np.isnan(a) & np.isnan(b))).all()):
                return False
    return True
