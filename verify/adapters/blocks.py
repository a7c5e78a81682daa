"""How somebody stacks a cell's parameters, written as NumPy's `block` writes it.

Wf = [U_f, W_f]                      side by side
W  = [[W_i], [W_f], [W_o], [W_g]]    one above the other
W  = [W_i.T, W_f.T]                  transposed, side by side
W  = stack(W_i, W_f)                 along a new first axis
bz = -b_z,  bf = b_f - 1             z against 1 - z; an offset that is added later
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
    used = {node.id for tree in trees.values() for node in ast.walk(tree) if _is_name(node)}
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
            first = np.array([i not in seen for i in ids.ravel()], bool).reshape(ids.shape)
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
    unknown = sorted({n.id for n in ast.walk(tree) if _is_name(n)} - set(names))
    if unknown:
        raise UsageError(f"array {array}: no parameter {unknown[0]}; there are {', '.join(names)}")
    return tree


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id not in _CALLS


def _value(tree: ast.expr, arrays: Arrays, vectors: Vectors) -> Array:
    """The expression with these arrays for the names."""
    shape = {"flat": (-1,), "column": (-1, 1), "row": (1, -1)}[vectors]
    stored = lambda a: a.reshape(shape) if a.ndim == 1 else a
    made = _made(tree, lambda name: stored(arrays[name]))
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
