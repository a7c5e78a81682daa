"""Checked syntax trees -> SymPy matrix expressions."""

import ast
from collections.abc import Mapping

import sympy as sp

from derive.cell import lag
from derive.errors import CellError, one_line
from derive.expressions import (
    Expr,
    Shape,
    ZeroMatrix,
    add,
    apply,
    constant,
    matmul,
    power,
    scale,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.printing import is_readable, text_of_expression
from derive.language.reading import MAX_LINE, Statement, nesting
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
        value = _shaped(_expression(statement.value, shapes), shapes[statement.name])
        if isinstance(value, ZeroMatrix):
            raise CellError("the right side is 0; leave the name out")
        _check_printed(statement.name, value)
    except CellError as error:
        shown = one_line(statement.text)
        raise CellError(f"line {statement.line}: {error}, in `{shown}`") from None
    return value


def _check_printed(name: str, value: Expr) -> None:
    """Refuse what would not read back: its text has the same limits as the author's."""
    level: list[sp.Basic] = [value]
    for _ in range(MAX_LEVELS):
        level = [arg for node in level for arg in node.args]
    if level:
        raise CellError(f"an expression nests deeper than {MAX_LEVELS}; give parts of it names")
    if not all(is_readable(number) for number in value.atoms(sp.Rational)):
        raise CellError(_RANGE)
    text = f"{name} = {text_of_expression(value)}"
    if len(text) > MAX_LINE or nesting(text)[1] > MAX_DEPTH:
        raise CellError(
            f"written out, it is longer than {MAX_LINE} characters or its brackets nest deeper "
            f"than {MAX_DEPTH}; give parts of it names"
        )


_RANGE = "the numbers multiply to one that is not between 1e-30 and 1e30, or has too many digits"


def _expression(node: ast.expr, shapes: Shapes) -> Expr | sp.Rational:
    """A checked tree as a matrix expression; a number stays a number until it meets a shape."""
    match node:
        case ast.Constant():
            return sp.Rational(str(number(node)))
        case ast.Name():
            return symbol(node.id, shapes[node.id])
        case ast.Subscript(value=ast.Name(id=name)):
            return symbol(lag(name) if steps_back(node) else name, shapes[name])
        case ast.Attribute(value=ast.Name(id=name)):
            return transpose(symbol(name, shapes[name]))
        case ast.List():
            return stack(tuple(_expression(element, shapes) for element in _elements(node)))
        case ast.UnaryOp():
            inner = _expression(node.operand, shapes)
            return _scaled(sp.S.NegativeOne, inner) if isinstance(node.op, ast.USub) else inner
        case ast.Call(func=ast.Name(id=name)):
            inner = _expression(node.args[0], shapes)
            if not inner.is_Matrix:
                raise CellError(f"{name} of a number alone; write the number it gives")
            return apply(name, inner)
        case ast.BinOp(op=ast.Pow()):
            base, exponent = _expression(node.left, shapes), int(str(number(node.right)))
            return power(base, exponent) if base.is_Matrix else _checked(base**exponent)
        case ast.BinOp(op=ast.MatMult()):
            *matrices, product = (_expression(factor, shapes) for factor in chain(node))
            for matrix in reversed(matrices):
                product = matmul(matrix, product)
            return product
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return _sum(_terms(node, shapes))
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return _product(node, shapes)
    raise CellError(f"'{type(node).__name__}' is not in the language")


def _elements(node: ast.List) -> list[ast.expr]:
    """What a list stacks; a list in a list stacks its own elements in its place."""
    return [
        inner
        for element in node.elts
        for inner in (_elements(element) if isinstance(element, ast.List) else [element])
    ]


def _terms(node: ast.expr, shapes: Shapes) -> list[Expr | sp.Rational]:
    """The terms of a - b + c, which Python reads as (a - b) + c, in their order."""
    terms: list[Expr | sp.Rational] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        term = _expression(node.right, shapes)
        terms.append(_scaled(sp.S.NegativeOne, term) if isinstance(node.op, ast.Sub) else term)
        node = node.left
    return [_expression(node, shapes), *reversed(terms)]


def _sum(terms: list[Expr | sp.Rational]) -> Expr | sp.Rational:
    shape = next((term.shape for term in terms if term.is_Matrix), None)
    if shape is None:
        return _checked(sum(terms, start=sp.S.Zero))
    return add(*(_shaped(term, shape) for term in terms))


def _product(node: ast.expr, shapes: Shapes) -> Expr | sp.Rational:
    """The value of a * b / 2, which Python reads as (a * b) / 2."""
    factors: list[Expr] = []
    value: sp.Rational = sp.S.One
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        factor = _expression(node.right, shapes)
        if factor.is_Matrix:
            factors.append(factor)
        else:
            value = _checked(value * factor if isinstance(node.op, ast.Mult) else value / factor)
        node = node.left
    first = _expression(node, shapes)
    if first.is_Matrix:
        factors.append(first)
    else:
        value = _checked(value * first)
    return _scaled(value, times(*reversed(factors))) if factors else value


def _scaled(value: sp.Rational, expr: Expr | sp.Rational) -> Expr | sp.Rational:
    if not expr.is_Matrix:
        return value * expr
    if value == 0:
        raise CellError("a product with 0 is 0; leave it out")
    return scale(value, expr)


def _shaped(value: Expr | sp.Rational, shape: Shape) -> Expr:
    rows_columns = shape if len(shape) == 2 else (*shape, sp.S.One)
    return value if value.is_Matrix else constant(value, rows_columns)


def _checked(value: sp.Rational) -> sp.Rational:
    if not is_readable(value):
        raise CellError(_RANGE)
    return value
