"""Cell -> text that parses to an equal cell."""

from collections.abc import Iterable, Iterator

import sympy as sp

from derive.cell import Cell, Variable
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
    column_of,
    parts_of,
    scale,
    spread_of,
    total_of,
)
from derive.language.numerals import ATOM as _ATOM
from derive.language.numerals import POWER as _POWER
from derive.language.numerals import PRODUCT as _PRODUCT
from derive.language.numerals import SUM as _SUM
from derive.language.numerals import numeral

__all__ = ["text_of", "text_of_expression"]

MAX_WIDTH = 96  # where a line of declarations ends


def text_of(cell: Cell) -> str:
    """The cell's text: documentation, declarations, equations."""
    lines = [f'"""{cell.doc}"""'] if cell.doc else []
    kinds = (("input", cell.inputs), ("state", cell.states), ("parameter", cell.parameters))
    for kind, variables in kinds:
        lines.extend(_declared(kind, variables))
    lines.append("")
    lines.extend(f"{e.name} = {text_of_expression(e.value)}" for e in cell.equations)
    return "\n".join(lines) + "\n"


def _declared(kind: str, variables: Iterable[Variable]) -> Iterator[str]:
    line = ""
    for variable in variables:
        item = f"{variable.name}[{', '.join(map(str, variable.shape))}]"
        if line and len(line) + len(item) > MAX_WIDTH:
            yield line
            line = ""
        line = f"{line}, {item}" if line else f"{kind} {item}"
    if line:
        yield line


def text_of_expression(expr: Expr, place: int = _SUM) -> str:
    """An expression in the language, bracketed for a place of the given binding strength."""
    text, strength = _written(expr)
    return text if strength >= place else f"({text})"


def _written(expr: Expr) -> tuple[str, int]:
    number, rest = coefficient(expr)
    if number != 1:
        return _scaled(number, rest)
    match expr:
        case MatrixSymbol():
            return expr.name, _ATOM
        case OneMatrix():
            return "1", _ATOM
        case ZeroMatrix():
            return "0", _ATOM
        case Apply(name="reciprocal"):
            return f"1 / {text_of_expression(expr.argument, _POWER)}", _PRODUCT
        case Apply():
            return f"{expr.name}({text_of_expression(expr.argument)})", _ATOM
        case LogSumExp():
            return f"logsumexp({text_of_expression(expr.argument)})", _ATOM
        case Transpose():
            return f"{text_of_expression(expr.args[0], _ATOM)}.T", _ATOM
        case HadamardPower():
            return f"{text_of_expression(expr.args[0], _ATOM)} ** {expr.args[1]}", _POWER
        case HadamardProduct():
            return _product(expr.args), _PRODUCT
        case MatMul():
            return _matrix_product(expr)
        case MatrixSlice():  # stands in derivations only; the language has no slices
            start, stop = expr.rowslice[:2]
            return f"{text_of_expression(expr.parent, _ATOM)}[{start}:{stop}]", _ATOM
        case BlockMatrix():
            parts = [text_of_expression(p) for p in parts_of(expr)]
            return f"[{', '.join(parts)}]", _ATOM
        case MatAdd():
            return _sum(expr.args), _SUM
    raise RuleError(f"no text for {type(expr).__name__}")


def _scaled(number: sp.Expr, rest: Expr) -> tuple[str, int]:
    if isinstance(rest, OneMatrix):
        return numeral(number)
    if number == -1:
        return f"-{text_of_expression(rest, _POWER)}", _PRODUCT
    text, strength = numeral(number)
    text = text if strength >= _PRODUCT else f"({text})"
    # An inverse stands behind: a / b is no product of a number.
    inner = text_of_expression(rest, _PRODUCT)
    return f"{text} * {f'({inner})' if _divides(rest) else inner}", _PRODUCT


def _matrix_product(expr: MatMul) -> tuple[str, int]:
    scalar, summed = spread_of(expr), total_of(expr)
    if summed is not None:
        return f"sum({text_of_expression(summed)})", _ATOM
    if scalar is not None:
        return _written(scalar)
    if column_of(expr) is not None:
        return f"column({text_of_expression(expr.args[0])})", _ATOM
    left, right = expr.args
    if isinstance(right, Transpose):
        # Only names have .T, and (A @ v) @ b.T would be read as A @ (v @ b.T).
        column = right.args[0]
        if not isinstance(column, MatrixSymbol) or (column.shape[1] == 1 and _is_product(left)):
            return f"outer({text_of_expression(left)}, {text_of_expression(column)})", _ATOM
    place = _PRODUCT if _is_product(right) else _POWER
    return f"{text_of_expression(left, _POWER)} @ {text_of_expression(right, place)}", _PRODUCT


def _is_product(expr: Expr) -> bool:
    """Whether it is a product that is written with '@'."""
    if not isinstance(expr, MatMul) or not expr.args[0].is_Matrix:
        return False
    return all(e is None for e in (total_of(expr), spread_of(expr), column_of(expr)))


def _divisor(factor: Expr) -> Expr | None:
    """What a factor divides by, if it is an inverse."""
    scalar = spread_of(factor)
    inverse = factor if scalar is None else scalar
    return inverse.argument if isinstance(inverse, Apply) and inverse.name == "reciprocal" else None


def _divides(expr: Expr) -> bool:
    """Whether the text of a product begins with '1 /'."""
    first = expr.args[0] if isinstance(expr, HadamardProduct) else expr
    return _divisor(first) is not None


def _product(factors: Iterable[Expr]) -> str:
    text = ""
    for factor in factors:
        divisor = _divisor(factor)
        if divisor is not None:
            text = f"{text or '1'} / {text_of_expression(divisor, _POWER)}"
        else:
            shown = text_of_expression(factor, _POWER)
            text = f"{text} * {shown}" if text else shown
    return text


def _sum(terms: Iterable[Expr]) -> str:
    text = ""
    for term in terms:
        negative = coefficient(term)[0].is_negative
        if not text:
            text = text_of_expression(term, _PRODUCT)
        elif negative:
            text += f" - {text_of_expression(scale(sp.S.NegativeOne, term), _PRODUCT)}"
        else:
            text += f" + {text_of_expression(term, _PRODUCT)}"
    return text
