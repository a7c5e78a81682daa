"""Cell + implementation -> Report: examples are drawn, properties judged, failures shrunk."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hypothesis.errors import Flaky

from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import Gradients, gradients
from verify.adapters.limits import FULL, Limits, not_given
from verify.adapters.restricting import within
from verify.diagnosis.answers import Diagnosis
from verify.diagnosis.diagnose import diagnose
from verify.isolation import CONDUCT, Journal, Observation, Outcome
from verify.kernels import Example, Kernel
from verify.properties import PROPERTIES, Failure, Property, Skip, Trial
from verify.report import Finding, Report, Verdict
from verify.reproduction import Recorder, calls_on
from verify.sampling import Enough, generate, pinned

__all__ = ["PROFILES", "Progress", "finding", "run"]

# How many examples each profile tries.
PROFILES = {"quick": 20, "default": 60, "thorough": 1000}

# After the first failure so many further examples, for the properties that have not failed yet.
AFTER_FAILURE = 12

# The smallest failing example is sought with so many calls of a check, and so many seconds in all.
SHRINK_CALLS, SHRINK_SECONDS = 80, 2.5

Progress = Callable[[int, int], None]


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
    progress: Progress | None = None,
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
        journal: where outcomes are kept; those that are there are not judged again.
        progress: called with (examples done, examples in all).

    Raises:
        UsageError: no such profile, or a number of examples below one.
    """
    if profile not in PROFILES:
        raise UsageError(f"no profile '{profile}'; there are {', '.join(PROFILES)}")
    count = PROFILES[profile] if examples is None else examples
    if count < 1:
        raise UsageError(f"{count} examples: at least one is needed")
    work = _Work(cell, kernel, gradients(cell), count, seed, progress, journal)
    work.probe()
    work.sweep()
    return replace(work.report(implementation), options=options, named=named)


def finding(
    row: Property,
    kernel: Kernel,
    example: Example,
    derived: Gradients,
    offered: frozenset[str] | None,
) -> Finding:
    """A property that fails on an example, judged again with every call recorded."""
    recorder = Recorder(kernel)
    failure = row.judge(Trial(recorder, example, derived, offered))
    if not isinstance(failure, Failure):
        failure = Failure("", "failed once and not again on the same example")
    return Finding(
        property=row.name,
        reason=row.reason,
        parameter=failure.parameter,
        cause=failure.message,
        example=example,
        index=failure.index,
        got=failure.got,
        expected=failure.expected,
        bound=failure.bound,
        also=failure.also,
        calls=tuple(recorder.calls),
    )


@dataclass
class _Work:
    """One run: what is known so far."""

    cell: Cell
    kernel: Kernel
    derived: Gradients
    count: int
    seed: int
    progress: Progress | None
    journal: Journal | None = None
    limits: Limits = FULL
    offered: frozenset[str] | None = None
    not_given: dict[str, str] = field(default_factory=dict)
    done: int = 0
    judged: Counter[str] = field(default_factory=Counter)
    last: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Example] = field(default_factory=dict)
    seen: dict[Observation, Example] = field(default_factory=dict)
    stop: int = 0

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
            if self.done >= self.stop:
                raise Enough
            if example.label not in seen:
                seen.add(example.label)
                self.example(within(self.limits, example))

        with suppress(Enough):
            for example in pinned(self.cell, self.seed):
                visit(example)
            generate(self.cell, visit, self.seed, self.count, shrink=False)

    def example(self, example: Example) -> None:
        """Judge an example, unless what came of it is known."""
        outcome = None if self.journal is None else self.journal.find(example.label)
        if outcome is None:
            outcome = self.outcome(example)
            if self.journal is not None:
                self.journal.write(example.label, outcome)
        self.skipped |= outcome.skipped
        for name in outcome.failed:
            self.failed[name] = example
            self.stop = min(self.stop, self.done + 1 + AFTER_FAILURE)
        for name in outcome.judged:
            self.judged[name] += 1
            self.last[name] = self.done
        for observation in outcome.observed:
            self.seen.setdefault(observation, example)
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.stop)

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
        return Outcome(tuple(judged), tuple(failed), skipped, tuple(observed))

    def report(self, implementation: str) -> Report:
        findings = (*self.findings(), *self.conduct())
        never = {
            row.name: self.skipped.get(row.name, "no example asked for it")
            for row in self.rows
            if not self.judged[row.name]
        }
        verdict: Verdict = "right" if self.judged["values"] else "undecided"
        return Report(
            cell=self.cell.name,
            implementation=implementation,
            verdict="wrong" if any(not f.remark for f in findings) else verdict,
            findings=findings,
            judged=tuple((p.name, self.judged[p.name]) for p in self.rows if self.judged[p.name]),
            not_judged=tuple((self.not_given | never).items()),
            examples=self.done,
            asked=self.count,
            seed=self.seed,
            diagnosis=self.diagnosis() if self.failed else None,
        )

    def conduct(self) -> Iterator[Finding]:
        """What the implementation did beside computing, each kind once."""
        for kind, row in CONDUCT.items():
            found = [o for o in self.seen if o.kind == kind]
            if found:
                causes = list(dict.fromkeys(f"in {o.call}: {o.text}" for o in found))
                yield Finding(
                    property=kind,
                    reason=row.reason,
                    parameter="",
                    cause="; ".join(causes[:3]),
                    example=self.seen[found[0]],
                    remark=row.remark,
                    calls=calls_on(
                        self.seen[found[0]],
                        backward="gradients" not in self.not_given,
                        adapted=self.limits != FULL,
                    ),
                )

    def diagnosis(self) -> Diagnosis:
        """The likely cause of what failed."""
        backwards = "gradients" not in self.not_given
        return diagnose(self.cell, self.kernel, backwards=backwards, failed=self.failed)

    def findings(self) -> Iterator[Finding]:
        """Each failed property on its smallest example; what one shrinks to is tried on others."""
        deadline = time.monotonic() + SHRINK_SECONDS
        small: list[Example] = []
        for row in self.rows:
            if row.name not in self.failed:
                continue
            best = self.failed[row.name]
            tried = [e for e in sorted(small, key=_size) if _size(e) < _size(best)]
            known = next((e for e in tried if self.fails(row, e)), None)
            best = self.shrunk(row, best, deadline) if known is None else known
            small.append(best)
            yield finding(row, self.kernel, best, self.derived, self.offered)

    def fails(self, row: Property, example: Example) -> bool:
        return isinstance(row.judge(self.trial(example)), Failure)

    def shrunk(self, row: Property, first: Example, deadline: float) -> Example:
        """The smallest failing example that Hypothesis reaches within the budget."""
        best, calls = first, 0

        def visit(example: Example) -> None:
            nonlocal best, calls
            calls += 1
            if calls > SHRINK_CALLS or time.monotonic() > deadline:
                raise Enough
            example = within(self.limits, example)
            if self.fails(row, example):
                best = min(best, example, key=_size)
                raise AssertionError

        # Flaky: it does not fail twice on the same example; the best so far is kept.
        with suppress(Enough, AssertionError, Flaky):
            generate(self.cell, visit, self.seed, SHRINK_CALLS, shrink=True)
        return best


def _size(example: Example) -> tuple[int, int, int]:
    """What makes an example small for a reader."""
    arrays = [*example.params.values(), *example.inputs.values()]
    for states in (example.state_0, example.dstate_T):
        arrays += list((states or {}).values())
    return example.steps * example.batch, sum(a.size for a in arrays), len(example.label)
