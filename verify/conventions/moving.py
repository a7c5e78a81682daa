"""Parameters between a library's arrays and the cell.

Where a library has two biases it adds them: a parameter of the cell that lies in several blocks is
their sum. So values move to the cell by adding blocks, and from the cell into the first block with
zeros in the others; the gradient of a sum goes to every block.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import sympy as sp

from derive.errors import UsageError
from derive.expressions import Shape
from verify.conventions.layout import DIRECTIONS, Key, joined, parted, whole_shape
from verify.conventions.row import UNREAD, Convention, Stack, parameters_of
from verify.conventions.sizes import Found, sizes_from
from verify.kernels import Array, Arrays

__all__ = [
    "every_direction",
    "from_cell",
    "from_directions",
    "gradients_from_cell",
    "gradients_to_cell",
    "to_cell",
]


def to_cell(
    row: Convention,
    arrays: Arrays,
    direction: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """The cell's parameters from a library's arrays.

    Args:
        arrays: by the library's names; those that are optional may be missing.
        direction: which entry of the axis of directions, where the convention has one.
        sizes: by name, where the arrays' shapes do not tell them: n or m of a flat array.

    Raises:
        UsageError: an array is missing, unknown, or of a shape that does not fit.
    """
    found = every_direction(row, arrays, sizes)
    _known_direction(row, direction, len(found))
    return found[direction]


def every_direction(
    row: Convention, arrays: Arrays, sizes: Mapping[str, int] | None = None
) -> list[dict[str, Array]]:
    """The cell's parameters for each direction that the arrays have."""
    known = _sizes(row, arrays, sizes)
    dtype = np.result_type(*arrays.values())
    shapes = _shapes(row, known)
    result = []
    for pieces in _pieces(row, arrays, known):
        params: dict[str, Array] = {}
        for name, block in pieces:
            params[name] = params[name] + block if name in params else block
        for name in row.missing:
            params[name] = np.zeros(shapes[name], dtype)
        for name, constant in row.offsets.items():
            params[name] = params[name] + params[name].dtype.type(constant)
        result.append(params)
    return result


def gradients_to_cell(
    row: Convention,
    arrays: Arrays,
    direction: int = 0,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, Array]:
    """Gradients for the cell's parameters from gradients for a library's arrays.

    The blocks of a sum have equal gradients; the first is taken. To see whether they are equal,
    compare with `gradients_from_cell` in the library's arrays. A parameter for which the library
    has no place has no gradient there.
    """
    found = list(_pieces(row, arrays, _sizes(row, arrays, sizes)))
    _known_direction(row, direction, len(found))
    grads: dict[str, Array] = {}
    for name, block in found[direction]:
        grads.setdefault(name, block)
    return grads


def from_cell(row: Convention, params: Arrays) -> dict[str, Array]:
    """A library's arrays from the cell's parameters; second biases are zero.

    An axis of directions has length 1: `from_directions` makes both.

    Raises:
        UsageError: a parameter is missing, or the library has no place for it and it is not zero.
    """
    return from_directions(row, [params])


def from_directions(row: Convention, params: Sequence[Arrays]) -> dict[str, Array]:
    """The same from the parameters of each direction.

    Raises:
        UsageError: as for `from_cell`, or the convention has one direction alone.
    """
    for name, reason in row.missing.items():
        if any(np.any(given[name] != 0) for given in params if name in given):
            raise UsageError(f"{row.name} has no place for {name}, which is not zero: {reason}")
    return _stacked(row, params, repeat=False)


def gradients_from_cell(row: Convention, grads: Arrays) -> dict[str, Array]:
    """Gradients for a library's arrays from gradients for the cell's parameters."""
    return _stacked(row, [grads], repeat=True)


def _stacked(row: Convention, values: Sequence[Arrays], repeat: bool) -> dict[str, Array]:
    if len(values) > 1 and not row.directions:
        raise UsageError(f"{row.name} has one direction, {len(values)} were given")
    used: set[tuple[int, str]] = set()
    result = {}
    for array, stacks in row.arrays.items():
        parts = []
        for stack in stacks:
            found: dict[Key, Array] = {}
            names = row.names(stack)
            for (d, s, g), name in _keys(names, len(values)):
                given = _given(row, values[d], names[s], name)
                first = name != UNREAD and (d, name) not in used
                used.add((d, name))
                if not first and not (repeat and name != UNREAD):
                    given = np.zeros_like(given)
                elif not repeat and name in row.offsets:
                    given = given - given.dtype.type(row.offsets[name])
                found[d, s, g] = given
            parts.append(joined(stack.axes, found))
        result[array] = np.concatenate(parts, axis=0) if len(parts) > 1 else parts[0]
    return result


def _given(row: Convention, values: Arrays, names: tuple[str, ...], name: str) -> Array:
    """A parameter's value; for a block that is not read, one of its shape."""
    wanted = next(n for n in names if n != UNREAD) if name == UNREAD else name
    if wanted not in values:
        raise UsageError(f"{row.name}: parameter '{wanted}' is missing; give it")
    return values[wanted]


def _keys(names: tuple[tuple[str, ...], ...], directions: int) -> Iterator[tuple[Key, str]]:
    for d in range(directions):
        for s, stem in enumerate(names):
            for g, name in enumerate(stem):
                yield (d, s, g), name


def _pieces(
    row: Convention, arrays: Arrays, known: Mapping[sp.Expr, int]
) -> Iterator[Iterator[tuple[str, Array]]]:
    """For each direction, every block with the cell's name for it.

    Zeros stand for optional arrays that are not given. Blocks are arrays of their own.
    """
    shapes, dtype = _shapes(row, known), np.result_type(*arrays.values())
    directions = known[DIRECTIONS] if row.directions else 1
    split: list[tuple[Key, str, Array]] = []
    for array, stacks in row.arrays.items():
        ends = np.cumsum([_whole(row, stack)[0].subs(known) for stack in stacks[:-1]], dtype=int)
        found = np.split(arrays[array], ends) if array in arrays else [None] * len(stacks)
        for stack, part in zip(stacks, found, strict=True):
            names = row.names(stack)
            kept = {
                key: shapes[next(n for n in names[key[1]] if n != UNREAD)]
                for key, _ in _keys(names, directions)
            }
            if part is None:
                pieces = {key: np.zeros(shape, dtype) for key, shape in kept.items()}
            else:
                pieces = parted(stack.axes, part, kept)
            split += [(key, names[key[1]][key[2]], piece) for key, piece in pieces.items()]
    for d in range(directions):
        yield ((name, piece) for key, name, piece in split if key[0] == d and name != UNREAD)


def _sizes(row: Convention, arrays: Arrays, given: Mapping[str, int] | None) -> dict[sp.Expr, int]:
    """The sizes of the layer.

    Raises:
        UsageError: an array is missing, unknown, or of a shape that does not fit.
    """
    required = row.arrays.keys() - row.optional
    if not required <= arrays.keys() <= row.arrays.keys():
        raise UsageError(
            f"{row.name}: arrays {sorted(arrays)} were given, expected "
            f"{sorted(required)} and perhaps {sorted(row.optional)}"
        )
    found: list[Found] = []
    for array, stacks in row.arrays.items():
        if array in arrays:
            shapes = [_whole(row, stack) for stack in stacks]
            first = sum((shape[0] for shape in shapes), sp.Integer(0))
            place = f"{row.name}: {array}"
            found.append((place, (first, *shapes[0][1:]), np.shape(arrays[array])))
    return sizes_from(found, given)


def _whole(row: Convention, stack: Stack) -> Shape:
    """The shape of a stack, in symbols."""
    names, shapes = row.names(stack), parameters_of(row.cell)
    kept = {
        key: shapes[next(n for n in names[key[1]] if n != UNREAD)] for key, _ in _keys(names, 1)
    }
    return whole_shape(stack.axes, kept)


def _shapes(row: Convention, known: Mapping[sp.Expr, int]) -> dict[str, tuple[int, ...]]:
    size: Callable[[sp.Expr], int] = lambda dim: (
        known[dim] if dim in known else int(dim.subs(known))
    )
    return {name: tuple(map(size, shape)) for name, shape in parameters_of(row.cell).items()}


def _known_direction(row: Convention, direction: int, count: int) -> None:
    if not 0 <= direction < count:
        raise UsageError(f"{row.name}: the arrays have no direction {direction}, they have {count}")
