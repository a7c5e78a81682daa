"""A kernel with one wrong entry, and the examples of a run of `verify` that look for it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

import derive
from derive.cell import Cell
from derive.gradients import Gradients
from verify.adapters.limits import FULL, Limits
from verify.adapters.restricting import within
from verify.kernels import Array, Arrays, Example, Kernel
from verify.properties import Failure, Property, Trial
from verify.properties.trial import Expected
from verify.runner import DRAWN, PROFILES
from verify.sampling import Enough, generate, pinned

__all__ = ["Defect", "Off", "Run"]


@dataclass(frozen=True)
class Defect:
    """One entry of a parameter's gradient; `place` is from 0 to 1, whatever its size."""

    parameter: str
    place: float

    @classmethod
    def of(cls, cell: Cell, seed: int) -> "Defect":
        """The one of a trial."""
        rng = np.random.default_rng([seed, 7])
        return cls(str(rng.choice([p.name for p in cell.parameters])), float(rng.uniform()))


class Off:
    """A kernel with one entry of a gradient wrong by a relative error.

    Forward runs are kept, since trials at many sizes of error repeat them.
    """

    def __init__(
        self,
        kernel: Kernel,
        defect: Defect,
        error: float,
        kept: dict[Any, Any],
        limits: Limits = FULL,
    ) -> None:
        self.kernel, self.defect, self.error, self.kept = kernel, defect, error, kept
        self.limits = limits

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Array, Arrays, Any]:
        arrays = [*params.values(), x, *(state_0 or {}).values()]
        arrays += [] if lengths is None else [np.asarray(lengths)]
        key = tuple((a.shape, a.dtype.char, a.tobytes()) for a in arrays)
        if key not in self.kept:
            self.kept[key] = self.kernel.forward(params, x, state_0, lengths=lengths)
        y, ends, tape = self.kept[key]
        return y.copy(), {name: end.copy() for name, end in ends.items()}, tape

    def backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> Arrays:
        grads = dict(self.kernel.backward(params, tape, dy, dstate_T))
        wrong = grads[self.defect.parameter].copy()
        wrong.flat[int(self.defect.place * wrong.size)] *= wrong.dtype.type(1 + self.error)
        return grads | {self.defect.parameter: wrong}


class Shared(Trial):
    """A trial whose reference is kept for the next one on the same example."""

    def __init__(
        self, kernel: Kernel, example: Example, derived: Gradients, kept: dict[int, Expected]
    ) -> None:
        super().__init__(kernel, example, derived)
        self.kept = kept

    def reference(self, example: Example | None = None) -> Expected:
        if example is not None and example is not self.example:
            return super().reference(example)
        if id(self.example) not in self.kept:
            self.kept[id(self.example)] = super().reference()
        return self.kept[id(self.example)]


@dataclass(frozen=True)
class Run:
    """The examples of a default run of `verify run`, and which rows judge them."""

    examples: tuple[Example, ...]
    derived: Gradients
    known: dict[int, Expected]

    @classmethod
    def of(
        cls, cell: Cell, seed: int, limits: Limits = FULL, count: int = PROFILES["default"]
    ) -> "Run":
        """Of a cell, with a seed."""
        found: dict[str, Example] = {}

        def visit(example: Example) -> None:
            if len(found) >= count:
                raise Enough
            found.setdefault(example.label, within(limits, example))

        for example in pinned(cell, seed):
            visit(example)
        with suppress(Enough):
            generate(cell, visit, seed, DRAWN * count, shrink=False)
        return cls(tuple(found.values()), derive.backpropagate(cell), {})

    def finds(self, rows: Sequence[Property], kernel: Kernel) -> bool:
        """Whether any row fails on any example, where its turn is as in a run."""
        last = {row.name: -row.every for row in rows}
        for number, example in enumerate(self.examples):
            trial = Shared(kernel, example, self.derived, self.known)
            for row in rows:
                if number - last[row.name] >= row.every:
                    match row.judge(trial):
                        case Failure():
                            return True
                        case None:
                            last[row.name] = number
        return False
