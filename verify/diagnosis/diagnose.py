"""From what an implementation does to its likely cause.

A deviation explains if a model that is wrong in that way computes, on several examples, all that
the implementation gives, up to rounding. No tolerance: the bounds belong to the model's own
formulas. All that explain equally are listed, in the order of the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from derive.cell import Cell
from derive.gradients import gradients
from verify.deviations.deviation import Deviation, Variant
from verify.deviations.machine import predicted
from verify.deviations.model import Model
from verify.deviations.table import DEVIATIONS
from verify.diagnosis.candidates import Candidate, Candidates
from verify.diagnosis.conditions import condition
from verify.diagnosis.estimates import ESTIMATES
from verify.diagnosis.observing import (
    Observation,
    Right,
    flat,
    flat_bounds,
    observed,
    outside,
    rights,
    standard,
)
from verify.kernels import Example, Kernel

__all__ = ["Answer", "Cause", "Diagnosis", "Library", "diagnose"]

Answer = Literal["yes", "no", "not judged"]

# Rows are asked in this order: those without a free number first.
TABLE = DEVIATIONS


@dataclass(frozen=True)
class Cause:
    """A deviation that reproduces what was seen.

    Attributes:
        deviation: the row's name.
        cause: what the row says.
        variant: which one.
        explains: the wrong results that it reproduces; 'd W_f' is the gradient of W_f.
        only: where the implementation does it, if not everywhere.
        with_next: whether the next one is needed as well.
    """

    deviation: str
    cause: str
    variant: str
    by_design: bool
    explains: tuple[str, ...]
    only: str = ""
    together: int = 0

    @property
    def text(self) -> str:
        """In a line."""
        where = f" (only {self.only})" if self.only else ""
        kind = "deviates by design: " if self.by_design else ""
        return f"{kind}{self.cause}: {self.variant}{where}"


@dataclass(frozen=True)
class Diagnosis:
    """What an implementation is, and why.

    Attributes:
        is_cell: whether outputs and final states are the cell's.
        own_gradient: whether gradients are those of its own forward.
        causes: those that explain, equally good ones beside each other; of two that hold at once
            both. Empty if nothing is wrong, or if none of the known deviations explains it.
        wrong: the results that are not the cell's.
    """

    is_cell: Answer
    own_gradient: Answer
    causes: tuple[Cause, ...]
    wrong: tuple[str, ...]

    @property
    def explained(self) -> bool:
        """Whether the causes account for all that is wrong."""
        told = {name for cause in self.causes for name in cause.explains}
        return bool(self.causes) and set(self.wrong) <= told


@dataclass(frozen=True)
class Library:
    """What does not depend on the implementation: examples, what is right, candidates."""

    cell: Cell
    examples: tuple[Example, ...]
    rows: tuple[Deviation, ...] = field(default=TABLE)

    @classmethod
    def of(cls, cell: Cell, extra: Iterable[Example] = (), seed: int = 0) -> "Library":
        """With the standard examples, and others."""
        return cls(cell, (*standard(cell, seed), *extra))

    @cached_property
    def right(self) -> Model:
        """The right model."""
        return Model.right(self.cell)

    @cached_property
    def rights(self) -> tuple[Right, ...]:
        """The examples with what is right."""
        return rights(self.cell, self.examples)

    @cached_property
    def forward(self) -> Candidates:
        """Deviations of forward."""
        return self._candidates(self.right, "forward")

    @cached_property
    def backward(self) -> Candidates:
        """Deviations of backward for the right forward."""
        return self.backward_of(self.right)

    def backward_of(self, base: Model) -> Candidates:
        """Deviations of backward for another forward."""
        return self._candidates(base, "backward")

    def _candidates(self, base: Model, side: str) -> Candidates:
        rows = [row for row in self.rows if row.side == side]
        return Candidates(base, rows, backwards=side == "backward")


def diagnose(
    cell: Cell, kernel: Kernel, *, backwards: bool = True, library: Library | None = None
) -> Diagnosis:
    """Which known deviations reproduce what an implementation does.

    Args:
        backwards: whether it has gradients.
        library: of the cell; None makes one.
    """
    library = Library.of(cell) if library is None else library
    seen = observed(kernel, library.rights, gradients(cell), backwards)
    if not seen:
        return Diagnosis("not judged", "not judged", (), ())
    return _Work(library, seen).diagnosis()


@dataclass
class _Work:
    library: Library
    seen: list[Observation]

    def diagnosis(self) -> Diagnosis:
        names = frozenset().union(*(o.results for o in self.seen))
        wrong = frozenset().union(*(o.wrong for o in self.seen))
        values = frozenset(n for n in names if not n.startswith("d "))
        grads = names - values
        is_cell: Answer = "no" if wrong & values else "yes"
        if not wrong & values:
            bases, causes = [self.library.right], ()
        else:
            found = self.explained(self.library.forward, values)
            causes = tuple(_cause(c, wrong & values, only) for c, only in found)
            bases = [c.variant.model for c, only in found if not only]
        if not grads:
            return Diagnosis(is_cell, "not judged", causes, _sorted(wrong))
        if not bases:
            return Diagnosis(is_cell, "not judged", causes, _sorted(wrong))
        own = [k for k, base in enumerate(bases) if self.follows(base, grads)]
        if own:
            if causes:  # only those whose gradient is seen as well
                causes = tuple(
                    replace(causes[k], explains=_sorted(wrong)) for k in own
                )
            return Diagnosis(is_cell, "yes", causes, _sorted(wrong))
        more = self.backward(bases[0], grads, wrong & grads)
        return Diagnosis(is_cell, "no", (*causes, *more), _sorted(wrong))

    def follows(self, base: Model, names: frozenset[str]) -> bool:
        """Whether all gradients are those of the base."""
        if base is self.library.right:
            return not any(o.wrong & names for o in self.seen)
        return all(_agrees(base, o, names) for o in self.seen)

    def backward(
        self, base: Model, names: frozenset[str], wrong: frozenset[str]
    ) -> tuple[Cause, ...]:
        """Causes of wrong gradients."""
        right = base is self.library.right
        if not right:
            kept = replace(base, formulas=self.library.right.derived)
            try:
                if self.follows(kept, names):
                    row = next(r for r in self.library.rows if r.name == "backward of the cell")
                    return (Cause(row.name, row.cause, "", False, _sorted(wrong)),)
            except KeyError:  # a name of the cell's that this forward has not
                pass
        candidates = self.library.backward if right else self.library.backward_of(base)
        found = self.explained(candidates, names)
        if found:
            return tuple(_cause(c, wrong, only) for c, only in found)
        return self.two(candidates, names, wrong)

    def explained(
        self, candidates: Candidates, names: frozenset[str]
    ) -> list[tuple[Candidate, str]]:
        """Candidates that explain everywhere; else those that explain where it is wrong."""
        order = sorted(self.seen, key=lambda o: -len(o.wrong & names))
        found = candidates.explaining(order, names, self.fitted(candidates, names))
        if found:
            return [(c, "") for c in found]
        wrong = [o for o in order if o.wrong & names]
        fine = [o for o in order if not o.wrong & names]
        if not fine or not wrong:
            return []
        only = condition([o.example for o in wrong], [o.example for o in fine])
        return [(c, only) for c in candidates.explaining(wrong, names)] if only else []

    def fitted(self, candidates: Candidates, names: frozenset[str]) -> list[Candidate]:
        """Families with the numbers that observations suggest."""
        found = []
        for row, family in candidates.families:
            estimate = ESTIMATES[family.estimate]
            for number in estimate(family, candidates.base, self.seen, names):
                found.append(Candidate(row, family.variant(number), None))
        return found

    def two(
        self, candidates: Candidates, names: frozenset[str], wrong: frozenset[str]
    ) -> tuple[Cause, ...]:
        """Two deviations at once: one that explains some results, then one for the rest."""
        order = sorted(self.seen, key=lambda o: -len(o.wrong & names))
        first, told = candidates.partly(order, names, wrong)
        if first is None:
            return ()
        base = first.variant.model
        rest = self.library.backward_of(base)
        found = rest.explaining(order, names, ())
        one = _cause(first, told)
        if not found:
            return (one,)
        return (one, *(_cause(c, wrong - told) for c in found))


def _agrees(model: Model, o: Observation, names: Iterable[str]) -> bool:
    found = predicted(model, o.example)
    got = {n: a for n, a in o.results.items() if n in names}
    return not outside(got, flat(found), flat_bounds(found), 2.0)


def _cause(candidate: Candidate, explains: Iterable[str], only: str = "") -> Cause:
    row, variant = candidate.deviation, candidate.variant
    return Cause(row.name, row.cause, variant.label, row.by_design, _sorted(explains), only)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
