"""Where outputs can lie: the equations on intervals, with nothing known but primitives' ranges.

Values are (2, B, rows, columns): lowest and highest, in long double.
"""

from collections.abc import Sequence

import numpy as np
import sympy as sp

from derive.cell import Variable
from derive.evaluate import lagged, run_step
from derive.primitives import PRIMITIVES
from derive.single_assignment import Assignment
from verify.kernels import Array, Example, as_array, as_value, columns_of, shape_of, sizes_of

__all__ = ["Intervals", "output_ranges"]


class Intervals:
    """The arithmetic of intervals, for `derive.evaluate`."""

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Array:
        value = np.longdouble(int(number.p)) / np.longdouble(int(number.q))
        return np.full((2, 1, *shape), value, np.longdouble)

    def add(self, a: Array, b: Array) -> Array:
        with np.errstate(invalid="ignore"):  # inf - inf is anything
            low, high = a[0] + b[0], a[1] + b[1]
        return np.stack([_or(low, -np.inf), _or(high, np.inf)])

    def multiply(self, a: Array, b: Array) -> Array:
        with np.errstate(invalid="ignore"):  # 0 * inf is 0 for intervals
            ends = np.stack([_or(x * y, 0.0) for x in a for y in b])
        return np.stack([ends.min(axis=0), ends.max(axis=0)])

    def matmul(self, a: Array, b: Array) -> Array:
        """Anything: parameters are not bounded."""
        shape = (*np.broadcast_shapes(a.shape[1:-2], b.shape[1:-2]), a.shape[-2], b.shape[-1])
        return _anything(shape)

    def apply(self, name: str, z: Array) -> Array:
        low, high = PRIMITIVES[name].range
        return np.stack([np.full_like(z[0], low), np.full_like(z[1], high)])

    def log_sum_exp(self, a: Array) -> Array:
        """It grows with every entry, so its ends are those of the entries."""
        top = np.max(a, axis=-2, keepdims=True)
        with np.errstate(all="ignore"):
            shift = np.where(np.isfinite(top), top, 0.0)
            total = np.sum(np.exp(a - shift), axis=-2, keepdims=True)
            return np.where(np.isfinite(top), np.log(total) + shift, top)

    def transpose(self, a: Array) -> Array:
        return np.swapaxes(a, -1, -2)

    def rows(self, a: Array, start: int, stop: int) -> Array:
        return a[..., start:stop, :]

    def stack(self, parts: Sequence[Array]) -> Array:
        leading = np.broadcast_shapes(*(p.shape[:-2] for p in parts))
        return np.concatenate([np.broadcast_to(p, (*leading, *p.shape[-2:])) for p in parts], -2)


def _or(value: Array, instead: float) -> Array:
    return np.where(np.isnan(value), instead, value)


def _anything(shape: tuple[int, ...]) -> Array:
    return np.stack([np.full(shape, -np.inf), np.full(shape, np.inf)]).astype(np.longdouble)


def output_ranges(
    example: Example, forward: tuple[Assignment, ...], y: Array
) -> dict[str, tuple[Array, Array]]:
    """(lowest, highest) of the outputs and final states.

    A step starts from intervals of the states; for the output that is the value in `y` itself, so
    that the range of y_t rests on y_{t-1} and not on a chain of intervals.

    Args:
        forward: the cell's single assignments.
        y: the implementation's outputs, (T, B, n).

    Returns:
        By name: 'y' and states with '_T'.
    """
    cell, sizes, field = example.cell, sizes_of(example), Intervals()
    output = cell.output
    params = {p.name: _point(example.params[p.name][None], p) for p in cell.parameters}
    shapes = {s.name: (example.batch, *shape_of(s, sizes)) for s in cell.states}
    start = {n: np.zeros(shape) for n, shape in shapes.items()} | dict(example.state_0 or {})
    states = {s.name: _point(start[s.name], s) for s in cell.states}
    ends = np.full(example.batch, example.steps) if example.lengths is None else example.lengths
    ranges: list[Array] = [np.zeros((2, 0, *shapes[output.name]), np.longdouble)]
    for t in range(example.steps):
        lives = (t < np.asarray(ends))[:, None, None]
        now = {v.name: _anything((example.batch, *columns_of(v, sizes))) for v in cell.inputs}
        known = run_step(forward, {**params, **now, **lagged(states)}, sizes, field)
        reached = {n: np.where(lives, known[n], old) for n, old in states.items()}
        ranges.append(as_array(np.where(lives, known[output.name], 0.0), output)[:, None])
        here = np.where(lives, _point(y[t], output), states[output.name])
        states = reached | {output.name: here}
    final = states if example.steps == 0 else reached
    joined = np.concatenate(ranges, axis=1)
    ends_of = {s.name: as_array(final[s.name], s) for s in cell.states}
    return {"y": (joined[0], joined[1])} | {f"{n}_T": (a[0], a[1]) for n, a in ends_of.items()}


def _point(array: Array, variable: Variable) -> Array:
    value = as_value(np.asarray(array, np.longdouble), variable)
    return np.stack([value, value])
