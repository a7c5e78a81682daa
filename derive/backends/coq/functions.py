"""Primitives as the Coq library has them: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from derive.errors import UsageError

__all__ = ["FUNCTIONS", "Function", "function_of"]


@dataclass(frozen=True)
class Function:
    """A primitive in Coq.

    Attributes:
        name: the function R -> R.
        slope: the slope as a function R -> R, for the structural derivative.
        lemma: `slope_...` of the library: that it is the derivative.
        smooth: what must hold of an argument {z} for that; '' if nothing.
    """

    name: str
    slope: str
    lemma: str
    smooth: str = ""


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "sigmoid": Function("sigm", "fun y => sigm y * (1 - sigm y)", "slope_sigm"),
        "tanh": Function("tanh", "fun y => 1 - tanh y ^ 2", "slope_tanh"),
        "exp": Function("exp", "exp", "slope_exp"),
        "softplus": Function("softplus", "sigm", "slope_softplus"),
        "log": Function("ln", "Rinv", "slope_ln", "0 < {z}"),
        "sqrt": Function("sqrt", "fun y => / (2 * sqrt y)", "slope_sqrt", "0 < {z}"),
        "reciprocal": Function("Rinv", "fun y => -1 * (/ y) ^ 2", "slope_Rinv", "{z} <> 0"),
        "sin": Function("sin", "cos", "slope_sin"),
        "cos": Function("cos", "fun y => -1 * sin y", "slope_cos"),
        "relu": Function("relu", "heaviside", "slope_relu", "{z} <> 0"),
        "abs": Function("absolute", "sgn", "slope_absolute", "{z} <> 0"),
        "heaviside": Function("heaviside", "fun _ => 0", "slope_heaviside", "{z} <> 0"),
        "sign": Function("sgn", "fun _ => 0", "slope_sgn", "{z} <> 0"),
        "frac": Function("frac_part", "fun _ => 1", "slope_frac", "frac_part ({z}) <> 0"),
    }
)

WITHOUT = {
    "stop_gradient": "its slope is a convention and no derivative: there is nothing to prove",
}


def function_of(primitive: str) -> Function:
    """The row of a primitive.

    Raises:
        UsageError: it has none; says why.
    """
    if primitive not in FUNCTIONS:
        why = WITHOUT.get(primitive, "add its row to derive/backends/coq/functions.py")
        raise UsageError(f"no Coq file of a cell with {primitive}: {why}")
    return FUNCTIONS[primitive]
