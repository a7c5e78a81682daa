"""An implementation under test, given as an object or by name, and what it is asked."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from derive import zoo
from derive.cell import Cell
from derive.errors import UsageError
from derive.gradients import Gradients, gradients
from verify.adapters.filling import filled
from verify.adapters.limits import FULL, Limits
from verify.adapters.restricting import within
from verify.kernels import Example, Kernel
from verify.loading import ADAPTED, Wanted, load_implementation
from verify.properties import PROPERTIES, Failure, Property, Skip, Trial
from verify.report import Report, example_lines, finding_lines
from verify.runner import finding
from verify.sampling import pinned
from verify.strategies import examples

__all__ = ["Subject", "drawn", "rows_named"]


@dataclass(frozen=True)
class Subject:
    """An implementation of a cell.

    Attributes:
        name: a text that names it in another process; '' if there is none.
    """

    cell: Cell
    kernel: Kernel
    name: str = ""
    convention: str | None = None

    @classmethod
    def of(cls, cell: str | Cell, implementation: Any, convention: str | None = None) -> "Subject":
        """From what a user has at hand.

        Raises:
            UsageError: no such cell or implementation, or it has no forward.
        """
        loaded = zoo.load(cell) if isinstance(cell, str) else cell
        title = cell if isinstance(cell, str) else None
        if isinstance(implementation, str):
            kernel = load_implementation(implementation, cell=title, convention=convention)
            return cls(loaded, kernel, implementation, convention)
        wanted = Wanted(title, convention)
        adapter = next((row for row in ADAPTED if row.fits(implementation)), None)
        kernel = implementation
        if adapter is not None:
            kernel = adapter.adapt(implementation, wanted)
        elif isinstance(implementation, type):
            kernel = implementation()
        if not callable(getattr(kernel, "forward", None)):
            raise UsageError("the implementation has no forward(params, x, state_0, *, lengths)")
        return cls(loaded, filled(kernel), _named(implementation), convention)

    @cached_property
    def derived(self) -> Gradients:
        """The cell's gradients."""
        return gradients(self.cell)

    @property
    def limits(self) -> Limits:
        """What it takes."""
        return getattr(self.kernel, "limits", FULL)

    @cached_property
    def offered(self) -> frozenset[str] | None:
        """The gradients that it gives; None if backward breaks on every common example."""
        for example in pinned(self.cell, 0):
            trial = Trial(self.kernel, within(self.limits, example), self.derived)
            if trial.broken_backward is None:
                return frozenset(trial.base_grads)
        return None

    def missing(self, row: Property) -> str:
        """Why a property is not judged at all; '' if it is."""
        given = callable(getattr(self.kernel, "backward", None))
        return "" if given or row.needs == "forward" else "the implementation has no backward"

    def judge(self, row: Property, example: Example) -> Failure | Skip | None:
        """One property on one example."""
        offered = self.offered if row.needs == "backward" else None
        return row.judge(Trial(self.kernel, example, self.derived, offered))

    def told(self, row: Property, example: Example) -> str:
        """What is wrong, as in a report, with a script that shows it again."""
        found = finding(row, self.kernel, example, self.derived, self.offered)
        options = f" --convention {self.convention}" if self.convention else ""
        report = Report(
            self.cell.name, self.name, "wrong", (found,), (), (), 1, 1, 0, options=options
        )
        return "\n".join([*finding_lines(found), *example_lines(report, found)])


def _named(implementation: Any) -> str:
    """A module by its file, a class by its file and name; an instance has no name."""
    if not isinstance(implementation, ModuleType | type):
        return ""
    try:
        file = inspect.getfile(implementation)
    except (TypeError, OSError):
        return ""
    name = "" if isinstance(implementation, ModuleType) else f":{implementation.__qualname__}"
    return "" if "<" in name or not file.endswith(".py") else f"{file}{name}"


def rows_named(names: Iterable[str] | None) -> list[Property]:
    """Rows of the table of properties; None means all.

    Raises:
        UsageError: there is no such row.
    """
    known = {row.name: row for row in PROPERTIES}
    wanted = list(known if names is None else names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"no property '{unknown[0]}'; there are {', '.join(known)}")
    return [known[name] for name in wanted]


@dataclass(frozen=True, repr=False)
class _Named(Example):
    """An example that shows as what it is, not as its arrays."""

    def __repr__(self) -> str:
        return self.label


def drawn(subject: Subject) -> st.SearchStrategy[Example]:
    """Examples that the subject takes; they shrink to few steps, few rows, small sizes."""
    cell = subject.cell
    wide = examples(cell)
    every = st.one_of(
        wide,
        examples(cell, dtype=np.float32),
        examples(cell, min_steps=7, max_steps=12, max_batch=2),
    )

    def named(example: Example) -> Example:
        found = within(subject.limits, example)
        return _Named(**vars(found))

    return every.map(named)
