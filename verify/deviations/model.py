"""What an implementation may be: formulas of forward and backward, and everything around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from derive.cell import Cell
from derive.evaluate import Sizes
from derive.gradients import Gradients, bar, gradients
from derive.single_assignment import Assignment, single_assignment
from verify.deviations.programs import Program, program
from verify.kernels import Array, Example, Kernel
from verify.recurrence import Field
from verify.rounding import Precision

__all__ = ["Model", "Results", "States", "Step", "Steps", "Value"]

Value = Any
Step = dict[str, Value]
Steps = list[Step]
States = dict[str, Value]
# A gradient, or an output, is a list of values: one, or one for each step.
Results = dict[str, list[Value]]

Given = Callable[[Example], Example]
Starting = Callable[[Field, int, States, States], States]
Ending = Callable[[Field, States], States]
Carrying = Callable[[Field, int, int, States], States]
Summing = Callable[[Field, str, Sequence[Value], Array], list[Value]]
Keeping = Callable[[Field, Steps, Sizes], Steps]
Finishing = Callable[[Field, Example, Results], Results]
Leaving = Callable[[Field, Steps, Array, States], States]


@dataclass(frozen=True)
class Programs:
    """Backward's formulas by name, as programs: cotangents, gradients, carries."""

    inner: list[tuple[str, Program]]
    given: list[tuple[str, Program]]
    carried: list[tuple[str, Program]]


@lru_cache(maxsize=512)
def _assigned(cell: Cell) -> tuple[Assignment, ...]:
    return single_assignment(cell)


@lru_cache(maxsize=512)
def _derived(cell: Cell) -> Gradients:
    return gradients(cell)


@dataclass(frozen=True)
class Model:
    """An implementation of a cell's contract, right or wrong, that any arithmetic can run.

    Attributes:
        cell: whose contract it has.
        equations: what forward computes; it has the inputs, states and parameters of `cell`.
        formulas: of backward, if they are not what is derived from `equations`.
        given: changes of what forward and backward are given.
        upstream: changes of what backward alone is given: dy, dstate_T, lengths.
        starting: (field, t, states at t-1, initial states) -> the states that step t reads.
        ending: changes of the states that a step gives.
        values: changes of outputs ('y') and final states ('C_T').
        leaving: (field, what each step knows, which steps live, final states) -> final states.
        shows: the value of a step that is y, if it is not the output.
        early: the states whose initial gradient is what arrives at the first step, as 'h', or the
            cotangent of that step's own state, as 'bar(h)'.
        holds: whether a row's states stay as they are beyond its end.
        tape: changes of what forward kept for backward, step by step.
        carrying: (field, t, T, cotangents that arrive at step t from t+1) -> the same, changed.
        summing: (field, parameter, one summand for each step, which steps live) -> summands whose
            sum over steps and batch is the gradient.
        finishing: changes of the gradients.
        precision: of the arithmetic, if it is coarser than that of the inputs.
        wrap: changes of the kernel as a Python object, which no arithmetic sees.
    """

    cell: Cell
    equations: Cell
    formulas: Gradients | None = None
    given: tuple[Given, ...] = ()
    upstream: tuple[Given, ...] = ()
    starting: tuple[Starting, ...] = ()
    ending: tuple[Ending, ...] = ()
    values: tuple[Finishing, ...] = ()
    leaving: tuple[Leaving, ...] = ()
    shows: str = ""
    early: frozenset[str] = frozenset()
    holds: bool = True
    tape: tuple[Keeping, ...] = ()
    carrying: tuple[Carrying, ...] = ()
    summing: tuple[Summing, ...] = ()
    finishing: tuple[Finishing, ...] = ()
    precision: Precision | None = None
    wrap: tuple[Callable[[Kernel], Kernel], ...] = field(default=())

    @classmethod
    def right(cls, cell: Cell) -> "Model":
        """The implementation that is right."""
        return cls(cell, cell)

    @property
    def forward(self) -> tuple[Assignment, ...]:
        """Assignments of one step."""
        return _assigned(self.equations)

    @property
    def derived(self) -> Gradients:
        """The formulas of backward."""
        return _derived(self.equations) if self.formulas is None else self.formulas

    @cached_property
    def programs(self) -> "Programs":
        """The formulas of backward as programs."""
        g = self.derived
        inner = [(bar(a.of).name, program(a.value)) for a in g.backward]
        given = [(a.of.name, program(a.value)) for a in (*g.parameters, *g.inputs)]
        return Programs(inner, given, [(a.of.name, program(a.value)) for a in g.states])

    def runs_forward_as(self, other: "Model") -> bool:
        """Whether forward is surely that of another model."""
        names = ("equations", "given", "starting", "ending", "values", "leaving", "precision")
        same = all(getattr(self, n) is getattr(other, n) for n in names)
        return same and (self.holds, self.shows) == (other.holds, other.shows)

    def sweeps_as(self, other: "Model") -> bool:
        """Whether all of it but sums and what is done to gradients after is that of another."""
        names = ("formulas", "upstream", "tape", "carrying")
        same = all(getattr(self, n) is getattr(other, n) for n in names)
        return same and self.runs_forward_as(other)

    @property
    def consistent(self) -> bool:
        """Whether its gradients are surely those of its own forward: nothing but equations."""
        hooks = (
            *(self.given, self.upstream, self.starting, self.ending, self.values, self.tape),
            *(self.carrying, self.summing, self.finishing, self.leaving),
        )
        plain = self.holds and not self.shows and not self.early
        return self.formulas is None and plain and not any(hooks)
