"""Jacobians as sums of paths, products of matrices and diagonals; and how these are written."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from derive.differentials import earlier, ones
from derive.expressions import (
    BlockMatrix,
    Expr,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
    scale,
    stack,
    times,
    transpose,
    zero,
)
from derive.gradients import Gradients
from derive.language.printing import text_of_expression
from derive.notation import Notation, notation_of, number_tex

__all__ = ["Link", "Operator", "Writer", "count_paths", "is_diagonal", "operators", "writer_of"]


@dataclass(frozen=True)
class Link:
    """One factor of a path: a matrix, or the diagonal matrix of a vector.

    `kind` is 'matrix', 'diagonal', or 'rows': the tangent becomes some rows of a stack, those where
    `expr` is not zero. A tangent that is a matrix may be 'applied' to `expr`, or 'turned'.
    """

    kind: str
    expr: Expr


@dataclass(frozen=True)
class Operator:
    """One path of a Jacobian: number * diag(...) P diag(...) ..., applied to a tangent."""

    number: sp.Expr
    links: tuple[Link, ...]
    value: Expr


def operators(expr: Expr, direction: Expr) -> Iterator[Operator]:
    """The paths of a differential that is linear in `direction`."""
    yield from _operators(expr, direction, sp.S.One, (), lambda e: e)


def _operators(
    expr: Expr,
    direction: Expr,
    number: sp.Expr,
    links: tuple[Link, ...],
    rebuild: Callable[[Expr], Expr],
) -> Iterator[Operator]:
    if not expr.has(direction):  # zero, as the whole is linear
        return
    if expr == direction:
        yield Operator(number, links, scale(number, rebuild(expr)))
        return
    factor, rest = coefficient(expr)
    if factor != 1:
        yield from _operators(rest, direction, number * factor, links, rebuild)
        return
    match expr:
        case MatAdd():
            for term in expr.args:
                yield from _operators(term, direction, number, links, rebuild)
        case HadamardProduct():
            inner = [a for a in expr.args if a.has(direction)]
            outer = times(*(a for a in expr.args if not a.has(direction)))
            link = Link("diagonal", outer)
            yield from _operators(
                inner[0], direction, number, (*links, link), lambda e: rebuild(times(outer, e))
            )
        case MatMul() if not expr.args[1].has(direction):
            inside, column = expr.args
            link = Link("applied", column)
            yield from _operators(
                inside, direction, number, (*links, link), lambda e: rebuild(MatMul(e, column))
            )
        case Transpose():
            link = Link("turned", zero(expr.shape))
            yield from _operators(
                expr.args[0], direction, number, (*links, link), _after(rebuild, transpose)
            )
        case MatMul():
            matrix, inside = expr.args
            link = Link("matrix", matrix)
            yield from _operators(
                inside, direction, number, (*links, link), lambda e: rebuild(MatMul(matrix, e))
            )
        case BlockMatrix():
            for place, part in enumerate(parts_of(expr)):
                here = _placed(parts_of(expr), place)
                link = Link("rows", here(ones(part)))
                yield from _operators(
                    part, direction, number, (*links, link), _after(rebuild, here)
                )
        case _:
            yield Operator(number, (*links, Link("matrix", expr)), scale(number, rebuild(expr)))


def _after(outer: Callable[[Expr], Expr], inner: Callable[[Expr], Expr]) -> Callable[[Expr], Expr]:
    return lambda e: outer(inner(e))


def _placed(pieces: Sequence[Expr], place: int) -> Callable[[Expr], Expr]:
    """A stack of zeros but for one piece."""
    return lambda e: stack(tuple(e if k == place else zero(p.shape) for k, p in enumerate(pieces)))


def count_paths(moved: Expr, d: Expr) -> int:
    """How many paths a differential has, none of them written out: it is linear in d."""
    known: dict[int, int] = {}

    def count(node: sp.Basic) -> int:
        if isinstance(node, MatrixSymbol):
            return int(node == d)
        if id(node) not in known:
            inside = parts_of(node) if isinstance(node, BlockMatrix) else node.args
            known[id(node)] = sum(count(arg) for arg in inside)
            alive.append(node)
        return known[id(node)]

    alive: list[sp.Basic] = []  # so that no address is used twice
    return count(moved)


def is_diagonal(expr: Expr, direction: Expr) -> bool:
    """Whether every path of a differential is diagonal: elementwise factors only."""
    return all(
        link.kind == "diagonal"
        for operator in operators(expr, direction)
        for link in operator.links
    )


class Writer:
    """Claims as text (f_t, C_{t-1}) and as TeX."""

    def __init__(self, gradients: Gradients) -> None:
        self.timeless = frozenset(p.name for p in gradients.cell.parameters)
        self.notation: Notation = notation_of(gradients.cell)
        own = {e.name for e in gradients.cell.equations}
        self.introduced: dict[Expr, Expr] = {}
        for assignment in gradients.forward:  # each reads those before it
            if assignment.name not in own:
                value = assignment.value.xreplace(self.introduced)
                self.introduced[assignment.symbol] = value
        now = dict(self.introduced)
        for back in (1, 2):
            for name, value in now.items():
                self.introduced[_at(name, back)] = _at(value, back, self.timeless)

    def spelled(self, expr: Expr) -> Expr:
        """The expression without names that the cell's author did not choose."""
        return expr.xreplace(self.introduced)

    def text(self, expr: Expr) -> str:
        """An expression with its time indices."""
        expr = self.spelled(expr)
        names = {
            leaf: MatrixSymbol(self.name(leaf.name), *leaf.shape)
            for leaf in expr.atoms(MatrixSymbol)
        }
        return text_of_expression(expr.xreplace(names))

    def name(self, name: str) -> str:
        """'f' as f_t, 'C[t-1]' as C_{t-1}, a parameter as it is, a tangent as dC_{t-1}."""
        wrapped = re.fullmatch(r"d\((.+)\)", name)
        if wrapped:
            return f"d{self.name(wrapped[1])}"
        if name in self.timeless:
            return name
        stem, _, back = name.partition("[")
        return f"{stem}_{{{back[:-1]}}}" if back else f"{stem}_t"

    def jacobian(self, expr: Expr, direction: Expr, factor: bool = False) -> str:
        """A differential as a sum of operators: diag(f_t) + diag(...) U_f diag(...).

        With `factor` it may stand beside another factor: a sum is bracketed.
        """
        return _joined([self.path(o) for o in operators(expr, direction)], factor)

    def jacobian_tex(self, expr: Expr, direction: Expr, factor: bool = False) -> str:
        """The same as TeX."""
        return _joined([self.path_tex(o) for o in operators(expr, direction)], factor)

    def path(self, operator: Operator) -> str:
        """One path as text."""
        links = [self._link(link) for link in _merged(operator.links)] or ["I"]
        return f"{_sign(operator.number)}{' '.join(links)}"

    def path_tex(self, operator: Operator) -> str:
        """One path as TeX."""
        links = [self._link_tex(link) for link in _merged(operator.links)] or ["I"]
        return _sign(operator.number, number_tex) + r"\,".join(links)

    def _link(self, link: Link) -> str:
        if link.kind == "turned":
            return "(.).T"
        if link.kind == "applied":
            return f"(. @ {self.text(link.expr)})"
        if link.kind == "rows":
            return f"[{', '.join(_blocks(link))}]"
        if isinstance(link.expr, OneMatrix):
            return "1" if link.expr.shape[1] == 1 else "1^T"
        text = self.text(link.expr)
        if link.kind == "diagonal":
            return f"diag({text})"
        bare = not isinstance(self.spelled(link.expr), MatAdd | MatMul | HadamardProduct)
        return text if bare else f"({text})"

    def _link_tex(self, link: Link) -> str:
        if link.kind == "turned":
            return r"(\,\cdot\,)^{\top}"
        if link.kind == "applied":
            return rf"(\,\cdot\;{self.notation.tex(self.spelled(link.expr))})"
        if link.kind == "rows":
            return r"\begin{pmatrix} " + r" \\ ".join(_blocks(link)) + r" \end{pmatrix}"
        text = self.notation.tex(self.spelled(link.expr))
        if link.kind == "diagonal":
            return rf"\operatorname{{diag}}({text})"
        bare = not isinstance(self.spelled(link.expr), MatAdd | MatMul | HadamardProduct)
        return text if bare else f"({text})"


@lru_cache(maxsize=4)
def writer_of(gradients: Gradients) -> Writer:
    """The writer for a cell's claims; many claims share it."""
    return Writer(gradients)


def _blocks(link: Link) -> list[str]:
    """The matrix of a 'rows' link, block by block."""
    return ["0" if isinstance(part, ZeroMatrix) else "I" for part in parts_of(link.expr)]


def _merged(links: tuple[Link, ...]) -> list[Link]:
    """Neighbouring diagonal links as one."""
    merged: list[Link] = []
    for link in links:
        if merged and link.kind == merged[-1].kind == "diagonal":
            merged[-1] = Link("diagonal", times(merged[-1].expr, link.expr))
        else:
            merged.append(link)
    return merged


def _at(expr: Expr, back: int, timeless: Collection[str] = ()) -> Expr:
    return earlier(expr, timeless, back) if back else expr


def _sign(number: sp.Expr, written: Callable[[sp.Expr], str] = str) -> str:
    if number.is_negative:
        return f"-{_sign(-number, written)}"
    if isinstance(number, sp.Add) and written is str:
        return f"({number}) "
    return "" if number == 1 else f"{written(number)} "


def _joined(paths: Sequence[str], factor: bool) -> str:
    text = " + ".join(paths).replace("+ -", "- ") or "0"
    return f"({text})" if factor and (len(paths) > 1 or text.startswith("-")) else text
