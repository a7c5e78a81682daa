"""Gradients scaled or clipped after they are computed."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from derive.gradients import Adjoint
from verify.deviations.around import limited, plain
from verify.deviations.deviation import Family
from verify.deviations.editing import with_terms
from verify.deviations.model import Model, Results
from verify.deviations.shaping import clipped as shaped
from verify.deviations.sums import multiple
from verify.kernels import Example
from verify.recurrence import Field

__all__ = ["clipped", "clipped_norm", "common_factor", "cotangents_clipped"]


def common_factor(model: Model) -> Iterator[Family]:
    """All gradients times one number."""

    def at(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return {n: [multiple(field, v, number) for v in vs] for n, vs in found.items()}

        return replace(model, finishing=(*model.finishing, finish))

    yield Family(
        "every gradient times {}", at, "affine", (Fraction(2), Fraction(-1), Fraction(2, 7))
    )


def clipped(model: Model) -> Iterator[Family]:
    """Gradients clipped by value."""

    def at(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return {n: [limited(field, v, number) for v in vs] for n, vs in found.items()}

        return replace(model, finishing=(*model.finishing, finish))

    def parameters(number: Fraction) -> Model:
        names = {p.name for p in model.cell.parameters}

        def finish(field: Field, e: Example, found: Results) -> Results:
            return {
                n: [limited(field, v, number) for v in vs] if n in names else vs
                for n, vs in found.items()
            }

        return replace(model, finishing=(*model.finishing, finish))

    yield Family("every gradient at {}", at, "gradient ceiling", (Fraction(1), Fraction(5)))
    yield Family(
        "gradients of parameters at {}", parameters, "gradient ceiling", (Fraction(1), Fraction(5))
    )


def cotangents_clipped(model: Model) -> Iterator[Family]:
    """The whole cotangent of a value clipped at every step, as a hook on a tensor does."""
    for place, adjoint in enumerate(model.derived.backward):
        if adjoint.of.name in {s.name for s in model.cell.states}:

            def at(number: Fraction, place: int = place, adjoint: Adjoint = adjoint) -> Model:
                value = shaped(adjoint.value, -abs(number), abs(number))
                term = replace(adjoint.terms[0], value=value)
                return with_terms(model, "backward", place, (term,))

            label = f"the cotangent of {adjoint.of.name} at {{}}"
            yield Family(label, at, "threshold", (Fraction(1, 2),))


def clipped_norm(model: Model) -> Iterator[Family]:
    """Gradients of parameters scaled down to a norm: all together, or each alone."""
    names = {p.name for p in model.cell.parameters}

    def together(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return _scaled_down(field, found, sorted(names), number)

        return replace(model, finishing=(*model.finishing, finish))

    def alone(number: Fraction) -> Model:
        def finish(field: Field, e: Example, found: Results) -> Results:
            for name in sorted(names):
                found = _scaled_down(field, found, [name], number)
            return found

        return replace(model, finishing=(*model.finishing, finish))

    yield Family("all parameters together at {}", together, "norm", (Fraction(1), Fraction(5)))
    yield Family("each parameter at {}", alone, "norm of one", (Fraction(1), Fraction(5)))


def _scaled_down(field: Field, found: Results, names: list[str], number: Fraction) -> Results:
    """The gradients of these names scaled down together to that norm.

    The norm is summed in the field's own arithmetic, so that its rounding is bounded like the rest.
    """
    size = sum(float(np.sum(plain(field, v) ** 2)) for n in names for v in found[n]) ** 0.5
    if not size > float(number):
        return found
    squares = [
        field.matmul(_ones(field, v, 0), field.matmul(field.multiply(v, v), _ones(field, v, 1)))
        for n in names
        for v in found[n]
    ]
    norm = field.apply("sqrt", _added(field, squares))
    factor = field.multiply(
        field.constant(sp.Rational(number), (1, 1)), field.apply("reciprocal", norm)
    )
    return {
        n: [field.multiply(factor, v) for v in vs] if n in names else vs for n, vs in found.items()
    }


def _added(field: Field, values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = field.add(total, value)
    return total


def _ones(field: Field, value: Any, side: int) -> Any:
    rows, columns = plain(field, value).shape[-2:]
    return field.constant(sp.S.One, (1, rows) if side == 0 else (columns, 1))
