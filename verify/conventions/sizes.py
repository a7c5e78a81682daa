"""The sizes n, m, … of a layer from the shapes of its arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from derive.errors import UsageError, one_line
from derive.expressions import Shape
from verify.conventions.layout import DIRECTIONS

__all__ = ["Found", "sizes_from"]

Found = tuple[str, Shape, tuple[int, ...]]  # where, the shape in symbols, the shape that was found


def sizes_from(
    found: Sequence[Found], given: Mapping[str, int] | None = None
) -> dict[sp.Expr, int]:
    """The sizes for which every shape is what was found.

    Args:
        given: sizes by name that the shapes alone may not tell, as those of a flat array.

    Raises:
        UsageError: there are none, or several.
    """
    given = given or {}
    symbols = {str(s): s for _, shape, _ in found for dim in shape for s in dim.free_symbols}
    if not given.keys() <= symbols.keys():
        named = one_line(", ".join(sorted(given.keys() - symbols.keys())), 60)
        raise UsageError(f"no array here has a size {named}; sizes are {', '.join(symbols)}")
    known: dict[sp.Expr, int] = {symbols[name]: size for name, size in given.items()}
    waiting = [_Axis(one, k) for one in found for k in range(max(1, len(one[1])))]
    while waiting:
        later = []
        for axis in waiting:
            place, shape, sizes = axis.found
            left = _left(shape[axis.number], known) if len(shape) == len(sizes) else sp.nan
            if len(left.free_symbols) > 1:
                later.append(axis)
                continue
            value = _root(left, sizes[axis.number]) if left is not sp.nan else None
            if value is None:
                raise UsageError(_differs(place, shape, sizes, known))
            known |= dict.fromkeys(left.free_symbols, value)
        if len(later) == len(waiting):
            known |= _assumed(later[0], known)
        waiting = later
    return known


@dataclass(frozen=True)
class _Axis:
    """One axis of an array whose shape was found."""

    found: Found
    number: int


def _left(dim: sp.Expr, known: Mapping[sp.Expr, int]) -> sp.Expr:
    """A dimension with the sizes that are known; `subs` alone does it too, slowly."""
    count, symbol = dim.as_coeff_Mul()
    return count * known[symbol] if symbol in known else dim.subs(known)


def _root(left: sp.Expr, size: int) -> int | None:
    """The whole number for which an expression that grows with its one symbol is `size`."""
    if not left.free_symbols:
        return 0 if left == size else None
    (symbol,) = left.free_symbols
    count, rest = left.as_coeff_Mul()
    if rest == symbol:
        return int(size // count) if size % count == 0 else None
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if left.subs(symbol, middle) < size else (low, middle)
    return low if left.subs(symbol, low) == size else None


def _assumed(axis: _Axis, known: Mapping[sp.Expr, int]) -> dict[sp.Expr, int]:
    """One direction, where the shapes leave the number of directions open; nothing else."""
    place, shape, sizes = axis.found
    free = shape[axis.number].free_symbols - known.keys()
    if DIRECTIONS in free:
        return {DIRECTIONS: 1}
    names = sorted(map(str, free))
    raise UsageError(
        f"{place} has shape {sizes}, which is {list(shape)} for several {' and '.join(names)}; "
        "give one of them, as n=4"
    )


def _differs(place: str, shape: Shape, sizes: tuple[int, ...], known: Mapping[sp.Expr, int]) -> str:
    where = ", ".join(f"{symbol} = {size}" for symbol, size in known.items())
    return f"{place} has shape {sizes}, expected {list(shape)}" + (
        f" where {where}" if where else ""
    )
