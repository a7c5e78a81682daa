"""Checks against something computed in another way: references, differences, paths, intervals."""

from collections.abc import Mapping

import numpy as np

from verify.differences import COARSE_STEPS, STEPS, central_differences
from verify.kernels import Array
from verify.properties.calling import Failure, Skip
from verify.properties.comparing import compare
from verify.properties.intervals import output_ranges
from verify.properties.kinks import smooth_reach
from verify.properties.own import COARSE, own_forward, unjudged
from verify.properties.paths import path_product, paths_of, silenced
from verify.properties.trial import Trial

__all__ = ["differences", "gradients", "ranges", "state_path", "values"]

# Differences take a score of runs for each entry, so they look at a few of each array.
ENTRIES = 3

OPEN = "no result has a finite bound on any example: overflow, a pole, or outside of a domain"


def _open(bounds: Mapping[str, Array]) -> bool:
    """Whether any result would pass."""
    return not any(np.isfinite(bound).any() for bound in bounds.values())


def values(trial: Trial) -> Failure | Skip | None:
    """Outputs and final states are those of the equations."""
    right = trial.reference()
    if _open(right.value_bounds):
        return Skip(OPEN)
    return compare(
        trial.base.values, right.values, right.value_bounds, "differs from the equations' value"
    )


def gradients(trial: Trial) -> Failure | Skip | None:
    """Gradients are the derived ones."""
    right = trial.reference()
    if _open(right.grad_bounds):
        return Skip(OPEN)
    return compare(
        trial.base_grads, right.grads, right.grad_bounds, "differs from the derived gradient"
    )


def differences(trial: Trial) -> Failure | Skip | None:
    """Gradients are those of the implementation's own forward, whatever that computes."""
    example = trial.example
    skip = unjudged(trial)
    if skip is not None:
        return skip
    single = example.dtype != np.float64
    if single and "float64" in trial.limits.dtypes:
        return Skip("differences are taken in float64, where it is given")
    got = trial.base_grads
    found = central_differences(
        own_forward(trial),
        example,
        tuple(got),
        entries=ENTRIES,
        reach=smooth_reach(example, trial.derived),
        steps=COARSE_STEPS if single else STEPS,
    )
    rounding, times = trial.own_bounds, COARSE if single else 1
    bound = {n: times * error + rounding[n] for n, error in found.error.items()}
    if _open(bound):
        return Skip("every difference steps over a kink, or has no finite error")
    return compare(got, found.value, bound, "differs from differences of its own forward")


def state_path(trial: Trial) -> Failure | Skip | None:
    """Without recurrent products an initial state's gradient is the product of path factors."""
    paths, example = paths_of(trial.cell), trial.example
    if not paths.memories:
        return Skip(f"no state of {trial.cell.name} reaches its own next value entry by entry")
    if example.dstate_T is None:
        return Skip("no example had cotangents on final states")
    names = {f"{s.name}_0" for s in trial.cell.states}
    if trial.offered is not None and not names & trial.offered:
        return Skip("no gradient of an initial state is given")
    alone = silenced(example, paths)
    got = {n: a for n, a in trial.full(alone).grads.items() if n in names}
    return compare(
        got,
        path_product(alone, paths),
        trial.reference(alone).grad_bounds,
        "differs from the product of path factors, with recurrent matrices zero",
        times=2,
    )


def ranges(trial: Trial) -> Failure | Skip | None:
    """Outputs lie where the primitives' ranges allow, given the output one step before."""
    got, rounding = trial.base.values, trial.reference().value_bounds
    found = output_ranges(trial.example, paths_of(trial.cell).forward, got["y"])
    if not any(np.isfinite(end).any() for pair in found.values() for end in pair):
        return Skip("nothing that comes out is bounded")
    inside = {
        n: np.clip(got[n].astype(np.longdouble), low, high)
        for n, (low, high) in found.items()
        if n in got
    }
    return compare(got, inside, rounding, "lies outside of the range that the equations allow")
