"""Arrays of balls: midpoint and radius, within which the exact value lies.

Inputs are floats, and so exact; every operation rounds outwards at the precision of the context
that it runs in, `precision(bits)`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp

from derive.errors import UsageError
from derive.gradients import Gradients
from verify.enclosing.functions import function_of
from verify.kernels import Array, Arrays, Example
from verify.recurrence import Plain
from verify.references import run_in

__all__ = ["Balls", "as_balls", "each", "exact_results", "needed", "precision"]

Results = dict[str, Array]

# `derive.evaluate` gives an irrational number of the formula to 30 digits; a number that may be one
# of these has digits enough to be told from what an author writes, and is widened by their end.
WRITTEN = 10**15
DIGITS = 28


def needed() -> Any:
    """The package of balls.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import flint
    except ImportError:
        raise UsageError(
            "python-flint is not installed, and it has the balls: pip install 'python-flint>=0.6'"
        ) from None
    return flint


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """A context in which balls are computed to so many bits."""
    context = needed().ctx
    before = context.prec
    context.prec = bits
    try:
        yield
    finally:
        context.prec = before


def as_balls(array: npt.ArrayLike) -> Array:
    """Floats of any format as balls of radius zero; what is no number stays none."""
    arb = needed().arb

    def exact(x: Any) -> Any:
        if not np.isfinite(x):
            return arb(float(x))
        top, bottom = x.as_integer_ratio()  # the lower one is a power of two
        return arb((top, 1 - bottom.bit_length()))

    return each(exact, np.asarray(array))


class Balls(Plain):
    """The arithmetic of balls, for `verify.recurrence`."""

    def __init__(self) -> None:
        super().__init__(object)
        self.arb = needed().arb

    def zeros(self, shape: tuple[int, ...]) -> Array:
        return np.full(shape, self.arb(0), object)

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Array:
        top, bottom = int(number.p), int(number.q)
        ball = self.arb(top) / bottom
        if max(abs(top), bottom) > WRITTEN:
            ball *= 1 + self.arb(0, 1) / self.arb(10) ** DIGITS
        return np.full(shape, ball, object)

    def apply(self, name: str, z: Array) -> Array:
        return each(function_of(name), z)

    def log_sum_exp(self, a: Array) -> Array:
        total = np.sum(self.apply("exp", a), axis=-2, keepdims=True)
        return self.apply("log", np.asarray(total, object))

    def total(self, parts: Sequence[Array], batch: int) -> Array:
        # the sum over no rows is a number of Python's
        return np.asarray(sum(np.sum(p, axis=0) for p in parts) + self.arb(0), object)


def exact_results(example: Example, derived: Gradients) -> tuple[Results, Results]:
    """(values, grads) in balls at the precision of the context, named as `verify.properties` does.

    Args:
        derived: the gradients of the example's cell.
    """
    y, state_T, grads = run_in(_lifted(example), derived, Balls())
    return {"y": y} | {f"{name}_T": value for name, value in state_T.items()}, grads


def _lifted(example: Example) -> Example:
    """The example with balls for its numbers."""
    every: Callable[[Arrays], Arrays] = lambda arrays: {n: as_balls(a) for n, a in arrays.items()}
    return replace(
        example,
        params=every(example.params),
        inputs=every(example.inputs),
        state_0=None if example.state_0 is None else every(example.state_0),
        dy=None if example.dy is None else as_balls(example.dy),
        dstate_T=None if example.dstate_T is None else every(example.dstate_T),
    )


def each(function: Callable[[Any], Any], values: Array) -> Array:
    """A function of every entry."""
    return np.asarray(np.frompyfunc(function, 1, 1)(values), object)
