"""The language of cells, read by the checker of certificates on its own: text -> polynomials.

Python's `ast` parses, nothing is evaluated, and what is not listed here is refused. Besides the
language there are what derivations are written with: bar(v), carry(s), dy, d(v), v[a:b], v @ 1.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from derive.certificates.algebra import SLOPES, Algebra
from derive.certificates.declarations import RefusedError, Shape, size_of
from derive.certificates.indices import ONE, SINGLE, Axis, Poly, Size, add, less, number

__all__ = ["Reader", "Value"]

MAX_TEXT = 20_000


@dataclass(frozen=True)
class Value:
    """A polynomial in the indices i and j with its shape; None for a number, or columns to fill."""

    poly: Poly
    shape: Shape | None = None
    wide: bool = False  # column(v): as many columns as what it meets

    @property
    def single(self) -> bool:
        return self.shape in (None, (SINGLE, SINGLE))


class Reader:
    """Texts of one cell as polynomials of one algebra; `shapes` says what is a name."""

    def __init__(self, algebra: Algebra, shapes: Mapping[str, Shape]) -> None:
        self.algebra = algebra
        self.shapes = dict(shapes)
        self.sizes = {n for shape in shapes.values() for size in shape for n, _ in size if n}

    def axes(self, name: str) -> tuple[Axis, Axis]:
        """The indices of the general entry of a name."""
        rows, columns = self.shapes[name]
        return ("0" if rows == SINGLE else "i", ()), ("0" if columns == SINGLE else "j", ())

    def value(self, name: str) -> Poly:
        """The general entry of a name."""
        return {((), ((name, self.axes(name)),), ()): Fraction(1)}

    def name(self, name: str) -> Value:
        """A name by itself."""
        if name not in self.shapes:
            raise RefusedError(f"'{name[:40]}' is no name here")
        return Value(self.value(name), self.shapes[name])

    def read(self, text: str, shape: Shape | None = None) -> Value:
        """An expression; if `shape` is given it must fill it.

        Raises:
            RefusedError: it is not in the language, or its shapes do not fit.
        """
        try:
            if len(text) > MAX_TEXT or not text.isascii():
                raise RefusedError(f"a text of more than {MAX_TEXT} characters, or not in ASCII")
            value = self.tree(ast.parse(text.strip(), mode="eval").body)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise RefusedError(f"`{text[:60]}` is no expression") from None
        if (
            shape is not None
            and not value.single
            and value.shape != shape
            and not (value.wide and value.shape and value.shape[0] == shape[0])
        ):
            raise RefusedError(f"`{text[:60]}` has another shape than its name")
        return value

    def tree(self, node: ast.expr) -> Value:
        """A parsed expression; what has no case is refused."""
        a = self.algebra
        match node:
            case ast.Constant(value=int() | float()) if len(repr(node.value)) <= 40:
                return Value(number(Fraction(repr(node.value))))
            case ast.Name(id=name) if name in self.shapes:
                return self.name(name)
            case ast.Name(id=name) if name in self.sizes:
                return Value({(((name, Fraction(1)),), (), ()): Fraction(1)})
            case ast.Call(func=ast.Name(id=name)) if (
                said := ast.unparse(node).replace(" ", "")
            ) in self.shapes:
                return self.name(said)
            case ast.Subscript(slice=ast.Slice(lower=lo, upper=hi)) if lo and hi:
                return self._part(self.tree(node.value), ast.unparse(lo), ast.unparse(hi))
            case ast.Subscript():
                said = ast.unparse(node).replace(" ", "")
                return self.name(said.removesuffix("[t]"))
            case ast.Attribute(attr="T") if not (value := self.tree(node.value)).wide:
                poly = a.at(value.poly, i=("j", ()), j=("i", ()))
                return Value(poly, value.shape and value.shape[::-1])
            case ast.UnaryOp(op=ast.USub()):
                value = self.tree(node.operand)
                return Value(add({}, value.poly, sign=-1), value.shape, value.wide)
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int(k))) if 2 <= k <= 16:
                value = self.tree(node.left)
                return Value(a.power(value.poly, k), value.shape, value.wide)
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp(op=ast.USub(), operand=power)):
                whole = ast.BinOp(node.left, ast.Pow(), power)
                return self.met(ast.Div(), Value(ONE), self.tree(whole))
            case ast.BinOp(op=ast.MatMult()):
                return self.product(self.tree(node.left), self.tree(node.right))
            case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as op):
                return self.met(op, self.tree(node.left), self.tree(node.right))
            case ast.List() if node.elts:
                return self._stacked([self.tree(part) for part in node.elts])
            case ast.Call(func=ast.Name(id=name)) if not node.keywords:
                return self._call(name, [self.tree(part) for part in node.args])
        raise RefusedError(f"`{ast.unparse(node)[:60]}` is not in the language")

    def met(self, op: ast.operator, left: Value, right: Value) -> Value:
        """Entry by entry."""
        a, (big, small) = self.algebra, (left, right)
        if left.single or (left.wide and not right.single):
            big, small = right, left
        rows = big.shape and small.shape and big.shape[0] == small.shape[0]
        if not (small.single or big.shape == small.shape or (small.wide and rows)):
            raise RefusedError("shapes that do not fit")
        shape = big.shape or small.shape
        if isinstance(op, ast.Mult):
            return Value(a.times(left.poly, right.poly), shape, big.wide)
        if isinstance(op, ast.Div):
            return Value(
                a.times(left.poly, a.apply("reciprocal", _some(right.poly))), shape, big.wide
            )
        sign = 1 if isinstance(op, ast.Add) else -1
        return Value(add(left.poly, right.poly, sign=sign), shape, big.wide)

    def product(self, left: Value, right: Value) -> Value:
        """The matrix product; with a number, which fills a vector, a sum over entries."""
        a = self.algebra
        if left.wide or right.wide or left.shape is None is right.shape:
            raise RefusedError("'@' of column(v) or of numbers")
        if left.shape is None or right.shape is None:
            big, label = (right, "i") if left.shape is None else (left, "j")
            (rows, columns), scale = big.shape or (SINGLE, SINGLE), left if big is right else right
            length = rows if label == "i" else columns
            poly = a.times(scale.poly, a.summed(big.poly, label, length))
            return Value(poly, (SINGLE, columns) if label == "i" else (rows, SINGLE))
        if left.shape[1] != right.shape[0]:
            raise RefusedError("shapes that do not fit at '@'")
        both = a.times(a.at(left.poly, j=("$", ())), right.poly, {"i": ("$", ())})
        return Value(a.summed(both, "$", left.shape[1]), (left.shape[0], right.shape[1]))

    def total(self, value: Value) -> Value:
        """The sum of all entries."""
        rows, columns = value.shape or (SINGLE, SINGLE)
        if value.wide or value.shape is None:
            raise RefusedError("a sum over what has no shape")
        poly = self.algebra.summed(self.algebra.summed(value.poly, "i", rows), "j", columns)
        return Value(poly, (SINGLE, SINGLE))

    def _part(self, value: Value, lo: str, hi: str) -> Value:
        start, stop = (() if text == "0" else size_of(text) for text in (lo, hi))
        length = less(stop, start)
        if value.shape is None or value.shape[1] != SINGLE or any(c < 0 for _, c in length):
            raise RefusedError("a part of what is no vector")
        label = "0" if length == SINGLE else "i"
        return Value(self.algebra.at(value.poly, i=(label, start)), (length, SINGLE))

    def _stacked(self, parts: list[Value]) -> Value:
        start: Size = ()
        total: Poly = {}
        for part in parts:
            if part.shape is None or part.shape[1] != SINGLE or part.wide:
                raise RefusedError("a list of other things than vectors")
            stop = less(start, less((), part.shape[0]))
            total = add(total, self.algebra.rows(part.poly, start, stop))
            start = stop
        return Value(total, (start, SINGLE))

    def _call(self, name: str, values: list[Value]) -> Value:
        a, times = self.algebra, ast.Mult()
        match name, values:
            case "sum", [v]:
                return self.total(v)
            case "mean", [v]:
                count = self.total(Value(ONE, v.shape))
                return self.met(ast.Div(), self.total(v), count)
            case "dot", [v, w]:
                return self.total(self.met(times, v, w))
            case "norm", [v]:
                return self._call("sqrt", [self._call("dot", [v, v])])
            case "logsumexp", [v] if v.shape and v.shape[1] == SINGLE and not v.wide:
                return Value(a.apply("logsumexp", v.poly, v.shape[0]), (SINGLE, SINGLE))
            case "softmax", [v]:
                return self._call("exp", [self.met(ast.Sub(), v, self._call("logsumexp", [v]))])
            case "max", [v, w]:
                return self.met(ast.Add(), w, self._call("relu", [self.met(ast.Sub(), v, w)]))
            case "min", [v, w]:
                return self.met(ast.Sub(), w, self._call("relu", [self.met(ast.Sub(), w, v)]))
            case "outer", [v, w] if v.shape and w.shape and v.shape[1] == w.shape[1] == SINGLE:
                turned = a.at(w.poly, i=("j", ()))
                return Value(a.times(v.poly, turned), (v.shape[0], w.shape[0]))
            case "column", [v] if v.shape and v.shape[1] == SINGLE:
                return Value(v.poly, v.shape, wide=True)
            case _, [v] if name in SLOPES:
                return Value(a.apply(name, _some(v.poly)), v.shape, v.wide)
        raise RefusedError(f"`{name[:40]}` of {len(values)} is not in the language")


def _some(poly: Poly) -> Poly:
    if not poly:
        raise RefusedError("a function of 0, or a division by it")
    return poly
