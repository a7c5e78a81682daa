"""Running a model in any arithmetic, step after step."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.cell import lag
from derive.evaluate import Numbers, compiled, lagged
from derive.gradients import carry, upstream
from verify.deviations.model import Model, Results, States, Step, Steps
from verify.deviations.programs import program
from verify.kernels import Array, Arrays, Example, as_value, columns_of, sizes_of
from verify.recurrence import Field, alive

__all__ = ["Quick", "Run", "Sweep", "backward", "forward", "gathered", "states_of", "swept"]


class Quick(Numbers):
    """Arrays of float64, nothing in higher precision: for sifting."""

    def given(self, array: npt.ArrayLike) -> Array:
        return np.asarray(array, self.dtype)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)

    def cotangent(self, bar: Array, of: Array) -> Array:
        return bar

    def where(self, mask: Array, a: Array, b: Array) -> Array:
        return np.where(mask, a, b)

    def total(self, parts: Sequence[Array], batch: int) -> Array:
        return np.asarray(sum(np.sum(part, axis=0) for part in parts))

    def apply(self, name: str, z: Array) -> Array:
        return np.asarray(compiled(name)(z))


# Steps that a name may ask for: how far from t, and which one where there is none.
PLACES = {
    "t+1]": (1, None),
    "t-1]": (-1, None),
    "t+1 or 0]": (1, None),
    "t+1 or T]": (1, -1),
    "t-1 or T]": (-1, -1),
    "t-1 or end]": (-1, -1),
    "t-1 or 1]": (-1, 0),
}

# Sums over other rows, or over other steps.
SUMS = ("rows]", "steps]")


class Known(dict[str, Any]):
    """What a step knows; a name with [t+1], [t-1] or [T] is looked up in another step."""

    def __init__(self, steps: Steps, t: int, mask: Array, field: Field) -> None:
        super().__init__(steps[t])
        self.steps, self.t, self.mask, self.field = steps, t, mask, field

    def __missing__(self, key: str) -> Any:
        name, _, place = key.rpartition("[")
        last = len(self.steps) - 1
        if place == "T]":
            return self.at(name, last)
        if place in SUMS:
            return self.summed(name, place)
        if place not in PLACES:
            raise KeyError(key)
        by, end = PLACES[place]
        other = self.t + by
        if 0 <= other <= last:
            return self.steps[other][name] if " or " in place else self.at(name, other)
        if end is not None:  # a list of states that begins with the initial one ends with the last
            return self.steps[end][name.partition("[")[0] if place == "t-1 or end]" else name]
        return self.field.where(np.zeros_like(self.mask[0]), self[name], self._zeros)

    def at(self, name: str, t: int) -> Any:
        """A value of another step, zeros for rows that have ended there."""
        return self.field.where(self.mask[t], self.steps[t][name], self._zeros)

    def summed(self, name: str, place: str) -> Any:
        """The sum over the rows of the batch, for each of them; or over the steps."""
        steps = range(len(self.steps)) if place == "steps]" else [self.t]
        found = reduce(self.field.add, [self.steps[t][name] for t in steps])
        if place == "steps]":
            return found
        batch = len(self.mask[0])
        return self.field.where(
            np.ones((batch, 1, 1), bool), self.field.total([found], batch), found
        )

    @property
    def _zeros(self) -> Any:
        return self.field.zeros((1, 1, 1))


@dataclass(frozen=True)
class Run:
    """A forward run: what it was given and what it kept."""

    example: Example
    known: Steps
    mask: Array
    outputs: Results


@np.errstate(all="ignore")
def forward(model: Model, example: Example, field: Field, whole: bool = True) -> Run:
    """Outputs and what backward reads; if not `whole`, values of equations alone."""
    formulas = model.forward if whole or model.shows else model.equations.equations
    for change in model.given:
        example = change(example)
    cell, sizes = model.equations, sizes_of(example)
    mask = alive(example.steps, example.batch, example.lengths)
    fixed = {p.name: field.given(as_value(example.params[p.name], p)) for p in cell.parameters}
    zeros = field.zeros((1, 1, 1))
    states = first = states_of(example, example.state_0, field)
    known, y = [], []
    for t, lives in enumerate(mask):
        read = states
        for start in model.starting:
            read = start(field, t, read, first)
        step: Step = dict(fixed)
        for v in cell.inputs:
            given = field.given(as_value(example.inputs[v.name][t], v))
            step[v.name] = field.where(lives, given, zeros)
        step.update(lagged(read))
        for a in formulas:
            step[a.name] = program(a.value)(step, sizes, field)
        new = {s.name: step[s.name] for s in cell.states}
        for end in model.ending:
            new = end(field, new)
        known.append(step | new)
        shown = new.get(model.shows, step[model.shows]) if model.shows else new[cell.output.name]
        y.append(field.where(lives, shown, zeros))
        held = {n: field.where(lives, value, states[n]) for n, value in new.items()}
        states = held if model.holds else new
    for leave in model.leaving:
        states = leave(field, known, mask, states)
    outputs: Results = {"y": y} | {f"{name}_T": [value] for name, value in states.items()}
    for finish in model.values:
        outputs = finish(field, example, outputs)
    return Run(example, known, mask, outputs)


@dataclass(frozen=True)
class Sweep:
    """What backward has found before anything is summed: by step, and at the start."""

    parts: Results
    nothing: States
    carried: States
    early: States
    mask: Array


def backward(model: Model, run: Run, example: Example, field: Field) -> Results:
    """Gradients for the cotangents of `example`."""
    return gathered(model, run, swept(model, run, example, field), field)


@np.errstate(all="ignore")
def swept(model: Model, run: Run, example: Example, field: Field) -> Sweep:
    """Backward over all steps."""
    for change in (*model.given, *model.upstream):
        example = change(example)
    programs, cell, sizes = model.programs, model.equations, sizes_of(run.example)
    mask = alive(len(run.mask), run.example.batch, example.lengths)
    zeros = field.zeros((1, 1, 1))
    nothing = {
        v.name: field.zeros((run.example.batch, *columns_of(v, sizes)))
        for v in (*cell.parameters, *cell.inputs)
    }
    parts: Results = {name: [] for name in nothing}
    carried = states_of(run.example, example.dstate_T, field)
    known = [dict(step) for step in run.known]
    for spoil in model.tape:
        known = spoil(field, known, sizes)
    arriving = carried
    for t in reversed(range(len(mask))):
        lives, arriving = mask[t], carried
        for change_of in model.carrying:
            arriving = change_of(field, t, len(mask), arriving)
        here = Known(known, t, mask, field)
        dy = zeros if example.dy is None else field.given(as_value(example.dy[t], cell.output))
        here[upstream(cell).name] = field.where(lives, dy, zeros)
        here.update({carry(s).name: arriving[s.name] for s in cell.states})
        for name, compute in programs.inner:
            here[name] = compute(here, sizes, field)
        known[t] = dict(here)
        for name, compute in programs.given:
            found = compute(here, sizes, field)
            parts[name].insert(0, field.where(lives, found, nothing[name]))
        earlier = {name: compute(here, sizes, field) for name, compute in programs.carried}
        carried = {
            s.name: field.where(lives, earlier[lag(s.name)], arriving[s.name]) for s in cell.states
        }
    early = {f"bar({s.name})": known[0][f"bar({s.name})"] for s in cell.states if known}
    return Sweep(parts, nothing, carried, arriving | early, mask)


@np.errstate(all="ignore")
def gathered(model: Model, run: Run, sweep: Sweep, field: Field) -> Results:
    """Gradients from what was found step by step."""
    cell = model.equations
    grads: Results = {v.name: sweep.parts[v.name] for v in cell.inputs}
    for p in cell.parameters:
        summands = sweep.parts[p.name]
        for change_sum in model.summing:
            summands = change_sum(field, p.name, summands, sweep.mask)
        grads[p.name] = [field.total([sweep.nothing[p.name], *summands], run.example.batch)]
    for s in cell.states:
        early = next((n for n in (s.name, f"bar({s.name})") if n in model.early), "")
        grads[f"{s.name}_0"] = [sweep.early.get(early, sweep.carried[s.name])]
    for finish in model.finishing:
        grads = finish(field, run.example, grads)
    return grads


def states_of(example: Example, given: Arrays | None, field: Field) -> States:
    """Initial states, or cotangents of final ones, as values; zeros where none is given."""
    sizes, found = sizes_of(example), {}
    for state in example.cell.states:
        array = None if given is None else given.get(state.name)
        zeros = field.zeros((example.batch, *columns_of(state, sizes)))
        found[state.name] = zeros if array is None else field.given(as_value(array, state))
    return found
