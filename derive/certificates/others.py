"""Claims beside derivatives that are decided again: ranges of gates, and second biases."""

import re
from collections.abc import Mapping

from derive.certificates.declarations import RefusedError
from derive.certificates.indices import Poly, UncheckedError, add
from derive.certificates.statements import Maps
from derive.certificates.steps import Sweep, inner, tangent

__all__ = ["OTHERS", "gate", "second_bias"]

# What is known of each kind: its hypotheses, and whether it should hold.
OTHERS: Mapping[str, tuple[str, bool]] = {
    "gates": (
        "real numbers: in floating point an open end may be reached, as sigmoid(40) is 1",
        True,
    ),
    "second bias": (
        "the second bias c is added to the product that is named, before anything else",
        True,
    ),
}

RANGES = {"sigmoid": "(0, 1)", "tanh": "(-1, 1)"}  # taken as true
PRODUCT = "product__"  # no name of the language ends so
_BIAS = re.compile(r"dL/d(\w+) = dL/dc, for a second bias c beside (.+)")


def gate(maps: Maps, statement: str) -> None:
    """That a name is a function whose values are those that are claimed.

    Raises:
        RefusedError: they are others.
        UncheckedError: its equation is not one function of something.
    """
    what, _, claimed = statement.partition(" in ")
    if not claimed:
        raise RefusedError("the statement is not one of this kind of claim")
    poly = maps.expression(what).poly
    for _, factors, _ in tuple(poly):
        name = factors[0][0] if factors else ""
        if name in maps.step.equations and poly == maps.reader.value(name):
            poly = maps.step.equations[name]
    for (powers, factors, bounds), value in poly.items():
        function = factors[0][0].partition("#")[0] if factors else ""
        if len(poly) == value == len(factors) == 1 and not powers and not bounds:
            if function in RANGES and claimed != RANGES[function]:
                raise RefusedError(f"the values of {function} are {RANGES[function]}")
            if function in RANGES:
                return
    raise UncheckedError("its range does not follow from one function")


def second_bias(maps: Maps, sweep: Sweep, statement: str) -> list[str]:
    """That a bias added to a product has the gradient of the bias that is named.

    Returns:
        The form of both gradients, paired with one tangent.

    Raises:
        RefusedError: the gradients differ.
        UncheckedError: the product does not stand in the assignments as it is written.
    """
    found, reader, a = _BIAS.fullmatch(statement), sweep.reader, sweep.algebra
    if not found or found[1] not in maps.step.cell.of("parameter"):
        raise RefusedError("the statement is not one of this kind of claim")
    product = maps.plain(found[2])
    place = re.compile(rf"(?<!/ )(?<!\w){re.escape(product)}(?![\w.\[])")  # the whole of a product
    hits = [name for name, text in sweep.texts.items() for _ in place.findall(text)]
    shape = reader.read(product).shape
    if shape is None or shape != reader.shapes[found[1]]:
        raise RefusedError(f"`{product[:40]}` has another shape than the bias")
    if len(hits) != 1:
        raise UncheckedError(f"`{product[:40]}` does not stand once in the assignments")
    reader.shapes |= {PRODUCT: shape, tangent(PRODUCT): shape}  # a bias moves it by itself
    name = hits[0]
    whole = reader.read(place.sub(PRODUCT, sweep.texts[name], count=1), reader.shapes[name])
    moved = a.differential(whole.poly, {PRODUCT: reader.value(tangent(PRODUCT))})
    left = inner(a, reader.value(f"bar({name})"), moved, reader.shapes[name])
    right = inner(a, sweep.written[found[1]], reader.value(tangent(PRODUCT)), shape)
    if add(left, right, sign=-1):
        closed = _closed(sweep)
        if a.substituted(left, closed) != a.substituted(right, closed):
            raise RefusedError("the two gradients have different normal forms")
    return a.shown(left)


def _closed(sweep: Sweep) -> dict[str, Poly]:
    """The cotangents of a sweep in what arrives from outside: each without the others."""
    closed: dict[str, Poly] = {}
    for name in reversed(tuple(sweep.texts)):
        closed[f"bar({name})"] = sweep.algebra.substituted(sweep.written[name], closed)
    return closed
