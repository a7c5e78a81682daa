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
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
    scale,
)

__all__ = ["is_readable", "text_of", "text_of_expression"]

LARGEST = 10**30  # the language's numbers are 0 or between 1 / LARGEST and LARGEST
MAX_WIDTH = 96  # where a line of declarations ends
_SUM, _PRODUCT, _POWER, _ATOM = range(4)


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
        if isinstance(rest, OneMatrix):
            return _number(number)
        if number == -1:
            return f"-{text_of_expression(rest, _POWER)}", _PRODUCT
        return f"{_number(number)[0]} * {text_of_expression(rest, _PRODUCT)}", _PRODUCT
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
            left, right = expr.args
            place = _PRODUCT if isinstance(right, MatMul) and right.args[0].is_Matrix else _POWER
            return (
                f"{text_of_expression(left, _POWER)} @ {text_of_expression(right, place)}",
                _PRODUCT,
            )
        case MatrixSlice():  # stands in derivations only; the language has no slices
            start, stop = expr.rowslice[:2]
            return f"{text_of_expression(expr.parent, _ATOM)}[{start}:{stop}]", _ATOM
        case BlockMatrix():
            parts = [text_of_expression(p) for p in parts_of(expr)]
            return f"[{', '.join(parts)}]", _ATOM
        case MatAdd():
            return _sum(expr.args), _SUM
    raise RuleError(f"no text for {type(expr).__name__}")


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


def is_readable(value: sp.Rational) -> bool:
    """Whether the text of a number reads back as that number."""
    if value == 0:
        return True
    small = abs(value.p) <= LARGEST and value.q <= LARGEST
    return 1 <= abs(value) * LARGEST <= LARGEST**2 and (small or _decimal(value) is not None)


def _number(value: sp.Rational) -> tuple[str, int]:
    """Whole numbers and finite decimals as they are, other fractions as a quotient."""
    text = str(value) if value.is_Integer else _decimal(value)
    if text is None:
        return f"{value.p} / {value.q}", _PRODUCT
    return text, _PRODUCT if value.is_negative else _ATOM


def _decimal(value: sp.Rational) -> str | None:
    """The shortest decimal that reads as this number exactly, if there is one."""
    text = repr(float(value))
    return text if sp.Rational(text) == value else None
