"""How large the values of examples are, as rows: small, saturating, overflowing, remembering."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from verify.kernels import Array, Example
from verify.memory import derived_of
from verify.references import reference

__all__ = ["REGIMES", "Regime", "beyond", "computable"]

# So often biases are halved where the equations themselves overflow.
HALVED = 8


@dataclass(frozen=True)
class Regime:
    """How large the values of an example are.

    Attributes:
        weights: largest contribution of a whole row of a matrix to a pre-activation, about.
        biases: largest absolute value of a vector parameter.
        inputs, states: largest absolute values of x and of initial states.
        overflows: whether the first two entries of each vector are in units of log(the dtype's
            largest number), and beyond one, on both sides: exp of a gate's input overflows, or
            that of its negative.
        remembers: whether the cell keeps a memory, as in `verify.memory`: square matrices are
            orthogonal, and biases have the signs and sizes that are found there.
    """

    name: str
    weights: float
    biases: float
    inputs: float = 1.0
    states: float = 1.0
    overflows: bool = False
    remembers: bool = False


# The first is what failures shrink to.
REGIMES: Mapping[str, Regime] = {
    row.name: row
    for row in (
        Regime("unsaturated", weights=1.0, biases=0.5),
        Regime("mixed", weights=2.5, biases=2.0, inputs=1.5),
        Regime("saturated", weights=4.0, biases=8.0, inputs=2.0, states=2.0),
        Regime("weak", weights=0.05, biases=0.05, inputs=0.5, states=0.5),
        Regime("overflowing", weights=1.0, biases=2.0, overflows=True),
        Regime("remembering", weights=0.5, biases=1.0, inputs=0.5, states=0.5, remembers=True),
    )
}


def beyond(example: Example, largest: float) -> Example:
    """The example with two entries of each vector beyond log(the dtype's largest number).

    They have different signs. Other entries stay, so that gradients are visible there.
    """
    unit = float(np.log(np.finfo(example.dtype).max))

    def scaled(a: Array) -> Array:
        far = np.sign(a[0]) * np.array([1, -1])[: len(a)] * (0.6 * largest + 0.4 * np.abs(a[:2]))
        return np.asarray(np.concatenate([unit * far, a[2:]]), a.dtype)

    return replace(
        example, params={n: scaled(a) if a.ndim == 1 else a for n, a in example.params.items()}
    )


def computable(example: Example) -> Example:
    """The example with its vectors of parameters halved until every result has a finite bound.

    A sigmoid takes any input; where the equations have an exp of their own, that must not overflow
    in the example's dtype, or nothing could be judged.
    """
    derived = derived_of(example.cell)
    for _ in range(HALVED):
        right = reference(example, derived)
        bounds = (right.y_bound, *right.state_T_bound.values(), *right.grads_bound.values())
        if all(np.isfinite(bound).all() for bound in bounds):
            break
        halved = {n: a / 2 if a.ndim == 1 else a for n, a in example.params.items()}
        params = {n: np.asarray(a, example.dtype) for n, a in halved.items()}
        example = replace(example, params=params)
    return example
