"""Deciding whether two matrix expressions are equal for every n and m.

An expression becomes its general entry: a polynomial whose factors are named arrays with indices.
Repeated indices are summed over their whole range; they are relabelled canonically. Equal forms
prove equality. Different forms prove nothing: names may be related through what they stand for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
)

__all__ = ["Form", "TooLargeError", "equal", "normal_form"]

MAX_TERMS = 4_000
MAX_ORDERS = 5_040


class TooLargeError(BpttError):
    """The polynomial has more terms than the decision may take; the answer is 'not decided'."""


@dataclass(frozen=True)
class _Index:
    """A free index (`name` is text) or a summed one (a number), shifted by an offset in rows.

    `range` is how far a summed index goes, where the array that carries it does not say so.
    """

    name: str | int
    offset: sp.Expr = field(default_factory=lambda: sp.S.Zero)
    range: sp.Expr | None = None

    def shifted(self, rows: sp.Expr) -> "_Index":
        return replace(self, offset=self.offset + rows)


_Factor = tuple[str, tuple[_Index, ...]]
_Term = tuple[sp.Expr, tuple[_Factor, ...]]
_Key = tuple[tuple[str, tuple[str, ...]], ...]
Form = Mapping[_Key, sp.Expr]

_ONLY = _Index("0")  # the index of an axis of length one


def equal(left: Expr, right: Expr) -> bool:
    """Whether the normal forms agree; True proves equality, False proves nothing.

    Raises:
        TooLargeError: the expressions have too many terms to decide.
    """
    if left == right:
        return True
    return left.shape == right.shape and normal_form(left) == normal_form(right)


def normal_form(expr: Expr) -> Form:
    """The general entry of `expr` as a polynomial: canonical monomial -> coefficient."""
    fresh = count()
    total: Counter[_Key] = Counter()
    entry = _entry(expr, _Index("i"), _Index("j"), fresh)
    for number, (coef, factors) in enumerate(entry):
        if number > MAX_TERMS:
            raise TooLargeError(f"more than {MAX_TERMS} terms to compare")
        total[_canonical(factors)] += coef
    expanded = {key: _expanded(coef) for key, coef in sorted(total.items())}
    return {key: coef for key, coef in expanded.items() if coef != 0}


def _expanded(number: sp.Expr) -> sp.Expr:
    return number if number.is_Number else sp.expand(number)


def _entry(expr: Expr, row: _Index, column: _Index, fresh: Iterator[int]) -> Iterator[_Term]:
    """The terms of entry (row, column)."""
    row = _ONLY if expr.shape[0] == 1 else row
    column = _ONLY if expr.shape[1] == 1 else column
    number, rest = coefficient(expr)
    if number != 1:
        for coef, factors in _entry(rest, row, column, fresh):
            yield number * coef, factors
        return
    expr = rest  # 3*(A/3) is A
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
            yield from _entry(expr.parent, row.shifted(start), column, fresh)
        case BlockMatrix():
            yield from _stacked(expr, row, column, fresh)
        case Apply():
            yield sp.S.One, ((f"{expr.name}({_inside(expr)})", _axes(expr, row, column)),)
        case LogSumExp():
            yield sp.S.One, ((f"logsumexp({_inside(expr)})", ()),)
        case MatMul():
            yield from _contracted(expr.args[0], expr.args[1], row, column, fresh)
        case _:
            raise RuleError(f"no normal form for {type(expr).__name__}")


def _axes(expr: Expr, row: _Index, column: _Index) -> tuple[_Index, ...]:
    """The indices that matter: an axis of length one has none."""
    pairs = zip((row, column), expr.shape, strict=True)
    return tuple(_said(index, size) for index, size in pairs if size != 1)


def _said(index: _Index, size: sp.Expr) -> _Index:
    """The index without its range, where that is the whole of an axis of this size."""
    if index.range is None:
        return index
    whole = index.offset == 0 and index.range == size
    return replace(index, range=None) if whole else index


def _inside(expr: Apply | LogSumExp) -> str:
    if isinstance(expr.argument, MatrixSymbol):
        return str(expr.argument.name)
    terms = sorted((str(k), str(v)) for k, v in normal_form(expr.argument).items())
    return f"{terms}, {expr.argument.shape}"


def _stacked(expr: Expr, row: _Index, column: _Index, fresh: Iterator[int]) -> Iterator[_Term]:
    """An entry of a stack: each piece, times one where the row is in it and zero elsewhere."""
    start = sp.S.Zero
    for piece in parts_of(expr):
        stop = start + piece.shape[0]
        inside = (f"rows({start}, {stop})", (row,))
        for coef, factors in _entry(piece, row.shifted(-start), column, fresh):
            yield coef, (*factors, inside)
        start = stop


def _contracted(
    left: Expr, right: Expr, row: _Index, column: _Index, fresh: Iterator[int]
) -> Iterator[_Term]:
    """The sum over the inner index, in pieces where one side is a stack."""
    if left.shape[1] == 1:
        yield from _multiplied([(left, row, _ONLY), (right, _ONLY, column)], fresh)
        return
    turned = isinstance(left, Transpose) and isinstance(left.args[0], BlockMatrix)
    stacked = left.args[0] if turned else right
    if not isinstance(stacked, BlockMatrix):
        inner = _summing(left.shape[1], fresh)
        yield from _summed(inner, [(left, row, inner), (right, inner, column)], fresh)
        return
    start = sp.S.Zero
    for piece in parts_of(stacked):
        inner = _summing(piece.shape[0], fresh)
        if turned:
            pair = [(piece, inner, row), (right, inner.shifted(start), column)]
        else:
            pair = [(left, row, inner.shifted(start)), (piece, inner, column)]
        yield from _summed(inner, pair, fresh)
        start += piece.shape[0]


def _summing(size: sp.Expr, fresh: Iterator[int]) -> _Index:
    return _ONLY if size == 1 else _Index(next(fresh), range=size)


def _summed(
    inner: _Index, entries: Iterable[tuple[Expr, _Index, _Index]], fresh: Iterator[int]
) -> Iterator[_Term]:
    """A product, summed over `inner`; where nothing depends on it, it is as many equal terms."""
    for coef, factors in _multiplied(entries, fresh):
        carried = any(index.name == inner.name for _, axes in factors for index in axes)
        yield (coef if carried or inner.range is None else coef * inner.range), factors


def _multiplied(
    entries: Iterable[tuple[Expr, _Index, _Index]], fresh: Iterator[int]
) -> Iterator[_Term]:
    expanded = []
    for expr, row, column in entries:
        terms = []
        for term in _entry(expr, row, column, fresh):
            terms.append(term)
            if len(terms) > MAX_TERMS:
                raise TooLargeError(f"more than {MAX_TERMS} terms to compare")
        expanded.append(terms)
    for chosen in product(*expanded):
        yield prod((c for c, _ in chosen), start=sp.S.One), sum((f for _, f in chosen), start=())


def _canonical(factors: tuple[_Factor, ...]) -> _Key:
    """The monomial with its summed indices relabelled so that equal sums look equal."""
    factors = (*factors, *_ranges(factors))
    bound = sorted({i.name for _, axes in factors for i in axes if isinstance(i.name, int)})
    if len(bound) <= 1:  # no two sums to tell apart
        return _relabelled(factors, bound)
    classes = _refined(factors, bound)
    if prod(factorial(len(c)) for c in classes) > MAX_ORDERS:
        raise TooLargeError("too many interchangeable sums to compare")
    orders = product(*(permutations(c) for c in classes))
    return min(_relabelled(factors, [i for c in order for i in c]) for order in orders)


def _ranges(factors: tuple[_Factor, ...]) -> Iterator[_Factor]:
    """How far sums go: a vector of ones for each index that no array carries along a whole axis."""
    carried = [i for _, axes in factors for i in axes if isinstance(i.name, int)]
    said = {i.name for i in carried if i.range is None}
    for name, size in sorted({(i.name, i.range) for i in carried}, key=str):
        if name not in said:
            yield f"ones({size})", (_Index(name),)


def _relabelled(factors: tuple[_Factor, ...], order: list[int]) -> _Key:
    label: dict[str | int, str] = {name: f"#{place}" for place, name in enumerate(order)}

    def shown(index: _Index) -> str:
        text = label.get(index.name, str(index.name))
        return text if index.offset == 0 else f"{text}+{index.offset}"

    return tuple(sorted((name, tuple(shown(i) for i in axes)) for name, axes in factors))


def _refined(factors: tuple[_Factor, ...], bound: list[int]) -> list[list[int]]:
    """Summed indices in classes that no relabelling can tell apart, in a canonical order."""
    colour, told = dict.fromkeys(bound, 0), 1
    places: dict[int, list[tuple[str, int, str, tuple[_Index, ...]]]] = {b: [] for b in bound}
    for name, axes in factors:
        for place, axis in enumerate(axes):
            if isinstance(axis.name, int):
                places[axis.name].append((name, place, _offset(axis), axes))
    while told < len(bound):
        marks = {
            b: sorted((*at, tuple(_mark(i, colour) for i in axes)) for *at, axes in places[b])
            for b in bound
        }
        ranks = {repr(m): k for k, m in enumerate(sorted(marks.values(), key=repr))}
        colour = {b: ranks[repr(marks[b])] for b in bound}
        if len(ranks) == told:
            break
        told = len(ranks)
    return [[b for b in bound if colour[b] == k] for k in sorted(set(colour.values()))]


def _offset(index: _Index) -> str:
    return "0" if index.offset is sp.S.Zero else str(index.offset)


def _mark(index: _Index, colour: Mapping[int, int]) -> str:
    return str(index.name) if isinstance(index.name, str) else f"#{colour[index.name]}"
