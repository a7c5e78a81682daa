"""How libraries lay out the parameters of a cell, as rows, and moving parameters between them.

A library stacks its gates in an order of its own, and where it has two biases it adds them: a
parameter of the cell that has several blocks in a row is their sum. So values move to the cell by
adding blocks, and from the cell into the first block with zeros in the others; the gradient of a
sum goes to every block.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp

from derive import zoo
from derive.errors import UsageError
from verify.kernels import Array, Arrays

__all__ = [
    "CONVENTIONS",
    "Convention",
    "blocks",
    "from_cell",
    "gradients_from_cell",
    "gradients_to_cell",
    "to_cell",
]


@dataclass(frozen=True)
class Convention:
    """The parameter arrays of one layer of a library.

    Attributes:
        name: 'library.layer', the key in `CONVENTIONS`.
        cell: the cell of the zoo that the layer computes.
        gates: the suffixes of the cell's parameters, in the order in which blocks are stacked
            along the first axis; one empty suffix if there are no gates.
        arrays: by the library's name, the stems that are stacked, each over all gates. 'c|b' is c
            where the cell has such a parameter and b elsewhere; a gate with neither has no block.
        optional: arrays that may be missing; a missing array is zero.
        directions: whether a leading axis counts directions (forward, then reverse).
        source: where the library says so.
    """

    name: str
    cell: str
    gates: tuple[str, ...]
    arrays: Mapping[str, tuple[str, ...]]
    optional: frozenset[str]
    directions: bool
    source: str


_TORCH = {"weight_ih": ("W",), "weight_hh": ("U",), "bias_ih": ("b",), "bias_hh": ("c|b",)}
_ONNX = {"W": ("W",), "R": ("U",), "B": ("b", "c|b")}


def _torch(name: str, cell: str, *gates: str) -> Convention:
    source = f"https://docs.pytorch.org/docs/stable/generated/torch.nn.{name.upper()}.html"
    optional = frozenset({"bias_ih", "bias_hh"})
    return Convention(f"torch.{name}", cell, gates, _TORCH, optional, False, source)


def _onnx(name: str, cell: str, *gates: str, **more: tuple[str, ...]) -> Convention:
    source = f"https://onnx.ai/onnx/operators/onnx__{name.upper()}.html"
    optional = frozenset({"B", *more})
    return Convention(f"onnx.{cell}", cell, gates, {**_ONNX, **more}, optional, True, source)


CONVENTIONS: Mapping[str, Convention] = {
    row.name: row
    for row in (
        _torch("rnn", "rnn", ""),
        _torch("lstm", "lstm", "i", "f", "g", "o"),
        _torch("gru", "gru", "r", "z", "g"),
        _onnx("rnn", "rnn", ""),
        _onnx("lstm", "lstm", "i", "o", "f", "g"),
        _onnx("lstm", "peephole_lstm", "i", "o", "f", "g", P=("p",)),
        _onnx("gru", "gru", "z", "r", "g"),  # linear_before_reset = 1
        _onnx("gru", "gru_reset_before", "z", "r", "g"),  # linear_before_reset = 0
    )
}


def blocks(row: Convention) -> dict[str, tuple[str, ...]]:
    """For each array, the cell's parameters from its first row to its last."""
    known = {p.name for p in zoo.load(row.cell).parameters}

    def found(stems: tuple[str, ...]) -> Iterator[str]:
        for stem in stems:
            for gate in row.gates:
                names = (f"{s}_{gate}" if gate else s for s in stem.split("|"))
                yield from [name for name in names if name in known][:1]

    return {array: tuple(found(stems)) for array, stems in row.arrays.items()}


def to_cell(row: Convention, arrays: Arrays, direction: int = 0) -> dict[str, Array]:
    """The cell's parameters from a library's arrays.

    Args:
        arrays: by the library's names; those that are optional may be missing.
        direction: which entry of the leading axis, where the convention has one.

    Raises:
        UsageError: an array is missing, unknown, or of a shape that does not fit.
    """
    params: dict[str, Array] = {}
    for name, block in _pieces(row, arrays, direction):
        params[name] = params[name] + block if name in params else block.copy()
    return params


def gradients_to_cell(row: Convention, arrays: Arrays, direction: int = 0) -> dict[str, Array]:
    """Gradients for the cell's parameters from gradients for a library's arrays.

    The blocks of a sum have equal gradients; the first is taken. To see whether they are equal,
    compare with `gradients_from_cell` in the library's arrays.
    """
    grads: dict[str, Array] = {}
    for name, block in _pieces(row, arrays, direction):
        grads.setdefault(name, block.copy())
    return grads


def from_cell(row: Convention, params: Arrays) -> dict[str, Array]:
    """A library's arrays from the cell's parameters; second biases are zero.

    A leading axis of directions has length 1: concatenate two for a bidirectional layer.
    """
    return _stacked(row, params, repeat=False)


def gradients_from_cell(row: Convention, grads: Arrays) -> dict[str, Array]:
    """Gradients for a library's arrays from gradients for the cell's parameters."""
    return _stacked(row, grads, repeat=True)


def _stacked(row: Convention, values: Arrays, repeat: bool) -> dict[str, Array]:
    used: set[str] = set()
    result = {}
    for array, names in blocks(row).items():
        parts = []
        for name in names:
            if name not in values:
                raise UsageError(f"{row.name}: parameter '{name}' is missing; give it")
            new = repeat or name not in used
            parts.append(values[name] if new else np.zeros_like(values[name]))
            used.add(name)
        whole = np.concatenate(parts, axis=0)
        result[array] = whole[np.newaxis] if row.directions else whole
    return result


def _pieces(row: Convention, arrays: Arrays, direction: int) -> Iterator[tuple[str, Array]]:
    """Every block with the cell's name for it; zeros stand for optional arrays not given."""
    rows = blocks(row)
    required = rows.keys() - row.optional
    if not required <= arrays.keys() <= rows.keys():
        raise UsageError(
            f"{row.name}: arrays {sorted(arrays)} were given, expected "
            f"{sorted(required)} and perhaps {sorted(row.optional)}"
        )
    shapes = {p.name: p.shape for p in zoo.load(row.cell).parameters}
    leading = [sp.Symbol("directions")] if row.directions else []
    sizes: dict[sp.Expr, int] = {}
    split: dict[str, Iterable[Array]] = {}
    for name, names in rows.items():
        if name in arrays:
            shape = (*leading, len(names) * shapes[names[0]][0], *shapes[names[0]][1:])
            _learn(f"{row.name}: {name}", arrays[name].shape, shape, sizes)
            if leading and not 0 <= direction < sizes[leading[0]]:
                raise UsageError(
                    f"{row.name}: {name} has no direction {direction}; its first "
                    f"axis has {sizes[leading[0]]}"
                )
            split[name] = np.split(arrays[name][direction] if leading else arrays[name], len(names))
    dtype = np.result_type(*arrays.values())
    for array, names in rows.items():
        zeros = (np.zeros([sizes[dim] for dim in shapes[name]], dtype) for name in names)
        yield from zip(names, split.get(array, zeros), strict=True)


def _learn(
    place: str, found: tuple[int, ...], shape: tuple[sp.Expr, ...], sizes: dict[sp.Expr, int]
) -> None:
    """Find the sizes that make `shape` what was found, or say why there are none."""
    wrong = len(found) != len(shape)
    for expected, size in () if wrong else zip(shape, found, strict=True):
        count, dim = expected.as_coeff_Mul()
        wrong |= sizes.setdefault(dim, size // int(count)) * count != size
    if wrong:
        known = ", ".join(f"{dim} = {size}" for dim, size in sizes.items())
        raise UsageError(
            f"{place} has shape {found}, expected {list(shape)}"
            + (f" where {known}" if known else "")
        )
