"""The elementwise paths by which a state reaches its own next value, derived forward in time.

With every matrix that multiplies something read from a lagged state set to zero, each unit lives on
its own: the Jacobian of one step is made of diagonals, and the gradient of an initial state is
their product over time. Diagonals come from tangents, so they share nothing with the derived
backward pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from derive.cell import Cell
from derive.evaluate import Numbers, evaluate, lagged, run_step
from derive.expressions import Expr, MatMul, MatrixSymbol, Name, Transpose, ZeroMatrix, zero
from derive.rules import RULES, push
from derive.single_assignment import Assignment, single_assignment
from verify.kernels import Array, Arrays, Example, sizes_of

__all__ = ["Paths", "path_product", "paths_of", "silenced"]


@dataclass(frozen=True)
class Paths:
    """What one step passes on entry by entry.

    Attributes:
        matrices: parameters that multiply something read from a lagged state.
        tangents: for each state s, the differentials of the step's names when s[t-1] moves by one
            in every entry and no matrix product passes anything on; names without one are fixed.
        memories: states that reach their own next value this way.
    """

    forward: tuple[Assignment, ...]
    matrices: frozenset[str]
    tangents: Mapping[str, tuple[tuple[str, Expr], ...]]
    memories: tuple[str, ...]


@cache
def paths_of(cell: Cell) -> Paths:
    """The elementwise paths of one step."""
    forward = single_assignment(cell)
    tangents = {s.name: _tangents(forward, s.before) for s in cell.states}
    return Paths(
        forward=forward,
        matrices=_matrices(cell, forward),
        tangents=tangents,
        memories=tuple(s for s, moved in tangents.items() if s in dict(moved)),
    )


def _matrices(cell: Cell, forward: tuple[Assignment, ...]) -> frozenset[str]:
    reads = {s.before for s in cell.states}
    matrices = set()
    for assignment in forward:
        value = assignment.value
        for product in value.atoms(MatMul):
            matrix, vector = product.args[-2:]
            if matrix.is_Matrix and vector in reads:
                matrices.add((matrix.args[0] if isinstance(matrix, Transpose) else matrix).name)
        if reads & value.atoms(MatrixSymbol):
            reads.add(assignment.symbol)
    return frozenset(matrices)


def _tangents(forward: tuple[Assignment, ...], moved: Name) -> tuple[tuple[str, Expr], ...]:
    """Differentials by name; the tangent of a name is called d(name)."""
    alone = tuple(
        replace(r, forward=lambda e, y, d, p: zero(e.shape)) if r.name == "matrix product" else r
        for r in RULES
    )
    known: dict[Expr, Expr] = {moved: _moved(moved)}
    found = []
    for assignment in forward:
        value = push(assignment.value, assignment.symbol, known, alone)
        if not isinstance(value, ZeroMatrix):
            known[assignment.symbol] = _moved(assignment.symbol)
            found.append((assignment.name, value))
    return tuple(found)


def _moved(name: Name) -> Name:
    return MatrixSymbol(f"d({name.name})", *name.shape)


def silenced(example: Example, paths: Paths) -> Example:
    """The example with those matrices zero, and cotangents on final states alone."""
    params = {n: np.zeros_like(a) if n in paths.matrices else a for n, a in example.params.items()}
    return replace(example, params=params, dy=None)


def _column(array: Array) -> Array:
    return np.asarray(array, np.longdouble)[..., None]


def path_product(example: Example, paths: Paths) -> dict[str, Array]:
    """Gradients of initial states of a silenced example: cotangents times the path's factors.

    Returns:
        (B, n) by name with '_0', in long double.
    """
    cell, sizes = example.cell, sizes_of(example)
    field = Numbers(np.longdouble)
    params = {n: _column(a) if a.ndim == 1 else a for n, a in example.params.items()}
    dstate_T: Arrays = example.dstate_T or {}
    carried = {s.name: _column(dstate_T[s.name]) for s in cell.states}
    state_0 = example.state_0 or {n: np.zeros_like(a) for n, a in dstate_T.items()}
    states, steps = {n: _column(a) for n, a in state_0.items()}, []
    ends = np.full(example.batch, example.steps) if example.lengths is None else example.lengths
    for t in range(example.steps):
        lives = (t < np.asarray(ends))[:, None, None]
        now = {n: np.where(lives, _column(a[t]), 0.0) for n, a in example.inputs.items()}
        known = run_step(paths.forward, {**params, **now, **lagged(states)}, sizes, field)
        steps.append((lives, known))
        states = {n: np.where(lives, known[n], old) for n, old in states.items()}
    for lives, known in reversed(steps):
        earlier = {}
        for state in cell.states:
            moved = dict(known) | {f"d({state.before.name})": np.ones_like(carried[state.name])}
            reached = np.zeros_like(carried[state.name])
            for name, value in paths.tangents[state.name]:
                moved[f"d({name})"] = evaluate(value, moved, sizes, field)
                if name in carried:
                    reached = reached + moved[f"d({name})"] * carried[name]
            earlier[state.name] = np.where(lives, reached, carried[state.name])
        carried = earlier
    return {f"{n}_0": a[..., 0] for n, a in carried.items()}
