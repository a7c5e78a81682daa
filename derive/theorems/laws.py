"""Laws of one step that hold for any number of steps, sequences and units; read off the equations.

They are what tests of a kernel rely on: chaining, padding, independence of sequences. A step that
reads what it may not breaks them.
"""

from dataclasses import replace

import numpy as np
import sympy as sp

from derive.cell import lag
from derive.evaluate import Array, Numbers, run_step, whole
from derive.expressions import (
    Apply,
    BlockMatrix,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
)
from derive.gradients import Gradients
from derive.single_assignment import Assignment
from derive.theorems.row import Fact

__all__ = ["chaining", "padding", "reads_two_back", "sequences"]

_KINDS = (
    Apply,
    BlockMatrix,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    sp.ImmutableDenseMatrix,  # what a stack keeps its parts in
)


def _foreign(gradients: Gradients) -> tuple[str, ...]:
    """Names that a step reads and that are no input, parameter, last state or earlier name."""
    cell = gradients.cell
    known = {v.name for v in (*cell.inputs, *cell.parameters)}
    known |= {lag(s.name) for s in cell.states}
    found: list[str] = []
    for assignment in gradients.forward:
        found += sorted({n.name for n in assignment.value.atoms(MatrixSymbol)} - known)
        known.add(assignment.name)
    return tuple(dict.fromkeys(found))


def _law(gradients: Gradients, text: str, latex: str, reason: str) -> list[Fact]:
    foreign = _foreign(gradients)
    reads = ", ".join(lag(s.name) for s in gradients.cell.states)
    reasons = (f"the step reads its input, parameters and {reads} alone: {reason}",)
    if foreign:
        reasons = (f"the step reads {', '.join(foreign)} too",)
    return [
        Fact(
            text,
            latex,
            not foreign,
            reasons,
            remainder=tuple(f"reads {name}" for name in foreign),
            example=_moved_by(gradients, foreign[0]) if foreign else "",
        )
    ]


def _moved_by(gradients: Gradients, name: str) -> str:
    """The output with the foreign name at 0 and at 1, everything else at 1/2."""
    sizes = dict.fromkeys(gradients.cell.dimensions, 1)
    assigned = {a.name for a in gradients.forward}
    leaves = {n for a in gradients.forward for n in a.value.atoms(MatrixSymbol)}
    values: dict[str, Array] = {
        n.name: np.full([whole(s, sizes) for s in n.shape], 0.5)
        for n in leaves
        if n.name not in assigned
    }
    found = []
    for value in (0.0, 1.0):
        given = {**values, name: np.full_like(values[name], value)}
        done = run_step(gradients.forward, given, sizes, Numbers())
        found.append(max(float(done[s.name].ravel()[0]) for s in gradients.cell.states))
    return f"{name} = 0 and {name} = 1, all else 0.5: left {found[0]:.6g}, right {found[1]:.6g}"


def chaining(gradients: Gradients) -> list[Fact]:
    """T steps are S steps and then T - S, from the states in between."""
    names = ", ".join(s.name for s in gradients.cell.states)
    return _law(
        gradients,
        f"T steps are S steps and T - S more from {names} at S, for every S",
        r"F_{T}(s_0) = F_{T-S}(F_{S}(s_0))",
        "nothing else joins the two parts",
    )


def padding(gradients: Gradients) -> list[Fact]:
    """A sequence whose states are held past its end is the shorter sequence."""
    return _law(
        gradients,
        "states held past a sequence's end, with no loss there: all results are those of the "
        "shorter sequence",
        r"s_t = s_L \text{ for } t > L \;\Rightarrow\; \nabla \text{ as for } T = L",
        "no later step reads what stands in the padding, and a held state carries back the "
        "identity",
    )


def sequences(gradients: Gradients) -> list[Fact]:
    """A sequence of a batch does not feel the others; parameters' gradients add up."""
    (law,) = _law(
        gradients,
        "a batch is its sequences, each by itself; gradients of parameters are their sums",
        r"F(x^{(1)}, \ldots, x^{(B)}) = (F(x^{(1)}), \ldots, F(x^{(B)}))",
        "no operation of the equations has an axis of sequences",
    )
    strange = {
        type(node).__name__
        for a in gradients.forward
        for node in sp.preorder_traversal(a.value)
        if getattr(node, "is_Matrix", False)
        and not isinstance(node, _KINDS)
        and isinstance(node, sp.MatrixExpr)
    }
    return [replace(law, holds=None)] if law.holds and strange else [law]


def reads_two_back(gradients: Gradients) -> Gradients:
    """The same with the output of two steps back added to it: a wrong step."""
    *kept, last = gradients.forward
    two = MatrixSymbol(lag(last.name, 2), *last.value.shape)
    spoilt = Assignment(last.name, MatAdd(last.value, two), last.equation)
    return replace(gradients, forward=(*kept, spoilt))
