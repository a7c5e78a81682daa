"""The syntax that an expression may use. Whatever has no case here is refused."""

import ast

from derive.errors import CellError, one_line
from derive.language.names import check_name
from derive.language.shorthands import SHORTHANDS
from derive.primitives import PRIMITIVES

__all__ = [
    "ADVICE",
    "MAX_DEPTH",
    "chain",
    "check_expression",
    "number",
    "segment",
    "steps_back",
]

MAX_DEPTH = 24
MAX_TREE = 8 * MAX_DEPTH
MAX_POWER = 16
MAX_DIGITS = 40
MAX_LAG = 8

ADVICE = "the language has + - * / @ **, functions, name[t-1], lists [a, b] and name.T"


def check_expression(tree: ast.expr, text: str) -> None:
    """Refuse a tree that is too deep, or has a construct that is not on the white list.

    Args:
        text: one line of ASCII that the tree was parsed from, to quote from.

    Raises:
        CellError: what was found and what is allowed.
    """
    _check_depth(tree)
    _check_tree(tree, text)
    _highest_power(tree)


def number(node: ast.expr) -> int | str | None:
    """A numeric literal as an exact value (whole, or decimal text), else None."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value if isinstance(node.value, int) else repr(node.value)
    return None


def steps_back(node: ast.Subscript) -> int | None:
    """0 for name[t], 1 for name[t-1] and so on, None for any other index."""
    match node.slice:
        case ast.Name(id="t"):
            return 0
        case ast.BinOp(left=ast.Name(id="t"), op=ast.Sub(), right=right):
            back = number(right)
            return back if isinstance(back, int) and 1 <= back <= MAX_LAG else None
    return None


def chain(node: ast.expr) -> list[ast.expr]:
    """The factors of A @ B @ x, which Python reads as (A @ B) @ x; [node] if it is no product."""
    factors: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        factors.append(node.right)
        node = node.left
    return [node, *reversed(factors)]


def segment(node: ast.expr, text: str) -> str:
    """The part of `text` that the node was parsed from."""
    return text[node.col_offset : node.end_col_offset]


def _check_depth(tree: ast.AST) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_TREE):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise CellError(f"an expression nests deeper than {MAX_TREE}; give parts of it names")


def _check_tree(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name():
            _check_value(node.id)
        case ast.Constant():
            _check_number(node)
        case ast.BinOp(op=ast.Pow()):
            _check_tree(node.left, text)
            power = number(node.right)
            if not isinstance(power, int) or not 2 <= power <= MAX_POWER:
                raise CellError(f"a power must be a whole number from 2 to {MAX_POWER}")
        case ast.BinOp(op=ast.Div()):
            _check_tree(node.left, text)
            _check_tree(node.right, text)
            if number(node.right) in (0, "0.0"):
                raise CellError("a division by 0; divide by what cannot be 0")
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.MatMult()):
            _check_tree(node.left, text)
            _check_tree(node.right, text)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            _check_tree(node.operand, text)
        case ast.List():
            if not node.elts:
                raise CellError("an empty list; write [a, b]")
            for element in node.elts:
                _check_tree(element, text)
        case ast.Subscript(value=ast.Name(id=name)):
            check_name(name)
            if steps_back(node) is None:
                raise CellError(
                    f"'{one_line(segment(node, text), 40)}': a lag is [t-1] to [t-{MAX_LAG}]; to "
                    f"reach further back, carry a state, as in `p = h[t-{MAX_LAG}]`"
                )
        case ast.Attribute(value=ast.Name() | ast.Subscript(), attr="T"):
            _check_tree(node.value, text)
        case ast.Attribute():
            shown = one_line(node.attr, 20)
            raise CellError(f"attribute '.{shown}'; only name.T (transpose): name what is inside")
        case ast.Call(func=ast.Name(id=name)) if name in PRIMITIVES:
            _check_arguments(node, name, 1, text)
        case ast.Call(func=ast.Name(id=name)) if name in SHORTHANDS:
            _check_arguments(node, name, SHORTHANDS[name].arguments, text)
        case ast.Call():
            called = one_line(segment(node.func, text), 30)
            known = ", ".join((*PRIMITIVES, *SHORTHANDS))
            raise CellError(f"unknown function '{called}'; the functions are {known}")
        case _:
            kind = type(getattr(node, "op", None) or node).__name__
            shown = one_line(segment(node, text), 40)
            raise CellError(f"`{shown}` ({kind}) is not in the language; {ADVICE}")


def _check_arguments(node: ast.Call, name: str, count: int, text: str) -> None:
    if len(node.args) != count or node.keywords:
        raise CellError(f"{name} takes {'one argument' if count == 1 else 'two arguments'}")
    for argument in node.args:
        _check_tree(argument, text)


def _check_value(name: str) -> None:
    if name in PRIMITIVES or name in SHORTHANDS:
        raise CellError(f"'{name}' is a function: write {name}(...)")
    if name == "t":
        raise CellError("'t' is the time; it stands only in a lag, as in h[t-1]")
    check_name(name)


def _check_number(node: ast.Constant) -> None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellError(f"a {type(value).__name__} where a number was expected")
    if not (value == 0 or 1e-30 <= abs(value) <= 1e30) or (
        isinstance(value, int) and len(str(value)) > MAX_DIGITS
    ):
        raise CellError("a number must be 0 or between 1e-30 and 1e30")


def _highest_power(node: ast.AST) -> int:
    """The highest power that anything in the tree is raised to; powers of powers multiply."""
    inner = max((_highest_power(child) for child in ast.iter_child_nodes(node)), default=1)
    if isinstance(node, ast.Call):
        return 1  # what a function returns is a new name for the derivation
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)):
        return inner
    power = inner * node.right.value  # type: ignore[attr-defined]  # checked to be a number
    if power > MAX_POWER:
        raise CellError(f"powers of powers multiply to {power}; at most {MAX_POWER}")
    return power
