"""Sequences of different lengths: what lies beyond a row's end does not exist."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verify.kernels import Array, Example
from verify.properties.calling import Failure, Skip
from verify.properties.changing import mapped, row_alone
from verify.properties.comparing import compare, zero_exactly
from verify.properties.relations import joined
from verify.properties.trial import Result, Trial

__all__ = ["garbage", "garbage_gradients", "nan", "nan_gradients", "rows", "rows_gradients"]


def _filled(example: Example, fill: Callable[[Array], Array]) -> Example:
    """Inputs and output cotangents beyond each row's end replaced."""
    beyond = _beyond(example)

    def put(a: Array) -> Array:
        return np.where(beyond[..., None], fill(a), a).astype(a.dtype)

    return mapped(example, inputs=put, dy=put)


def _beyond(example: Example) -> Array:
    """Which steps of which rows lie beyond the end, (T, B)."""
    ends = np.full(example.batch, example.steps) if example.lengths is None else example.lengths
    return np.arange(example.steps)[:, None] >= np.asarray(ends)


def _garbage(array: Array) -> Array:
    return 40.0 - 3.0 * array


def _nan(array: Array) -> Array:
    return np.full_like(array, np.nan)


def _values(fill: Callable[[Array], Array], what: str) -> Callable[[Trial], Failure | Skip | None]:
    def check(trial: Trial) -> Failure | Skip | None:
        if not _beyond(trial.example).any():
            return Skip(NO_PADDING)
        got = trial.forward(_filled(trial.example, fill)).values
        bounds = trial.value_reach
        return compare(got, trial.base.values, bounds, f"changes with {what} beyond the lengths", 2)

    return check


def _gradients(
    fill: Callable[[Array], Array], what: str
) -> Callable[[Trial], Failure | Skip | None]:
    def check(trial: Trial) -> Failure | Skip | None:
        beyond = _beyond(trial.example)
        if not beyond.any():
            return Skip(NO_PADDING)
        got, bounds = trial.full(_filled(trial.example, fill)).grads, trial.grad_reach
        inputs = {n: got[n][beyond] for n in trial.example.inputs if n in got}
        there = {n: bounds[n][beyond] for n in inputs}
        failure = zero_exactly(inputs, there, "is not zero beyond the lengths")
        if failure is not None:
            return failure
        message = f"changes with {what} beyond the lengths"
        return compare(got, trial.base_grads, bounds, message, 2)

    return check


NO_PADDING = "no example had a row that ends before the last step"
garbage, garbage_gradients = _values(_garbage, "garbage"), _gradients(_garbage, "garbage")
nan, nan_gradients = _values(_nan, "NaN"), _gradients(_nan, "NaN")


def _alone(trial: Trial, call: Callable[[Example], Result]) -> list[Result]:
    example = trial.example
    ends = np.asarray(example.lengths)
    return [call(row_alone(example, b, steps=int(ends[b]))) for b in range(example.batch)]


def _padded(array: Array, steps: int) -> Array:
    """With zeros up to that many steps."""
    rest = np.zeros((steps - array.shape[0], *array.shape[1:]), array.dtype)
    return np.concatenate([array, rest])


def rows(trial: Trial) -> Failure | Skip | None:
    """Each row gives what it gives alone at its own length; zero outputs follow."""
    if not _beyond(trial.example).any():
        return Skip(NO_PADDING)
    steps, found = trial.example.steps, _alone(trial, trial.forward)
    got = {n: np.concatenate([r.values[n] for r in found]) for n in trial.base.values if n != "y"}
    got["y"] = np.concatenate([_padded(r.values["y"], steps) for r in found], axis=1)
    bounds = trial.value_reach
    return compare(
        trial.base.values, got, bounds, "differs from the row alone at its own length", 2
    )


def rows_gradients(trial: Trial) -> Failure | Skip | None:
    """Gradients are those of each row alone at its own length."""
    example = trial.example
    if not _beyond(example).any():
        return Skip(NO_PADDING)
    found = [
        replace(
            r,
            grads={
                n: _padded(a, example.steps) if n in example.inputs else a
                for n, a in r.grads.items()
            },
        )
        for r in _alone(trial, trial.full)
    ]
    got = joined(example, found, trial.base_grads)
    bounds = trial.grad_reach
    return compare(trial.base_grads, got, bounds, "differs from the row alone at its own length", 2)
