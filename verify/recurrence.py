"""Forward and backward over time on values of any arithmetic, one step after the other.

Values are (..., B, rows, columns): leading axes and the batch come before the two of the matrix.
Each batch row has its own length: beyond it the states stay, the output is zero and so is every
gradient, whatever the inputs hold there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import sympy as sp

from derive.cell import Cell
from derive.evaluate import Arithmetic, Numbers, Sizes, compiled, lagged
from derive.expressions import Expr
from derive.gradients import Gradients, bar, carry, upstream
from derive.programs import Program, Step, program, step_program
from derive.single_assignment import Assignment
from verify.kernels import Array, columns_of

__all__ = ["Backward", "Field", "Forward", "Plain", "alive", "backward", "forward"]

Value = Any
Values = Mapping[str, Value]


class Field(Arithmetic, Protocol):
    """An arithmetic that can also be masked and summed over the batch."""

    def given(self, array: npt.ArrayLike) -> Value:
        """An array as a value."""

    def zeros(self, shape: tuple[int, ...]) -> Value:
        """Exact zeros."""

    def cotangent(self, bar: Value, of: Value) -> Value:
        """What is known of a cotangent, given what it is the cotangent of."""

    def where(self, mask: Array, a: Value, b: Value) -> Value:
        """`a` where the mask holds, else `b`."""

    def total(self, parts: Sequence[Value], batch: int) -> Value:
        """The sum of the parts and over their first axis, the batch."""


class Plain(Numbers):
    """Arrays of one dtype; primitives are evaluated in long double and rounded once."""

    def given(self, array: npt.ArrayLike) -> Array:
        return np.asarray(array, dtype=self.dtype)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape, self.dtype)

    def cotangent(self, bar: Array, of: Array) -> Array:
        return bar

    def where(self, mask: Array, a: Array, b: Array) -> Array:
        return np.where(mask, a, b)

    def total(self, parts: Sequence[Array], batch: int) -> Array:
        return np.asarray(sum(np.sum(part, axis=0) for part in parts), self.dtype)

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Array:
        value = np.longdouble(int(number.p)) / np.longdouble(int(number.q))
        return np.full(shape, value).astype(self.dtype)

    def apply(self, name: str, z: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(compiled(name)(z.astype(self._wide)), self.dtype)

    def log_sum_exp(self, a: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(super().log_sum_exp(a.astype(self._wide)), self.dtype)

    @property
    def _wide(self) -> type[Any]:
        return np.clongdouble if self.dtype.kind == "c" else np.longdouble


@dataclass(frozen=True)
class Forward:
    """One forward run: every name of each step, the outputs, the final states."""

    known: tuple[Values, ...]
    outputs: tuple[Value, ...]
    state_T: Values


@dataclass(frozen=True)
class Backward:
    """Gradients: of parameters in total, of inputs by name and step, of initial states."""

    parameters: Values
    inputs: Mapping[str, tuple[Value, ...]]
    states: Values


def alive(steps: int, batch: int, lengths: npt.ArrayLike | None) -> Array:
    """Which steps count, (T, B, 1, 1)."""
    ends = np.full(batch, steps) if lengths is None else np.asarray(lengths)
    return (np.arange(steps)[:, None] < ends)[:, :, None, None]


@np.errstate(all="ignore")  # what is no number is a result here, not an accident
def forward(
    cell: Cell,
    assignments: Sequence[Assignment],
    params: Values,
    inputs: Mapping[str, Sequence[Value]],
    state_0: Values,
    mask: Array,
    sizes: Sizes,
    field: Field,
) -> Forward:
    """Run the assignments over all steps.

    Args:
        params: (..., rows, columns) by name.
        inputs: by name and step, (..., B, m, 1).
        state_0: (..., B, rows, columns) by name.
        mask: from `alive`.
    """
    states, known, outputs = dict(state_0), [], []
    step_of = _step(tuple(assignments), tuple(sizes.items()))
    for t, lives in enumerate(mask):
        now = {
            name: field.where(lives, steps[t], field.zeros((1, 1, 1)))
            for name, steps in inputs.items()
        }
        given = {**params, **now, **lagged(states)}
        step = given | step_of.run_in(field, given)
        known.append(step)
        outputs.append(field.where(lives, step[cell.output.name], field.zeros((1, 1, 1))))
        states = {s.name: field.where(lives, step[s.name], states[s.name]) for s in cell.states}
    return Forward(tuple(known), tuple(outputs), states)


@np.errstate(all="ignore")
def backward(
    derived: Gradients,
    run: Forward,
    dy: Sequence[Value],
    dstate_T: Values,
    mask: Array,
    sizes: Sizes,
    field: Field,
) -> Backward:
    """Run the derived recurrence of cotangents from the last step to the first.

    Args:
        dy: by step, (B, n, 1).
        dstate_T: (B, rows, columns) by name.
    """
    cell, batch = derived.cell, mask.shape[1]
    variables = (*cell.parameters, *cell.inputs)
    nothing = {v.name: field.zeros((batch, *columns_of(v, sizes))) for v in variables}
    summands: dict[str, list[Value]] = {p.name: [nothing[p.name]] for p in cell.parameters}
    d_inputs: dict[str, list[Value]] = {x.name: [] for x in cell.inputs}
    carried = {s.name: dstate_T[s.name] for s in cell.states}
    leaves, key = (*derived.parameters, *derived.inputs), tuple(sizes.items())
    inside = [_program((a.value,), key) for a in derived.backward]
    outside = _program(tuple(a.value for a in leaves), key)
    carries = _program(tuple(a.value for a in derived.states), key)
    for t in reversed(range(len(mask))):
        lives, known = mask[t], dict(run.known[t])
        known[upstream(cell).name] = field.where(lives, dy[t], field.zeros((1, 1, 1)))
        known.update({carry(s).name: carried[s.name] for s in cell.states})
        for adjoint, cotangent in zip(derived.backward, inside, strict=True):
            (found,) = cotangent.run_in(field, known)
            known[bar(adjoint.of).name] = field.cotangent(found, known[adjoint.of.name])
        for adjoint, value in zip(leaves, outside.run_in(field, known), strict=True):
            name = adjoint.of.name
            found = field.where(lives, value, nothing[name])
            (summands if name in summands else d_inputs)[name].append(found)
        earlier = carries.run_in(field, known)
        carried = {
            s.name: field.where(lives, value, carried[s.name])
            for s, value in zip(cell.states, earlier, strict=True)
        }
    return Backward(
        parameters={name: field.total(parts, batch) for name, parts in summands.items()},
        inputs={name: tuple(reversed(parts)) for name, parts in d_inputs.items()},
        states=carried,
    )


@lru_cache(maxsize=256)
def _step(assignments: tuple[Assignment, ...], sizes: tuple[tuple[Any, int], ...]) -> Step:
    return step_program(assignments, dict(sizes))


@lru_cache(maxsize=4096)
def _program(exprs: tuple[Expr, ...], sizes: tuple[tuple[Any, int], ...]) -> Program:
    return program(exprs, dict(sizes))
