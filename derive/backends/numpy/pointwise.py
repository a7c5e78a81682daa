"""Elementwise expressions -> NumPy text: as one expression, or as calls that write into buffers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from derive.errors import RuleError
from derive.expressions import (
    Apply,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatrixSymbol,
    OneMatrix,
    coefficient,
    scale,
)

__all__ = ["Calls", "infix", "number_text"]

Resolve = Callable[[str], str]


def number_text(value: sp.Expr) -> str:
    """A number that NumPy does not promote: plain Python, in which sizes are names."""
    if value.is_Number:
        return str(value) if value.is_Integer else repr(float(value))
    match value:
        case sp.Symbol():
            return str(value)
        case sp.Add():
            return " + ".join(map(number_text, value.as_ordered_terms()))
        case sp.Mul():
            first, *others = value.as_ordered_factors()
            return "*".join((number_text(first), *map(_in_product, others)))
        case sp.Pow():
            return f"{_in_product(value.base)}**{number_text(value.exp)}"
        case sp.NumberSymbol():
            return repr(float(value))
    raise RuleError(f"no text for the number {value}")


def _in_product(value: sp.Expr) -> str:
    text = number_text(value)
    return f"({text})" if isinstance(value, sp.Add) or text.startswith("-") else text


def infix(expr: Expr, resolve: Resolve, place: int = 0) -> str:
    """One expression; `resolve` gives the text of a name, `place` is 0 in a sum, 1 in a product."""
    number, rest = coefficient(expr)
    if isinstance(rest, OneMatrix):
        return number_text(number)
    if number != 1:
        text = f"{number_text(number)} * {infix(rest, resolve, 1)}"
        return f"({text})" if place and number.is_negative else text
    match expr:
        case MatrixSymbol():
            return resolve(expr.name)
        case MatAdd():
            text = " + ".join(infix(a, resolve, 0) for a in expr.args).replace("+ -", "- ")
            return f"({text})" if place else text
        case HadamardProduct():
            return " * ".join(infix(a, resolve, 1) for a in expr.args)
        case HadamardPower():
            base = infix(expr.args[0], resolve, 1)
            simple = isinstance(expr.args[0], MatrixSymbol | Apply)
            return f"{base if simple else f'({base})'} ** {expr.args[1]}"
        case Apply():
            return f"_{expr.name}({infix(expr.argument, resolve)})"
    raise RuleError(f"no elementwise text for {type(expr).__name__}")


@dataclass
class Calls:
    """Statements that compute an expression into a buffer, with as few temporaries as it takes.

    Attributes:
        resolve: the text of a name.
        buffer: (rows, place) -> the text of the place-th temporary with that many rows.
        lines: the statements so far.
    """

    resolve: Resolve
    buffer: Callable[[sp.Expr, int], str]
    lines: list[str] = field(default_factory=list)
    depth: int = 0

    def into(self, out: str, expr: Expr) -> None:
        """Statements that leave the value of `expr` in `out`, which no operand may share."""
        simple = self.simple(expr)
        if simple is not None:
            self.lines.append(f"np.copyto({out}, {simple})")
            return
        match expr:
            case Apply():
                self.lines.append(f"_{expr.name}({self.value(expr.argument)}, {out})")
            case MatAdd():
                self.sum(out, expr)
            case HadamardPower():
                base = self.value(expr.args[0])
                self.chain(out, "multiply", [base] * int(expr.args[1]))
            case HadamardProduct():
                self.product(out, expr)
            case _:
                number, rest = coefficient(expr)
                self.lines.append(
                    f"np.multiply({self.value(rest, out)}, {number_text(number)}, out={out})"
                )

    def value(self, expr: Expr, out: str | None = None) -> str:
        """The text of a value: a name, a number, or a buffer (`out` if given) that now holds it."""
        simple = self.simple(expr)
        if simple is not None:
            return simple
        if out is not None:
            self.into(out, expr)
            return out
        place = self.depth
        self.depth += 1
        text = self.buffer(expr.shape[0], place)
        self.into(text, expr)
        return text

    def simple(self, expr: Expr) -> str | None:
        """The text of a name or a number; None for anything else."""
        number, rest = coefficient(expr)
        if isinstance(rest, OneMatrix):
            return number_text(number)
        return self.resolve(expr.name) if isinstance(expr, MatrixSymbol) else None

    def chain(self, out: str, operation: str, values: list[str]) -> None:
        """values[0] op values[1] op ... into `out`."""
        left = values[0]
        for right in values[1:]:
            self.lines.append(f"np.{operation}({left}, {right}, out={out})")
            left = out

    def product(self, out: str, expr: HadamardProduct) -> None:
        """A product, composite factors first so that one of them can be computed in `out`."""
        composite = [a for a in expr.args if self.simple(a) is None]
        names = [a for a in expr.args if self.simple(a) is not None]
        held = self.depth
        values = [self.value(composite[0], out)] if composite else []
        values += [self.value(a) for a in composite[1:]] + [self.value(a) for a in names]
        self.chain(out, "multiply", values)
        self.depth = held

    def sum(self, out: str, expr: MatAdd) -> None:
        """A sum, one term after the other; negative terms are subtracted."""
        terms = [(-1, scale(sp.S.NegativeOne, a)) if _negative(a) else (1, a) for a in expr.args]
        terms.sort(key=lambda term: (term[0] < 0, self.simple(term[1]) is not None))
        held = self.depth
        (sign, first), rest = terms[0], terms[1:]
        left = self.value(first, out)
        if sign < 0:
            self.lines.append(f"np.multiply({left}, -1, out={out})")
            left = out
        for sign, term in rest:
            value = self.value(term, None if left == out else out)
            self.lines.append(f"np.{'add' if sign > 0 else 'subtract'}({left}, {value}, out={out})")
            left = out
            self.depth = held


def _negative(expr: Expr) -> bool:
    number, _ = coefficient(expr)
    return bool(number.is_negative)
