"""How an implementation must behave, whatever it computes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verify.kernels import Array, Example
from verify.properties.calling import Failure, Skip
from verify.properties.changing import copied, mapped
from verify.properties.comparing import compare
from verify.properties.trial import Trial

__all__ = [
    "dtype_gradients",
    "dtype_values",
    "no_batch",
    "no_batch_gradients",
    "no_steps",
    "no_steps_gradients",
    "runs",
    "runs_backward",
    "shapes",
    "shapes_gradients",
    "state_read",
    "strided",
    "strided_gradients",
    "tapes",
    "twice",
    "twice_backward",
    "untouched",
    "untouched_backward",
]


def runs(trial: Trial) -> Failure | None:
    """Forward raises nothing."""
    return trial.broken.failure if trial.broken and trial.broken.raised else None


def runs_backward(trial: Trial) -> Failure | None:
    """Backward raises nothing."""
    broken = trial.broken_backward
    return broken.failure if broken and broken.raised and not trial.broken else None


def shapes(trial: Trial) -> Failure | None:
    """What forward gives has the names, types and shapes of the contract."""
    return trial.broken.failure if trial.broken and not trial.broken.raised else None


def shapes_gradients(trial: Trial) -> Failure | None:
    """What backward gives has the names, types and shapes of the contract."""
    broken = trial.broken_backward
    return broken.failure if broken and not broken.raised and not trial.broken else None


def _moved(array: Array) -> Array:
    return np.asarray(0.5 - array, array.dtype)


def twice(trial: Trial) -> Failure | None:
    """Another run, with other inputs in between, gives the same."""
    trial.forward(mapped(trial.example, inputs=_moved))
    again = trial.forward(trial.example)
    bounds = trial.value_reach
    return compare(again.values, trial.base.values, bounds, "differs in a second run", 2)


def twice_backward(trial: Trial) -> Failure | None:
    """A second backward call on the same tape gives the same."""
    bounds = trial.grad_reach
    result = trial.forward(trial.example)
    first = {n: np.array(a) for n, a in trial.backward(trial.example, result.tape).items()}
    second = trial.backward(trial.example, result.tape)
    return compare(second, first, bounds, "differs in a second call on the same tape", 2)


def tapes(trial: Trial) -> Failure | None:
    """A forward run in between does not change what a tape holds."""
    result = trial.forward(trial.example)
    trial.forward(mapped(trial.example, inputs=_moved))
    got = trial.backward(trial.example, result.tape)
    bounds = trial.grad_reach
    message = "changes when another forward run comes before backward"
    return compare(got, trial.base_grads, bounds, message, 2)


def untouched(trial: Trial) -> Failure | None:
    """Forward writes to nothing that it is given."""
    given = copied(trial.example)
    trial.forward(given, copy=False)
    return _changed(trial.example, given, "forward")


def untouched_backward(trial: Trial) -> Failure | None:
    """Backward writes to nothing that it is given, nor to the results of forward."""
    given = copied(trial.example)
    result = trial.forward(given, copy=False)
    before = copied(given)
    values = {n: np.array(a) for n, a in result.values.items()}
    trial.backward(given, result.tape, copy=False)
    for name, value in values.items():
        if not _same(value, result.values[name]):
            return Failure(name, f"backward writes to the result {name} of forward")
    return _changed(before, given, "backward")


def _changed(before: Example, after: Example, what: str) -> Failure | None:
    old, new = _arrays(before), _arrays(after)
    if list(old) != list(new):
        name = sorted(set(old) ^ set(new))[0]
        return Failure(name, f"{what} adds or removes the argument {name}")
    for name, array in old.items():
        if not _same(array, new[name]):
            return Failure(name, f"{what} writes to its argument {name}")
    return None


def _arrays(example: Example) -> dict[str, Array]:
    """Every array that an implementation is given, by the argument it comes in."""
    found = {f"params['{n}']": a for n, a in example.params.items()}
    found |= example.inputs
    found |= {f"state_0['{n}']": a for n, a in (example.state_0 or {}).items()}
    found |= {f"dstate_T['{n}']": a for n, a in (example.dstate_T or {}).items()}
    for name, array in (("lengths", example.lengths), ("dy", example.dy)):
        if array is not None:
            found[name] = np.asarray(array)
    return found


def _same(a: Array, b: Any) -> bool:
    return (
        isinstance(b, np.ndarray)
        and a.dtype == b.dtype
        and a.shape == b.shape
        and a.tobytes() == b.tobytes()
    )


def _dtypes(found: Mapping[str, Array], dtype: np.dtype[Any]) -> Failure | None:
    for name, array in found.items():
        if array.dtype != dtype:
            return Failure(name, "has another dtype than the inputs", None, array.dtype, dtype)
    return None


def dtype_values(trial: Trial) -> Failure | None:
    """Values have the dtype of the inputs."""
    return _dtypes(trial.base.values, trial.example.dtype)


def dtype_gradients(trial: Trial) -> Failure | None:
    """Gradients have the dtype of the inputs."""
    return _dtypes(trial.base_grads, trial.example.dtype)


def _spread(example: Example) -> Example:
    """Equal arrays with other strides: every second entry of a larger one, axes reversed."""

    def spread(a: Array) -> Array:
        wide = np.full(tuple(2 * s for s in a.shape[::-1]), 7, a.dtype)
        view = wide[tuple(slice(None, None, 2) for _ in a.shape)][..., ::-1].T
        view[...] = a
        return view

    return mapped(example, params=spread, inputs=spread, states=spread, lengths=spread, dy=spread)


def strided(trial: Trial) -> Failure | None:
    """Arrays that are not contiguous give the same values."""
    got = trial.forward(_spread(trial.example), copy=False).values
    bounds = trial.value_reach
    return compare(got, trial.base.values, bounds, "changes with arrays that are not contiguous", 2)


def strided_gradients(trial: Trial) -> Failure | None:
    """Arrays that are not contiguous give the same gradients."""
    got = trial.full(_spread(trial.example), copy=False).grads
    bounds = trial.grad_reach
    return compare(got, trial.base_grads, bounds, "changes with arrays that are not contiguous", 2)


def _no_steps(example: Example) -> Example:
    return mapped(example, inputs=lambda a: a[:0], lengths=np.zeros_like, dy=lambda a: a[:0])


def _no_batch(example: Example) -> Example:
    return mapped(
        example,
        inputs=lambda a: a[:, :0],
        states=lambda a: a[:0],
        lengths=lambda a: a[:0],
        dy=lambda a: a[:, :0],
    )


def no_steps(trial: Trial) -> Failure | None:
    """A sequence of no steps ends in its initial states."""
    empty = _no_steps(trial.example)
    right = trial.reference(empty)
    got = trial.forward(empty).values
    return compare(got, right.values, right.value_bounds, "is wrong for T = 0")


def no_steps_gradients(trial: Trial) -> Failure | None:
    """The gradient of an initial state is that of the final one; parameters have none."""
    empty = _no_steps(trial.example)
    right = trial.reference(empty)
    got = trial.full(empty).grads
    return compare(got, right.grads, right.grad_bounds, "is wrong for T = 0")


def no_batch(trial: Trial) -> None:
    """A batch of no rows gives arrays of no rows; wrong shapes and errors are the failure."""
    trial.forward(_no_batch(trial.example))


def no_batch_gradients(trial: Trial) -> Failure | None:
    """A batch of no rows: the gradient of each parameter is an empty sum."""
    got = trial.full(_no_batch(trial.example)).grads
    nothing = {n: np.zeros_like(a) for n, a in got.items()}
    return compare(got, nothing, 0.0, "is not zero for B = 0")


def state_read(trial: Trial) -> Failure | Skip | None:
    """Results depend on initial states wherever the equations say so."""
    example = trial.example
    if example.state_0 is None:
        return Skip("no example had initial states")
    moved = replace(example, state_0={n: _moved(a) for n, a in example.state_0.items()})
    here, there = trial.reference(), trial.reference(moved)
    got = trial.forward(moved).values
    for name, value in got.items():
        reach = 2 * (here.value_bounds[name] + there.value_bounds[name])
        must = np.abs(here.values[name] - there.values[name]) > reach
        if must.any() and np.array_equal(value, trial.base.values[name], equal_nan=True):
            index = tuple(int(i) for i in np.argwhere(must)[0])
            shown = (float(value[index]), float(there.values[name][index]), float(reach[index]))
            return Failure(name, "does not depend on the initial states", index, *shown)
    return None
