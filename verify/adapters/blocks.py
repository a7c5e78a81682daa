"""How somebody stacks a cell's parameters, written as NumPy's `block` writes it.

`[U_f, W_f]` is side by side, `[[W_i], [W_f]]` one above the other, `W_i.T` transposed and
`stack(W_i, W_f)` along a new first axis; `-b_z` is z against 1 - z, `b_f - 1` an offset that is
added later.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from derive.errors import UsageError, one_line
from verify.adapters.places import Arrangement, Place, Shapes, numbered
from verify.kernels import Array, Arrays

__all__ = ["Vectors", "read_blocks"]

# How vectors are stored: (n,), (n, 1) or (1, n).
Vectors = Literal["flat", "column", "row"]

_CALLS = {"stack": np.stack}


def read_blocks(
    texts: Mapping[str, str], names: tuple[str, ...], vectors: Vectors = "flat"
) -> Arrangement:
    """Arrays by name, each an expression over the parameters of these names.

    Raises:
        UsageError: an expression cannot be read, or a parameter stands nowhere.
    """
    trees = {array: _read(array, text, names) for array, text in texts.items()}
    used = {name for tree in trees.values() for name in _names(tree)}
    missing = [n for n in names if n not in used]
    if missing:
        raise UsageError(f"parameter {missing[0]} stands in none of {', '.join(texts)}")

    def find(shapes: Shapes) -> dict[str, Place]:
        numbers = {n: i.astype(np.float64) for n, i in numbered(shapes).items()}
        seen: set[int] = set()
        found = {}
        for array, tree in trees.items():
            constant = _value(tree, {n: 0 * i for n, i in numbers.items()}, vectors)
            factor = _value(tree, {n: 0 * i + 1 for n, i in numbers.items()}, vectors) - constant
            exact = (_value(tree, numbers, vectors) - constant) / factor
            ids = np.rint(exact).astype(np.int64)
            fresh = np.isin(np.arange(ids.size), np.unique(ids, return_index=True)[1])
            first = fresh.reshape(ids.shape) & ~np.isin(ids, list(seen))
            seen |= set(ids.ravel().tolist())
            found[array] = Place(ids, factor, constant, first)
        return found

    return Arrangement(find)


def _read(array: str, text: str, names: tuple[str, ...]) -> ast.expr:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise UsageError(f"array {array}: '{one_line(text, 60)}' is no expression") from None
    _made(tree, lambda _: np.ones((1, 1)))
    unknown = sorted(_names(tree) - set(names))
    if unknown:
        raise UsageError(f"array {array}: no parameter {unknown[0]}; there are {', '.join(names)}")
    return tree


def _names(tree: ast.expr) -> set[str]:
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return found - set(_CALLS)


def _value(tree: ast.expr, arrays: Arrays, vectors: Vectors) -> Array:
    """The expression with these arrays for the names."""
    shape = {"flat": (-1,), "column": (-1, 1), "row": (1, -1)}[vectors]

    def stored(name: str) -> Array:
        array = arrays[name]
        return array.reshape(shape) if array.ndim == 1 else array

    made = _made(tree, stored)
    return np.block(made) if isinstance(made, list) else np.asarray(made)


def _made(node: ast.expr, leaf: Callable[[str], Array]) -> Any:
    """The expression's value: an array, or nested lists of arrays, as `numpy.block` takes them."""

    def whole(inner: ast.expr) -> Array:
        value = _made(inner, leaf)
        return np.block(value) if isinstance(value, list) else value

    match node:
        case ast.Name(name):
            return leaf(name)
        case ast.List(items) if items:
            return [_made(item, leaf) for item in items]
        case ast.Attribute(inner, "T"):
            return whole(inner).T
        case ast.UnaryOp(ast.USub(), inner):
            return -whole(inner)
        case ast.BinOp(inner, ast.Add(), ast.Constant(int() | float() as number)):
            return whole(inner) + number
        case ast.BinOp(inner, ast.Sub(), ast.Constant(int() | float() as number)):
            return whole(inner) - number
        case ast.BinOp(ast.Constant(int() | float() as number), ast.Mult(), inner) if number:
            return number * whole(inner)
        case ast.Call(ast.Name(name), items, []) if name in _CALLS and items:
            return _CALLS[name]([whole(item) for item in items])
    raise UsageError(
        f"'{one_line(ast.unparse(node), 60)}' is no arrangement; write names, [A, B], [[A], [B]], "
        "A.T, stack(A, B), -A, 2*A or A - 1"
    )
