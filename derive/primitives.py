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
        domain: where it is defined; it is tested inside.
        branch: which smooth piece z lies on, for a value that jumps or has a pole between pieces.
        declared: whether the slope everywhere is a convention, not the derivative of the value.
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
    domain: tuple[float, float] = (float("-inf"), float("inf"))
    branch: Scalar | None = None
    declared: bool = False

    @property
    def is_finite(self) -> bool:
        """Whether it has a value at every number."""
        return self.branch is None and self.domain == (float("-inf"), float("inf"))


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
    Primitive(
        name="log",
        value=sp.log,
        slope=lambda z, y: function("reciprocal")(z),
        latex=r"\log",
        numpy=("np.log({z}, out={y})",),
        domain=(0.0, float("inf")),
    ),
    Primitive(
        name="sqrt",
        value=sp.sqrt,
        slope=lambda z, y: function("reciprocal")(2 * y),
        latex=r"\sqrt{{{z}}}",
        numpy=("np.sqrt({z}, out={y})",),
        range=(0.0, float("inf")),
        domain=(0.0, float("inf")),
    ),
    Primitive(
        name="reciprocal",  # written 1 / z
        value=lambda z: 1 / z,
        slope=lambda z, y: -(y**2),
        latex=r"\operatorname{reciprocal}",
        numpy=("np.reciprocal({z}, out={y})",),
        kinks=(0.0,),
        branch=sp.sign,
    ),
    Primitive(
        name="relu",
        value=lambda z: sp.Piecewise((z, z > 0), (0, True)),
        slope=lambda z, y: function("heaviside")(z),
        latex=r"\operatorname{ReLU}",
        numpy=("np.maximum({z}, 0, out={y})",),
        range=(0.0, float("inf")),
        kinks=(0.0,),
    ),
    Primitive(
        name="abs",
        value=lambda z: sp.Piecewise((z, z > 0), (-z, True)),
        slope=lambda z, y: function("sign")(z),
        latex=r"\left|{z}\right|",
        numpy=("np.multiply({z}, 1 - 2 * ({z} < 0).astype({z}.dtype), out={y})",),
        range=(0.0, float("inf")),
        kinks=(0.0,),
    ),
    Primitive(
        name="heaviside",
        value=lambda z: sp.Piecewise((1, z > 0), (0, True)),
        slope=lambda z, y: sp.S.Zero,
        latex=r"\operatorname{heaviside}",
        numpy=("np.copyto({y}, {z} > 0)",),
        range=(0.0, 1.0),
        kinks=(0.0,),
    ),
    Primitive(
        name="sign",
        value=lambda z: sp.Piecewise((1, z > 0), (-1, z < 0), (0, True)),
        slope=lambda z, y: sp.S.Zero,
        latex=r"\operatorname{sign}",
        numpy=("np.copyto({y}, 1 * ({z} > 0) - ({z} < 0))",),
        range=(-1.0, 1.0),
        kinks=(0.0,),
    ),
    Primitive(
        name="sin",
        value=sp.sin,
        slope=lambda z, y: function("cos")(z),
        latex=r"\sin",
        numpy=("np.sin({z}, out={y})",),
        range=(-1.0, 1.0),
        floor=1.0,
    ),
    Primitive(
        name="cos",
        value=sp.cos,
        slope=lambda z, y: -function("sin")(z),
        latex=r"\cos",
        numpy=("np.cos({z}, out={y})",),
        range=(-1.0, 1.0),
        floor=1.0,
    ),
    Primitive(
        name="frac",
        value=lambda z: z - sp.floor(sp.re(z)),
        slope=lambda z, y: sp.S.One,
        latex=r"\operatorname{frac}",
        numpy=("np.subtract({z}, np.floor({z}.real), out={y})",),
        range=(0.0, 1.0),
        floor=1.0,
        kinks=tuple(float(k) for k in range(-30, 31)),
        branch=lambda z: sp.floor(sp.re(z)),
    ),
    Primitive(
        name="stop_gradient",
        value=lambda z: z,
        slope=lambda z, y: sp.S.Zero,
        latex=r"\operatorname{sg}",
        numpy=("np.copyto({y}, {z})",),
        ulps=0.0,
        declared=True,
    ),
)

PRIMITIVES: Mapping[str, Primitive] = MappingProxyType({row.name: row for row in _ROWS})
