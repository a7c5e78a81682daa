"""From what an implementation does to its likely cause.

A deviation explains if a model that is wrong in that way computes, on several examples, all that
the implementation gives, up to rounding. No tolerance: the bounds belong to the model's own
formulas. All that explain equally are listed, in the order of the table.
"""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from derive.cell import Cell
from derive.errors import one_line
from derive.gradients import Gradients, gradients
from verify.adapters.limits import FULL
from verify.deviations.following import stored, unaware
from verify.deviations.machine import predicted
from verify.deviations.model import Model
from verify.diagnosis.answers import Answer, Cause, Diagnosis
from verify.diagnosis.behaving import misbehaving, parameters_kept
from verify.diagnosis.candidates import Candidate, Candidates
from verify.diagnosis.conditions import condition
from verify.diagnosis.estimates import ESTIMATES, SLOW
from verify.diagnosis.library import Library
from verify.diagnosis.observing import (
    Observation,
    flat,
    flat_bounds,
    observed,
    outside,
)
from verify.diagnosis.proportional import proportional
from verify.diagnosis.sifting import chosen
from verify.diagnosis.symptoms import symptoms
from verify.kernels import Example, Kernel
from verify.precisions import lower
from verify.properties import BrokenError, Failure, Skip, Trial
from verify.properties.lowering import detect
from verify.properties.oracles import differences
from verify.properties.own import taylor

__all__ = ["Library", "attempted", "behaviour", "diagnose"]

# Free numbers that take long to find are sought for so many seconds.
SEEKING = 5.0

# Two deviations at once are sought for where so many seconds have not passed.
LONG = 15.0


def diagnose(
    cell: Cell,
    kernel: Kernel,
    *,
    backwards: bool = True,
    failed: Mapping[str, Example] | None = None,
    library: Library | None = None,
) -> Diagnosis:
    """Which known deviations reproduce what an implementation does.

    Args:
        backwards: whether it has gradients.
        failed: properties that fail, each with an example, where that is known.
        library: of the cell; None makes one.
    """
    if library is None:
        failing = {id(e): e for n, e in (failed or {}).items() if n in ("values", "gradients")}
        limits = getattr(kernel, "limits", FULL)
        name = getattr(kernel, "computes_in", "") or limits.precision
        precision = lower(name).precision if name else None
        library = Library.of(cell, failing.values(), limits=limits, precision=precision)
    derived = gradients(cell)
    seen = observed(kernel, library.rights, derived, backwards)
    found = Diagnosis("not judged", "not judged")
    if failed and "second run" in failed:  # no formula computes now this, now that
        found = Diagnosis("no" if "values" in failed else "not judged", "not judged")
    elif seen:
        found = _Work(library, kernel, derived, seen).diagnosis()
    found = behaviour(library, kernel, failed or {}, found)
    if found.causes or not (failed or found.wrong):
        return found
    return replace(found, symptoms=symptoms(failed or {}, seen))


def attempted(make: Callable[[], Diagnosis]) -> Diagnosis:
    """A diagnosis, or one that says why there is none: what was found stands without it."""
    try:
        return make()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = one_line(f"{type(error).__name__}: {error}", 160)
        said = f"{text} ({Path(place.filename).name}, line {place.lineno})"
        return Diagnosis("not judged", "not judged", failed=said)


def behaviour(
    library: Library, kernel: Kernel, failed: Mapping[str, Example], found: Diagnosis
) -> Diagnosis:
    """The diagnosis with ways to misbehave, where formulas do not explain all that is wrong."""
    if not failed or found.explained:
        return found
    conduct = [row for row in library.rows if row.side == "conduct"]
    more: dict[tuple[str, str], tuple[Cause, list[str]]] = {}
    for row, variant, name in misbehaving(kernel, gradients(library.cell), conduct, failed):
        label = variant.label if variant else ""
        cause = Cause(row.name, row.cause, label, row.by_design, ())
        more.setdefault((row.name, label), (cause, []))[1].append(name)
    causes = [replace(cause, explains=tuple(names)) for cause, names in more.values()]
    if "values" in failed and parameters_kept(kernel, failed["values"], gradients(library.cell)):
        row = next(r for r in conduct if r.name == "parameters not read")
        causes.insert(0, Cause(row.name, row.cause, "", False, found.wrong or ("values",)))
    return replace(found, causes=(*found.causes, *causes))


@dataclass
class _Work:
    library: Library
    kernel: Kernel
    derived: Gradients
    seen: list[Observation]
    begun: float = field(default_factory=time.process_time)

    def diagnosis(self) -> Diagnosis:
        names = frozenset().union(*(o.results for o in self.seen))
        wrong = frozenset().union(*(o.wrong for o in self.seen))
        values = frozenset(n for n in names if not n.startswith("d "))
        grads = names - values
        if not wrong & values:
            own: Answer = "no" if wrong else "yes" if grads else "not judged"
            causes = self.backward(self.library.right, grads, wrong) if wrong else ()
            return Diagnosis("yes", own, causes, _sorted(wrong))
        found = self.explained(self.library.forward, values)
        causes = tuple(_cause(c, wrong & values, only) for c, only in found)
        if not grads:
            return Diagnosis("no", "not judged", causes, _sorted(wrong))
        models = [c.variant.model for c, only in found if not only]
        whole = [k for k, model in enumerate(models) if self.follows(model, grads)]
        own = "yes" if any(models[k].consistent for k in whole) else self.by_differences()
        if whole:  # those whose gradients are seen as well
            causes = tuple(replace(causes[k], explains=_sorted(wrong)) for k in whole)
        elif own == "yes":
            causes = tuple(replace(c, explains=_sorted(wrong)) for c in causes)
        elif models:
            kept = [k for k, model in enumerate(models) if self.unaware(model, grads)]
            base, rest = models[(kept or [0])[0]], wrong & grads
            fine = frozenset() if kept else self.matched(base, rest)
            causes = tuple(
                replace(causes[k], explains=_sorted({*causes[k].explains, *fine}))
                for k in kept or range(len(causes))
            )
            causes = (*causes, *self.backward(base, grads, rest - fine))
        return Diagnosis("no", own, causes, _sorted(wrong))

    def matched(self, base: Model, names: frozenset[str]) -> frozenset[str]:
        """The results that are those of the base."""
        off: set[str] = set()
        for o in chosen(self.seen, names):
            found = predicted(base, o.example)
            got = {n: a for n, a in o.results.items() if n in names}
            off |= set(outside(got, flat(found), flat_bounds(found), 2.0))
        return names - off

    def unaware(self, base: Model, names: frozenset[str]) -> bool:
        """Whether gradients are those of the cell, in what another forward has kept."""
        return any(self.follows(way(base), names) for way in (unaware, stored))

    def by_differences(self) -> Answer:
        """Whether gradients are those of its own forward, by runs of that."""
        for o in sorted(self.seen, key=lambda o: o.example.steps * o.example.batch):
            if o.wrong and o.example.dtype.itemsize == 8 and o.example.steps > 1:
                trial = Trial(self.kernel, o.example, self.derived)
                try:
                    both = (taylor(trial), differences(trial))
                except BrokenError:
                    continue
                found = [f for f in both if not isinstance(f, Skip)]
                if found:
                    return "no" if any(isinstance(f, Failure) for f in found) else "yes"
        return "not judged"

    def follows(self, base: Model, names: frozenset[str]) -> bool:
        """Whether all gradients are those of the base."""
        if base is self.library.right:
            return not any(o.wrong & names for o in self.seen)
        return all(_agrees(base, o, names) for o in chosen(self.seen, names))

    def backward(
        self, base: Model, names: frozenset[str], wrong: frozenset[str]
    ) -> tuple[Cause, ...]:
        """Causes of wrong gradients."""
        right = base is self.library.right
        if not right and self.unaware(base, names):
            row = next(r for r in self.library.rows if r.name == "backward of the cell")
            return (Cause(row.name, row.cause, "", False, _sorted(wrong)),)
        candidates = self.library.backward if right else self.library.backward_of(base)
        found = self.explained(candidates, names)
        if found:
            return tuple(_cause(c, wrong, only) for c, only in found)
        scaled = proportional(self.seen, names) if right else frozenset()
        if scaled:
            row = next(r for r in self.library.rows if r.name == "scaled by example")
            return (Cause(row.name, row.cause, "", row.by_design, _sorted(scaled)),)
        return self.two(candidates, names, wrong)

    def explained(
        self, candidates: Candidates, names: frozenset[str]
    ) -> list[tuple[Candidate, str]]:
        """Candidates that explain everywhere; else those that explain where it is wrong."""
        order = self.ordered(names)
        found = candidates.explaining(order, names)
        base = candidates.base.precision
        coarse = [c for c in found if c.variant.model.precision is not base]
        found = [c for c in found if c not in coarse]
        if not found:  # a number is asked for only where none is needed elsewhere
            quickly = list(self.fitted(candidates, names, slow=False))
            found = candidates.explaining(order, names, quickly, True)
        if not found:  # the first will do
            slowly = ([c] for c in self.fitted(candidates, names, slow=True))
            tried = (candidates.explaining(order, names, c, True) for c in slowly)
            found = next((some for some in tried if some), [])
        found = found or (coarse[:1] if coarse and self.lowered else [])
        if found:
            return [(c, "") for c in found]
        wrong = [o for o in order if o.wrong & names]
        fine = [o for o in order if not o.wrong & names]
        if not fine or not wrong:
            return []
        only = condition([o.example for o in wrong], [o.example for o in fine])
        some = candidates.explaining(wrong, names) if only else []
        return [(c, only) for c in some if c.variant.model.precision is base or self.lowered]

    def ordered(self, names: frozenset[str]) -> list[Observation]:
        """What is wrong in most results comes first, of those what is short: it sifts."""
        return sorted(
            self.seen,
            key=lambda o: (-len(o.wrong & names), o.example.steps * o.example.batch),
        )

    @cached_property
    def lowered(self) -> bool:
        """Whether errors are those of a lower precision: bounds alone excuse any small one."""
        backwards = any(n.startswith("d ") for o in self.seen for n in o.results)
        examples = [o.example for o in self.seen]
        found = detect(self.kernel, self.derived, examples, backwards=backwards)
        return bool(found) and not lower(found).smooth

    def fitted(
        self, candidates: Candidates, names: frozenset[str], slow: bool
    ) -> Iterator[Candidate]:
        """Families with the numbers that observations suggest."""
        deadline = time.process_time() + SEEKING
        for row, family in candidates.families:
            if (family.estimate in SLOW) != slow or time.process_time() > deadline:
                continue
            estimate = ESTIMATES[family.estimate]
            for number in estimate(family, candidates.base, self.seen, names):
                yield Candidate(row, family.variant(number), None)

    def two(
        self, candidates: Candidates, names: frozenset[str], wrong: frozenset[str]
    ) -> tuple[Cause, ...]:
        """Two deviations at once: one that explains some results, then one for the rest."""
        if time.process_time() - self.begun > LONG:
            return ()
        order = self.ordered(names)
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
    return Cause(
        row.name,
        row.cause,
        variant.label,
        row.by_design,
        _sorted(explains),
        only,
        variant.model,
    )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
