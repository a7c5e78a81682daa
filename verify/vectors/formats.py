"""What stands in a file of vectors: examples by flat names, and what they are of.

Names: given are `params/NAME`, `inputs/NAME`, `state_0/NAME`, `lengths`, `dy`, `dstate_T/NAME`;
expected are `y`, `state_T/NAME` and `grads/NAME`, the gradients of <dy, y> + <dstate_T, state_T>
for parameters, for inputs, and for initial states as `NAME_0`. All that is given is there always.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.cell import Cell, Variable
from verify.kernels import Array, Arrays, Example, shape_of, sizes_of
from verify.references import Reference

__all__ = [
    "FORMAT",
    "VERSION",
    "Vector",
    "Vectors",
    "described",
    "flat_example",
    "flat_results",
    "nested",
    "widened",
]

FORMAT, VERSION = "recurrent-cell-vectors", 1


@dataclass(frozen=True)
class Vector:
    """One example with what must come out.

    Attributes:
        label: how it was made, for a person.
        dtype: 'float32' or 'float64', of everything given but the lengths; results have it too.
        sizes: 'T', 'B' and the cell's own dimensions.
        given: arrays by flat name.
        expected: float64 arrays by flat name.
        bound: as `expected`: a result is right if |result - expected| <= bound at every entry.
        left_out: results that are not in `expected`, because rounding left too little of them.
    """

    label: str
    dtype: str
    sizes: Mapping[str, int]
    given: Arrays
    expected: Arrays
    bound: Arrays
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Vectors:
    """The vectors of one cell.

    Attributes:
        cell, text: the cell's name and its equations.
        digest: of the text; the emitted kernel's docstring has the same.
        variables: 'inputs', 'states' and 'parameters', each a list of {'name', 'shape'}; the
            first state is the output y.
        seed, asked: make the same vectors again.
        passed_over: examples that were replaced because rounding left too little of them.
    """

    cell: str
    text: str
    digest: str
    variables: Mapping[str, list[dict[str, Any]]]
    seed: int
    asked: int | None
    passed_over: int
    vectors: tuple[Vector, ...]


def flat_example(example: Example) -> dict[str, Array]:
    """Everything that an example gives; what it leaves to be zero is written out as zeros."""
    cell, dtype, sizes = example.cell, example.dtype, sizes_of(example)
    batch = example.batch

    def states(given: Arrays | None) -> dict[str, Array]:
        zeros = {s.name: np.zeros((batch, *shape_of(s, sizes)), dtype) for s in cell.states}
        return zeros | dict(given or {})

    outputs = (example.steps, batch, *shape_of(cell.output, sizes))
    lengths = np.full(batch, example.steps) if example.lengths is None else example.lengths
    return {
        **_under("params", example.params),
        **_under("inputs", example.inputs),
        **_under("state_0", states(example.state_0)),
        "lengths": np.asarray(lengths, np.int64),
        "dy": np.zeros(outputs, dtype) if example.dy is None else example.dy,
        **_under("dstate_T", states(example.dstate_T)),
    }


def flat_results(found: Reference) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values in float64, and bounds that allow for their rounding to it as well."""
    values = _flat(found.y, found.state_T, found.grads)
    bounds = _flat(found.y_bound, found.state_T_bound, found.grads_bound)
    expected = {name: np.asarray(a, np.float64) for name, a in values.items()}
    return expected, {k: widened(bounds[k], values[k], expected[k]) for k in expected}


def widened(bound: Array, exact: Array, stored: Array) -> Array:
    """A bound of |result - stored|, in float64, from one of |result - exact|.

    A difference of two float64 numbers may be rounded up, and so may the bound: four units.
    """
    wider = (bound + np.abs(exact - stored)).astype(np.float64)
    return np.asarray(wider * (1 + 2.0**-50))


def nested(given: Arrays) -> dict[str, Any]:
    """Arrays by flat name -> {'params': {…}, 'inputs': {…}, …, 'lengths': …, 'dy': …}."""
    found: dict[str, Any] = {}
    for name, array in given.items():
        group, _, own = name.partition("/")
        if own:
            found.setdefault(group, {})[own] = array
        else:
            found[group] = array
    return found


def described(cell: Cell) -> dict[str, list[dict[str, Any]]]:
    """A cell's variables: shapes as lists of sizes, 'n' or a number."""
    groups = {"inputs": cell.inputs, "states": cell.states, "parameters": cell.parameters}
    return {group: [_variable(v) for v in members] for group, members in groups.items()}


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "shape": [int(dim) if dim.is_Integer else str(dim) for dim in variable.shape],
    }


def _flat(y: Array, state_T: Arrays, grads: Arrays) -> dict[str, Array]:
    return {"y": y, **_under("state_T", state_T), **_under("grads", grads)}


def _under(group: str, arrays: Arrays) -> dict[str, Array]:
    return {f"{group}/{name}": array for name, array in arrays.items()}
