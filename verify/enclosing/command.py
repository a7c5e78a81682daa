"""`verify enclose`: the errors of an implementation on a few examples, each within an interval."""

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import numpy as np

from derive.backends.numpy import numpy_source
from derive.cell import Cell
from derive.errors import RuleError, UsageError, asked_size, one_line
from derive.gradients import Gradients, gradients
from verify.adapters.limits import FULL, not_given
from verify.adapters.restricting import within
from verify.enclosing.balls import needed
from verify.enclosing.enclosure import enclose
from verify.enclosing.report import Report
from verify.kernels import Example, Kernel
from verify.loading import kernel_from_source
from verify.precisions import lower
from verify.properties import Trial
from verify.properties.calling import BrokenError
from verify.properties.lowering import Lowered
from verify.strategies import make_example

__all__ = ["enclosed", "examples_of"]

# One example after the other, from the top again.
KINDS = ("mixed", "unsaturated", "saturated", "remembering")


def enclosed(
    cell: Cell,
    kernel: Kernel,
    *,
    implementation: str,
    examples: int = 2,
    seed: int = 0,
    steps: int = 6,
    batch: int = 2,
    sizes: Iterable[str] = (),
    precision: str = "",
) -> Report:
    """Enclose the errors of an implementation on examples in both precisions.

    Args:
        kernel: has the contract of `verify.kernels`; `backward` may be missing.
        examples: how many, in each of float64 and float32.
        steps, batch: T and B.
        sizes: such as 'n=16'; others are chosen.
        precision: a row of `verify.precisions`, if it computes in a lower one than its inputs'.

    Raises:
        UsageError: python-flint is not installed, no such precision or size, a number is not one.
        RuleError: our own failure: a bound is too small.
    """
    needed()
    if min(examples, steps, batch) < 1:
        raise UsageError("--examples, --steps and --batch must be 1 or more")
    limits, derived = getattr(kernel, "limits", FULL), gradients(cell)
    judged = cast("Kernel", Lowered(kernel, lower(precision).name)) if precision else kernel
    missing = not_given(limits, tuple(s.name for s in cell.states))
    if not callable(getattr(kernel, "backward", None)):
        missing["gradients"] = "the implementation has no backward"
    found, broken = [], []
    given = {**limits.sizes, **dict(map(asked_size, sizes))}
    for drawn in examples_of(cell, limits.dtypes, examples, seed, steps, batch, given):
        example = within(limits, drawn)
        try:
            enclosure = enclose(Trial(judged, example, derived))
        except BrokenError as error:
            if isinstance(error.raised, NotImplementedError):
                missing[example.label] = str(error)
            else:
                broken.append((example.label, str(error)))
            continue
        if any(r.outside for r in enclosure.results):
            _check_bound(example, derived)
        found.append(enclosure)
    return Report(cell.name, implementation, tuple(found), tuple(broken), tuple(missing.items()))


def examples_of(
    cell: Cell,
    dtypes: Iterable[str],
    count: int,
    seed: int,
    steps: int,
    batch: int,
    sizes: Mapping[str, int],
) -> Iterator[Example]:
    """`count` examples in each dtype; every other one has rows of unequal lengths.

    Raises:
        UsageError: the cell has no such size.
    """
    names = [str(dim) for dim in cell.dimensions]
    for name in sizes:
        if name not in names:
            shown, known = one_line(name, 40), ", ".join(names) or "none"
            raise UsageError(f"{cell.name} has no size '{shown}'; it has {known}")
    fixed = {int(d) for v in (*cell.states, *cell.parameters) for d in v.shape if d.is_Integer}
    taken = {*fixed, *sizes.values()}
    free = (size for size in range(3, 1000) if size not in taken)
    chosen = {name: sizes[name] if name in sizes else next(free) for name in names}
    for number in range(count):
        for dtype in sorted(dtypes, reverse=True):  # the double one first
            yield make_example(
                cell,
                steps=steps,
                batch=batch,
                sizes=chosen,
                seed=seed + number,
                regime=KINDS[number % len(KINDS)],
                dtype=np.dtype(dtype),
                with_lengths=number % 2 == 1 and batch > 1,
            )


def _check_bound(example: Example, derived: Gradients) -> None:
    """Where an implementation is beyond its bound, the emitted kernel must be within.

    Raises:
        RuleError: it is not: then the bound is too small, and says nothing of the implementation.
    """
    kernel = kernel_from_source(numpy_source(derived))
    for result in enclose(Trial(kernel, example, derived)).results:
        if result.outside:
            raise RuleError(
                f"our own failure: the emitted kernel is certified to be beyond the bound of "
                f"{result.name} on {example.label}; nobody can be judged by that bound"
            )
