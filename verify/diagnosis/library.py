"""What a diagnosis needs that does not depend on the implementation."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from derive.cell import Cell
from verify.adapters.limits import FULL, Limits
from verify.adapters.restricting import within
from verify.deviations.deviation import Deviation
from verify.deviations.model import Model
from verify.deviations.table import DEVIATIONS
from verify.diagnosis.candidates import Candidates
from verify.diagnosis.observing import Right, rights, standard
from verify.kernels import Example
from verify.rounding import Precision

__all__ = ["Library"]


@dataclass(frozen=True)
class Library:
    """What does not depend on the implementation: examples, what is right, candidates."""

    cell: Cell
    examples: tuple[Example, ...]
    rows: tuple[Deviation, ...] = field(default=DEVIATIONS)
    precision: Precision | None = None

    @classmethod
    def of(
        cls,
        cell: Cell,
        extra: Iterable[Example] = (),
        seed: int = 0,
        limits: Limits = FULL,
        precision: Precision | None = None,
    ) -> "Library":
        """With the standard examples, and others, within the limits of an implementation.

        Args:
            precision: what it computes in, if lower than that of the inputs.
        """
        examples = [within(limits, e) for e in (*standard(cell, seed), *extra)]
        return cls(cell, tuple({e.label: e for e in examples}.values()), precision=precision)

    @cached_property
    def right(self) -> Model:
        """The right model."""
        return replace(Model.right(self.cell), precision=self.precision)

    @cached_property
    def rights(self) -> tuple[Right, ...]:
        """The examples with what is right."""
        return rights(self.cell, self.examples, self.precision)

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
