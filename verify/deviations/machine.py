"""What a model computes: as a kernel, quickly, or with bounds of the rounding error."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.deviations.model import Model, Results
from verify.deviations.running import (
    Quick,
    Run,
    Sweep,
    backward,
    forward,
    gathered,
    swept,
)
from verify.kernels import (
    Array,
    Arrays,
    Example,
    Kernel,
    as_array,
    shape_of,
    sizes_of,
)
from verify.recurrence import Plain
from verify.references import INFLATION
from verify.rounding import Bounded, Precision

__all__ = ["Predicted", "arrays", "kernel_of", "predicted", "quick", "quick_run", "quick_sweep"]


@dataclass(frozen=True)
class Predicted:
    """Outputs ('y', 'C_T') and gradients by the contract's names, with bounds if asked for."""

    values: dict[str, Array]
    grads: dict[str, Array]
    value_bounds: dict[str, Array]
    grad_bounds: dict[str, Array]


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
    run = forward(model, example, field, whole=backwards) if run is None else run
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
