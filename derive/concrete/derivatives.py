"""The derivative of a polynomial by every leaf: the chain rule on generators, last one first.

It knows of no matrix, no transpose and no step. A function's slope is its row's, as declared there.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import sympy as sp

from derive.concrete.polynomials import Polynomial, Ring, total
from derive.errors import RuleError
from derive.primitives import PRIMITIVES

__all__ = ["derivatives"]

Keep = Callable[[int, Polynomial], Polynomial]


def derivatives(value: Polynomial, keep: Keep) -> dict[str, Polynomial]:
    """The derivative by each leaf that `value` depends on.

    Args:
        keep: (generator, derivative by it) -> what stands for that in what is computed from it.
    """
    ring, found = value.ring, {}
    summands: defaultdict[int, list[Polynomial]] = defaultdict(list)
    for generator, partial in value.partials():
        summands[generator].append(partial)
    for generator in reversed(range(len(ring.definitions))):
        if generator not in summands:
            continue
        by, definition = total(ring, summands.pop(generator)), ring.definitions[generator]
        if definition.kind == "leaf":
            found[definition.what] = by
            continue
        by = keep(generator, by)
        for argument, slope in _slopes(ring, generator):
            for inner, partial in argument.partials():
                summands[inner].append(by * slope * partial)
    return found


def _slopes(ring: Ring, generator: int) -> Iterator[tuple[Polynomial, Polynomial]]:
    """Each polynomial that the generator is made of, with the derivative by it."""
    definition, output = ring.definitions[generator], ring.generator(generator)
    if definition.kind == "name":
        yield definition.arguments[0], ring.number(1)
    elif definition.what == "logsumexp":
        for argument in definition.arguments:
            yield argument, ring.applied("exp", argument - output, place=definition.place)
    else:
        z, y = sp.symbols("z y")
        (argument,) = definition.arguments
        formula = sp.sympify(PRIMITIVES[definition.what].slope(z, y))
        yield argument, _value(formula, {z: argument, y: output}, ring, definition.place)


def _value(
    formula: sp.Expr, values: Mapping[sp.Symbol, Polynomial], ring: Ring, place: int
) -> Polynomial:
    if formula in values:
        return values[formula]
    parts = () if isinstance(formula, sp.Pow) else formula.args
    inside = [_value(part, values, ring, place) for part in parts]
    match formula:
        case sp.Rational():
            return ring.number(Fraction(int(formula.p), int(formula.q)))
        case sp.Add():
            return total(ring, inside)
        case sp.Mul():
            result = ring.number(1)
            for factor in inside:
                result = result * factor
            return result
        case sp.Pow() if formula.exp.is_Integer and formula.exp > 0:
            return _value(formula.base, values, ring, place) ** int(formula.exp)
        case sp.Function():
            return ring.applied(formula.func.__name__, *inside, place=place)
    raise RuleError(f"slope uses {type(formula).__name__}, which has no polynomial here")
