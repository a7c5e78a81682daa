"""The models that may explain what an implementation does, with what each predicts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from verify.deviations.deviation import Deviation, Family, Variant
from verify.deviations.machine import Run, predicted, quick, quick_run
from verify.deviations.model import Model
from verify.diagnosis.observing import Observation, Right, Seen, agree, flat, flat_bounds, outside

__all__ = ["Candidate", "Candidates", "chosen"]

# A candidate that explains agrees with what is seen up to rounding on both sides.
TIMES = 2.0

# What explains some results alone agrees to so many digits before it is held against bounds.
FINE = 1e-11

# So many observations decide, with bounds; the others have sifted.
SURE = 4


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
            found = quick(model, right.example, self.backwards, run)
            candidate.sifted[key] = flat(found)
        return candidate.sifted[key]

    def _run(self, right: Right) -> Run:
        """The base's forward."""
        if id(right) not in self._runs:
            self._runs[id(right)] = quick_run(self.base, right.example)
        return self._runs[id(right)]

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

        The first observation sifts, so it should be the one that is most wrong.
        """
        wrong = frozenset().union(*(o.wrong for o in seen)) & names
        left = [
            c
            for c in (*(() if extra_only else self.all), *extra)
            if c.only is None or wrong <= c.only
        ]
        for o in seen:
            here = names & o.results.keys()
            left = [
                c
                for c in left
                if agree(o, self.quick(c, o.right), here, _digits(o, c.variant.model))
                and (not self._coarser(c) or _blurred(o, here))
            ]
        if not extra:
            left = [c for c in left if self.differs(c, seen, names)]
        sure = chosen(seen, names)
        return [c for c in left if all(self.agrees(c, o, names) for o in sure)]

    def differs(
        self, candidate: Candidate, seen: Sequence[Observation], names: frozenset[str]
    ) -> bool:
        """Whether it is another than the right one in what is wrong, in half of the digits."""
        model = candidate.variant.model
        if self._coarser(candidate):
            return True
        pairs = ((o, o.wrong & names) for o in seen)
        return any(
            here and not agree(o.right, self.quick(candidate, o.right), here, _digits(o, model))
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
        first, digits = seen[0], _digits(seen[0], self.base)
        far = {n for n in wrong if not agree(first, first.right.results, (n,), digits)}
        plainly = first.example.dtype == np.float64 and self.base.precision is None
        for c in self.all:
            found = self.quick(c, first.right)
            told = {n for n in far if agree(first, found, (n,), FINE if plainly else digits)}
            if len(told) > len(best[1]):
                sure = frozenset(
                    n for n in told if all(self.agrees(c, o, frozenset((n,))) for o in seen)
                )
                if len(sure) > len(best[1]):
                    best = c, sure
        return best

    def agrees(self, candidate: Candidate, o: Observation, names: frozenset[str]) -> bool:
        """Whether an observation is what the candidate computes, up to rounding.

        Where that may be more than half of the digits, as at a kink, it is as large as that of what
        is right.
        """
        value, bound = self.sure(candidate, o.right)
        got = {n: a for n, a in o.results.items() if n in names}
        known, digits = {}, _digits(o, candidate.variant.model)
        for n in got:
            size = digits * float(np.abs(value[n][np.isfinite(value[n])]).max(initial=0.0))
            known[n] = np.where(bound[n] <= size, bound[n], o.right.bounds[n])
        return not outside(got, value, known, TIMES)


def chosen(seen: Sequence[Observation], names: frozenset[str]) -> list[Observation]:
    """The observations that rounding is bounded on: short ones, and some that are wrong."""
    order = sorted(seen, key=lambda o: (not o.wrong & names, o.example.steps))
    return order[:SURE]


def _digits(o: Observation, model: Model) -> float:
    unit = float(np.finfo(o.example.dtype).eps)
    p = model.precision
    coarse = max(p.unit, p.operands, p.functions, p.off) if p else 0.0
    return float(np.sqrt(max(unit, coarse)))


def _blurred(o: Observation, names: frozenset[str]) -> bool:
    """Whether most entries are outside of their bounds, as they are in a coarser format.

    Exact zeros stay what they are.
    """
    off, count = 0, 0
    for n in names:
        far = np.abs(o.results[n] - o.right.results[n]) > o.right.bounds[n]
        off += int(far.sum())
        count += int((o.right.results[n] != 0).sum())
    return o.example.dtype == np.float32 or 2 * off > count


def local(base: Model, model: Model) -> frozenset[str] | None:
    """The results that can differ, where only summands of parameters or inputs were changed."""
    if model.formulas is None or model.equations is not base.equations or _hooks(model, base):
        return None
    a, b = base.derived, model.derived
    if a.backward is not b.backward or a.states is not b.states:
        return None
    pairs = zip((*a.parameters, *a.inputs), (*b.parameters, *b.inputs), strict=True)
    return frozenset(f"d {one.of.name}" for one, other in pairs if one is not other)


def _hooks(a: Model, b: Model) -> bool:
    names = (
        *("given", "upstream", "starting", "ending", "values", "tape"),
        *("carrying", "summing", "finishing", "precision", "wrap", "leaving", "holds"),
    )
    return any(getattr(a, n) is not getattr(b, n) for n in names)
