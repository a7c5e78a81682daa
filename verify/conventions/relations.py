"""Cells that compute the same with parameters that follow from each other, as rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from derive.errors import UsageError
from verify.conventions.row import parameters_of
from verify.kernels import Array, Arrays

__all__ = ["RELATIONS", "Relation", "related"]


@dataclass(frozen=True)
class Relation:
    """How the parameters of two cells follow from each other.

    Attributes:
        first, second: cells of the zoo.
        second_from: each parameter of the second cell, from the first's: 'W_z', '-W_z' or '0';
            what is not named is the same in both.
        reason: why the cells then compute the same; or, where `apart`, why they never do.
        apart: no parameters of one cell give what the other computes.
    """

    first: str
    second: str
    second_from: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    apart: bool = False

    def sources(self) -> dict[str, str]:
        """For every parameter of the second cell, where it comes from."""
        return {name: self.second_from.get(name, name) for name in parameters_of(self.second)}


def _negated(stems: str, old: str, new: str) -> dict[str, str]:
    return {f"{stem}_{new}": f"-{stem}_{old}" for stem in stems}


_GATE = "1 - sigmoid(a) = sigmoid(-a)"
_PRODUCT = "U_g @ (r * h) is no function of r and U_g @ h"

RELATIONS = (
    Relation("gru", "gru_z_new", _negated("WUb", "z", "z"), _GATE),
    Relation("gru_reset_before", "gru_reset_before_z_new", _negated("WUb", "z", "z"), _GATE),
    Relation("lstm", "peephole_lstm", {"p_f": "0", "p_i": "0", "p_o": "0"}, "0 * C = 0"),
    Relation(
        "lstm_projection",
        "lstm_projection_peephole",
        {"p_f": "0", "p_i": "0", "p_o": "0"},
        "0 * C = 0",
    ),
    Relation(
        "coupled_lstm",
        "lstm_cifg",
        {**_negated("WUb", "f", "i"), "p_i": "0", "p_o": "0"},
        f"{_GATE}, 0 * C = 0",
    ),
    Relation("lstm", "lstm_np", reason="the same equations in another order"),
    Relation("gru", "gru_reset_before", reason=_PRODUCT, apart=True),
    Relation("gru", "gru_reset_before_z_new", reason=_PRODUCT, apart=True),
    Relation("gru_z_new", "gru_reset_before", reason=_PRODUCT, apart=True),
    Relation("gru_z_new", "gru_reset_before_z_new", reason=_PRODUCT, apart=True),
)


def related(params: Arrays, source: str, target: str) -> dict[str, Array]:
    """Parameters of one cell -> parameters with which another computes the same.

    Raises:
        UsageError: there are none, or none are known.
    """
    if source == target:
        return dict(params)
    for row in RELATIONS:
        if {row.first, row.second} == {source, target}:
            if row.apart:
                raise UsageError(f"{source} never computes what {target} computes: {row.reason}")
            return _forward(row, params) if source == row.first else _back(row, params)
    raise UsageError(f"no relation is known between the cells {source} and {target}")


def _forward(row: Relation, params: Arrays) -> dict[str, Array]:
    sizes = _sizes(row.first, params)
    shapes, dtype = parameters_of(row.second), np.result_type(*params.values())
    result = {}
    for name, source in row.sources().items():
        if source == "0":
            shape = [int(sp.sympify(dim).subs(sizes)) for dim in shapes[name]]
            result[name] = np.zeros(shape, dtype)
        else:
            result[name] = _signed(source, params[source.lstrip("-")])
    return result


def _back(row: Relation, params: Arrays) -> dict[str, Array]:
    result = {}
    for name, source in row.sources().items():
        if source != "0":
            result[source.lstrip("-")] = _signed(source, params[name])
        elif np.any(params[name] != 0):
            raise UsageError(
                f"{row.second} computes what {row.first} computes only where {name} is zero, "
                "and it is not"
            )
    return result


def _signed(source: str, value: Array) -> Array:
    return -value if source.startswith("-") else value


def _sizes(cell: str, params: Arrays) -> dict[sp.Expr, int]:
    return {
        dim: size
        for name, shape in parameters_of(cell).items()
        for dim, size in zip(shape, params[name].shape, strict=True)
    }
