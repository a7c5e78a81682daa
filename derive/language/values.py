"""Checked syntax trees -> SymPy matrix expressions."""

import ast
from collections.abc import Mapping

import sympy as sp

from derive.cell import lag
from derive.errors import CellError, one_line
from derive.expressions import (
    Expr,
    MatMul,
    MatrixSymbol,
    Shape,
    ZeroMatrix,
    add,
    apply,
    coefficient,
    matmul,
    power,
    reciprocal,
    scale,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.filling import as_factors, as_terms, filled
from derive.language.numerals import is_readable, numeral
from derive.language.printing import text_of_expression
from derive.language.reading import MAX_LINE, Statement, nesting
from derive.language.shorthands import SHORTHANDS
from derive.language.whitelist import MAX_DEPTH, chain, number, steps_back

__all__ = ["value_of"]

MAX_LEVELS = 3 * MAX_DEPTH
Shapes = Mapping[str, Shape]


def value_of(statement: Statement, shapes: Shapes) -> Expr:
    """The right side of a checked equation; a number alone fills the shape of its name.

    Raises:
        CellError: 'line N: …', a number is out of range or the equation could not be printed.
    """
    try:
        rows, *columns = shapes[statement.name]
        value = filled(_expression(statement.value, shapes), (rows, *(columns or [sp.S.One])))
        if isinstance(value, ZeroMatrix):
            raise CellError("the right side is 0; leave the name out")
        _check_printed(statement.name, value)
    except CellError as error:
        shown = one_line(statement.text)
        raise CellError(f"line {statement.line}: {error}, in `{shown}`") from None
    return value


def _check_printed(name: str, value: Expr) -> None:
    """Refuse what would not read back: its text has the same limits as the author's."""
    depth, names = _extent(value)
    if depth > MAX_LEVELS:
        raise CellError(f"an expression nests deeper than {MAX_LEVELS}; give parts of it names")
    too_long = (
        f"written out, it is longer than {MAX_LINE} characters or its brackets nest deeper "
        f"than {MAX_DEPTH}; give parts of it names"
    )
    if names > MAX_LINE:  # each name takes a character, so its text is longer
        raise CellError(too_long)
    for product in value.atoms(MatMul):
        _checked(coefficient(product)[0])
    text = f"{name} = {text_of_expression(value)}"
    if len(text) > MAX_LINE or nesting(text)[1] > MAX_DEPTH:
        raise CellError(too_long)


def _extent(value: Expr) -> tuple[int, int]:
    """How deep an expression nests and how many names it has, in time linear in its parts.

    max(a, b) has b twice, so that the text of a short one may be long beyond all measure.
    """
    known: dict[int, tuple[int, int]] = {}
    kept: list[sp.Basic] = []  # so that no other node gets the same id

    def of(node: sp.Basic) -> tuple[int, int]:
        if id(node) not in known:
            inner = [of(arg) for arg in node.args if not isinstance(node, MatrixSymbol)]
            depth = 1 + max((depth for depth, _ in inner), default=0)
            names = sum(count for _, count in inner) + isinstance(node, MatrixSymbol)
            known[id(node)] = depth, names
            kept.append(node)
        return known[id(node)]

    return of(value)


_RANGE = "the numbers multiply to one that is not between 1e-30 and 1e30, or has too many digits"
_UNWRITTEN = "a number of sizes that has no text here, as a power above 16 or a root of a root"


def _expression(node: ast.expr, shapes: Shapes) -> Expr | sp.Expr:
    """A checked tree as a matrix expression; a number stays a number until it meets a shape."""
    match node:
        case ast.Constant():
            return sp.Rational(str(number(node)))
        case ast.Name() if node.id not in shapes:  # a size, as a number
            return sp.Symbol(node.id, integer=True, positive=True)
        case ast.Name():
            return symbol(node.id, shapes[node.id])
        case ast.Subscript(value=ast.Name(id=name)):
            return symbol(lag(name) if steps_back(node) else name, shapes[name])
        case ast.Attribute(value=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))):
            if shapes[name] == (1,):
                raise CellError("the transpose of a scalar is itself; leave '.T' out")
            return transpose(_expression(node.value, shapes))
        case ast.List():
            return stack(tuple(_expression(element, shapes) for element in _elements(node)))
        case ast.UnaryOp():
            inner = _expression(node.operand, shapes)
            return _scaled(sp.S.NegativeOne, inner) if isinstance(node.op, ast.USub) else inner
        case ast.Call(func=ast.Name(id=name)) if name in SHORTHANDS:
            return _shorthand(name, [_expression(argument, shapes) for argument in node.args])
        case ast.Call(func=ast.Name(id=name)):
            inner = _expression(node.args[0], shapes)
            if inner.is_Matrix:
                return apply(name, inner)
            if name != "sqrt":
                raise CellError(f"{name} of a number alone; write the number it gives")
            if not inner.is_nonnegative:
                said = "is" if inner.is_negative else "may be"
                raise CellError(f"sqrt of {numeral(inner)[0]}, which {said} negative")
            return _checked(sp.sqrt(inner))
        case ast.BinOp(op=ast.Pow()):
            base, exponent = _expression(node.left, shapes), int(str(number(node.right)))
            return power(base, exponent) if base.is_Matrix else _checked(base**exponent)
        case ast.BinOp(op=ast.MatMult()):
            *matrices, product = (_expression(factor, shapes) for factor in chain(node))
            for matrix in reversed(matrices):
                if matrix.shape[1] != product.shape[0]:
                    raise CellError("column(v) in a matrix product; it stands in '*' and '+' only")
                product = matmul(matrix, product)
            return product
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return _sum(_terms(node, shapes))
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return _product(node, shapes)
    raise CellError(f"'{type(node).__name__}' is not in the language")


def _shorthand(name: str, arguments: list[Expr | sp.Expr]) -> Expr:
    if name != "outer":
        return SHORTHANDS[name].value(*as_terms(arguments))
    if arguments[1].shape == (1, 1):
        raise CellError("outer with a scalar; write a product with '*'")
    return SHORTHANDS[name].value(*arguments)


def _elements(node: ast.List) -> list[ast.expr]:
    """What a list stacks; a list in a list stacks its own elements in its place."""
    return [
        inner
        for element in node.elts
        for inner in (_elements(element) if isinstance(element, ast.List) else [element])
    ]


def _terms(node: ast.expr, shapes: Shapes) -> list[Expr | sp.Expr]:
    """The terms of a - b + c, which Python reads as (a - b) + c, in their order."""
    terms: list[Expr | sp.Expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        term = _expression(node.right, shapes)
        terms.append(_scaled(sp.S.NegativeOne, term) if isinstance(node.op, ast.Sub) else term)
        node = node.left
    return [_expression(node, shapes), *reversed(terms)]


def _sum(terms: list[Expr | sp.Expr]) -> Expr | sp.Expr:
    if not any(term.is_Matrix for term in terms):
        return _checked(sum(terms, start=sp.S.Zero))
    return add(*as_terms(terms))


def _product(node: ast.expr, shapes: Shapes) -> Expr | sp.Expr:
    """The value of a * b / 2, which Python reads as (a * b) / 2."""
    factors: list[Expr] = []
    value: sp.Expr = sp.S.One
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        factor, divides = _expression(node.right, shapes), isinstance(node.op, ast.Div)
        if factor.is_Matrix:
            factors.append(reciprocal(factor) if divides else factor)
        elif divides and not factor.is_nonzero:
            what = "0" if factor == 0 else f"{numeral(factor)[0]}, which may be 0"
            raise CellError(f"a division by {what}; divide by what cannot be 0")
        else:
            value = _checked(value / factor if divides else value * factor)
        node = node.left
    first = _expression(node, shapes)
    if first.is_Matrix:
        factors.append(first)
    else:
        value = _checked(value * first)
    return _scaled(value, times(*as_factors(factors[::-1]))) if factors else value


def _scaled(value: sp.Expr, expr: Expr | sp.Expr) -> Expr | sp.Expr:
    if not expr.is_Matrix:
        return value * expr
    if value == 0:
        raise CellError("a product with 0 is 0; leave it out")
    return scale(value, expr)


def _checked(value: sp.Expr) -> sp.Expr:
    if not is_readable(value):
        raise CellError(_RANGE if value.is_Rational else _UNWRITTEN)
    return value
