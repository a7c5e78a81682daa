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
    parts_of,
    scale,
    spread_of,
    total_of,
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
        text, strength = _number(number)
        text = text if strength >= _PRODUCT else f"({text})"
        # An inverse stands behind: a / b is no product of a number.
        inner = text_of_expression(rest, _PRODUCT)
        return f"{text} * {f'({inner})' if _divides(rest) else inner}", _PRODUCT
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


def _matrix_product(expr: MatMul) -> tuple[str, int]:
    scalar, summed = spread_of(expr), total_of(expr)
    if summed is not None:
        return f"sum({text_of_expression(summed)})", _ATOM
    if scalar is not None:
        return _written(scalar)
    left, right = expr.args
    if isinstance(right, Transpose) and not isinstance(right.args[0], MatrixSymbol):
        column = text_of_expression(right.args[0])
        return f"outer({text_of_expression(left)}, {column})", _ATOM
    place = _PRODUCT if isinstance(right, MatMul) and _is_plain(right) else _POWER
    return f"{text_of_expression(left, _POWER)} @ {text_of_expression(right, place)}", _PRODUCT


def _is_plain(expr: MatMul) -> bool:
    """Whether a product is written with '@'."""
    return bool(expr.args[0].is_Matrix) and total_of(expr) is None and spread_of(expr) is None


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


def is_readable(value: sp.Rational) -> bool:
    """Whether the text of a number reads back as that number."""
    if value == 0:
        return True
    small = abs(value.p) <= LARGEST and value.q <= LARGEST
    return 1 <= abs(value) * LARGEST <= LARGEST**2 and (small or _decimal(value) is not None)


def _number(value: sp.Expr) -> tuple[str, int]:
    """Whole numbers and finite decimals as they are, other fractions as a quotient."""
    if not value.is_Rational:
        return _size_number(value)
    text = str(value) if value.is_Integer else _decimal(value)
    if text is None:
        return f"{value.p} / {value.q}", _PRODUCT
    return text, _PRODUCT if value.is_negative else _ATOM


def _size_number(value: sp.Expr) -> tuple[str, int]:
    """A number that is made of sizes, such as 1 / n or 1 / sqrt(n + m)."""
    above, below = sp.fraction(value)
    if below != 1:
        top, strength = _number(above)
        bottom, inner = _number(below)
        top = top if strength >= _PRODUCT else f"({top})"
        return f"{top} / {bottom if inner >= _POWER else f'({bottom})'}", _PRODUCT
    match value:
        case sp.Symbol():
            return str(value), _ATOM
        case sp.Pow(exp=sp.Rational(p=1, q=2)):
            return f"sqrt({_number(value.base)[0]})", _ATOM
        case sp.Pow() if value.exp.is_Integer and value.exp > 1:
            base, strength = _number(value.base)
            return f"{base if strength == _ATOM else f'({base})'} ** {value.exp}", _POWER
        case sp.Mul() | sp.Add():
            place, mark = (_POWER, " * ") if isinstance(value, sp.Mul) else (_PRODUCT, " + ")
            parts = [_number(part) for part in value.as_ordered_factors() if place == _POWER]
            parts = parts or [_number(part) for part in value.as_ordered_terms()]
            texts = [t if strength >= place else f"({t})" for t, strength in parts]
            return mark.join(texts), _PRODUCT if place == _POWER else _SUM
    raise RuleError(f"no text for the number {value}")


def _decimal(value: sp.Rational) -> str | None:
    """The shortest decimal that reads as this number exactly, if there is one."""
    text = repr(float(value))
    return text if sp.Rational(text) == value else None
