"""The models that may explain what an implementation does, with what each predicts."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from verify.deviations.deviation import Deviation, Family, Variant
from verify.deviations.machine import predicted, quick, quick_run, quick_sweep
from verify.deviations.model import Model
from verify.deviations.one_step import OneStep
from verify.deviations.running import Run, Sweep
from verify.diagnosis.observing import Observation, Right, Seen, agree, flat, flat_bounds, outside
from verify.diagnosis.sifting import blurred, chosen, digits_of, farthest, local

__all__ = ["Candidate", "Candidates"]

# A candidate that explains agrees with what is seen up to rounding on both sides.
TIMES = 2.0

# What explains some results alone agrees to so many digits before it is held against bounds.
FINE = 1e-11


@dataclass(frozen=True, eq=False)
class Candidate:
    """A variant of a row, with what it predicts.

    Attributes:
        only: the results that it can change; None if any.
        sifted, sure: predictions by example, without and with bounds.
    """

    deviation: Deviation
    variant: Variant
    only: frozenset[str] | None
    sifted: dict[int, Seen] = field(default_factory=dict, repr=False)
    sure: dict[int, tuple[Seen, Seen]] = field(default_factory=dict, repr=False)


@dataclass
class Candidates:
    """All variants of some rows for a base model; predictions are kept.

    Args:
        backwards: whether gradients are predicted.
    """

    base: Model
    rows: Sequence[Deviation]
    backwards: bool
    _runs: dict[int, Run] = field(default_factory=dict)
    _sweeps: dict[int, Sweep] = field(default_factory=dict)
    _steps: dict[int, OneStep] = field(default_factory=dict)
    _all: list[Candidate] | None = None

    @property
    def all(self) -> list[Candidate]:
        """Every variant, in the order of the rows."""
        if self._all is None:
            whole = self.base.formulas is None and self.base.equations is self.base.cell
            self._all = [
                Candidate(row, variant, local(self.base, variant.model) if whole else None)
                for row in self.rows
                for variant in row.variants(self.base)
            ]
        return self._all

    @property
    def families(self) -> Iterator[tuple[Deviation, Family]]:
        """Every family."""
        return ((row, family) for row in self.rows for family in row.families(self.base))

    def quick(self, candidate: Candidate, right: Right) -> Seen:
        """What the candidate computes, without bounds."""
        key = id(right)
        if key not in candidate.sifted:
            model = candidate.variant.model
            run = self._run(right) if model.runs_forward_as(self.base) else None
            shared = self.backwards and model.sweeps_as(self.base)
            sweep = self._sweep(right) if shared else None
            found = quick(model, right.example, self.backwards, run, sweep)
            candidate.sifted[key] = flat(found)
        return candidate.sifted[key]

    def _run(self, right: Right) -> Run:
        """The base's forward."""
        if id(right) not in self._runs:
            self._runs[id(right)] = quick_run(self.base, right.example)
        return self._runs[id(right)]

    def _sweep(self, right: Right) -> Sweep:
        """The base's backward, before sums."""
        if id(right) not in self._sweeps:
            self._sweeps[id(right)] = quick_sweep(self.base, self._run(right))
        return self._sweeps[id(right)]

    def sure(self, candidate: Candidate, right: Right) -> tuple[Seen, Seen]:
        """What the candidate computes, and bounds."""
        key = id(right)
        if key not in candidate.sure:
            found = predicted(candidate.variant.model, right.example, self.backwards)
            candidate.sure[key] = flat(found), flat_bounds(found)
        return candidate.sure[key]

    def explaining(
        self,
        seen: Sequence[Observation],
        names: frozenset[str],
        extra: Sequence[Candidate] = (),
        extra_only: bool = False,
    ) -> list[Candidate]:
        """The candidates that agree with all observations in these results.

        Of many candidates short observations sift first: they cost least. A number that was
        estimated is held against what is most wrong.
        """
        if not extra:
            seen = sorted(seen, key=lambda o: o.example.steps * o.example.batch)
        wrong = frozenset().union(*(o.wrong for o in seen)) & names
        left = [
            c
            for c in (*(() if extra_only else self.all), *extra)
            if c.only is None or wrong <= c.only
        ]
        left = self._sifted(left, seen, names)
        for o in seen:
            here = names & o.results.keys()
            left = [
                c
                for c in left
                if agree(o, self.quick(c, o.right), here, digits_of(o, c.variant.model))
                and (not self._coarser(c) or blurred(o, here))
            ]
        if not extra:
            left = [c for c in left if self.differs(c, seen, names)]
        sure = chosen(seen, names)
        return [
            c
            for c in left
            if all(self.agrees(c, o, names) and self.nearer(c, o, names) for o in sure)
        ]

    def _sifted(
        self, left: list[Candidate], seen: Sequence[Observation], names: frozenset[str]
    ) -> list[Candidate]:
        """Those that agree over one step, where few of their formulas need be looked at."""
        o = next((o for o in seen if OneStep.fits(self.base, o.example)), None)
        if o is None or not left:
            return left
        step, digits = self.step(o.right), digits_of(o, self.base)
        here = names & o.results.keys()
        order = sorted(here, key=lambda n: agree(o, {n: step.right(n)}, (n,), digits))
        return [c for c in left if _agrees_over(step, o, order, digits, c)]

    def step(self, right: Right) -> OneStep:
        """What models of this base give on an example of one step."""
        if id(right) not in self._steps:
            self._steps[id(right)] = OneStep(self.base, self._run(right))
        return self._steps[id(right)]

    def differs(
        self, candidate: Candidate, seen: Sequence[Observation], names: frozenset[str]
    ) -> bool:
        """Whether it is another than the right one in what is wrong, in half of the digits."""
        model = candidate.variant.model
        if self._coarser(candidate):
            return True
        pairs = ((o, o.wrong & names) for o in seen)
        return any(
            here and not agree(o.right, self.quick(candidate, o.right), here, digits_of(o, model))
            for o, here in pairs
        )

    def _coarser(self, candidate: Candidate) -> bool:
        """Whether it computes in another precision than what it is compared with."""
        return candidate.variant.model.precision is not self.base.precision

    def partly(
        self, seen: Sequence[Observation], names: frozenset[str], wrong: frozenset[str]
    ) -> tuple[Candidate | None, frozenset[str]]:
        """The candidate that explains most of the wrong results without spoiling others."""
        best: tuple[Candidate | None, frozenset[str]] = None, frozenset()
        first = next((o for o in seen if OneStep.fits(self.base, o.example)), seen[0])
        first = first if wrong <= first.wrong else seen[0]
        digits = digits_of(first, self.base)
        far = {n for n in wrong if not agree(first, first.right.results, (n,), digits)}
        plainly = first.example.dtype == np.float64 and self.base.precision is None
        for c in self.all:
            told = self._told(c, first, far, FINE if plainly else digits, len(best[1]))
            if len(told) > len(best[1]):
                sure = frozenset(
                    n for n in told if all(self.agrees(c, o, frozenset((n,))) for o in seen)
                )
                if len(sure) > len(best[1]):
                    best = c, sure
        return best

    def nearer(self, candidate: Candidate, o: Observation, names: frozenset[str]) -> bool:
        """Whether it is nearer than what is right to each result that is wrong.

        Its own bounds may be wide enough for an error that it has nothing to do with.
        """
        if self._coarser(candidate):
            return True
        value, _ = self.sure(candidate, o.right)
        for n in o.wrong & names:
            k = farthest(o, n)
            got, right, own = (a[n].ravel()[k] for a in (o.results, o.right.results, value))
            if (
                np.isfinite(got)
                and np.isfinite(right)
                and not abs(got - own) <= abs(got - right) / 2
            ):
                return False
        return True

    def _told(
        self, c: Candidate, o: Observation, far: Collection[str], digits: float, more: int
    ) -> set[str]:
        """Which of these results a candidate computes; nothing if these are not more."""
        model = c.variant.model
        told: set[str] = set()
        step = self.step(o.right) if OneStep.fits(self.base, o.example) else None
        if step is None or not step.knows(model):
            found = self.quick(c, o.right)
            return {n for n in far if agree(o, found, (n,), digits)}
        value, left = step.asked(model), step.touched(model, far)
        for k, n in enumerate(left):
            if len(told) + len(left) - k <= more:
                return set()
            try:
                told |= {n} if agree(o, {n: value(n)}, (n,), digits) else set()
            except KeyError:  # it reads another step
                continue
        return told

    def agrees(self, candidate: Candidate, o: Observation, names: frozenset[str]) -> bool:
        """Whether an observation is what the candidate computes, up to rounding.

        Where that may be more than half of the digits, as at a kink, it is as large as that of what
        is right.
        """
        value, bound = self.sure(candidate, o.right)
        got = {n: a for n, a in o.results.items() if n in names}
        known, digits = {}, digits_of(o, candidate.variant.model)
        for n in got:
            size = digits * float(np.abs(value[n][np.isfinite(value[n])]).max(initial=0.0))
            own = self._coarser(candidate) | (bound[n] <= size)
            known[n] = np.where(own, bound[n], o.right.bounds[n])
        return not outside(got, value, known, TIMES)


def _agrees_over(
    step: OneStep, o: Observation, order: Sequence[str], digits: float, c: Candidate
) -> bool:
    """Whether a candidate agrees with what is seen over one step, as far as is known there."""
    model = c.variant.model
    if not step.knows(model):
        return True
    value = step.asked(model)
    try:
        return all(agree(o, {n: value(n)}, (n,), digits) for n in order)
    except KeyError:  # it reads another step
        return True
