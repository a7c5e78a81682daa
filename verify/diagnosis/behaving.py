"""How calls misbehave: known ways are tried, and compared by how they fail the same property."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from derive.gradients import Gradients
from verify.deviations.deviation import Deviation, Variant
from verify.deviations.machine import kernel_of
from verify.deviations.model import Model
from verify.kernels import Example, Kernel
from verify.properties import PROPERTIES, BrokenError, Failure, Trial

__all__ = ["misbehaving", "parameters_kept"]

JUDGED = frozenset(p.name for p in PROPERTIES)


def misbehaving(
    kernel: Kernel,
    derived: Gradients,
    rows: Sequence[Deviation],
    failed: Mapping[str, Example],
) -> Iterator[tuple[Deviation, Variant | None, str]]:
    """Rows that a failed property tells: those that fail it in the same way, else all it tells.

    The latter only where nothing else fails that tells another thing. Where a second run gives
    something else, no other comparison of runs says anything.

    Args:
        failed: property -> an example that it fails on.
    """
    told = [(row, name) for row in rows for name in row.told_by if name in failed]
    if "runs" in failed and "second run" not in failed:  # how it behaves beside that is no cause
        return
    if "runs backward" in failed and not _runs(kernel, failed["runs backward"], derived):
        told = [pair for pair in told if pair[1] != "runs backward"]
    if "second run" in failed:
        told = [pair for pair in told if pair[1] in ("second run", "global state")]
    plainly = [(row, name) for row, name in told if not any(n in failed for n in row.unless)]
    found: list[tuple[Deviation, Variant | None, str]] = []
    for row, name in told:
        if name not in JUDGED:  # something that was observed beside the run
            found.append((row, None, name))
            continue
        example = failed[name]
        seen = _failure(kernel, name, example, derived)
        for variant in row.variants(Model.right(derived.cell)):
            again = _failure(kernel_of(variant.model), name, example, derived)
            if seen is not None and _alike(seen, again):
                found.append((row, variant, name))
    yield from found or ((row, None, name) for row, name in plainly)


def parameters_kept(kernel: Kernel, example: Example, derived: Gradients) -> bool:
    """Whether forward gives the same for all parameters times 5/4."""
    more = {n: np.asarray(a * a.dtype.type(1.25)) for n, a in example.params.items()}
    trial = Trial(kernel, example, derived)
    try:
        first = trial.forward(example).values
        second = trial.forward(replace(example, params=more)).values
    except BrokenError:
        return False
    read = any(np.any(a) for a in more.values())
    same = all(np.array_equal(a, second[n]) for n, a in first.items())
    return read and same and bool(np.any(first["y"]))


def _runs(kernel: Kernel, example: Example, derived: Gradients) -> bool:
    """Whether backward runs at least where it is given the cotangents that it takes."""
    run = Trial(kernel, example, derived).base.values
    dy = example.dy if example.dy is not None else np.zeros_like(run["y"])
    ends = {
        s.name: np.zeros_like(run[f"{s.name}_T"])
        for s in example.cell.states
        if f"{s.name}_T" in run
    }
    tried = (replace(example, dy=dy, dstate_T=d) for d in (example.dstate_T, None, ends))
    return any(Trial(kernel, e, derived).broken_backward is None for e in tried)


def _failure(kernel: Kernel, name: str, example: Example, derived: Gradients) -> Failure | None:
    row = next(p for p in PROPERTIES if p.name == name)
    found = row.judge(Trial(kernel, example, derived))
    return found if isinstance(found, Failure) else None


def _alike(a: Failure, b: Failure | None) -> bool:
    """The same results fail, by the same amount; what an error says may differ."""
    if b is None or (a.parameter, a.also, a.index) != (b.parameter, b.also, b.index):
        return False
    if a.index is None:
        raised = (" raised " in a.message, " raised " in b.message)
        return raised[0] == raised[1] and (raised[0] or a.message == b.message)
    return a.message == b.message and _close(a.got, b.got)


def _close(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-6 * (abs(a) + abs(b))
    return str(a) == str(b)
