"""What every part of a file reads: the derived cell, its records, and names in Coq."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from derive.backends.coq.records import Record, records
from derive.backends.coq.writing import ADJOINT, POINT
from derive.cell import Cell
from derive.expressions import MatrixSymbol, Name
from derive.gradients import Adjoint, Gradients, bar, carry, upstream
from derive.language.printing import text_of_expression
from derive.rules import Primitives, Rule
from derive.single_assignment import Assignment

__all__ = ["CURVES", "CURVES_MOVE", "TYPES", "Context"]

# What names stand for in every definition and lemma, unless they say otherwise.
TYPES = "(p dp : par) (x dx : inp) (s ds carry : st) (xs : nat -> inp) (d dv dy : mat)"
# Binders of lemmas about curves.
CURVES = "(p : R -> par) (x : R -> inp) (s : R -> st) z dp dx ds"
CURVES_MOVE = "smooth (p z) (x z) (s z) -> Dp p z dp -> Dx x z dx -> Ds s z ds"


@dataclass(frozen=True)
class Context:
    """A derived cell on its way into Coq.

    Attributes:
        rules, primitives: the tables that it was derived with.
    """

    gradients: Gradients
    rules: tuple[Rule, ...]
    primitives: Primitives

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.gradients.cell

    @cached_property
    def records(self) -> tuple[Record, Record, Record]:
        """Parameters, inputs, states."""
        return records(self.cell)

    @property
    def fields(self) -> str:
        """All fields of all records."""
        return " ".join(r.projections for r in self.records if r.fields)

    def leaves(self) -> Iterator[Name]:
        """Everything that an equation may read."""
        for record in self.records:
            yield from (name for _, name in record.fields)
        yield from (a.symbol for a in self.gradients.forward)

    def at(self, record: str, point: str) -> dict[str, str]:
        """Values of names at a point, where `record` says what stands for each of p, x and s."""
        held = {r.letter: record.format(r.letter) for r in self.records}
        found = {n.name: f"({f} {held[r.letter]})" for r in self.records for f, n in r.fields}
        return found | {a.name: f"(v_{a.name} {point})" for a in self.gradients.forward}

    def moving(self, point: str) -> dict[str, str]:
        """How names move at a point, when parameters, inputs and states move by dp, dx, ds."""
        found = {n.name: f"({f} d{r.letter})" for r in self.records for f, n in r.fields}
        names = {a.name: f"(d_{a.name} {point} dp dx ds)" for a in self.gradients.forward}
        return found | names

    @cached_property
    def values(self) -> dict[str, str]:
        """Values at (p, x, s)."""
        return self.at("{}", POINT)

    @cached_property
    def tangents(self) -> dict[str, str]:
        """Tangents at (p, x, s)."""
        return self.moving(POINT)

    @cached_property
    def cotangents(self) -> dict[str, str]:
        """Values and cotangents at (p, x, s), when dy and carry arrive."""
        found = {bar(a.symbol).name: f"(b_{a.name} {ADJOINT})" for a in self.gradients.forward}
        found |= {carry(s).name: f"(s_{s.name} carry)" for s in self.cell.states}
        return self.values | found | {upstream(self.cell).name: "dy"}

    def said(self, assignment: Assignment) -> str:
        """An equation of the step, for a comment."""
        return f"(* {assignment.name} = {text_of_expression(assignment.value)} *)"

    def reads(self, assignment: Assignment) -> list[str]:
        """The assigned names that an equation reads."""
        own = {a.name for a in self.gradients.forward}
        leaves = assignment.value.atoms(MatrixSymbol)
        return sorted(leaf.name for leaf in leaves if leaf.name in own)

    def reached(self) -> list[Adjoint]:
        """Cotangents to which something contributes, in reverse order; the others are zero."""
        return [a for a in self.gradients.backward if a.terms]
