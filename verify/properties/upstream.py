"""What cotangents and initial states may not be given, and how gradients depend on cotangents."""

from dataclasses import replace

import numpy as np

from verify.kernels import Array, Example, shape_of, sizes_of
from verify.properties.calling import Failure, Skip
from verify.properties.changing import sized
from verify.properties.comparing import compare, scaled, zero_exactly
from verify.properties.trial import Trial

__all__ = ["absent_cotangents", "absent_states", "linearity"]

# A power of two scales without rounding; negative, and large enough to meet a clipping threshold.
FACTOR = -256.0


def absent_states(trial: Trial) -> Failure | Skip | None:
    """No initial states are zero initial states."""
    absent = replace(trial.example, state_0=None)
    if not sized(absent):
        return Skip("without initial states the size of a state is not known")
    zeros = replace(absent, state_0=_no_states(trial))
    return compare(
        trial.forward(absent).values,
        trial.forward(zeros).values,
        trial.reference(absent).value_bounds,
        "differs between state_0=None and zeros",
        2,
    )


def _no_states(trial: Trial) -> dict[str, Array]:
    """Zeros for every state, of the shape that forward gave or, where it gave none, must give."""
    given, example = trial.base.values, trial.example
    found = {}
    for state in trial.cell.states:
        name = f"{state.name}_T"
        shape = given[name].shape if name in given else None
        full = shape or (example.batch, *shape_of(state, sizes_of(example)))
        found[state.name] = np.zeros(full, example.dtype)
    return found


def absent_cotangents(trial: Trial) -> Failure | None:
    """No cotangents are zero cotangents."""
    result, example = trial.base, trial.example
    no_dy = {"dy": np.zeros_like(result.values["y"])}
    no_states = _no_states(trial)
    cases = (
        ("dstate_T", trial.dy_only, replace(trial.dy_only, dstate_T=no_states)),
        ("dy", trial.dstate_only, replace(trial.dstate_only, dy=no_dy["dy"])),
    )
    for what, absent, zeros in cases:
        failure = compare(
            trial.full(absent).grads,
            trial.full(zeros).grads,
            trial.reference(absent).grad_bounds,
            f"differs between {what}=None and zeros",
            2,
        )
        if failure is not None:
            return failure
    got = trial.full(replace(example, dy=None, dstate_T=None)).grads
    bounds = trial.reference().grad_bounds
    return zero_exactly(got, bounds, "is not zero though no cotangent is given")


def linearity(trial: Trial) -> Failure | Skip | None:
    """Gradients are a linear function of the cotangents."""
    example = trial.example
    whole = trial.base_grads
    larger = replace(
        example,
        dy=None if example.dy is None else example.dy * example.dtype.type(FACTOR),
        dstate_T=None if example.dstate_T is None else scaled(example.dstate_T, FACTOR),
    )
    got = scaled(trial.full(larger).grads, 1 / FACTOR)
    bounds = _sums(trial, trial.example, (larger, 1 / abs(FACTOR)))
    failure = compare(got, whole, bounds, f"is not {FACTOR} times as large for such cotangents")
    if failure is not None or example.dy is None or example.dstate_T is None:
        return failure
    first, second = trial.full(trial.dy_only).grads, trial.full(trial.dstate_only).grads
    got = {n: np.asarray(a.astype(np.longdouble) + second[n]) for n, a in first.items()}
    bounds = _sums(trial, example, (trial.dy_only, 1.0), (trial.dstate_only, 1.0))
    return compare(got, whole, bounds, "is not the sum of what dy and dstate_T give alone")


def _sums(trial: Trial, whole: Example, *others: tuple[Example, float]) -> dict[str, Array]:
    """The bounds of several runs together, each times a factor."""
    total = dict(trial.reference(whole).grad_bounds)
    for example, factor in others:
        bounds = trial.reference(example).grad_bounds
        total = {n: bound + bounds[n] * factor for n, bound in total.items()}
    reach = trial.grad_reach
    return {n: np.maximum(bound, reach[n]) for n, bound in total.items()}
