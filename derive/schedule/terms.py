"""What the summands of assignments and cotangents are, for a machine: products, outer products,
elementwise factors. Matrix products with a stack [a, b] are split into one product for each part.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from derive.errors import RuleError
from derive.expressions import (
    BlockMatrix,
    Expr,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    Name,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    add,
    coefficient,
    constant,
    parts_of,
    scale,
    times,
)

__all__ = [
    "Factor",
    "Matrix",
    "Outer",
    "Product",
    "Slice",
    "Sum",
    "is_cotangent",
    "is_one",
    "joined",
    "read_sum",
    "split_stacks",
]


@dataclass(frozen=True)
class Matrix:
    """A parameter as it stands in a product: number * P, perhaps a part of it, perhaps turned.

    `part` is (axis of P, start, stop); the part is taken first, then transposed if `turned`.
    """

    parameter: Name
    turned: bool
    number: sp.Expr
    part: tuple[int, sp.Expr, sp.Expr] | None = None

    def columns(self, start: sp.Expr, stop: sp.Expr) -> "Matrix":
        """Some columns of the matrix as it stands."""
        return replace(self, part=(0 if self.turned else 1, start, stop))

    def rows(self, start: sp.Expr, stop: sp.Expr) -> "Matrix":
        """Some rows of the matrix as it stands."""
        return replace(self, part=(1 if self.turned else 0, start, stop))


@dataclass(frozen=True)
class Product:
    """matrix @ source."""

    matrix: Matrix
    source: Name


@dataclass(frozen=True)
class Outer:
    """number * left @ right.T: the gradient of a matrix."""

    number: sp.Expr
    left: Name
    right: Name


@dataclass(frozen=True)
class Factor:
    """factor * source, entry by entry; `source` is a cotangent."""

    factor: Expr
    source: Name


@dataclass(frozen=True)
class Slice:
    """Rows start ... stop of source."""

    source: Name
    start: sp.Expr
    stop: sp.Expr


@dataclass(frozen=True)
class Sum:
    """A sum, sorted by kind; `rest` is elementwise and has no cotangent in it."""

    products: tuple[Product, ...] = ()
    outers: tuple[Outer, ...] = ()
    factors: tuple[Factor, ...] = ()
    slices: tuple[Slice, ...] = ()
    rest: Expr | None = None

    @property
    def sources(self) -> frozenset[str]:
        """Names that the summands are linear in, or multiply."""
        linear = [t.source for t in self.products] + [t.source for t in self.factors]
        linear += [t.source for t in self.slices]
        linear += [n for o in self.outers for n in (o.left, o.right)]
        return frozenset(n.name for n in linear)


def is_cotangent(name: Name) -> bool:
    """Whether a name is linear in what comes from outside: bar(...), carry(...), dy."""
    return name.name == "dy" or name.name.startswith(("bar(", "carry("))


def read_sum(expr: Expr) -> Sum:
    """The summands of an assignment's right side, or of a cotangent's value."""
    products: list[Product] = []
    outers: list[Outer] = []
    factors: list[Factor] = []
    slices: list[Slice] = []
    rest: list[Expr] = []
    for term in expr.args if isinstance(expr, MatAdd) else (expr,):
        number, body = coefficient(term)
        match body:
            case ZeroMatrix():
                continue
            case MatMul() if _is_outer(body):
                left, right = body.args
                turned = isinstance(right, Transpose)  # a number is its own transpose
                outers.append(Outer(number, left, right.args[0] if turned else right))
            case MatMul():
                products.append(Product(_matrix(body.args[0], number), body.args[1]))
            case MatrixSlice():
                slices.append(Slice(body.parent, *body.rowslice[:2]))
            case _:
                source, factor = _separated(body)
                if source is None:
                    rest.append(term)
                else:
                    factors.append(Factor(scale(number, factor), source))
    joined = add(*rest) if rest else None
    return Sum(tuple(products), tuple(outers), _merged(factors), tuple(slices), joined)


def _is_outer(body: Expr) -> bool:
    left, right = body.args
    one = isinstance(left, MatrixSymbol) and is_cotangent(left) and right.shape == (1, 1)
    return one or isinstance(right, Transpose)


def _matrix(expr: Expr, number: sp.Expr) -> Matrix:
    turned = isinstance(expr, Transpose)
    name = expr.args[0] if turned else expr
    if not isinstance(name, MatrixSymbol):
        raise RuleError(f"a product with {type(name).__name__}; only a parameter can be scheduled")
    return Matrix(name, turned, number)


def _separated(body: Expr) -> tuple[Name | None, Expr]:
    """(the cotangent in an elementwise product, the rest of it)."""
    parts = body.args if isinstance(body, HadamardProduct) else (body,)
    found = [p for p in parts if isinstance(p, MatrixSymbol) and is_cotangent(p)]
    others = [p for p in parts if not any(p is f for f in found)]
    if not found:
        return None, body
    return found[0], times(*others) if others else constant(sp.S.One, body.shape)


def _merged(factors: list[Factor]) -> tuple[Factor, ...]:
    """One factor for each source."""
    found: dict[Name, list[Expr]] = {}
    for factor in factors:
        found.setdefault(factor.source, []).append(factor.factor)
    return joined(found)


def joined(found: Mapping[Name, Sequence[Expr]]) -> tuple[Factor, ...]:
    """One factor for each source, sums that vanish left out."""
    factors = (Factor(add(*parts), source) for source, parts in found.items())
    return tuple(f for f in factors if not isinstance(f.factor, ZeroMatrix))


def split_stacks(total: Sum, stacks: Mapping[str, BlockMatrix]) -> Sum:
    """Products with a stack, as products with its parts."""
    products: list[Product] = []
    for product in total.products:
        stack = stacks.get(product.source.name)
        products.extend([product] if stack is None else _pieces(product, stack, stacks))
    return replace(total, products=tuple(products))


def _pieces(
    product: Product,
    stack: BlockMatrix,
    stacks: Mapping[str, BlockMatrix],
    start: sp.Expr = sp.S.Zero,
) -> Iterator[Product]:
    for part in parts_of(stack):
        stop = start + part.shape[0]
        inner = stacks.get(part.name)
        if inner is None:
            yield Product(product.matrix.columns(start, stop), part)
        else:
            yield from _pieces(product, inner, stacks, start)
        start = stop


def is_one(factor: Expr) -> bool:
    """Whether a factor is exactly 1."""
    return isinstance(factor, OneMatrix)
