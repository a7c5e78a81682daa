"""Cell -> text that parses to an equal cell."""

from collections.abc import Iterable

import sympy as sp

from derive.cell import Cell, Variable
from derive.errors import RuleError
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
)

__all__ = ["text_of", "text_of_expression"]

_SUM, _PRODUCT, _POWER, _ATOM = range(4)


def text_of(cell: Cell) -> str:
    """The cell's text: documentation, declarations, equations."""
    lines = [f'"""{cell.doc}"""'] if cell.doc else []
    for kind, variables in (("input", cell.inputs), ("state", cell.states)):
        if variables:
            lines.append(f"{kind} {_declared(variables)}")
    if cell.parameters:
        lines.append(f"parameter {_declared(cell.parameters)}")
    lines.append("")
    lines.extend(f"{e.name} = {text_of_expression(e.value)}" for e in cell.equations)
    return "\n".join(lines) + "\n"


def _declared(variables: Iterable[Variable]) -> str:
    return ", ".join(f"{v.name}[{', '.join(map(str, v.shape))}]" for v in variables)


def text_of_expression(expr: Expr, place: int = _SUM) -> str:
    """An expression in the language, bracketed for a place of the given binding strength."""
    text, strength = _written(expr)
    return text if strength >= place else f"({text})"


def _written(expr: Expr) -> tuple[str, int]:
    number, rest = coefficient(expr)
    if number != 1:
        if isinstance(rest, OneMatrix):
            return _number(number), _ATOM if number.is_Integer and number >= 0 else _SUM
        if number == -1:
            return f"-{text_of_expression(rest, _POWER)}", _PRODUCT
        return f"{_number(number)} * {text_of_expression(rest, _PRODUCT)}", _PRODUCT
    match expr:
        case MatrixSymbol():
            return expr.name, _ATOM
        case OneMatrix():
            return "1", _ATOM
        case ZeroMatrix():
            return "0", _ATOM
        case Apply():
            return f"{expr.name}({text_of_expression(expr.argument)})", _ATOM
        case Transpose():
            return f"{text_of_expression(expr.args[0], _ATOM)}.T", _ATOM
        case HadamardPower():
            return f"{text_of_expression(expr.args[0], _ATOM)} ** {expr.args[1]}", _POWER
        case HadamardProduct():
            return " * ".join(text_of_expression(a, _POWER) for a in expr.args), _PRODUCT
        case MatMul():
            return " @ ".join(text_of_expression(a, _POWER) for a in expr.args), _PRODUCT
        case BlockMatrix():
            parts = [text_of_expression(row[0]) for row in expr.blocks.tolist()]
            return f"[{', '.join(parts)}]", _ATOM
        case MatAdd():
            return _sum(expr.args), _SUM
    raise RuleError(f"no text for {type(expr).__name__}")


def _sum(terms: Iterable[Expr]) -> str:
    text = ""
    for term in terms:
        number, rest = coefficient(term)
        sign = "-" if number.is_negative else "+"
        positive = text_of_expression(-number * rest if sign == "-" else term, _PRODUCT)
        if not text:
            text = text_of_expression(term, _PRODUCT)
        else:
            text += f" {sign} {positive}"
    return text


def _number(value: sp.Expr) -> str:
    """Whole numbers and finite decimals as they are, other fractions as a quotient."""
    if value.is_Integer:
        return str(value)
    decimal = sp.Rational(repr(float(value)))
    return repr(float(value)) if decimal == value else f"{value.p} / {value.q}"
