"""The paths by which a state reaches its own next value entry by entry, derived forward in time.

With every parameter that is a factor of a matrix product with something read from a lagged state
set to zero, each unit lives on its own: the Jacobian of one step is made of diagonals, and of
columns where a scalar is read, and the gradient of an initial state is their product over time.
They come from tangents, so they share nothing with the derived backward pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from derive.cell import Cell, Variable
from derive.evaluate import Numbers, evaluate, lagged, run_step
from derive.expressions import (
    Expr,
    MatMul,
    MatrixSymbol,
    Name,
    Shape,
    Transpose,
    ZeroMatrix,
    zero,
)
from derive.rules import RULES, Primitives, Rule, Tangent, push
from derive.single_assignment import Assignment, single_assignment
from verify.kernels import Array, Example, as_array, as_value, columns_of, sizes_of

__all__ = ["Paths", "path_product", "paths_of", "silenced"]

# The tangent of what reads other entries of the state that moves than its own; no cell's name.
MIXED = "(mixed)"

# Rules of nodes that do more than act on each entry in its place.
MIXING = frozenset({"matrix product", "log-sum-exp", "transpose", "stack"})


@dataclass(frozen=True)
class Paths:
    """What one step passes on entry by entry.

    Attributes:
        silent: parameters that are a factor of a matrix product with something read from a lagged
            state.
        tangents: for each state s, the differentials of the step's names when s[t-1] moves by one
            in every entry and silent parameters are zero; names without one are fixed, or read
            other entries than their own.
        followed: states that nothing reaches but by such paths, from states that are followed.
        memories: followed states that reach their own next value.
    """

    forward: tuple[Assignment, ...]
    silent: frozenset[str]
    tangents: Mapping[str, tuple[tuple[str, Expr], ...]]
    followed: tuple[str, ...]
    memories: tuple[str, ...]


@cache
def paths_of(cell: Cell) -> Paths:
    """The elementwise paths of one step."""
    forward = single_assignment(cell)
    silent = _silent(cell, forward)
    tangents = {s.name: dict(_tangents(forward, s.before, silent)) for s in cell.states}
    followed = _followed(tangents)
    return Paths(
        forward=forward,
        silent=silent,
        tangents={
            name: tuple((n, v) for n, v in moved.items() if not _mixed(v))
            for name, moved in tangents.items()
        },
        followed=followed,
        memories=tuple(name for name in followed if name in tangents[name]),
    )


def _silent(cell: Cell, forward: tuple[Assignment, ...]) -> frozenset[str]:
    parameters = {p.now for p in cell.parameters}
    reads = {s.before for s in cell.states}
    silent = set()
    for assignment in forward:
        value = assignment.value
        for product in value.atoms(MatMul):
            left, right = (_named(factor) for factor in product.args[-2:])
            pairs = ((left, right), (right, left))
            silent |= {one.name for one, other in pairs if one in parameters and other in reads}
        if reads & value.atoms(MatrixSymbol):
            reads.add(assignment.symbol)
    return frozenset(silent)


def _named(factor: Expr) -> Expr:
    return factor.args[0] if isinstance(factor, Transpose) else factor


def _tangents(
    forward: tuple[Assignment, ...], moved: Name, silent: frozenset[str]
) -> Iterator[tuple[str, Expr]]:
    """Differentials by name; the tangent of a name is called d(name)."""
    rules = tuple(_beside(r, moved, silent) if r.name in MIXING else r for r in RULES)
    known: dict[Expr, Expr] = {moved: _moved(moved)}
    for assignment in forward:
        value = push(assignment.value, assignment.symbol, known, rules)
        if not isinstance(value, ZeroMatrix):
            symbol = assignment.symbol
            known[symbol] = _mix(symbol.shape) if _mixed(value) else _moved(symbol)
            yield assignment.name, value


def _beside(rule: Rule, moved: Name, silent: frozenset[str]) -> Rule:
    """The rule with silent parameters zero, which marks what mixes entries of the name that moves.

    A scalar moves in one direction only, so its differential is all of its Jacobian.
    """

    def forward(e: Expr, y: Expr, d: Tangent, p: Primitives) -> Expr:
        if any(getattr(_named(arg), "name", "") in silent for arg in e.args):
            return zero(e.shape)
        value = rule.forward(e, y, d, p)
        exact = isinstance(value, ZeroMatrix) or moved.shape == (1, 1)
        return value if exact else _mix(e.shape)

    return replace(rule, forward=forward)


def _followed(tangents: Mapping[str, Mapping[str, Expr]]) -> tuple[str, ...]:
    """The states that no state reaches in a mixed way, nor one that is not followed at all."""
    followed = set(tangents)
    while lost := {
        name
        for name in followed
        for source, moved in tangents.items()
        if name in moved and (source not in followed or _mixed(moved[name]))
    }:
        followed -= lost
    return tuple(name for name in tangents if name in followed)


def _moved(name: Name) -> Name:
    return MatrixSymbol(f"d({name.name})", *name.shape)


def _mix(shape: Shape) -> Name:
    return MatrixSymbol(MIXED, *shape)


def _mixed(value: Expr) -> bool:
    return any(leaf.name == MIXED for leaf in value.atoms(MatrixSymbol))


def silenced(example: Example, paths: Paths) -> Example:
    """The example with silent parameters zero, and cotangents on followed final states alone."""
    params = {n: np.zeros_like(a) if n in paths.silent else a for n, a in example.params.items()}
    dstate_T = {
        n: a if n in paths.followed else np.zeros_like(a)
        for n, a in (example.dstate_T or {}).items()
    }
    return replace(example, params=params, dy=None, dstate_T=dstate_T)


def path_product(example: Example, paths: Paths) -> dict[str, Array]:
    """Gradients of initial states of a silenced example: cotangents times the path's factors.

    Returns:
        By name with '_0', shaped as the states, in long double.
    """
    with np.errstate(all="ignore"):
        return _path_product(example, paths)


def _path_product(example: Example, paths: Paths) -> dict[str, Array]:
    cell, sizes = example.cell, sizes_of(example)
    field = Numbers(np.longdouble)
    params = {p.name: _wide(example.params[p.name], p) for p in cell.parameters}
    nothing = {s.name: np.zeros((example.batch, *columns_of(s, sizes))) for s in cell.states}
    carried, states = dict(nothing), dict(nothing)
    for state in cell.states:
        for given, found in ((example.dstate_T, carried), (example.state_0, states)):
            if given is not None and state.name in given:
                found[state.name] = _wide(given[state.name], state)
    ends = np.full(example.batch, example.steps) if example.lengths is None else example.lengths
    steps = []
    for t in range(example.steps):
        lives = (t < np.asarray(ends))[:, None, None]
        now = {
            v.name: np.where(lives, _wide(example.inputs[v.name][t], v), 0.0) for v in cell.inputs
        }
        known = run_step(paths.forward, {**params, **now, **lagged(states)}, sizes, field)
        steps.append((lives, known))
        states = {n: np.where(lives, known[n], old) for n, old in states.items()}
    for lives, known in reversed(steps):
        earlier = {}
        for state in cell.states:
            here = carried[state.name]
            moved = dict(known) | {_moved(state.before).name: np.ones_like(here)}
            reached = np.zeros_like(here)
            for name, value in paths.tangents[state.name]:
                moved[f"d({name})"] = evaluate(value, moved, sizes, field)
                if name in carried:
                    back = moved[f"d({name})"] * carried[name]
                    scalar = state.before.shape == (1, 1)
                    reached = reached + (back.sum((-2, -1), keepdims=True) if scalar else back)
            earlier[state.name] = np.where(lives, reached, here)
        carried = earlier
    return {f"{s.name}_0": as_array(carried[s.name], s) for s in cell.states}


def _wide(array: Array, variable: Variable) -> Array:
    return as_value(np.asarray(array, np.longdouble), variable)
