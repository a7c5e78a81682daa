"""Exchange of units: whether every operation treats the entries of an axis alike.

An axis is a sequence of parts, each of a size that a declaration names; a stack has several.
"""

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derive.cell import Variable, lag
from derive.evaluate import Array, Numbers, Sizes, run_step, whole
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
)
from derive.gradients import Gradients
from derive.theorems.row import Fact

__all__ = ["units"]

_Parts = tuple[sp.Expr, ...]
_Both = tuple[_Parts | None, _Parts | None]  # of rows and columns
Arrays = Mapping[str, Array]


class _MismatchError(Exception):
    """Two axes of one length are made of different parts."""


class _Axes:
    """The parts of every axis; an axis of a parameter takes those that it first meets."""

    def __init__(self, gradients: Gradients) -> None:
        cell = gradients.cell
        self.parts: dict[tuple[str, int], _Parts | None] = {}
        for variable in (*cell.inputs, *cell.states):
            for name in (variable.name, lag(variable.name)):
                for axis, size in enumerate(variable.now.shape):
                    self.parts[name, axis] = (size,)
        for parameter in cell.parameters:
            for axis, size in enumerate(parameter.now.shape):
                self.parts[parameter.name, axis] = (size,) if size.is_Symbol or size == 1 else None
        self.changed = True

    def both(self, expr: Expr, expected: _Both) -> _Both:
        """The parts of both axes of an expression, where they are known or expected."""
        rest = coefficient(expr)[1]
        match rest:
            case MatrixSymbol():
                rows, columns = (self.met(rest.name, k, e) for k, e in enumerate(expected))
                return rows, columns
            case OneMatrix() | ZeroMatrix():
                return expected
            case Transpose():
                return self.both(rest.args[0], expected[::-1])[::-1]
            case MatMul():
                left, right = rest.args
                rows, inner = self.both(left, (expected[0], None))
                inner, columns = self.both(right, (inner, expected[1]))
                rows, _ = self.both(left, (expected[0], inner))
                return rows, columns
            case MatAdd() | HadamardProduct():
                known = expected
                for _ in range(2):
                    for arg in rest.args:
                        known = _joined(known, self.both(arg, known))
                return known
            case HadamardPower():
                return self.both(rest.args[0], expected)
            case Apply():
                return self.both(rest.argument, expected)
            case LogSumExp():
                self.both(rest.argument, (None, None))
                return ((sp.S.One,), (sp.S.One,))
            case BlockMatrix():
                together: list[sp.Expr] = []
                for piece in parts_of(rest):
                    own, _ = self.both(piece, (None, expected[1]))
                    if own is None:
                        return expected
                    together += own
                return _joined(expected, (tuple(together), expected[1]))
        raise _MismatchError(f"{type(rest).__name__} is not known here")

    def met(self, name: str, axis: int, expected: _Parts | None) -> _Parts | None:
        """What is known of an axis of a name, with what is expected there."""
        known = _one(self.parts.get((name, axis)), expected, name)
        if known != self.parts.get((name, axis)):
            self.parts[name, axis] = known
            self.changed = True
        return known


def _joined(a: _Both, b: _Both) -> _Both:
    rows, columns = (_one(x, y, "a sum or product") for x, y in zip(a, b, strict=True))
    return rows, columns


def _one(a: _Parts | None, b: _Parts | None, where: str) -> _Parts | None:
    if a is None or b is None or a == b:
        return b if a is None else a
    if sp.S.One in (*a, *b) and len(a) == len(b) == 1:
        return a if b == (sp.S.One,) else b
    shown = (f"[{', '.join(map(str, parts))}]" for parts in (a, b))
    raise _MismatchError(f"{where} has parts {' and '.join(shown)}")


def units(gradients: Gradients) -> list[Fact]:
    """Units exchanged in every array that has their axis: results are exchanged alike."""
    cell, axes = gradients.cell, _Axes(gradients)
    sizes = sorted({d for s in cell.states for n in s.shape for d in n.free_symbols}, key=str)
    holds, reason = True, "every operation treats the entries of an axis alike, and stacks have "
    reason += "the same parts wherever they meet"
    for _ in range(len(gradients.forward) + 2):
        axes.changed = False
        for assignment in gradients.forward:
            first, second = (axes.parts.get((assignment.name, k)) for k in (0, 1))
            try:
                found = axes.both(assignment.value, (first, second))
                for k in (0, 1):
                    axes.met(assignment.name, k, found[k])
            except _MismatchError as error:  # others still say what parameters are made of
                holds, reason = False, str(error)
        if not axes.changed:
            break
    example = "" if holds else _exchanged(gradients, axes)
    names = ", ".join(map(str, sizes)) or "fixed size"
    return [
        Fact(
            text=f"units of {names} exchanged in every array that has their axis exchange the "
            "results alike",
            latex=r"F(P\theta, Px, Ps) = P\,F(\theta, x, s)",
            holds=holds if holds or example else None,
            reasons=(reason,),
            remainder=() if holds else (reason,),
            example=example,
        )
    ]


def _exchanged(gradients: Gradients, axes: _Axes) -> str:
    """Numbers for which a step with units exchanged is not the exchanged step."""
    cell = gradients.cell
    dims = cell.dimensions
    for moved in dims:
        sizes = {d: 2 + (d != moved) for d in dims}
        random = np.random.default_rng(0)
        given = {
            v.name: random.integers(-4, 5, [whole(s, sizes) for s in v.shape]) / 4
            for v in (*(x.now for x in cell.inputs), *(p.now for p in cell.parameters))
        }
        given |= {
            lag(s.name): random.integers(-4, 5, [whole(n, sizes) for n in s.now.shape]) / 4
            for s in cell.states
        }
        turned = {n: _turned(a, n, axes, sizes, moved) for n, a in given.items()}
        plain = run_step(gradients.forward, given, sizes, Numbers())
        other = run_step(gradients.forward, turned, sizes, Numbers())
        for state in cell.states:
            found = _compared(state, plain, other, axes, sizes, moved)
            if found:
                said = ", ".join(f"{d} = {size}" for d, size in sizes.items())
                return f"{said}; the units of {moved} in reverse order: {found}"
    return ""


def _compared(
    state: Variable,
    plain: Arrays,
    other: Arrays,
    axes: _Axes,
    sizes: Sizes,
    moved: sp.Symbol,
) -> str:
    expected = _turned(plain[state.name], state.name, axes, sizes, moved)
    place = np.unravel_index(np.argmax(np.abs(expected - other[state.name])), expected.shape)
    left, right = float(other[state.name][place]), float(expected[place])
    text = f"left {left:.6g}, right {right:.6g} in an entry of {state.name}_t"
    return text if abs(left - right) > 0.01 else ""


def _turned(array: Array, name: str, axes: _Axes, sizes: Sizes, moved: sp.Symbol) -> Array:
    """An array with the units of one size in reverse order, part by part."""
    for axis in (0, 1):
        start = 0
        for size in axes.parts.get((name, axis)) or ():
            length = whole(size, sizes)
            if size == moved:
                index = [slice(None), slice(None)]
                index[axis] = slice(start, start + length)
                array = array.copy()
                array[tuple(index)] = np.flip(array[tuple(index)], axis)
            start += length
    return array
