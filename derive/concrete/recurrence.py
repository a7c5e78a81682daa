"""A cell unrolled over T steps, and its derived sweep, over any kind of scalar.

Arrays go by these names: a parameter by its own, an input x at step t by 'x@t', an initial state h
by 'h@0', what arrives at the output of step t by 'dy@t', and at the final state h by 'dstate(h)'.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from derive.cell import Cell, Variable, lag
from derive.evaluate import Sizes, whole
from derive.expressions import Expr
from derive.gradients import Gradients

__all__ = ["Grid", "Named", "Shapes", "Way", "loss", "swept", "upstreams", "wanted"]

Grid = npt.NDArray[Any]
Named = Mapping[str, Grid]
Shapes = dict[str, tuple[int, int]]


class Way(Protocol):
    """How values are found, and under which names they go on."""

    def value(self, expr: Expr, values: Named, t: int) -> Grid:
        """The value of an expression of step t."""

    def named(self, name: str, value: Grid, t: int) -> Grid:
        """What stands for a named value in what is computed from it."""

    def cotangent(self, name: str, value: Grid, t: int) -> Grid:
        """The same for a cotangent, where the sweep has found it."""


def wanted(cell: Cell, sizes: Sizes, steps: int) -> Shapes:
    """What gradients are taken by."""
    found = {p.name: _shape(p, sizes) for p in cell.parameters}
    found |= {f"{x.name}@{t}": _shape(x, sizes) for t in _times(steps) for x in cell.inputs}
    return found | {f"{s.name}@0": _shape(s, sizes) for s in cell.states}


def upstreams(cell: Cell, sizes: Sizes, steps: int) -> Shapes:
    """What arrives from outside, at each output and at the final states."""
    found = {f"dy@{t}": _shape(cell.output, sizes) for t in _times(steps)}
    return found | {f"dstate({s.name})": _shape(s, sizes) for s in cell.states}


def _times(steps: int) -> range:
    return range(1, steps + 1)


def _shape(variable: Variable, sizes: Sizes) -> tuple[int, int]:
    rows, columns = variable.now.shape
    return whole(rows, sizes), whole(columns, sizes)


def loss(cell: Cell, given: Named, steps: int, way: Way) -> Any:
    """sum_t <dy_t, y_t> + sum_s <dstate_s, s_T>, straight from the cell's equations."""
    states = {s.name: given[f"{s.name}@0"] for s in cell.states}
    total: Any = 0
    for t in _times(steps):
        values = _before(cell, given, states, t)
        for equation in cell.equations:
            found = way.value(equation.value, values, t)
            values[equation.name] = way.named(equation.name, found, t)
        states = {s.name: values[s.name] for s in cell.states}
        total = total + _inner(given[f"dy@{t}"], states[cell.output.name])
    return total + sum(_inner(given[f"dstate({name})"], s) for name, s in states.items())


def _before(cell: Cell, given: Named, states: Named, t: int) -> dict[str, Grid]:
    """What step t reads."""
    values = {p.name: given[p.name] for p in cell.parameters}
    values |= {x.name: given[f"{x.name}@{t}"] for x in cell.inputs}
    return values | {lag(name): state for name, state in states.items()}


def _inner(cotangent: Grid, value: Grid) -> Any:
    return np.sum(cotangent * value, axis=(-2, -1))


def swept(derived: Gradients, given: Named, steps: int, way: Way) -> dict[str, Grid]:
    """The gradients as they are derived: forward, then t = T ... 1 with its carries."""
    cell = derived.cell
    states = {s.name: given[f"{s.name}@0"] for s in cell.states}
    tapes = {}
    for t in _times(steps):
        tape = tapes[t] = _before(cell, given, states, t)
        for a in derived.forward:
            tape[a.name] = way.named(a.name, way.value(a.value, tape, t), t)
        states = {s.name: tape[s.name] for s in cell.states}
    carried = {s.name: given[f"dstate({s.name})"] for s in cell.states}
    grads = {p.name: 0 * given[p.name] for p in cell.parameters}
    for t in reversed(_times(steps)):
        known = {**tapes.pop(t), "dy": given[f"dy@{t}"]}
        known |= {f"carry({name})": c for name, c in carried.items()}
        for adjoint in derived.backward:
            found = way.value(adjoint.value, known, t)
            known[f"bar({adjoint.of.name})"] = way.cotangent(adjoint.of.name, found, t)
        for adjoint in derived.parameters:
            name = adjoint.of.name
            grads[name] = grads[name] + way.value(adjoint.value, known, t)
        for adjoint in derived.inputs:
            grads[f"{adjoint.of.name}@{t}"] = way.value(adjoint.value, known, t)
        now = {a.of.name: way.value(a.value, known, t) for a in derived.states}
        carried = {s.name: now[lag(s.name)] for s in cell.states}
    return {**grads, **{f"{name}@0": c for name, c in carried.items()}}
