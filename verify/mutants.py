"""The catalogue: every deviation applied to our own kernels; is it killed, and is it named?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.deviations.deviation import Deviation, Variant
from verify.deviations.machine import kernel_of
from verify.deviations.table import DEVIATIONS
from verify.diagnosis.diagnose import Diagnosis, Library, behaviour, diagnose
from verify.kernels import Example, Kernel
from verify.properties import PROPERTIES, Failure, Trial
from verify.properties.trial import Expected
from verify.sampling import pinned

__all__ = ["Mutant", "Verdict", "judge", "mutants_of", "to_json", "to_text"]

VERSION = 1


@dataclass(frozen=True)
class Mutant:
    """A deviation's variant."""

    deviation: Deviation
    variant: Variant

    @property
    def name(self) -> str:
        """The row's name and which one."""
        return f"{self.deviation.name}: {self.variant.label}"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Attributes:
        killed: the first property that fails; '' if none does.
        named: whether the diagnosis has its row, on equal terms with whatever else explains.
    """

    mutant: Mutant
    killed: str
    named: bool
    diagnosis: Diagnosis


def mutants_of(library: Library) -> Iterator[Mutant]:
    """Every variant of every row."""
    for row in library.rows:
        for variant in row.samples(library.right):
            yield Mutant(row, variant)


@dataclass
class _Bench:
    """Pinned examples with their references, which all mutants share."""

    library: Library
    derived: Gradients
    examples: tuple[Example, ...]
    known: dict[int, Expected]

    @classmethod
    def of(cls, cell: Cell) -> "_Bench":
        return cls(Library.of(cell), gradients(cell), tuple(pinned(cell, 0)), {})

    def killer(self, kernel: Kernel) -> dict[str, Example]:
        """The first property that fails, and where."""
        for example in self.examples:
            trial = _Shared(kernel, example, self.derived, self.known)
            for row in PROPERTIES:
                if isinstance(row.judge(trial), Failure):
                    return {row.name: example}
        return {}


    def failures(self, kernel: Kernel) -> dict[str, Example]:
        """Every property that fails, and where first."""
        found: dict[str, Example] = {}
        for example in self.examples:
            trial = _Shared(kernel, example, self.derived, self.known)
            for row in PROPERTIES:
                if row.name not in found and isinstance(row.judge(trial), Failure):
                    found[row.name] = example
        return found


class _Shared(Trial):
    """A trial that keeps references of pinned examples for the next one."""

    def __init__(
        self, kernel: Kernel, example: Example, derived: Gradients, known: dict[int, Expected]
    ) -> None:
        super().__init__(kernel, example, derived)
        self._known = known

    def reference(self, example: Example | None = None) -> Expected:
        if example is not None and example is not self.example:
            return super().reference(example)
        key = id(self.example)
        if key not in self._known:
            self._known[key] = super().reference()
        return self._known[key]


def judge(cell: Cell, chosen: Sequence[Mutant] | None = None) -> list[Verdict]:
    """Kill and diagnose mutants."""
    bench = _Bench.of(cell)
    return [_judged(bench, m) for m in (mutants_of(bench.library) if chosen is None else chosen)]


def _judged(bench: "_Bench", mutant: Mutant) -> Verdict:
    kernel = kernel_of(mutant.variant.model)
    killed = bench.killer(kernel)
    told = diagnose(bench.library.cell, kernel, library=bench.library, failed=killed)
    if not told.explained and killed:
        kernel = kernel_of(mutant.variant.model)  # it may keep something from before
        failed = bench.failures(kernel)
        told = behaviour(bench.library, kernel, failed, told)
    name, sometimes = mutant.deviation.name, mutant.deviation.side == "sometimes"
    named = any(c.only if sometimes else c.deviation == name for c in told.causes)
    return Verdict(mutant, next(iter(killed), ""), named, told)


def to_text(cell: Cell, verdicts: Sequence[Verdict]) -> str:
    """The kill table."""
    lines = []
    for v in verdicts:
        said = "; ".join(c.text for c in v.diagnosis.causes[:3]) or "none explains"
        mark = "named" if v.named else "not named"
        lines.append(
            f"{v.mutant.name} | {v.mutant.deviation.source} | {v.killed or 'alive'} | {mark} | {said}"
        )
    killed, named = sum(bool(v.killed) for v in verdicts), sum(v.named for v in verdicts)
    lines.append(f"{cell.name}: {len(verdicts)} mutants, {killed} killed, {named} named")
    return "\n".join(lines) + "\n"


def to_json(cell: Cell, verdicts: Sequence[Verdict]) -> str:
    """The same as JSON."""
    rows = [
        {
            "name": v.mutant.name,
            "source": v.mutant.deviation.source,
            "killed": v.killed or None,
            "named": v.named,
            "diagnosis": [c.text for c in v.diagnosis.causes],
        }
        for v in verdicts
    ]
    document = {"version": VERSION, "cell": cell.name, "mutants": rows}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
