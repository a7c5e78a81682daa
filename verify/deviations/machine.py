"""Running a model in any arithmetic: as a kernel, quickly, or with bounds of the rounding error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.cell import lag
from derive.evaluate import Numbers, compiled, lagged
from derive.gradients import carry, upstream
from verify.deviations.model import Model, Results, States, Step, Steps
from verify.deviations.programs import program
from verify.kernels import (
    Array,
    Arrays,
    Example,
    Kernel,
    as_array,
    as_value,
    columns_of,
    shape_of,
    sizes_of,
)
from verify.recurrence import Field, Plain, alive
from verify.references import INFLATION
from verify.rounding import Bounded, Precision

__all__ = [
    "Predicted",
    "Quick",
    "Run",
    "Sweep",
    "arrays",
    "kernel_of",
    "predicted",
    "quick",
    "quick_run",
    "quick_sweep",
    "states_of",
]


@dataclass(frozen=True)
class Predicted:
    """Outputs ('y', 'C_T') and gradients by the contract's names, with bounds if asked for."""

    values: dict[str, Array]
    grads: dict[str, Array]
    value_bounds: dict[str, Array]
    grad_bounds: dict[str, Array]


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


class Known(dict[str, Any]):
    """What a step knows; a name with [t+1], [t-1] or [T] is looked up in another step."""

    def __init__(self, steps: Steps, t: int, mask: Array, field: Field) -> None:
        super().__init__(steps[t])
        self.steps, self.t, self.mask, self.field = steps, t, mask, field

    def __missing__(self, key: str) -> Any:
        name, _, place = key.rpartition("[")
        other = {"t+1]": self.t + 1, "t-1]": self.t - 1, "T]": len(self.steps) - 1}.get(place)
        if other is None:
            raise KeyError(key)
        inside = 0 <= other < len(self.steps)
        here = self.steps[other][name] if inside else self[name]
        lives = self.mask[other] if inside else np.zeros_like(self.mask[0])
        return self.field.where(lives, here, self.field.zeros((1, 1, 1)))


@dataclass(frozen=True)
class Run:
    """A forward run: what it was given and what it kept."""

    example: Example
    known: Steps
    mask: Array
    outputs: Results


@np.errstate(all="ignore")
def forward(model: Model, example: Example, field: Field) -> Run:
    """Outputs and what backward reads."""
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
        for a in model.forward:
            step[a.name] = program(a.value)(step, sizes, field)
        new = {s.name: step[s.name] for s in cell.states}
        for end in model.ending:
            new = end(field, new)
        known.append(step | new)
        y.append(field.where(lives, new[cell.output.name], zeros))
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
    return Sweep(parts, nothing, carried, mask)


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
    grads |= {f"{s.name}_0": [sweep.carried[s.name]] for s in cell.states}
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


def quick_run(model: Model, example: Example) -> Run:
    """Forward alone, for models that run forward in the same way."""
    return forward(model, example, Quick())


def quick_sweep(model: Model, run: Run) -> Sweep:
    """Backward before sums, for models that sweep in the same way."""
    return swept(model, run, run.example, Quick())


def quick(
    model: Model,
    example: Example,
    backwards: bool = True,
    run: Run | None = None,
    sweep: Sweep | None = None,
) -> Predicted:
    """What the model computes, in float64, without bounds.

    Args:
        run: from `quick_run` of a model with the same forward.
        sweep: from `quick_sweep` of a model with the same backward but for sums and after.
    """
    field = Quick()
    run = forward(model, example, field) if run is None else run
    values = arrays(example, run.outputs, lambda a: a)
    grads: Results = {}
    if backwards:
        sweep = swept(model, run, example, field) if sweep is None else sweep
        grads = gathered(model, run, sweep, field)
    return Predicted(values, arrays(example, grads, lambda a: a), {}, {})


def predicted(model: Model, example: Example, backwards: bool = True) -> Predicted:
    """What the model computes, in long double, with bounds of the rounding error."""
    nominal = Precision.of(example.dtype)
    field = Bounded(model.precision.over(nominal) if model.precision else nominal)
    with np.errstate(all="ignore"):
        run = forward(model, example, field)
        grads = backward(model, run, example, field) if backwards else {}
        bound: Any = lambda a: np.nan_to_num(field.error(a) * INFLATION, nan=np.inf, posinf=np.inf)
        value: Any = lambda a: a.value
        return Predicted(
            arrays(example, run.outputs, value),
            arrays(example, grads, value),
            arrays(example, run.outputs, bound),
            arrays(example, grads, bound),
        )


def arrays(example: Example, results: Results, read: Any) -> dict[str, Array]:
    """Results in the contract's shapes."""
    cell, found, sizes = example.cell, {}, sizes_of(example)
    ends = {f"{s.name}{end}": s for s in cell.states for end in ("_T", "_0")}
    variables = {v.name: v for v in (*cell.inputs, *cell.parameters)} | ends | {"y": cell.output}
    for name, parts in results.items():
        variable = variables[name]
        if name == "y" or name in example.inputs:
            shape = (example.batch, *shape_of(variable, sizes))
            rows = [np.broadcast_to(as_array(read(p), variable), shape) for p in parts]
            found[name] = np.stack(rows) if rows else np.zeros((0, *shape))
        else:
            found[name] = as_array(read(parts[0]), variable)
    return found


def kernel_of(model: Model) -> Kernel:
    """The model as a kernel that computes in the dtype of the inputs."""
    kernel: Kernel = _Kernel(model)
    for change in model.wrap:
        kernel = change(kernel)
    return kernel


class _Kernel:
    def __init__(self, model: Model) -> None:
        self.model = model

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        inputs = x if isinstance(x, Mapping) else {self.model.cell.inputs[0].name: x}
        lengths = None if lengths is None else np.asarray(lengths)
        example = Example(self.model.cell, params, inputs, state_0, lengths)
        run = forward(self.model, example, self._field(example))
        found = arrays(example, run.outputs, _copied(example))
        states = {s.name: found[f"{s.name}_T"] for s in example.cell.states}
        return found["y"].astype(example.dtype), states, (example, run)

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        example, run = tape
        example = replace(example, dy=dy, dstate_T=dstate_T)
        grads = backward(self.model, run, example, self._field(example))
        found = arrays(example, grads, _copied(example))
        return {name: array.astype(example.dtype) for name, array in found.items()}

    def _field(self, example: Example) -> Plain:
        return Plain(example.dtype)


def _copied(example: Example) -> Any:
    return lambda a: np.array(a, example.dtype)
