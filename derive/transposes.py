"""The reverse sweep of a step is the transpose of its differential: one identity, linear in size.

With every tangent dv and every cotangent bar(v) independent,
    sum over assignments v = e of <bar(v), de>  =  sum over names u of <bar(u) - upstream, du>
holds if and only if each assignment's contributions are the transposes of its partial derivatives,
none is missing and none counted twice. Upstream is dy at the output and the carry at each state.
Both sides are numbers: matrices of one entry.
"""

from dataclasses import replace

import sympy as sp

from derive.differentials import tangent
from derive.expressions import Expr, add, constant, matmul, scale, times, transpose
from derive.gradients import Gradients, bar, carry, upstream
from derive.rules import push

__all__ = ["inner", "lost_term", "reverse_sweep"]


def reverse_sweep(gradients: Gradients) -> tuple[Expr, Expr]:
    """Both sides of the identity, for a step of any cell."""
    cell, g = gradients.cell, gradients
    lagged = [s.before for s in cell.states]
    given = [*(v.now for v in (*cell.inputs, *cell.parameters)), *lagged]
    names = [*(a.symbol for a in g.forward), *given]
    tangents = {name: tangent(name) for name in names}
    reached = {a.of for a in g.backward if a.terms}  # the other cotangents are zero
    left = [
        inner(bar(a.symbol), push(a.value, a.symbol, tangents))
        for a in g.forward
        if a.symbol in reached
    ]
    adjoints = (*g.backward, *g.parameters, *g.inputs, *g.states)
    right = [inner(t.value, tangent(a.of)) for a in adjoints for t in a.terms]
    outside = [inner(upstream(cell), tangent(cell.output.now))]
    outside += [inner(carry(s), tangent(s.now)) for s in cell.states]
    return add(*left), add(*right, *(scale(sp.S.NegativeOne, term) for term in outside))


def inner(a: Expr, b: Expr) -> Expr:
    """The sum of a * b over all entries."""
    if a.shape[1] == 1:
        return matmul(transpose(a), b)
    column = constant(sp.S.One, (a.shape[1], sp.S.One))
    row = constant(sp.S.One, (sp.S.One, a.shape[0]))
    return matmul(row, matmul(times(a, b), column))


def lost_term(gradients: Gradients) -> Gradients:
    """The same gradients without the last term of the last carry: a wrong derivation."""
    *kept, last = gradients.states
    spoilt = replace(last, terms=last.terms[:-1])
    return replace(gradients, states=(*kept, spoilt))
