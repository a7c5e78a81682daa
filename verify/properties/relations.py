"""How two runs of one implementation must be related. Bounds are of both runs: hence `times=2`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verify.kernels import Array, Example
from verify.properties.calling import Failure, Skip
from verify.properties.changing import row_alone
from verify.properties.comparing import compare, zero_exactly
from verify.properties.symmetry import permutation
from verify.properties.trial import Result, Trial

__all__ = [
    "batch",
    "batch_gradients",
    "causality",
    "causality_gradients",
    "chaining",
    "chaining_gradients",
    "joined",
    "units",
    "units_gradients",
]


def chaining(trial: Trial) -> Failure | Skip | None:
    """Two parts, the second started from the first's final states, give the whole's values."""
    example = trial.example
    if example.steps < 2:
        return Skip("no example had two steps")
    first, second = _parts(example)
    one = trial.forward(first)
    two = trial.forward(replace(second, state_0=_named(one.values, trial, "_T")))
    got = two.values | {"y": np.concatenate([one.values["y"], two.values["y"]])}
    bounds = trial.value_reach
    return compare(
        got, trial.base.values, bounds, "changes when the sequence is run in two parts", 2
    )


def chaining_gradients(trial: Trial) -> Failure | Skip | None:
    """Cotangents passed from the second part to the first give the whole's gradients."""
    example, cell = trial.example, trial.cell
    if example.steps < 2:
        return Skip("no example had two steps")
    if not {f"{s.name}_0" for s in cell.states} <= set(trial.base_grads):
        return Skip("gradients of initial states are not all given")
    first, second = _parts(example)
    one = trial.forward(first)
    second = replace(second, state_0=_named(one.values, trial, "_T"))
    two = trial.full(second)
    one_grads = trial.backward(replace(first, dstate_T=_named(two.grads, trial, "_0")), one.tape)
    got = dict(one_grads)
    for name, gradient in two.grads.items():
        if name in example.params and name in one_grads:
            got[name] = one_grads[name] + gradient
        elif name in example.inputs and name in one_grads:
            got[name] = np.concatenate([one_grads[name], gradient])
    bounds = trial.grad_reach
    return compare(
        got, trial.base_grads, bounds, "changes when the sequence is run in two parts", 2
    )


def _parts(example: Example) -> tuple[Example, Example]:
    cut = (example.steps + 1) // 2
    ends = example.lengths
    dy = example.dy
    first = replace(
        example,
        inputs={n: a[:cut] for n, a in example.inputs.items()},
        lengths=None if ends is None else np.minimum(ends, cut),
        dy=None if dy is None else dy[:cut],
        dstate_T=None,
    )
    second = replace(
        example,
        inputs={n: a[cut:] for n, a in example.inputs.items()},
        lengths=None if ends is None else np.maximum(ends - cut, 0),
        dy=None if dy is None else dy[cut:],
    )
    return first, second


def _named(arrays: Mapping[str, Array], trial: Trial, end: str) -> dict[str, Array]:
    return {s.name: arrays[f"{s.name}{end}"] for s in trial.cell.states}


def causality(trial: Trial) -> Failure | Skip | None:
    """Outputs before a step do not change when the inputs from that step on do."""
    if trial.example.steps < 2:
        return Skip("no example had two steps")
    for cut in sorted({trial.example.steps // 2, trial.example.steps - 1}):
        changed = {n: _other(a, cut) for n, a in trial.example.inputs.items()}
        got = trial.forward(replace(trial.example, inputs=changed)).values["y"][:cut]
        failure = compare(
            {"y": got},
            {"y": trial.base.values["y"][:cut]},
            {"y": trial.value_reach["y"][:cut]},
            f"changes when only the inputs from step {cut + 1} on change",
            2,
        )
        if failure is not None:
            return failure
    return None


def _other(array: Array, cut: int) -> Array:
    changed = np.array(array)
    changed[cut:] = 0.75 - changed[cut:]
    return changed


def causality_gradients(trial: Trial) -> Failure | Skip | None:
    """Inputs after the last step with a cotangent have no gradient."""
    example = trial.example
    if example.steps < 2 or example.dy is None:
        return Skip("no example had two steps and cotangents on outputs")
    cut = (example.steps + 1) // 2
    dy = np.array(example.dy)
    dy[cut:] = 0
    grads = trial.full(replace(example, dy=dy, dstate_T=None)).grads
    got = {n: grads[n][cut:] for n in example.inputs if n in grads}
    bounds = {n: a[cut:] for n, a in trial.grad_reach.items() if n in got}
    return zero_exactly(got, bounds, f"is not zero though no output after step {cut} is used")


def batch(trial: Trial) -> Failure | Skip | None:
    """Every row of the batch run alone gives the same values."""
    if trial.example.batch < 2:
        return Skip("no example had two rows")
    rows = [trial.forward(row_alone(trial.example, b)) for b in range(trial.example.batch)]
    got = {"y": np.concatenate([r.values["y"] for r in rows], axis=1)} | {
        n: np.concatenate([r.values[n] for r in rows]) for n in trial.base.values if n != "y"
    }
    bounds = trial.value_reach
    return compare(got, trial.base.values, bounds, "changes when the row is run alone", 2)


def batch_gradients(trial: Trial) -> Failure | Skip | None:
    """Every row alone gives the same gradients, and parameters' gradients are sums over rows."""
    if trial.example.batch < 2:
        return Skip("no example had two rows")
    rows = [trial.full(row_alone(trial.example, b)) for b in range(trial.example.batch)]
    got = joined(trial.example, rows, trial.base_grads)
    bounds = trial.grad_reach
    return compare(got, trial.base_grads, bounds, "changes when rows are run alone", 2)


def joined(example: Example, rows: list[Result], names: Mapping[str, Any]) -> dict[str, Array]:
    """Gradients of rows run alone as gradients of the batch."""
    got: dict[str, Array] = {}
    for name in names:
        parts = [row.grads[name] for row in rows if name in row.grads]
        if name in example.params:
            got[name] = np.sum(parts, axis=0)
        else:
            got[name] = np.concatenate(parts, axis=1 if name in example.inputs else 0)
    return got


def units(trial: Trial) -> Failure | Skip | None:
    """Units in another order give the same values in that order."""
    order = permutation(trial.example)
    if order is None:
        return Skip("no axis can be permuted")
    output = trial.cell.output.name
    expected = {"y": order.of(output, trial.base.values["y"], 2)}
    right = trial.value_reach
    bounds = {"y": order.of(output, right["y"], 2)}
    for state in trial.cell.states:
        name = f"{state.name}_T"
        if name not in trial.base.values:
            continue
        expected[name] = order.of(state.name, trial.base.values[name], 1)
        bounds[name] = order.of(state.name, right[name], 1)
    got = trial.forward(order.example(trial.example)).values
    return compare(got, expected, bounds, "does not follow when the units are reordered", 2)


def units_gradients(trial: Trial) -> Failure | Skip | None:
    """Units in another order give the same gradients in that order."""
    order = permutation(trial.example)
    if order is None:
        return Skip("no axis can be permuted")
    right = trial.grad_reach

    def moved(name: str, array: Array) -> Array:
        if name in trial.example.params:
            return order.of(name, array)
        if name in trial.example.inputs:
            return order.of(name, array, 2)
        return order.of(name.removesuffix("_0"), array, 1)

    expected = {n: moved(n, a) for n, a in trial.base_grads.items()}
    bounds = {n: moved(n, right[n]) for n in expected}
    got = trial.full(order.example(trial.example)).grads
    return compare(got, expected, bounds, "does not follow when the units are reordered", 2)
