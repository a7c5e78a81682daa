"""Cell -> Gradients: one reverse sweep over one time step, and the recurrence that joins steps.

Reading the result: a cotangent `bar(v)` is dL/dv at time t with everything later accounted for.
`carry(s)` is what arrives at the state s from step t+1 (at t = T: the cotangent of the final state)
and `dy` is the upstream cotangent of the output y_t, which is the first state. The cotangent of
's[t-1]' is the carry of step t-1; at t = 1 it is the gradient of the initial state. Gradients of
parameters are summed over t and over the batch. The cost does not depend on T, n or m.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from derive.cell import Cell, Variable
from derive.expressions import Expr, MatrixSymbol, Name, add, zero
from derive.primitives import PRIMITIVES
from derive.rules import RULES, Primitives, Rule, pull
from derive.single_assignment import Assignment, single_assignment

__all__ = ["Adjoint", "Gradients", "Term", "bar", "carry", "gradients", "upstream"]


def bar(name: Name) -> Name:
    """The cotangent dL/d(name)."""
    return MatrixSymbol(f"bar({name.name})", *name.shape)


def carry(state: Variable) -> Name:
    """The cotangent of a state that arrives from step t+1, or at t = T from outside."""
    return MatrixSymbol(f"carry({state.name})", *state.now.shape)


def upstream(cell: Cell) -> Name:
    """The cotangent of the output y_t that arrives from outside, at every t."""
    return MatrixSymbol("dy", *cell.output.now.shape)


@dataclass(frozen=True)
class Term:
    """One summand of a cotangent: the assignment it came back through, and by which rules.

    `through` is 'dy' or 'carry' for what arrives from outside the step.
    """

    through: str
    value: Expr
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Adjoint:
    """The cotangent of one name: the sum of its terms, one for each use of the name."""

    of: Name
    terms: tuple[Term, ...]

    @property
    def value(self) -> Expr:
        """The sum; zero if nothing reads the name."""
        return add(*(t.value for t in self.terms)) if self.terms else zero(self.of.shape)


@dataclass(frozen=True)
class Gradients:
    """Forward assignments of one step, and the cotangents of everything in it.

    Attributes:
        forward: single assignments, in order of computation.
        backward: cotangents of the assigned names, in reverse order: each reads those before it.
        parameters: summands for one step; the gradient is their sum over t and over the batch.
        inputs: dL/dx_t.
        states: cotangents of the lagged states, which are carried to step t-1.
    """

    cell: Cell
    forward: tuple[Assignment, ...]
    backward: tuple[Adjoint, ...]
    parameters: tuple[Adjoint, ...]
    inputs: tuple[Adjoint, ...]
    states: tuple[Adjoint, ...]


def gradients(
    cell: Cell, rules: tuple[Rule, ...] = RULES, primitives: Primitives = PRIMITIVES
) -> Gradients:
    """Derive back-propagation through time for a cell.

    Args:
        rules, primitives: the tables to use; tests pass broken ones.

    Source: reverse accumulation, Linnainmaa (1976), doi:10.1007/BF01931367; through time, Werbos
        (1990), doi:10.1109/5.58337.
    """
    forward = single_assignment(cell)
    terms: dict[Name, list[Term]] = {a.symbol: [] for a in forward}
    terms[cell.output.now].append(Term("dy", upstream(cell), ()))
    for state in cell.states:
        terms[state.now].append(Term("carry", carry(state), ()))
    backward = []
    for assignment in reversed(forward):
        output = assignment.symbol
        backward.append(Adjoint(output, tuple(terms[output])))
        if not terms[output]:
            continue
        for found in pull(assignment.value, output, bar(output), rules, primitives):
            term = Term(assignment.name, found.value, found.rules)
            terms.setdefault(found.leaf, []).append(term)

    def collected(names: Iterable[Name]) -> tuple[Adjoint, ...]:
        return tuple(Adjoint(name, tuple(terms.get(name, ()))) for name in names)

    return Gradients(
        cell=cell,
        forward=forward,
        backward=tuple(backward),
        parameters=collected(p.now for p in cell.parameters),
        inputs=collected(x.now for x in cell.inputs),
        states=collected(s.before for s in cell.states),
    )
