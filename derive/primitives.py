"""Scalar functions that act on each entry: one row each, read by every other room.

A slope is written in the output y wherever it can be, so that gradients stay polynomials in named
gates. `tests/derive/test_primitives.py` checks each row against SymPy and against differences.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import sympy as sp

__all__ = ["PRIMITIVES", "Primitive", "function"]

Scalar = Callable[[sp.Expr], sp.Expr]


def function(name: str) -> sp.FunctionClass:
    """The undefined scalar function `name`, for a slope that refers to another row."""
    return sp.Function(name)


@dataclass(frozen=True)
class Primitive:
    """One scalar function y = value(z).

    Attributes:
        value: y as a SymPy expression in z; the definition everything else is checked against.
        slope: dy/dz in (z, y); may apply other rows through `function(name)`.
        latex: its name in TeX.
        numpy: statements that compute {y} from {z}, safe when both are the same array, never
            overflowing into a wrong value.
        range: (lowest, highest) value of y, for interval arguments.
        ulps: error of a sensible floating-point evaluation, in units in the last place of
            max(|y|, floor).
        floor: see `ulps`; 1 where usual formulas are accurate only absolutely.
        complex_numpy: whether the statements take complex arrays.
        bound: |z| up to which the row is tested.
        kinks: points where the slope is declared, not derived.
    """

    name: str
    value: Scalar
    slope: Callable[[sp.Expr, sp.Expr], sp.Expr]
    latex: str
    numpy: tuple[str, ...]
    range: tuple[float, float] = (float("-inf"), float("inf"))
    ulps: float = 4.0
    floor: float = 0.0
    bound: float = 30.0
    complex_numpy: bool = True
    kinks: tuple[float, ...] = ()


_ROWS = (
    Primitive(
        name="sigmoid",
        value=lambda z: 1 / (1 + sp.exp(-z)),
        slope=lambda z, y: y * (1 - y),
        latex=r"\sigma",
        numpy=(
            "np.multiply({z}, -1, out={y})",  # NumPy 2.4's negative errs on strided arrays
            "np.exp({y}, out={y})",
            "np.add({y}, 1, out={y})",
            "np.reciprocal({y}, out={y})",
        ),
        range=(0.0, 1.0),
        floor=1.0,
    ),
    Primitive(
        name="tanh",
        value=sp.tanh,
        slope=lambda z, y: 1 - y**2,
        latex=r"\tanh",
        numpy=("np.tanh({z}, out={y})",),
        range=(-1.0, 1.0),
    ),
    Primitive(
        name="exp",
        value=sp.exp,
        slope=lambda z, y: y,
        latex=r"\exp",
        numpy=("np.exp({z}, out={y})",),
        range=(0.0, float("inf")),
        bound=10.0,
    ),
    Primitive(
        name="softplus",
        value=lambda z: sp.log(1 + sp.exp(z)),
        slope=lambda z, y: function("sigmoid")(z),
        latex=r"\operatorname{softplus}",
        numpy=("np.logaddexp({z}, 0, out={y})",),
        range=(0.0, float("inf")),
        floor=1.0,
        complex_numpy=False,
    ),
)

PRIMITIVES: Mapping[str, Primitive] = MappingProxyType({row.name: row for row in _ROWS})
