"""What the figures of a page show, measured: error against bound, finite differences, lags."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.adapters.limits import FULL, Limits
from verify.adapters.restricting import within
from verify.differences import declared_slopes, loss
from verify.kernels import Array, Example, Kernel
from verify.properties import Trial
from verify.properties.calling import BrokenError
from verify.properties.trial import Expected
from verify.strategies import make_example

__all__ = ["Band", "Curve", "Figures", "Lags", "measured"]

# Of the steps of finite differences.
EXPONENTS = range(1, 49)

# Steps of the example of the heat maps, and of that on which the norm of gradients is followed.
STEPS, LAGS = 12, 32


@dataclass(frozen=True)
class Band:
    """Error over bound of one result, entry by entry; nan where there is no finite bound.

    Attributes:
        name: 'y', 'C_T', or a gradient as 'd W_f'.
        kind: 'values', 'steps' (gradients over time), 'states' or 'parameters'.
        shape: the symbolic shape of a parameter, for placing alike ones below each other.
        ratio: (rows, columns); the columns of what has a time axis are steps.
    """

    name: str
    kind: str
    shape: str
    ratio: Array


@dataclass(frozen=True)
class Curve:
    """Error of a directional derivative by central differences, against the step.

    Attributes:
        steps: the steps; `own` is the distance from what backward gives, `derived` from what is
            derived; not finite where nothing can be said.
    """

    steps: Array
    own: Array
    derived: Array


@dataclass(frozen=True)
class Lags:
    """Norm of the gradient of an input so many steps before the only cotangent, (lags,)."""

    upstream: str
    own: Array
    derived: Array


@dataclass(frozen=True)
class Figures:
    """All figures of an implementation.

    Attributes:
        maps: (what the bands are of, bands): one step, where a wrong gate stands alone, and many.
        missing: (figure, why it is not there).
    """

    maps: tuple[tuple[str, tuple[Band, ...]], ...] = ()
    curve: Curve | None = None
    lags: Lags | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


Made = TypeVar("Made")


class NothingError(Exception):
    """A figure that cannot be made; says why."""


def measured(cell: Cell, kernel: Kernel, *, seed: int = 0) -> Figures:
    """Call an implementation for the figures; what it cannot do is left out, and said."""
    derived, limits = gradients(cell), getattr(kernel, "limits", FULL)
    missing: dict[str, str] = {}
    maps = []
    for steps in (1, STEPS):
        example = _example(cell, limits, seed, steps=steps, batch=2)
        trial = Trial(kernel, example, derived)
        bands = _tried("error against bound", partial(_bands, trial), missing)
        if bands is not None:
            maps.append((example.label, bands))
            if trial.broken_backward is not None:
                missing["error of gradients"] = str(trial.broken_backward)
    curve = _tried("finite differences", lambda: _curve(trial, seed), missing)
    lags = _tried("gradient over lag", lambda: _lags(kernel, derived, limits, seed), missing)
    return Figures(tuple(maps), curve, lags, missing)


def _tried(name: str, make: Callable[[], Made], missing: dict[str, str]) -> Made | None:
    try:
        return make()
    except (BrokenError, NothingError) as error:
        missing[name] = str(error)
        return None


def _example(
    cell: Cell, limits: Limits, seed: int, *, steps: int, batch: int, upstream: str = "all"
) -> Example:
    """Sizes that differ from each other and from those that the cell declares."""
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    free = (size for size in range(4, 100) if size not in fixed)
    sizes = {str(d): size for d, size in zip(cell.dimensions, free, strict=False)}
    found = make_example(
        cell,
        steps=steps,
        batch=batch,
        sizes=sizes | dict(limits.sizes),
        seed=seed,
        regime="unsaturated",
        upstream=upstream,
    )
    return within(limits, found)


def _bands(trial: Trial) -> tuple[Band, ...]:
    right, cell = trial.reference(), trial.cell
    bands = []
    for name, got in trial.base.values.items():
        ratio = _ratio(got, right.values[name], right.value_bounds[name])
        bands.append(Band(name, "values", "", _flat(ratio, timed=name == "y")))
    if trial.broken_backward is not None:
        return tuple(bands)
    shapes = {p.name: str(p.shape) for p in cell.parameters}
    for name, got in trial.base_grads.items():
        ratio = _ratio(got, right.grads[name], right.grad_bounds[name])
        if name in shapes:
            rows = ratio.reshape(len(ratio), -1) if ratio.ndim > 1 else ratio[:, None]
            bands.append(Band(f"d {name}", "parameters", shapes[name], rows))
        else:
            timed = name in trial.example.inputs
            kind = "steps" if timed else "states"
            bands.append(Band(f"d {name}", kind, "", _flat(ratio, timed=timed)))
    return tuple(bands)


def _ratio(got: Array, expected: Array, bound: Array) -> Array:
    """How many bounds each entry is off; infinite where it is no number and should be."""
    with np.errstate(all="ignore"):
        off = np.abs(got.astype(np.longdouble) - expected)
        ratio = np.where(off == 0, 0.0, off / np.maximum(bound, np.finfo(np.float64).tiny))
    ratio = np.where(np.isfinite(got), ratio, np.inf)
    return np.where(np.isfinite(bound), ratio, np.nan).astype(float)


def _flat(array: Array, *, timed: bool) -> Array:
    """(T, B, ...) as (B * entries, T), and (B, ...) as (B, entries)."""
    return array.reshape(len(array), -1).T if timed else array.reshape(len(array), -1)


def _curve(trial: Trial, seed: int) -> Curve:
    """Along one direction in all parameters and inputs whose gradients are given."""
    example = trial.example
    if declared_slopes(trial.cell):
        raise NothingError("a slope is declared, which differences cannot see")
    if example.dtype != np.float64:
        raise NothingError(f"the implementation computes in {example.dtype}")
    if trial.broken_backward is not None:
        raise NothingError(str(trial.broken_backward))
    rng = np.random.default_rng(seed)
    grads, right = trial.base_grads, trial.reference().grads
    given = {**example.params, **example.inputs}
    direction = {n: rng.standard_normal(a.shape) for n, a in given.items() if n in grads}
    if not direction:
        raise NothingError("no gradient of a parameter or an input is given")
    length = np.sqrt(sum(np.sum(d**2) for d in direction.values()))
    direction = {n: d / length for n, d in direction.items()}

    def at(step: float) -> np.longdouble:
        moved = {n: a + step * direction[n] if n in direction else a for n, a in given.items()}
        params = {n: moved[n] for n in example.params}
        inputs = {n: moved[n] for n in example.inputs}
        values = trial.forward(replace(example, params=params, inputs=inputs)).values
        finals = {n: values[f"{n}_T"] for n in example.dstate_T or {}}
        y = values["y"] if example.dy is not None else np.zeros(0)
        return loss(example, y, finals)

    steps = np.array([2.0**-k for k in EXPONENTS])
    slopes = np.array([(at(step) - at(-step)) / (2 * step) for step in steps])
    slope = {
        which: sum(np.sum(found[n].astype(np.longdouble) * d) for n, d in direction.items())
        for which, found in (("own", grads), ("derived", right))
    }
    errors = {w: np.abs(slopes - s).astype(float) for w, s in slope.items()}
    return Curve(steps, errors["own"], errors["derived"])


def _lags(kernel: Kernel, derived: Gradients, limits: Limits, seed: int) -> Lags:
    cell = derived.cell
    example = _example(cell, limits, seed, steps=LAGS, batch=1, upstream="last output")
    name, upstream = cell.inputs[0].name, "the last output"
    if example.dy is None:
        upstream = "the final states"
    trial = Trial(kernel, example, derived)
    if trial.broken_backward is not None:
        raise NothingError(str(trial.broken_backward))
    if name not in trial.base_grads:
        raise NothingError(f"no gradient of {name} is given")
    right: Expected = trial.reference()

    def norms(array: Array) -> Array:
        flat = array.reshape(len(array), -1).astype(np.longdouble)
        return np.sqrt(np.sum(flat**2, axis=1))[::-1].astype(float)

    return Lags(upstream, norms(trial.base_grads[name]), norms(right.grads[name]))
