r"""Matrix expressions -> TeX math in pure ASCII: how names, indices and operations are written.

A name at time t carries its index: f is `f_{t}`, h[t-1] is `h_{t-1}`; parameters carry none. A
cotangent has a bar, what arrives at a state from the step after it an arrow, a differential an
upright d. A number that stands alone in a sum is the vector (or matrix) filled with it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from derive.cell import Cell
from derive.errors import RuleError
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
    scale,
    spread_of,
    total_of,
)
from derive.primitives import PRIMITIVES

__all__ = ["Notation", "notation_of", "number_tex"]

# How strongly a written form holds together: what stands in a stronger place is bracketed.
_SUM, _PRODUCT, _MATRIX, _FACTOR, _BASE = range(5)

_NEXT_ROW = r" \\ "
_LETTERS = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa mu nu xi pi "
    "varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Xi "
    "Pi Sigma Upsilon Phi Psi Omega Lambda"
)
_GREEK = frozenset(_LETTERS.split())
_WRAPPED = re.compile(r"(bar|carry|d)\((.+)\)")
_INDEXED = re.compile(r"(.+)\[([A-Za-z0-9+-]+)\]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class _Sign:
    """A name as TeX: base, indices, and whether a superscript may follow without brackets."""

    base: str
    indices: tuple[str, ...] = ()
    open: bool = True

    def __str__(self) -> str:
        return f"{self.base}_{{{','.join(self.indices)}}}" if self.indices else self.base


@dataclass(frozen=True)
class Notation:
    """How one cell's names are written.

    Attributes:
        timeless: names that have no time: the parameters.
        spelled: primitives that are spelled out because a name of the cell has their sign.
    """

    timeless: frozenset[str]
    spelled: frozenset[str] = frozenset()

    def tex(self, expr: Expr) -> str:
        """An expression; no exponent, sign or bracket of it is left out.

        Raises:
            RuleError: there is no written form for a node of this kind.
        """
        return self._placed(expr, _SUM)

    def terms(self, expr: Expr) -> tuple[str, ...]:
        """The summands of an expression, each with its sign: ('a', '- b', '+ c')."""
        summands = expr.args if isinstance(expr, MatAdd) else (expr,)
        return tuple(self._signed(term, k == 0) for k, term in enumerate(summands))

    def name(self, name: str) -> str:
        """A name of the cell, of its single assignments or of its gradients."""
        return str(self._sign(name))

    def size(self, size: sp.Expr) -> str:
        """A dimension: a name, a whole number, or a sum, product or power of these."""
        size = sp.sympify(size)
        if size.is_Symbol:
            return str(_word(size.name))
        if size.is_Integer:
            return str(size)
        if isinstance(size, sp.Add):
            return " + ".join(self.size(a) for a in sorted(size.args, key=_letters_first))
        if isinstance(size, sp.Mul):
            return r"\,".join(map(self.factor, size.as_ordered_factors()))
        if isinstance(size, sp.Pow) and size.exp.is_Integer and size.exp > 0:
            return f"{self.factor(size.base)}^{{{size.exp}}}"
        raise RuleError(f"no written form for the size {size}")

    def factor(self, size: sp.Expr) -> str:
        """A dimension beside a sign of multiplication: sums are bracketed."""
        return f"({self.size(size)})" if isinstance(size, sp.Add) else self.size(size)

    def space(self, shape: Iterable[sp.Expr]) -> str:
        r"""The space of that shape: \mathbb{R}^{n \times m}; a column has one dimension."""
        sizes = tuple(shape)
        if len(sizes) == 1:
            return rf"\mathbb{{R}}^{{{self.size(sizes[0])}}}"
        product = r" \times ".join(map(self.factor, sizes))
        return rf"\mathbb{{R}}^{{{product}}}"

    def function(self, name: str) -> str:
        """A primitive's sign."""
        row = PRIMITIVES.get(name)
        if row is None:
            raise RuleError(f"no primitive '{name}'; add its row to derive/primitives.py")
        return rf"\operatorname{{{name}}}" if name in self.spelled else row.latex

    def _sign(self, name: str) -> _Sign:
        if name == "dy":
            return _Sign(r"\delta^{\mathrm{out}}", ("t",), open=False)
        if found := _WRAPPED.fullmatch(name):
            return self._decorated(found[1], found[2])
        if found := _INDEXED.fullmatch(name):
            sign = _word(found[1])
            return _Sign(sign.base, (*sign.indices, found[2]))
        sign = _word(name)
        return sign if name in self.timeless else _Sign(sign.base, (*sign.indices, "t"))

    def _decorated(self, mark: str, inner: str) -> _Sign:
        sign = self._sign(inner)
        if mark == "d":
            return _Sign(rf"\mathrm{{d}}{sign.base}", sign.indices, open=False)
        if mark == "carry" or inner.endswith("]"):
            return _Sign(rf"\overleftarrow{{{sign.base}}}", sign.indices)
        narrow = len(sign.base) == 1 or sign.base.removeprefix("\\") in _GREEK
        return _Sign(rf"\{'bar' if narrow else 'overline'}{{{sign.base}}}", sign.indices)

    def _placed(self, expr: Expr, place: int) -> str:
        text, strength = self._written(expr)
        if strength >= place:
            return text
        left, right = (r"\biggl(", r"\biggr)") if r"\begin" in text else ("(", ")")
        return f"{left}{text}{right}"

    def _written(self, expr: Expr) -> tuple[str, int]:
        number, rest = coefficient(expr)
        if number != 1:
            return self._scaled(number, rest)
        match expr:
            case MatrixSymbol():
                sign = self._sign(expr.name)
                return str(sign), _BASE if sign.open else _FACTOR
            case OneMatrix() if expr.shape[0] == 1 and expr.shape[1] != 1:
                return r"\mathbf{1}^{\top}", _FACTOR
            case OneMatrix():
                return r"\mathbf{1}", _BASE
            case ZeroMatrix():
                return "0", _BASE
            case Apply():
                return self._applied(expr), _FACTOR
            case Transpose():
                return rf"{self._placed(expr.args[0], _BASE)}^{{\top}}", _FACTOR
            case HadamardPower():
                base = self._placed(expr.args[0], _BASE)
                return rf"{base}^{{\odot {int(expr.args[1])}}}", _FACTOR
            case LogSumExp():
                return rf"\operatorname{{logsumexp}}({self._placed(expr.argument, _SUM)})", _FACTOR
            case HadamardProduct():
                return r" \odot ".join(self._placed(a, _FACTOR) for a in expr.args), _PRODUCT
            case MatMul() if total_of(expr) is not None:
                return rf"\operatorname{{sum}}({self._placed(_summed(expr), _SUM)})", _FACTOR
            case MatMul() if spread_of(expr) is not None:
                return self._written(spread_of(expr))
            case MatMul():
                return r"\, ".join(self._placed(a, _MATRIX) for a in expr.args), _MATRIX
            case BlockMatrix():
                rows = [" & ".join(map(self.tex, row)) for row in expr.blocks.tolist()]
                return rf"\begin{{pmatrix}} {_NEXT_ROW.join(rows)} \end{{pmatrix}}", _BASE
            case MatrixSlice():
                start, stop = expr.rowslice[:2]
                rows_shown = f"{self.size(start + 1)}:{self.size(stop)}"
                return rf"[\,{self._placed(expr.parent, _SUM)}\,]_{{{rows_shown}}}", _BASE
            case MatAdd():
                return " ".join(self.terms(expr)), _SUM
        raise RuleError(f"no written form for {type(expr).__name__}")

    def _scaled(self, number: sp.Expr, rest: Expr) -> tuple[str, int]:
        if number.is_negative:
            return f"-{self._placed(scale(-number, rest), _PRODUCT)}", _SUM
        if number == 1:
            return self._written(rest)
        return rf"{number_tex(number)}\, {self._placed(rest, _PRODUCT)}", _PRODUCT

    def _signed(self, term: Expr, first: bool) -> str:
        number, rest = coefficient(term)
        size = -number if number.is_negative else number
        alone = isinstance(rest, OneMatrix)
        text = number_tex(size) if alone else self._placed(scale(size, rest), _PRODUCT)
        if first:
            return f"-{text}" if number.is_negative else text
        return f"{'-' if number.is_negative else '+'} {text}"

    def _applied(self, expr: Apply) -> str:
        inside = self._placed(expr.argument, _SUM)
        if expr.name == "reciprocal":
            return rf"\frac{{1}}{{{inside}}}"
        if "{z}" in self.function(expr.name):
            return self.function(expr.name).format(z=inside)
        if isinstance(expr.argument, BlockMatrix):
            return f"{self.function(expr.name)}{inside}"
        left, right = (r"\biggl(", r"\biggr)") if r"\begin" in inside else ("(", ")")
        return f"{self.function(expr.name)}{left}{inside}{right}"


def _summed(total: Expr) -> Expr:
    """What a sum is the sum of all entries of: A in ones @ (A @ ones), too."""
    inside: Expr = total_of(total)
    rows = isinstance(inside, MatMul) and isinstance(inside.args[1], OneMatrix)
    return inside.args[0] if rows and inside.args[0].is_Matrix else inside


def notation_of(cell: Cell) -> Notation:
    """The notation of a cell: its parameters have no time, its functions have their own signs."""
    variables = (*cell.inputs, *cell.states, *cell.parameters)
    names = {v.name for v in variables} | {e.name for e in cell.equations}
    names |= {str(d) for d in cell.dimensions}
    bases = {_word(name).base for name in names}
    return Notation(
        timeless=frozenset(p.name for p in cell.parameters),
        spelled=frozenset(row.name for row in PRIMITIVES.values() if row.latex in bases),
    )


def _word(name: str) -> _Sign:
    """A word with '_' as base and indices, without time; upright if it is a primitive's value."""
    if not _WORD.fullmatch(name):
        raise RuleError(f"no written form for the name '{name}'")
    head, *rest = name.split("_")
    indices = tuple(map(_index, rest))
    if head in _GREEK:
        return _Sign(f"\\{head}", indices)
    if head in PRIMITIVES:
        return _Sign(_upright(head), indices)
    return _Sign(head if len(head) == 1 else rf"\mathit{{{head}}}", indices)


def _index(piece: str) -> str:
    if piece in _GREEK:
        return f"\\{piece}"
    # An upright t is part of a name; the slanted one is time.
    return piece if piece.isdigit() or (len(piece) == 1 and piece != "t") else _upright(piece)


def _upright(piece: str) -> str:
    return rf"\mathrm{{{piece}}}"


def number_tex(value: sp.Expr) -> str:
    """A number, which may be made of sizes: as a factor, so that a sum is bracketed."""
    if value.is_Integer:
        return str(value)
    if not value.is_Rational:
        shown = str(sp.latex(value))
        return f"({shown})" if isinstance(value, sp.Add) else shown
    zeros = len(str(value.q)) - 1
    if zeros > 2 and value.q == 10**zeros:
        digits = "" if value.p == 1 else rf"{value.p} \cdot "
        return rf"{digits}10^{{-{zeros}}}"
    return rf"\tfrac{{{value.p}}}{{{value.q}}}"


def _letters_first(size: sp.Expr) -> tuple[bool, str]:
    return bool(size.is_Number), str(size)
