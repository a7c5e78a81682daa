"""Text -> declarations and equations as checked syntax trees. Bounded in time for any input."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from derive.errors import CellError, one_line
from derive.language.names import check_name
from derive.primitives import PRIMITIVES

__all__ = ["Declaration", "Program", "Statement", "number", "read"]

MAX_BYTES = 65_536
MAX_LINE = 2_000
MAX_DEPTH = 24
MAX_EQUATIONS = 200
MAX_POWER = 16
MAX_DIGITS = 40

_DECLARATION = re.compile(r"(input|state|parameter)\b\s*(.*)", re.DOTALL)
_ITEM = re.compile(r"\s*([^\s\[\],]+)\s*\[([^\[\]]*)\]\s*")
_ADVICE = "the language has + - * @ **, functions, name[t-1], lists [a, b] and name.T"


@dataclass(frozen=True)
class Declaration:
    """`kind` is input, state or parameter; dimensions are names or whole numbers, as text."""

    kind: str
    name: str
    dimensions: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Statement:
    """One equation: its name, its right side as a checked tree, its text and its line."""

    name: str
    value: ast.expr
    text: str
    line: int


@dataclass(frozen=True)
class Program:
    """Everything a cell text says."""

    doc: str
    declarations: tuple[Declaration, ...]
    statements: tuple[Statement, ...]


def read(text: str | bytes) -> Program:
    """Read a cell text.

    Raises:
        CellError: 'line N: what was found, what was expected' on one line.
    """
    text = _decoded(text)
    doc, rest, first = _documentation(text)
    declarations: list[Declaration] = []
    statements: list[Statement] = []
    for line, chunk in _logical_lines(rest, first):
        try:
            match = _DECLARATION.fullmatch(chunk)
            if match and not match[2].startswith("="):
                declarations.extend(_declared(match[1], match[2], line))
            else:
                statements.append(_statement(chunk, line))
        except CellError as error:
            raise CellError(f"line {line}: {error}, in `{one_line(chunk)}`") from None
    if len(statements) > MAX_EQUATIONS:
        raise CellError(f"line {statements[-1].line}: more than {MAX_EQUATIONS} equations")
    return Program(doc, tuple(declarations), tuple(statements))


def number(node: ast.expr) -> int | str | None:
    """A numeric literal as an exact value (whole, or decimal text), else None."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value if isinstance(node.value, int) else repr(node.value)
    return None


def _decoded(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise CellError(f"line 1: the text has {len(text)} bytes; at most {MAX_BYTES}")
    if isinstance(text, bytes):
        return _decoded(_utf8(text))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for place, character in enumerate(text):
        if not (character.isprintable() or character in "\n\t"):
            line = text.count("\n", 0, place) + 1
            raise CellError(f"line {line}: control character {character!a}; remove it")
    return text


def _utf8(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CellError(f"line {line}: byte {error.start} is not UTF-8") from None


def _documentation(text: str) -> tuple[str, str, int]:
    """(doc, the text after it, the line that text starts on)."""
    body = text.lstrip()
    start = text.count("\n", 0, len(text) - len(body)) + 1
    if not body.startswith('"'):
        return "", body, start
    mark = '"""' if body.startswith('"""') else '"'
    doc, closed, rest = body[len(mark) :].partition(mark)
    if not closed or (mark == '"' and "\n" in doc):
        raise CellError(f"line {start}: the documentation is not closed by {mark}")
    if "\\" in doc:
        raise CellError(f"line {start}: a backslash in the documentation; write it without")
    return doc, rest, start + doc.count("\n")


def _logical_lines(text: str, line: int) -> Iterator[tuple[int, str]]:
    """Lines without comments; one that has an open bracket goes on in the next."""
    held, depth, start = "", 0, line
    for current, raw in enumerate(text.split("\n"), start=line):
        content = raw.partition("#")[0]
        if not held:
            start = current
        held = f"{held} {content.strip()}".strip()
        for character in content:
            depth += (character in "([{") - (character in ")]}")
            if depth > MAX_DEPTH:
                raise CellError(f"line {current}: brackets nest deeper than {MAX_DEPTH}")
        if len(held) > MAX_LINE:
            raise CellError(f"line {start}: an equation longer than {MAX_LINE} characters")
        if held and depth <= 0:
            yield start, held
            held, depth = "", 0
    if held:
        raise CellError(f"line {start}: a bracket is not closed, in `{one_line(held)}`")


def _declared(kind: str, items: str, line: int) -> Iterator[Declaration]:
    place = 0
    while place < len(items) or place == 0:
        match = _ITEM.match(items, place)
        if not match:
            raise CellError(f"expected `{kind} name[size]`, or several with commas between")
        check_name(match[1])
        sizes = tuple(size.strip() for size in match[2].split(","))
        for size in sizes:
            _check_size(size)
        if len(sizes) > (2 if kind == "parameter" else 1):
            raise CellError(f"'{match[1]}' has {len(sizes)} sizes; {kind}s have fewer")
        yield Declaration(kind, match[1], sizes, line)
        place = match.end()
        if place < len(items):
            if items[place] != ",":
                raise CellError(f"expected ',' after `{match[0].strip()}`")
            place += 1
            if not items[place:].strip():
                raise CellError("a name is missing after the last ','")


def _check_size(size: str) -> None:
    if size.isascii() and size.isdigit():
        if not 1 <= int(size[:6]) <= 65_536 or len(size) > 5:
            raise CellError(f"size {one_line(size, 12)} is not between 1 and 65536")
    elif not size:
        raise CellError("a size is missing: write name[n], or name[n, m] for a matrix")
    else:
        check_name(size)


def _statement(chunk: str, line: int) -> Statement:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(chunk).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "too deep or too long"
        raise CellError(f"not an equation ({one_line(str(reason), 60)}); {_ADVICE}") from None
    if len(body) != 1 or not isinstance(body[0], ast.Assign):
        raise CellError("expected `name = expression`, or `input`, `state` or `parameter`")
    targets, value = body[0].targets, body[0].value
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        raise CellError("the left side must be one name, as in `C = f * C[t-1]`")
    check_name(targets[0].id)
    _check_depth(value)
    _check_tree(value)
    return Statement(targets[0].id, value, chunk, line)


def _check_depth(tree: ast.AST) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(8 * MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise CellError(f"an expression nests deeper than {8 * MAX_DEPTH}")


def _check_tree(node: ast.expr) -> None:
    """Refuse every construct that is not on the white list."""
    match node:
        case ast.Name():
            if node.id in PRIMITIVES:
                raise CellError(f"'{node.id}' is a function: write {node.id}(...)")
            check_name(node.id)
        case ast.Constant():
            _check_number(node)
        case ast.BinOp(op=ast.Pow()):
            _check_tree(node.left)
            power = number(node.right)
            if not isinstance(power, int) or not 2 <= power <= MAX_POWER:
                raise CellError(f"a power must be a whole number from 2 to {MAX_POWER}")
        case ast.BinOp(op=ast.Div()):
            _check_tree(node.left)
            _check_tree(node.right)
            if number(node.right) in (None, 0, "0.0"):
                raise CellError("division is by a number other than 0")
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.MatMult()):
            _check_tree(node.left)
            _check_tree(node.right)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            _check_tree(node.operand)
        case ast.List():
            if not node.elts:
                raise CellError("an empty list; write [a, b]")
            for element in node.elts:
                _check_tree(element)
        case ast.Subscript(value=ast.Name(id=name)):
            check_name(name)
            if ast.unparse(node.slice) not in ("t - 1", "t"):
                raise CellError(
                    f"'{name}[{one_line(ast.unparse(node.slice), 20)}]': only [t-1] can "
                    "be read; to reach further back, carry a state, as in `p = h[t-1]`"
                )
        case ast.Attribute(value=ast.Name(id=name), attr="T"):
            check_name(name)
        case ast.Attribute():
            raise CellError(f"attribute '.{one_line(node.attr, 20)}'; only name.T (transpose)")
        case ast.Call(func=ast.Name(id=name)) if name in PRIMITIVES:
            if len(node.args) != 1 or node.keywords:
                raise CellError(f"{name} takes one argument")
            _check_tree(node.args[0])
        case ast.Call():
            called = one_line(ast.unparse(node.func), 30)
            known = ", ".join(PRIMITIVES)
            raise CellError(f"unknown function '{called}'; the functions are {known}")
        case _:
            raise CellError(f"{_described(node)} is not in the language; {_ADVICE}")


def _described(node: ast.expr) -> str:
    operator = getattr(node, "op", None)
    return f"'{type(operator or node).__name__}'"


def _check_number(node: ast.Constant) -> None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellError(f"a {type(value).__name__} where a number was expected")
    if not (value == 0 or 1e-30 <= abs(value) <= 1e30) or (
        isinstance(value, int) and len(str(value)) > MAX_DIGITS
    ):
        raise CellError("a number must be 0 or between 1e-30 and 1e30")
