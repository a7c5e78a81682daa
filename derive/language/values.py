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
    reciprocal,
    scale,
    spread,
    stack,
    symbol,
    times,
    transpose,
)
from derive.language.printing import is_readable, text_of_expression
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
    if not all(is_readable(number) for number in value.atoms(sp.Rational) if number != 0):
        raise CellError(_RANGE)
    text = f"{name} = {text_of_expression(value)}"
    if len(text) > MAX_LINE or nesting(text)[1] > MAX_DEPTH:
        raise CellError(
            f"written out, it is longer than {MAX_LINE} characters or its brackets nest deeper "
            f"than {MAX_DEPTH}; give parts of it names"
        )


_RANGE = "the numbers multiply to one that is not between 1e-30 and 1e30, or has too many digits"


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
        case ast.Attribute():
            return transpose(_expression(node.value, shapes))
        case ast.List():
            return stack(tuple(_expression(element, shapes) for element in _elements(node)))
        case ast.UnaryOp():
            inner = _expression(node.operand, shapes)
            return _scaled(sp.S.NegativeOne, inner) if isinstance(node.op, ast.USub) else inner
        case ast.Call(func=ast.Name(id=name)) if name in SHORTHANDS:
            arguments = [_expression(argument, shapes) for argument in node.args]
            return SHORTHANDS[name].value(*_alike(arguments))
        case ast.Call(func=ast.Name(id=name)):
            inner = _expression(node.args[0], shapes)
            if inner.is_Matrix:
                return apply(name, inner)
            if name == "sqrt" and not inner.is_negative:
                return sp.sqrt(inner)
            raise CellError(f"{name} of a number alone; write the number it gives")
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
    return add(*_alike(terms))


def _product(node: ast.expr, shapes: Shapes) -> Expr | sp.Expr:
    """The value of a * b / 2, which Python reads as (a * b) / 2."""
    factors: list[Expr] = []
    value: sp.Expr = sp.S.One
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        factor, divides = _expression(node.right, shapes), isinstance(node.op, ast.Div)
        if factor.is_Matrix:
            factors.append(reciprocal(factor) if divides else factor)
        elif factor == 0 and divides:
            raise CellError("a division by 0")
        else:
            value = _checked(value / factor if divides else value * factor)
        node = node.left
    first = _expression(node, shapes)
    if first.is_Matrix:
        factors.append(first)
    else:
        value = _checked(value * first)
    return _scaled(value, times(*reversed(_alike(factors)))) if factors else value


def _alike(values: list[Expr | sp.Expr]) -> list[Expr]:
    """Values of one shape: numbers and scalars fill the shape of the others."""
    shapes = [value.shape for value in values if value.is_Matrix]
    shape = next((s for s in shapes if s != (1, 1)), shapes[0])
    return [_filled(value, shape) for value in values]


def _scaled(value: sp.Expr, expr: Expr | sp.Expr) -> Expr | sp.Expr:
    if not expr.is_Matrix:
        return value * expr
    if value == 0:
        raise CellError("a product with 0 is 0; leave it out")
    return scale(value, expr)


def _shaped(value: Expr | sp.Expr, shape: Shape) -> Expr:
    return _filled(value, shape if len(shape) == 2 else (*shape, sp.S.One))


def _filled(value: Expr | sp.Expr, rows_columns: Shape) -> Expr:
    if not value.is_Matrix:
        return constant(value, rows_columns)
    return spread(value, rows_columns) if value.shape == (1, 1) else value


def _checked(value: sp.Expr) -> sp.Expr:
    if not all(is_readable(number) for number in value.atoms(sp.Rational) if number != 0):
        raise CellError(_RANGE)
    return value
