"""Units have no order: which axes must be permuted together, read off the equations.

Axes that meet in a sum, an elementwise product, a function or a matrix product go together. A stack
[h, x] makes an axis of several pieces, so W in W @ [h, x] is permuted piece by piece. Sums over
entries and scalars in every entry are products with ones, which have axes of their own each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import sympy as sp

from derive.cell import Cell
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    LogSumExp,
    MatMul,
    MatrixSymbol,
    Transpose,
    coefficient,
    parts_of,
)
from verify.kernels import Array, Arrays, Example, sizes_of

__all__ = ["Layouts", "Permutation", "axes_of", "permutation"]


@dataclass(eq=False)
class _Axis:
    """One axis; `pieces` if it is a stack; axes that go together share a root."""

    size: sp.Expr
    pieces: "tuple[_Axis, ...] | None" = None
    same: "_Axis | None" = None
    frozen: bool = False

    def root(self) -> "_Axis":
        node = self
        while node.same is not None:
            node = node.same
        return node


_Axes = tuple[_Axis, _Axis]
Layouts = Mapping[str, tuple[tuple[_Axis, ...], ...]]


@cache
def axes_of(cell: Cell) -> Layouts:
    """For each input, state and parameter: each axis of its shape as the pieces it is made of."""
    variables = (*cell.inputs, *cell.states, *cell.parameters)
    known: dict[str, _Axes] = {}
    for variable in variables:
        rows, columns = variable.now.shape
        known[variable.now.name] = (_Axis(rows), _Axis(columns))
    known |= {s.before.name: known[s.name] for s in cell.states}
    for equation in cell.equations:
        axes = _walk(equation.value, known)
        if equation.name in known:
            for own, found in zip(known[equation.name], axes, strict=True):
                _join(own, found)
        else:
            known[equation.name] = axes
    return {v.name: tuple(_leaves(a) for a in known[v.name][: len(v.shape)]) for v in variables}


def _walk(expr: Expr, known: Mapping[str, _Axes]) -> _Axes:
    _, rest = coefficient(expr)
    match rest:
        case MatrixSymbol():
            return known[rest.name]
        case Transpose():
            rows, columns = _walk(rest.args[0], known)
            return columns, rows
        case MatMul():
            left, right = (_walk(a, known) for a in rest.args)
            _join(left[1], right[0])
            return left[0], right[1]
        case BlockMatrix():
            parts = [_walk(part, known) for part in parts_of(rest)]
            stacked = _Axis(rest.shape[0], tuple(p[0] for p in parts))
            return stacked, parts[0][1]
        case Apply():
            return _walk(rest.argument, known)
        case LogSumExp():
            _walk(rest.argument, known)
            return _Axis(sp.S.One), _Axis(sp.S.One)
    axes = (_Axis(rest.shape[0]), _Axis(rest.shape[1]))
    for arg in rest.args:
        if getattr(arg, "is_Matrix", False):
            found = _walk(arg, known)
            _join(axes[0], found[0])
            _join(axes[1], found[1])
    return axes


def _join(a: _Axis, b: _Axis) -> None:
    """The two axes are permuted alike; if their pieces do not match, not at all."""
    a, b = a.root(), b.root()
    if a is b:
        return
    if a.pieces is None or b.pieces is None:
        first, second = (a, b) if a.pieces is None else (b, a)
        if any(piece is first for piece in _leaves(second)):
            _freeze(second)
            return
        first.same, second.frozen = second, second.frozen or first.frozen
        if second.frozen:
            _freeze(second)
        return
    if [p.root().size for p in a.pieces] != [p.root().size for p in b.pieces]:
        _freeze(a)
        _freeze(b)
        return
    for left, right in zip(a.pieces, b.pieces, strict=True):
        _join(left, right)


def _freeze(axis: _Axis) -> None:
    for leaf in _leaves(axis):
        leaf.frozen = True


def _leaves(axis: _Axis) -> tuple[_Axis, ...]:
    axis = axis.root()
    if axis.pieces is None:
        return (axis,)
    return tuple(leaf for piece in axis.pieces for leaf in _leaves(piece))


@dataclass(frozen=True)
class Permutation:
    """An order of the entries along each axis of each variable."""

    orders: Mapping[str, tuple[Array, ...]]

    def of(self, name: str, array: Array, leading: int = 0) -> Array:
        """`array` with its last axes permuted as those of `name`; `leading` axes stay."""
        for place, order in enumerate(self.orders[name]):
            array = np.take(array, order, axis=leading + place)
        return array

    def example(self, example: Example) -> Example:
        """The same network with its units in another order."""
        output = example.cell.output.name
        return replace(
            example,
            params={n: self.of(n, a) for n, a in example.params.items()},
            inputs={n: self.of(n, a, 2) for n, a in example.inputs.items()},
            state_0=self._states(example.state_0),
            dy=None if example.dy is None else self.of(output, example.dy, 2),
            dstate_T=self._states(example.dstate_T),
        )

    def _states(self, arrays: Arrays | None) -> Arrays | None:
        return None if arrays is None else {n: self.of(n, a, 1) for n, a in arrays.items()}


def permutation(example: Example) -> Permutation | None:
    """A permutation that moves every axis that is free to move; None if none is."""
    layouts, sizes = axes_of(example.cell), sizes_of(example)
    orders: dict[_Axis, Array] = {}
    names: dict[str, tuple[Array, ...]] = {}
    for name, axes in layouts.items():
        names[name] = tuple(_order(pieces, sizes, orders) for pieces in axes)
    if all(np.array_equal(order, np.arange(len(order))) for order in orders.values()):
        return None
    return Permutation(names)


def _order(
    pieces: tuple[_Axis, ...], sizes: Mapping[sp.Symbol, int], orders: dict[_Axis, Array]
) -> Array:
    start, found = 0, []
    for piece in pieces:
        size = int(sp.sympify(piece.size).subs(dict(sizes)))
        if piece not in orders:
            order = np.arange(size)
            orders[piece] = order if piece.frozen else np.roll(order, 1)
        found.append(start + orders[piece])
        start += size
    return np.concatenate(found)
