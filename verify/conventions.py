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
from derive.expressions import Shape
from verify.kernels import Array, Arrays

__all__ = [
    "CONVENTIONS",
    "UNREAD",
    "Convention",
    "blocks",
    "from_cell",
    "gradients_from_cell",
    "gradients_to_cell",
    "to_cell",
]

UNREAD = "(unread)"  # a block that the library stores and does not read


@dataclass(frozen=True)
class Convention:
    """The parameter arrays of one layer of a library.

    Attributes:
        name: 'library.layer', the key in `CONVENTIONS`.
        cell: the cell of the zoo that the layer computes.
        gates: the suffixes of the cell's parameters, in the order in which blocks are stacked
            along the first axis; none if there are no gates.
        arrays: by the library's name, the stems that are stacked, each over all gates. 'c|b' is c
            where the cell has such a parameter and b elsewhere; a gate with neither has no block.
            A stem that is a whole parameter's name is that parameter, without gates.
        optional: arrays that may be missing; a missing array is zero.
        directions: whether a leading axis counts directions (forward, then reverse).
        source: where the library says so.
        transposed: whether matrices are stored transposed, so that blocks stand side by side.
        rows: arrays with a row for each stem, where others have all their blocks end to end.
        unread: gates whose blocks are stored but not read; they are zero on the way back.
    """

    name: str
    cell: str
    gates: tuple[str, ...]
    arrays: Mapping[str, tuple[str, ...]]
    optional: frozenset[str]
    directions: bool
    source: str
    transposed: bool = False
    rows: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


_TORCH = {"weight_ih": ("W",), "weight_hh": ("U",), "bias_ih": ("b",), "bias_hh": ("c|b",)}
_ONNX = {"W": ("W",), "R": ("U",), "B": ("b", "c|b")}
_KERAS = {"kernel": ("W",), "recurrent_kernel": ("U",), "bias": ("b",)}


def _torch(name: str, cell: str, *gates: str, **more: tuple[str, ...]) -> Convention:
    source = f"https://docs.pytorch.org/docs/stable/generated/torch.nn.{name.upper()}.html"
    optional = frozenset({"bias_ih", "bias_hh"})
    return Convention(f"torch.{cell}", cell, gates, {**_TORCH, **more}, optional, False, source)


def _onnx(
    name: str, cell: str, *gates: str, unread: tuple[str, ...] = (), **more: tuple[str, ...]
) -> Convention:
    source = f"https://onnx.ai/onnx/operators/onnx__{name.upper()}.html"
    optional, arrays = frozenset({"B", *more}), {**_ONNX, **more}
    return Convention(f"onnx.{cell}", cell, gates, arrays, optional, True, source, unread=unread)


def _keras(name: str, cell: str, *gates: str, **more: tuple[str, ...]) -> Convention:
    """An array with several stems has them as rows: the GRU's bias for x and for h."""
    return Convention(
        f"keras.{cell}",
        cell,
        gates,
        arrays={**_KERAS, **more},
        optional=frozenset({"bias"}),
        directions=False,
        source=f"https://keras.io/api/layers/recurrent_layers/{name}/",
        transposed=True,
        rows=frozenset(more),
    )


CONVENTIONS: Mapping[str, Convention] = {
    row.name: row
    for row in (
        _torch("rnn", "rnn"),
        _torch("lstm", "lstm", "i", "f", "g", "o"),
        _torch("lstm", "lstm_projection", "i", "f", "g", "o", weight_hr=("W_hr",)),
        _torch("gru", "gru", "r", "z", "g"),
        _onnx("rnn", "rnn"),
        _onnx("lstm", "lstm", "i", "o", "f", "g"),
        _onnx("lstm", "peephole_lstm", "i", "o", "f", "g", P=("p",)),
        _onnx("lstm", "lstm_cifg", "i", "o", "f", "g", unread=("f",), P=("p",)),  # input_forget = 1
        _onnx("gru", "gru", "z", "r", "g"),  # linear_before_reset = 1
        _onnx("gru", "gru_reset_before", "z", "r", "g"),  # linear_before_reset = 0
        _keras("simple_rnn", "rnn"),
        _keras("lstm", "lstm", "i", "f", "g", "o"),
        _keras("gru", "gru", "z", "r", "g", bias=("b", "c|b")),  # reset_after = True
        _keras("gru", "gru_reset_before", "z", "r", "g"),  # reset_after = False
    )
}


def blocks(row: Convention) -> dict[str, tuple[str, ...]]:
    """For each array, the cell's parameters in the order of its blocks, or `UNREAD`."""
    known = {p.name for p in zoo.load(row.cell).parameters}

    def found(stems: tuple[str, ...]) -> Iterator[str]:
        for options in (stem.split("|") for stem in stems):
            whole = [name for name in options if name in known]
            for gate in () if whole else row.gates:
                names = [f"{s}_{gate}" for s in options if f"{s}_{gate}" in known]
                yield from [UNREAD] if gate in row.unread else names[:1]
            yield from whole[:1]

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
    used: set[str] = {UNREAD}
    result = {}
    for array, names in blocks(row).items():
        parts = []
        for name in names:
            if name != UNREAD and name not in values:
                raise UsageError(f"{row.name}: parameter '{name}' is missing; give it")
            new = name not in used or (repeat and name != UNREAD)
            parts.append(values[name] if new else np.zeros_like(values[_first_read(names)]))
            used.add(name)
        whole = _as_stored(row, array, np.concatenate(parts, axis=0))
        result[array] = whole[np.newaxis] if row.directions else whole
    return result


def _first_read(names: tuple[str, ...]) -> str:
    """A block of an array that is read: all blocks of an array have one shape."""
    return next(name for name in names if name != UNREAD)


def _as_stored(row: Convention, array: str, whole: Array) -> Array:
    """Blocks end to end along the first axis -> as the library has them."""
    if array in row.rows:
        return whole.reshape(len(row.arrays[array]), -1)
    return whole.T if row.transposed else whole


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
    sizes: dict[sp.Expr, int] = {sp.Integer(1): 1}
    split: dict[str, Iterable[Array]] = {}
    for name, names in rows.items():
        block = shapes[_first_read(names)]
        if name in arrays:
            found = arrays[name]
            _learn(f"{row.name}: {name}", found.shape, _whole(row, name, len(names), block), sizes)
            if row.directions and not 0 <= direction < len(found):
                raise UsageError(
                    f"{row.name}: {name} has no direction {direction}; its first "
                    f"axis has {len(found)}"
                )
            whole = found[direction] if row.directions else found
            whole = whole.reshape(-1) if name in row.rows else whole
            split[name] = np.split(whole.T if row.transposed else whole, len(names))
    dtype = np.result_type(*arrays.values())
    for array, names in rows.items():
        block = shapes[_first_read(names)]
        zeros = [np.zeros([sizes[dim] for dim in block], dtype)] * len(names)
        for name, piece in zip(names, split.get(array, zeros), strict=True):
            if name != UNREAD:
                yield name, piece


def _whole(row: Convention, array: str, count: int, block: Shape) -> Shape:
    """The shape of an array of `count` blocks."""
    first, *rest = block
    stems = len(row.arrays[array])
    leading = (sp.Symbol("directions"),) if row.directions else ()
    if array in row.rows:
        return (*leading, sp.Integer(stems), count // stems * first)
    along = (*rest, count * first) if row.transposed else (count * first, *rest)
    return (*leading, *along)


def _learn(place: str, found: tuple[int, ...], shape: Shape, sizes: dict[sp.Expr, int]) -> None:
    """Find the sizes that make `shape` what was found, or say why there are none."""
    wrong = len(found) != len(shape)
    for expected, size in () if wrong else zip(shape, found, strict=True):
        count, dim = expected.as_coeff_Mul()
        wrong |= sizes.setdefault(dim, size // int(count)) * count != size
    if wrong:
        known = ", ".join(f"{dim} = {size}" for dim, size in sizes.items() if dim.is_Symbol)
        raise UsageError(
            f"{place} has shape {found}, expected {list(shape)}"
            + (f" where {known}" if known else "")
        )
