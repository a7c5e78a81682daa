"""Cell + implementation -> Report: examples are drawn, properties judged, failures shrunk."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import Gradients, gradients
from verify.adapters.limits import FULL, Limits, not_given
from verify.adapters.restricting import within
from verify.diagnosis.answers import Diagnosis
from verify.diagnosis.diagnose import attempted, diagnose
from verify.findings import Finding, Report, Verdict, conduct_findings, finding
from verify.isolation import Journal, Observation, Outcome
from verify.kernels import Example, Kernel
from verify.precisions import lower
from verify.properties import PROPERTIES, Failure, Property, Skip, Trial
from verify.properties.lowering import Lowered, detect
from verify.sampling import Enough, generate, pinned
from verify.smallest import size, smallest

__all__ = ["PROFILES", "Noticed", "Progress", "finding", "run"]

# How many examples each profile tries.
PROFILES = {"quick": 20, "default": 60, "thorough": 1000}

# After the first failure so many further examples, for the properties that have not failed yet.
AFTER_FAILURE = 12

# The smallest failing examples are sought for so many seconds in all.
SHRINK_SECONDS = 2.5

# At most so many examples are tried for each that was promised to decide something.
DRAWN = 3

Progress = Callable[[int, int], None]
Noticed = Callable[[str], None]


def run(
    cell: Cell,
    kernel: Kernel,
    *,
    examples: int | None = None,
    seed: int = 0,
    profile: str = "default",
    implementation: str = "",
    options: str = "",
    named: str = "",
    precision: str = "",
    progress: Progress | None = None,
    noticed: Noticed | None = None,
    journal: Journal | None = None,
) -> Report:
    """Judge an implementation of a cell by every property.

    Args:
        kernel: has the contract of `verify.kernels`; `backward` may be missing. What its `limits`
            exclude is not asked of it, and what its `observed` gives, as that of
            `verify.isolation.Isolated`, is in the report.
        examples: how many to try; None means what `profile` says.
        seed: repeats a run.
        implementation: what the report calls it; `options`, and what the cell is `named`, are of
            the command that repeats the run.
        precision: a row of `verify.precisions`, if it computes in a lower precision than that of
            the inputs and says so; '' means as its `limits` say, or that of the inputs, where a
            lower one is detected if it is right in that.
        journal: where outcomes are kept; those that are there are not judged again.
        progress: called with (examples done, examples in all).
        noticed: called with the name of a property as soon as it has failed, long before its
            smallest example and the likely cause are found.

    Raises:
        UsageError: no such profile or precision, or a number of examples below one.
    """
    if profile not in PROFILES:
        raise UsageError(f"no profile '{profile}'; there are {', '.join(PROFILES)}")
    count = PROFILES[profile] if examples is None else examples
    if count < 1:
        raise UsageError(f"{count} examples: at least one is needed")
    declared = precision or getattr(kernel, "limits", FULL).precision
    given = _lowered(kernel, lower(declared).name) if declared else kernel
    work = _Work(cell, given, gradients(cell), count, seed, progress, noticed, journal)
    work.probe()
    work.sweep()
    found = "" if declared else work.detected()
    if found and lower(found).smooth and work.diagnosis().computed:  # no function is coarse
        found = ""
    if found:
        work = replace(work.fresh(), kernel=_lowered(kernel, found), precision=found)
        work.probe()
        work.sweep()
    report = work.report(implementation)
    return replace(
        report, options=options, named=named, precision=found or declared, detected=bool(found)
    )


def _lowered(kernel: Kernel, precision: str) -> Kernel:
    return cast("Kernel", Lowered(kernel, precision))


@dataclass
class _Work:
    """One run: what is known so far."""

    cell: Cell
    kernel: Kernel
    derived: Gradients
    count: int
    seed: int
    progress: Progress | None
    noticed: Noticed | None = None
    journal: Journal | None = None
    precision: str = ""
    limits: Limits = FULL
    offered: frozenset[str] | None = None
    not_given: dict[str, str] = field(default_factory=dict)
    done: int = 0
    replaced: int = 0
    visited: list[Example] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)
    last: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, Counter[str]] = field(default_factory=dict)
    failed: dict[str, Example] = field(default_factory=dict)
    seen: dict[Observation, Example] = field(default_factory=dict)
    stop: int = 0
    cause: Diagnosis | None = None

    def trial(self, example: Example) -> Trial:
        return Trial(self.kernel, example, self.derived, self.offered)

    def probe(self) -> None:
        """Which parts of the contract the implementation gives."""
        self.limits = getattr(self.kernel, "limits", FULL)
        self.not_given |= not_given(self.limits, tuple(s.name for s in self.cell.states))
        if not callable(getattr(self.kernel, "backward", None)):
            self.not_given["gradients"] = "the implementation has no backward"
            return
        trial = self.taken()
        broken = trial.broken_backward
        if broken is None:
            self.offered = frozenset(trial.base_grads)
            variables = (*self.cell.parameters, *self.cell.inputs)
            names = (*(v.name for v in variables), *(f"{s.name}_0" for s in self.cell.states))
            missing = [n for n in names if n not in self.offered]
            self.not_given |= {f"gradient of {n}": "backward does not give it" for n in missing}
        elif isinstance(broken.raised, NotImplementedError) and trial.broken is None:
            self.not_given["gradients"] = "backward is not implemented"

    def fresh(self) -> "_Work":
        """The same run, with nothing known but what was observed."""
        begun = (self.cell, self.kernel, self.derived, self.count, self.seed)
        return _Work(*begun, self.progress, self.noticed, self.journal, seen=self.seen)

    def detected(self) -> str:
        """The lower precision that it is right in, if it is wrong in that of the inputs."""
        failing = [self.failed[n] for n in ("values", "gradients") if n in self.failed]
        if not failing:
            return ""
        rest = [e for e in self.visited if all(e is not f for f in failing)]
        backwards = "gradients" not in self.not_given
        return detect(self.kernel, self.derived, [*failing, *rest], backwards=backwards)

    def taken(self) -> Trial:
        """An example that forward does not refuse, if there is one."""
        trials = [self.trial(within(self.limits, e)) for e in pinned(self.cell, self.seed)]
        for trial in trials:
            if trial.broken is None or not isinstance(trial.broken.raised, NotImplementedError):
                return trial
        return trials[0]

    @property
    def rows(self) -> Iterator[Property]:
        forward_only = "gradients" in self.not_given
        return (p for p in PROPERTIES if not (forward_only and p.needs == "backward"))

    def sweep(self) -> None:
        """Judge pinned examples, then drawn ones."""
        self.stop = self.count
        seen: set[str] = set()

        def visit(example: Example) -> None:
            if self.done - self.replaced >= self.stop or self.done >= DRAWN * self.count:
                raise Enough
            if example.label not in seen:
                seen.add(example.label)
                self.example(within(self.limits, example))

        with suppress(Enough):
            for example in pinned(self.cell, self.seed):
                visit(example)
            generate(self.cell, visit, self.seed, DRAWN * self.count, shrink=False)

    def example(self, example: Example) -> None:
        """Judge an example, unless what came of it is known."""
        label = f"{self.precision}: {example.label}" if self.precision else example.label
        outcome = None if self.journal is None else self.journal.find(label)
        if outcome is None:
            outcome = self.outcome(example)
            if self.journal is not None:
                self.journal.write(label, outcome)
        self.visited.append(example)
        self.replaced += outcome.wide
        for name, reason in outcome.skipped.items():
            # what is refused as a whole says little of a property
            self.skipped.setdefault(name, Counter())[reason] += "values" in outcome.judged
        for name in outcome.failed:
            if self.noticed is not None:
                self.noticed(name)
            self.failed[name] = example
            decided = self.done - self.replaced
            self.stop = min(self.stop, decided + 1 + AFTER_FAILURE)
        for name in outcome.judged:
            self.judged[name] += 1
            self.last[name] = self.done
        for observation in outcome.observed:
            self.seen.setdefault(observation, example)
        self.done += 1
        if self.progress is not None and not outcome.wide:
            self.progress(self.done - self.replaced, self.stop)

    def outcome(self, example: Example) -> Outcome:
        """Judge every property that has not failed yet and whose turn it is."""
        trial, judged, failed, skipped = self.trial(example), [], [], {}
        for row in self.rows:
            waited = self.done - self.last.get(row.name, -row.every)
            if row.name in self.failed or waited < row.every:
                continue
            match row.judge(trial):
                case Skip(reason):
                    skipped[row.name] = reason
                    continue
                case Failure():
                    failed.append(row.name)
            judged.append(row.name)
        observed: list[Observation] = getattr(self.kernel, "observed", list)()
        return Outcome(tuple(judged), tuple(failed), skipped, tuple(observed), trial.wide)

    def report(self, implementation: str) -> Report:
        backward = "gradients" not in self.not_given
        conduct = conduct_findings(self.seen, backward=backward, adapted=self.limits != FULL)
        findings = (*self.findings(), *conduct)
        never = {row.name: self.reason(row.name) for row in self.rows if not self.judged[row.name]}
        verdict: Verdict = "right" if self.judged["values"] else "undecided"
        return Report(
            cell=self.cell.name,
            implementation=implementation,
            verdict="wrong" if any(not f.remark for f in findings) else verdict,
            findings=findings,
            judged=tuple((p.name, self.judged[p.name]) for p in self.rows if self.judged[p.name]),
            not_judged=tuple((self.not_given | never).items()),
            examples=self.done - self.replaced,
            replaced=self.replaced,
            asked=self.count,
            seed=self.seed,
            diagnosis=self.diagnosis() if self.failed else None,
        )

    def reason(self, name: str) -> str:
        """Why a property was never judged: what was said most often."""
        said = self.skipped.get(name)
        return said.most_common(1)[0][0] if said else "no example asked for it"

    def diagnosis(self) -> Diagnosis:
        """The likely cause of what failed, sought once."""
        if self.cause is not None:
            return self.cause
        backwards = "gradients" not in self.not_given
        drawn = {
            o.kind: e
            for o, e in self.seen.items()
            if o.kind == "global state" and "random" in o.text
        }
        failed = self.failed | drawn
        self.cause = attempted(
            lambda: diagnose(self.cell, self.kernel, backwards=backwards, failed=failed)
        )
        return self.cause

    def findings(self) -> Iterator[Finding]:
        """Each failed property on its smallest example; what one shrinks to is tried on others."""
        deadline = time.monotonic() + SHRINK_SECONDS
        small: list[Example] = []
        for row in self.rows:
            if row.name not in self.failed:
                continue
            best = self.failed[row.name]
            tried = [e for e in sorted(small, key=size) if size(e) < size(best)]
            known = next((e for e in tried if self.fails(row, e)), None)
            if known is None:
                known = smallest(
                    best,
                    lambda e, row=row: self.fails(row, e),  # type: ignore[misc]
                    limits=self.limits,
                    seed=self.seed,
                    deadline=deadline,
                )
            best = known
            small.append(best)
            yield finding(row, self.kernel, best, self.derived, self.offered)

    def fails(self, row: Property, example: Example) -> bool:
        return isinstance(row.judge(self.trial(example)), Failure)
