"""Values that meet entry by entry get one shape: numbers, scalars and columns fill it.

Brackets that the text of a product or a sum does not keep make no difference to the value.
"""

from typing import TypeAlias

import sympy as sp

from derive.expressions import (
    Expr,
    HadamardProduct,
    MatAdd,
    Shape,
    add,
    coefficient,
    constant,
    matmul,
    scale,
    spread,
    spread_of,
    times,
)

__all__ = ["as_factors", "as_terms", "filled"]

Value: TypeAlias = Expr | sp.Expr


def as_terms(values: list[Value]) -> list[Expr]:
    """Terms of a sum, or what else meets entry by entry, in one shape."""
    shape = _largest(values)
    return [filled(value, shape) for value in values]


def as_factors(factors: list[Expr]) -> list[Expr]:
    """Factors of an elementwise product in one shape.

    Scalars are multiplied with each other first, in the first one's place.
    """
    flat = [part for factor in factors for part in _parts(factor)]
    places = [place for place, factor in enumerate(flat) if factor.shape == (1, 1)]
    if 1 < len(places) < len(flat):
        kept = dict(enumerate(flat))
        kept[places[0]] = times(*(kept.pop(place) for place in places))
        flat = [kept[place] for place in sorted(kept)]
    shape = _largest(flat)
    return [_spread(factor, shape) for factor in flat]


def filled(value: Value, shape: Shape) -> Expr:
    """A value in that shape; (a + b) fills as a + b, so that a + b + v is flat."""
    if not value.is_Matrix:
        return constant(value, shape)
    number, rest = coefficient(value)
    if value.shape != (1, 1) or not isinstance(rest, MatAdd):
        return _spread(value, shape)
    return scale(number, add(*(spread(term, shape) for term in rest.args)))


def _spread(value: Expr, shape: Shape) -> Expr:
    if value.shape == (1, 1):
        return spread(value, shape)
    columns = shape[1]
    return value if value.shape[1] == columns else matmul(value, constant(sp.S.One, (1, columns)))


def _largest(values: list[Value]) -> Shape:
    """The shape that the others fill: a matrix's, else a column's, else a scalar's."""
    shapes: list[Shape] = [value.shape for value in values if value.is_Matrix]
    return max(shapes, key=lambda shape: (shape[1] != 1, shape[0] != 1))


def _parts(factor: Expr) -> list[Expr]:
    """What a product is of, its number with the first; scalars without what they fill."""
    number, rest = coefficient(factor)
    if not isinstance(rest, HadamardProduct):
        return [factor]
    parts = [part if (scalar := spread_of(part)) is None else scalar for part in rest.args]
    return [scale(number, parts[0]), *parts[1:]]
