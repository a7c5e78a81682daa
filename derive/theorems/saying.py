"""How statements about single values are written: names with time indices, numbers, sizes."""

from fractions import Fraction
from math import inf

import sympy as sp

from derive.expressions import Expr, MatrixSymbol, Name, Shape, add, apply, constant, scale
from derive.gradients import Gradients
from derive.jacobians import Writer
from derive.ranges import Number

__all__ = ["depends", "expanded", "fraction", "less", "magnitude", "number", "of_step", "tex_name"]


def number(value: Number, shape: Shape) -> Expr:
    """A number in every entry."""
    exact = Fraction(value)
    return constant(sp.Rational(exact.numerator, exact.denominator), shape)


def fraction(value: Number) -> str:
    """A number as text."""
    return str(Fraction(value)) if abs(value) < inf else ("oo" if value > 0 else "-oo")


def magnitude(expr: Expr) -> Expr:
    """|expr|, entry by entry."""
    return apply("abs", expr)


def less(left: Expr, right: Expr) -> Expr:
    """Left - right."""
    return add(left, scale(sp.S.NegativeOne, right))


def of_step(writer: Writer, name: str) -> str:
    """'f' as f_t; a name that no author chose, by what it stands for."""
    shape = (sp.S.One, sp.S.One)
    found = [n for n in writer.introduced if n.name == name]
    return writer.text(found[0] if found else MatrixSymbol(name, *shape))


def tex_name(writer: Writer, name: str) -> str:
    """The same as TeX."""
    found = [n for n in writer.introduced if n.name == name]
    return writer.notation.tex(writer.introduced[found[0]]) if found else writer.notation.name(name)


def expanded(gradients: Gradients, name: str) -> Expr:
    """What a name is, in inputs, lagged states and parameters alone."""
    known: dict[Expr, Expr] = {}
    for assignment in gradients.forward:
        known[assignment.symbol] = assignment.value.xreplace(known)
    return next(e for n, e in known.items() if n.name == name)


def depends(gradients: Gradients, expr: Expr, name: Name) -> bool:
    """Whether an expression reads a name, by itself or through what the step assigns."""
    values = {a.symbol: a.value for a in gradients.forward}
    waiting = [expr]
    seen: set[Name] = set()
    while waiting:
        for leaf in waiting.pop().atoms(MatrixSymbol) - seen:
            if leaf == name:
                return True
            seen.add(leaf)
            if leaf in values:
                waiting.append(values[leaf])
    return False
