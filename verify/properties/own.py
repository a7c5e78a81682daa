"""Checks of a gradient against the implementation's own forward, along a line through everything.

They ask nothing of the equations but the size of rounding errors, so they judge a cell of anybody's
own as sharply as the textbook's.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np

from verify.differences import COARSE_STEPS, STEPS, Box, ForwardPass, declared_slopes
from verify.kernels import Array, Arrays, Example
from verify.lines import Remainder, complex_slope, direction, remainder, restricted
from verify.properties.calling import BrokenError, Failure, Skip, called
from verify.properties.kinks import smooth_along
from verify.properties.trial import Trial

__all__ = ["complex_step", "own_forward", "taylor", "unjudged"]

# Where forward is not the cell, rounding is not bounded: so many units of what is added up.
UNITS = 64

# In float32 rounding is measured, which tells less than a bound, and allowed for so many times.
COARSE = 2.0

# A remainder of third order falls so fast, or nearly; what lies beneath it shows later.
FALLS = 2.5

# A copy of the example with parameters times this saturates nothing.
CALM = 0.25


TINY = float(np.finfo(np.float64).tiny)

# What a gradient is off by along a line, and how much of that is allowed.
Off = Callable[[Arrays], tuple[float, float]]


def own_forward(trial: Trial) -> ForwardPass:
    """The implementation's forward on changed arrays."""

    def forward(
        params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        inputs = x if isinstance(x, Mapping) else {trial.cell.inputs[0].name: x}
        moved = replace(
            trial.example, params=params, inputs=inputs, state_0=state_0, lengths=lengths
        )
        values = trial.forward(moved, copy=False).values
        ends = {s.name: values.get(f"{s.name}_T", np.zeros(())) for s in trial.cell.states}
        return values["y"], ends, None

    return forward


def unjudged(trial: Trial) -> Skip | None:
    """Why a gradient cannot be asked of forward here."""
    declared = declared_slopes(trial.cell)
    if declared:
        return Skip(f"the slope of {', '.join(declared)} is declared, not that of its value")
    for name, cotangent in (trial.example.dstate_T or {}).items():
        if np.any(cotangent) and f"{name}_T" not in trial.base.values:
            return Skip(f"final {name} is not given")
    return None


class _Judge:
    """The line of an example, and what it allows."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.example = trial, trial.example
        self.grads = trial.base_grads
        self.forward = own_forward(trial)
        self.seed = crc32(self.example.label.encode())
        self.along = direction(self.grads, self.seed)
        self.single = self.example.dtype != np.float64

    @cached_property
    def noise(self) -> float:
        """How far rounding may take the loss: bounded where forward is the cell, else measured.

        In float32 it is measured in any case: the bound is too wide to see much beyond it.
        """
        if self.single:
            return self.measured
        right, base = self.trial.reference(), self.trial.base.values
        named: dict[str, Any] = {f"{n}_T": a for n, a in (self.example.dstate_T or {}).items()}
        if self.example.dy is not None:
            named["y"] = self.example.dy
        with np.errstate(all="ignore"):
            off = {n: np.abs(base[n] - right.values[n]) for n in named}
            reach = (np.sum(np.abs(a) * right.value_bounds[n]) for n, a in named.items())
            bounded = float(sum(reach))
            if all(bool((off[n] <= right.value_bounds[n]).all()) for n in named):
                return bounded
        return max(bounded, self.measured)

    @cached_property
    def measured(self) -> float:
        """What rounding does to the loss along lines."""
        box = Box(self.forward, self.example)
        return float(box.noise(np.random.default_rng(self.seed), tuple(self.grads)))

    def remainder(self, along: Arrays) -> Remainder:
        """What is left along a line."""
        widest = smooth_along(self.example, self.trial.derived, along)
        return remainder(
            self.forward,
            self.example,
            self.grads,
            along,
            noise=self.noise,
            widest=np.inf if widest is None else widest,
            steps=COARSE_STEPS if self.single else STEPS,
        )

    def rounding(self, along: Arrays) -> float:
        """How far rounding may take the slope of the gradient along a line."""
        bounds = self.trial.own_bounds
        total = 0.0
        for name, d in along.items():
            unit = UNITS * self.trial.precision(self.example.dtype).unit
            with np.errstate(all="ignore"):
                reach = np.maximum(bounds[name], unit * np.abs(self.grads[name]))
                total += float(np.sum(np.abs(d) * reach, where=d != 0))
        return total

    def slope(self, along: Arrays) -> float:
        """The slope that the gradient gives along a line."""
        return float(sum(np.sum(d * self.grads[n].astype(np.longdouble)) for n, d in along.items()))

    def taylor(self, along: Arrays) -> tuple[float, float]:
        """(what the remainder comes to along a line, how much may be left)."""
        found = self.remainder(along)
        error = COARSE * found.error if self.single else found.error
        return found.value, error + self.rounding(along)

    def lifted(self, along: Arrays) -> tuple[float, float]:
        """As `taylor`, by complex step.

        Raises:
            BrokenError: forward does not take or give complex numbers.
        """
        slope, size = _lifted(self.trial, self.example, along)
        unit = UNITS * self.trial.precision(np.float64).unit
        return slope - self.slope(along), 4 * self.rounding(along) + unit * size

    def located(self, off: Off, message: str) -> Failure:
        """The array that is furthest off along its own part of the line, and one entry of it."""
        measured = {n: off(restricted(self.along, n)) for n in self.along}
        excess = {n: abs(v) / max(a, TINY) for n, (v, a) in measured.items() if abs(v) > a}
        if not excess:
            got, (value, allowed) = self.slope(self.along), off(self.along)
            said = f"the gradient along a line through all entries {message}"
            return Failure("", said, None, got, got + value, allowed)
        name, *also = sorted(excess, key=lambda n: -excess[n])
        places = np.arange(self.along[name].size)
        while places.size > 1:
            halves = np.array_split(places, 2)
            left = [off(restricted(self.along, name, half)) for half in halves]
            places = halves[max((0, 1), key=lambda k: abs(left[k][0]) - left[k][1])]
        value, allowed = off(restricted(self.along, name, places))
        if not abs(value) > allowed:
            return Failure(name, message, also=tuple(sorted(also)))
        step, got = (float(a[name].flat[places[0]]) for a in (self.along, self.grads))
        index = tuple(int(i) for i in np.unravel_index(int(places[0]), self.grads[name].shape))
        expected, bound = got + value / step, allowed / abs(step)
        return Failure(name, message, index, got, expected, bound, tuple(sorted(also)))


@np.errstate(all="ignore")
def taylor(trial: Trial) -> Failure | Skip | None:
    """What a gradient leaves of the change of its own forward vanishes faster than the step."""
    skip = unjudged(trial)
    if skip is not None:
        return skip
    if trial.example.dtype != np.float64 and "float64" in trial.limits.dtypes:
        return Skip("Taylor remainders are taken in float64, where it is given")
    judge = _Judge(trial)
    # In float32 rounding hides one array's share of a line through all.
    lines = [restricted(judge.along, n) for n in judge.along] if judge.single else [judge.along]
    left = [(*judge.taylor(line), line) for line in lines]
    told = [found for found in left if np.isfinite(found[1])]
    if not told:
        return Skip("every step meets a kink, or the loss has no finite error")
    value, allowed, line = max(told, key=lambda found: abs(found[0]) / max(found[1], TINY))
    if abs(value) <= allowed:
        return None
    order = judge.remainder(line).order
    message = "leaves a Taylor remainder of first order beneath that of third"
    if order is not None and order < FALLS:
        message = f"leaves a Taylor remainder that falls with slope {order:.1f}, not 3, in the step"
    return judge.located(judge.taylor, message)


@np.errstate(all="ignore")
def complex_step(trial: Trial) -> Failure | Skip | None:
    """The imaginary part of the implementation's own forward at complex arguments."""
    skip = unjudged(trial)
    if skip is not None:
        return skip
    if trial.example.dtype != np.float64:
        return Skip("complex steps are taken in float64")
    judge = _Judge(trial)
    try:
        value, allowed = judge.lifted(judge.along)
        if abs(value) <= allowed or not np.isfinite(allowed):
            return None
        for example in (trial.example, _calm(trial.example)):
            if not _analytic(trial, judge, example):
                return Skip("forward drops imaginary parts: it is not analytic in its numbers")
        return judge.located(judge.lifted, "is not what a complex step through its forward gives")
    except BrokenError:
        return Skip("forward takes no complex numbers")


def _lifted(trial: Trial, example: Example, along: Arrays) -> tuple[float, float]:
    """The slope by complex step.

    Raises:
        BrokenError: forward does not take or give complex numbers.
    """
    unwatched = getattr(trial.kernel, "unwatched", nullcontext)
    with unwatched():
        found: tuple[float, float] = called(
            "forward", lambda: complex_slope(trial.kernel.forward, example, along)
        )
    return found


def _calm(example: Example) -> Example:
    return replace(example, params={n: CALM * a for n, a in example.params.items()})


def _analytic(trial: Trial, judge: _Judge, example: Example) -> bool:
    """Whether a complex step is the slope of real runs, as far as these tell it."""
    slope, _ = _lifted(trial, example, judge.along)
    nothing = {n: np.zeros(d.shape) for n, d in judge.along.items()}
    real = remainder(judge.forward, example, nothing, judge.along, noise=judge.noise)
    return abs(real.value - slope) <= real.error + judge.rounding(judge.along)
