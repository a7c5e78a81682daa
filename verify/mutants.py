"""The catalogue: every deviation applied to our own kernels; is it killed, and is it named?"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from os import cpu_count

import numpy as np

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.deviations.deviation import Deviation, Variant
from verify.deviations.machine import kernel_of, quick
from verify.deviations.model import Model
from verify.diagnosis.answers import Diagnosis
from verify.diagnosis.diagnose import Library, behaviour, diagnose
from verify.diagnosis.observing import Right, rights, standard
from verify.kernels import Array, Example, Kernel
from verify.properties import PROPERTIES, Failure, Trial
from verify.properties.trial import Expected
from verify.runner import run
from verify.sampling import pinned

__all__ = ["Mutant", "Table", "Verdict", "judge", "mutants_of", "to_json", "to_text"]

# Of the JSON document.
VERSION = 1

# The seed of examples that tell whether two models are one.
FRESH = 50_000

# So many examples are tried on a mutant that no pinned one kills.
DRAWN = 20

# Processes, where there are so many cores.
WORKERS = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Mutant:
    """A variant of a deviation: a kernel that is wrong in a known way."""

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
        named: whether what the diagnosis says first is its row, or another name of the same
            kernel: other formulas that compute the same on examples of their own.
        same: whether it computes what is right, on examples of its own: no mutant of this cell.
            One that is wrong and that nothing sees is alive.
    """

    name: str
    source: str
    killed: str
    named: bool
    same: bool
    diagnosis: Diagnosis


@dataclass(frozen=True)
class Table:
    """The kill table of a cell; `same` counts variants that change nothing there."""

    cell: str
    rows: int
    verdicts: tuple[Verdict, ...]
    same: int

    @property
    def all_killed(self) -> bool:
        """Whether no mutant lives."""
        return all(v.killed for v in self.verdicts)


def mutants_of(library: Library, each: int | None = None) -> Iterator[Mutant]:
    """Variants of every row; at most `each` of one row, spread over it."""
    for row in library.rows:
        found = list(row.samples(library.right))
        count = len(found) if each is None else min(each, len(found))
        for k in range(count):
            yield Mutant(row, found[k * len(found) // count])


def judge(
    cell: Cell,
    *,
    each: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Table:
    """Kill and diagnose the mutants of a cell.

    Args:
        each: at most so many of one row; None means all.
        workers: processes; 1 means this one, None as many as there are cores, up to four.
        progress: called with (mutants done, mutants in all).
    """
    library = Library.of(cell)
    mutants = list(mutants_of(library, each))
    workers = min(WORKERS, cpu_count() or 1) if workers is None else workers
    found: list[Verdict] = []

    def collect(verdicts: Iterator[Verdict]) -> None:
        for verdict in verdicts:
            found.append(verdict)
            if progress is not None:
                progress(len(found), len(mutants))

    if workers == 1:
        bench = Bench.of(cell, library)
        collect(bench.verdict(mutant) for mutant in mutants)
    else:
        with get_context("spawn").Pool(workers, _prepare, (cell, each)) as pool:
            collect(pool.imap(_one, range(len(mutants)), chunksize=4))
    kept = tuple(v for v in found if not v.same)
    rows = len({v.name.partition(":")[0] for v in kept})
    return Table(cell.name, rows, kept, len(found) - len(kept))


@dataclass
class Bench:
    """Pinned examples with their references, which all mutants share."""

    library: Library
    derived: Gradients
    examples: tuple[Example, ...]
    fresh: tuple[Right, ...]
    known: dict[int, Expected] = field(default_factory=dict)

    @classmethod
    def of(cls, cell: Cell, library: Library | None = None) -> "Bench":
        """For a cell."""
        library = Library.of(cell) if library is None else library
        fresh = rights(cell, standard(cell, FRESH))
        return cls(library, gradients(cell), tuple(pinned(cell, 0)), fresh)

    def verdict(self, mutant: Mutant) -> Verdict:
        """Kill and diagnose one."""
        kernel = kernel_of(mutant.variant.model)
        killed = self.failures(kernel, first=True) or self.drawn(mutant)
        told = diagnose(self.library.cell, kernel, library=self.library, failed=killed)
        if killed and not told.wrong:  # it is wrong on other examples alone
            told = diagnose(self.library.cell, kernel, failed=killed)
        if killed and not told.explained:
            kernel = kernel_of(mutant.variant.model)  # it may keep something from before
            told = behaviour(self.library, kernel, self.failures(kernel), told)
        row = mutant.deviation
        return Verdict(
            name=mutant.name,
            source=row.source,
            killed=next(iter(killed), ""),
            named=self.named(mutant, told),
            same=not killed and self.changes_nothing(mutant),
            diagnosis=replace(told, causes=tuple(replace(c, model=None) for c in told.causes)),
        )

    def named(self, mutant: Mutant, told: Diagnosis) -> bool:
        """Whether what is said first is the mutant, by its name or by another one."""
        row = mutant.deviation
        if row.side == "sometimes":
            return any(c.only for c in told.causes)
        if row.side == "conduct":
            return any(c.deviation == row.name for c in told.causes)
        first = told.causes[0] if told.causes else None
        if first is None or first.model is None or first.only:
            return False
        return first.deviation == row.name or self.same(first.model, mutant.variant.model)

    def changes_nothing(self, mutant: Mutant) -> bool:
        """Whether its formulas compute what is right, whoever has looked."""
        model = mutant.variant.model
        seen = not model.wrap and model.precision is None
        return seen and self.same(self.library.right, model)

    def same(self, one: Model, other: Model) -> bool:
        """Whether two models compute the same on examples that no diagnosis has used."""
        if (one.precision is None) != (other.precision is None):
            return False
        for right in self.fresh:
            a, b = (quick(model, right.example) for model in (one, other))
            found, expected = {**a.values, **a.grads}, {**b.values, **b.grads}
            noise = {**right.expected.value_bounds, **right.expected.grad_bounds}
            if any(not _close(found[n], expected[n], noise[n]) for n in found):
                return False
        return True

    def drawn(self, mutant: Mutant) -> dict[str, Example]:
        """What `verify run` finds where the pinned examples show nothing."""
        if self.changes_nothing(mutant):
            return {}
        kernel = kernel_of(mutant.variant.model)
        found = run(self.library.cell, kernel, examples=DRAWN).findings
        return {f.property: f.example for f in found[:1]}

    def failures(self, kernel: Kernel, first: bool = False) -> dict[str, Example]:
        """Properties that fail, each with its first example; with `first` only one."""
        found: dict[str, Example] = {}
        for example in self.examples:
            trial = _Shared(kernel, example, self.derived, self.known)
            for row in PROPERTIES:
                if row.name not in found and isinstance(row.judge(trial), Failure):
                    found[row.name] = example
                    if first:
                        return found
        return found


def _close(a: Array, b: Array, noise: Array) -> bool:
    """Equal to half of the digits, or within what rounding may do."""
    with np.errstate(all="ignore"):
        reach = 1e-8 * np.abs(b).max(initial=0.0) + 4 * np.nan_to_num(noise, posinf=0.0)
        return bool(((np.abs(a - b) <= reach) | (np.isnan(a) & np.isnan(b))).all())


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


# A worker's own bench and mutants.
_own: dict[str, tuple[Bench, Sequence[Mutant]]] = {}


def _prepare(cell: Cell, each: int | None) -> None:
    bench = Bench.of(cell)
    _own["bench"] = bench, list(mutants_of(bench.library, each))


def _one(number: int) -> Verdict:
    bench, mutants = _own["bench"]
    return bench.verdict(mutants[number])


def to_text(table: Table) -> str:
    """The kill table as plain text, ending in a newline."""
    lines = []
    for v in table.verdicts:
        causes = v.diagnosis.causes
        said = causes[0].text if causes else "none of the known deviations explains it"
        more = f" (or {len(causes) - 1} more)" if len(causes) > 1 else ""
        lines += [
            v.name,
            f"  source: {v.source}",
            f"  killed by: {v.killed or 'nothing'}",
            f"  diagnosis, {'right' if v.named else 'WRONG'}: {said}{more}",
        ]
    killed, named = (
        sum(bool(v.killed) for v in table.verdicts),
        sum(v.named for v in table.verdicts),
    )
    lines.append(
        f"{table.cell}: {len(table.verdicts)} mutants of {table.rows} kinds, {killed} killed, "
        f"{named} named; {table.same} more change nothing in this cell"
    )
    return "\n".join(lines) + "\n"


def to_json(table: Table) -> str:
    """The same as one JSON document, ending in a newline."""
    rows = [
        {
            "name": v.name,
            "source": v.source,
            "killed": v.killed or None,
            "named": v.named,
            "diagnosis": [c.text for c in v.diagnosis.causes],
        }
        for v in table.verdicts
    ]
    document = {"version": VERSION, "cell": table.cell, "same": table.same, "mutants": rows}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
