"""Deciding whether two matrix expressions are equal for every n and m.

An expression becomes its general entry: a polynomial whose factors are named arrays with indices.
Repeated indices are summed over their whole range; they are relabelled canonically. Equal forms
prove equality. Different forms prove nothing: names may be related through what they stand for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, permutations, product
from math import factorial, prod

import sympy as sp

from derive.errors import BpttError, RuleError
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
)

__all__ = ["Form", "TooLargeError", "equal", "normal_form"]

MAX_TERMS = 20_000
MAX_ORDERS = 5_040


class TooLargeError(BpttError):
    """The polynomial has more terms than the decision may take; the answer is 'not decided'."""


@dataclass(frozen=True)
class _Index:
    """A free index (`name` is text) or a summed one (a number), shifted by an offset in rows."""

    name: str | int
    offset: sp.Expr = field(default_factory=lambda: sp.S.Zero)


_Factor = tuple[str, tuple[_Index, ...]]
_Term = tuple[sp.Rational, tuple[_Factor, ...]]
_Key = tuple[tuple[str, tuple[str, ...]], ...]
Form = Mapping[_Key, sp.Rational]


def equal(left: Expr, right: Expr) -> bool:
    """Whether the normal forms agree; True proves equality, False proves nothing.

    Raises:
        TooLargeError: the expressions have too many terms to decide.
    """
    return left.shape == right.shape and normal_form(left) == normal_form(right)


def normal_form(expr: Expr) -> Form:
    """The general entry of `expr` as a polynomial: canonical monomial -> coefficient."""
    fresh = count()
    total: Counter[_Key] = Counter()
    entry = _entry(expr, _Index("i"), _Index("j"), fresh)
    for number, (coef, factors) in enumerate(entry):
        if number > MAX_TERMS:
            raise TooLargeError(f"more than {MAX_TERMS} terms; equality was not decided")
        total[_canonical(factors)] += coef
    return {key: coef for key, coef in sorted(total.items()) if coef != 0}


def _entry(expr: Expr, row: _Index, column: _Index, fresh: Iterator[int]) -> Iterator[_Term]:
    """The terms of entry (row, column)."""
    number, rest = coefficient(expr)
    if number != 1:
        for coef, factors in _entry(rest, row, column, fresh):
            yield number * coef, factors
        return
    match expr:
        case MatrixSymbol():
            yield sp.S.One, ((expr.name, _axes(expr, row, column)),)
        case OneMatrix():
            yield sp.S.One, ()
        case ZeroMatrix():
            return
        case MatAdd():
            for arg in expr.args:
                yield from _entry(arg, row, column, fresh)
        case HadamardProduct():
            yield from _multiplied([(arg, row, column) for arg in expr.args], fresh)
        case HadamardPower():
            copies = [(expr.args[0], row, column)] * int(expr.args[1])
            yield from _multiplied(copies, fresh)
        case Transpose():
            yield from _entry(expr.args[0], column, row, fresh)
        case MatrixSlice():
            start = expr.rowslice[0]
            yield from _entry(expr.parent, _Index(row.name, row.offset + start), column, fresh)
        case Apply():
            yield sp.S.One, ((f"{expr.name}({_inside(expr)})", _axes(expr, row, column)),)
        case MatMul():
            yield from _contracted(expr.args[0], expr.args[1], row, column, fresh)
        case _:
            raise RuleError(f"no normal form for {type(expr).__name__}")


def _axes(expr: Expr, row: _Index, column: _Index) -> tuple[_Index, ...]:
    """The indices that matter: an axis of length one has none."""
    return tuple(i for i, size in zip((row, column), expr.shape, strict=True) if size != 1)


def _inside(expr: Apply) -> str:
    if isinstance(expr.argument, MatrixSymbol):
        return str(expr.argument.name)
    return str(sorted((str(k), str(v)) for k, v in normal_form(expr.argument).items()))


def _contracted(
    left: Expr, right: Expr, row: _Index, column: _Index, fresh: Iterator[int]
) -> Iterator[_Term]:
    """The sum over the inner index, in pieces where one side is a stack."""
    if left.shape[1] == 1:
        yield from _multiplied([(left, row, row), (right, column, column)], fresh)
        return
    turned = isinstance(left, Transpose) and isinstance(left.args[0], BlockMatrix)
    stacked = left.args[0] if turned else right
    offset = sp.S.Zero
    if not isinstance(stacked, BlockMatrix):
        inner = _Index(next(fresh))
        yield from _multiplied([(left, row, inner), (right, inner, column)], fresh)
        return
    for piece in (r[0] for r in stacked.blocks.tolist()):
        inner = _Index(next(fresh))
        moved = _Index(inner.name, offset)
        if turned:
            yield from _multiplied([(piece, inner, row), (right, moved, column)], fresh)
        else:
            yield from _multiplied([(left, row, moved), (piece, inner, column)], fresh)
        offset += piece.shape[0]


def _multiplied(
    entries: Iterable[tuple[Expr, _Index, _Index]], fresh: Iterator[int]
) -> Iterator[_Term]:
    expanded = []
    for expr, row, column in entries:
        terms = []
        for term in _entry(expr, row, column, fresh):
            terms.append(term)
            if len(terms) > MAX_TERMS:
                raise TooLargeError(f"more than {MAX_TERMS} terms; equality was not decided")
        expanded.append(terms)
    for chosen in product(*expanded):
        yield prod((c for c, _ in chosen), start=sp.S.One), sum((f for _, f in chosen), start=())


def _canonical(factors: tuple[_Factor, ...]) -> _Key:
    """The monomial with its summed indices relabelled so that equal sums look equal."""
    bound = sorted({i.name for _, axes in factors for i in axes if isinstance(i.name, int)})
    classes = _refined(factors, bound)
    if prod(factorial(len(c)) for c in classes) > MAX_ORDERS:
        raise TooLargeError("too many interchangeable sums; equality was not decided")
    orders = product(*(permutations(c) for c in classes))
    return min(_relabelled(factors, [i for c in order for i in c]) for order in orders)


def _relabelled(factors: tuple[_Factor, ...], order: list[int]) -> _Key:
    label: dict[str | int, str] = {name: f"#{place}" for place, name in enumerate(order)}

    def shown(index: _Index) -> str:
        text = label.get(index.name, str(index.name))
        return text if index.offset == 0 else f"{text}+{index.offset}"

    return tuple(sorted((name, tuple(shown(i) for i in axes)) for name, axes in factors))


def _refined(factors: tuple[_Factor, ...], bound: list[int]) -> list[list[int]]:
    """Summed indices in classes that no relabelling can tell apart, in a canonical order."""
    colour = dict.fromkeys(bound, 0)
    for _ in bound:
        marks = {
            b: sorted(
                (name, place, str(axis.offset), tuple(_mark(i, colour) for i in axes))
                for name, axes in factors
                for place, axis in enumerate(axes)
                if axis.name == b
            )
            for b in bound
        }
        ranks = {repr(m): k for k, m in enumerate(sorted(marks.values(), key=repr))}
        colour = {b: ranks[repr(marks[b])] for b in bound}
    return [[b for b in bound if colour[b] == k] for k in sorted(set(colour.values()))]


def _mark(index: _Index, colour: Mapping[int, int]) -> str:
    return str(index.name) if isinstance(index.name, str) else f"#{colour[index.name]}"
