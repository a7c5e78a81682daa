"""Text -> declarations and equations as checked syntax trees. Bounded in time for any input."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from derive.errors import CellError, one_line
from derive.expressions import Shape
from derive.language.names import check_name
from derive.language.whitelist import ADVICE, MAX_DEPTH, check_expression

__all__ = [
    "MAX_BYTES",
    "MAX_DECLARATIONS",
    "MAX_LINE",
    "Declaration",
    "Program",
    "Statement",
    "check_size",
    "names_in",
    "nesting",
    "read",
]

MAX_BYTES = 65_536
MAX_LINE = 2_000
MAX_EQUATIONS = 200
MAX_DECLARATIONS = 1_000
MAX_SIZE = 65_536
MAX_SIZES = 16

_DECLARATION = re.compile(r"(input|state|parameter)\b\s*(.*)", re.DOTALL)
_LEADING = re.compile(r"(?:\s|#[^\n]*)*")
_ITEM = re.compile(r"\s*([^\s\[\],]+)\s*\[([^\[\]]*)\]\s*")
_TERM = re.compile(r"(?:(\d+)\s*\*\s*)?([^\W\d]\w*)|(\d+)", re.ASCII)


@dataclass(frozen=True)
class Declaration:
    """`kind` is input, state or parameter; a size is a symbol, a whole number or a sum of them."""

    kind: str
    name: str
    dimensions: Shape
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
    text = decoded(text)
    doc, rest, first = documentation(text)
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
            raise CellError(f"line {line}: more than {MAX_EQUATIONS} equations")
        if len(declarations) > MAX_DECLARATIONS:
            raise CellError(f"line {line}: more than {MAX_DECLARATIONS} declared names")
    return Program(doc, tuple(declarations), tuple(statements))


def decoded(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise CellError(f"line 1: the text has more than {MAX_BYTES} bytes; no cell needs them")
    if isinstance(text, bytes):
        return decoded(_utf8(text))
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


def documentation(text: str) -> tuple[str, str, int]:
    """(doc, the text after it, the line that text starts on)."""
    body = text[len(_LEADING.match(text)[0]) :]  # type: ignore[index]  # it always matches
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
        depth, deepest = nesting(content, depth)
        if deepest > MAX_DEPTH:
            raise CellError(f"line {current}: brackets nest deeper than {MAX_DEPTH}")
        if len(held) > MAX_LINE:
            raise CellError(f"line {start}: an equation longer than {MAX_LINE} characters")
        if held and depth <= 0:
            yield start, held
            held, depth = "", 0
    if held:
        raise CellError(f"line {start}: a bracket is not closed, in `{one_line(held)}`")


def names_in(tree: ast.expr) -> set[str]:
    """Every name in an expression; `t` of a lag and functions are names, too."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def nesting(text: str, depth: int = 0) -> tuple[int, int]:
    """How many brackets are open after `text`, and at most at any place in it."""
    deepest = depth
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return depth, deepest


def _declared(kind: str, items: str, line: int) -> Iterator[Declaration]:
    place = 0
    while place < len(items) or place == 0:
        match = _ITEM.match(items, place)
        if not match:
            raise CellError(f"expected `{kind} name[size]`, or several with commas between")
        check_name(match[1])
        sizes = tuple(_size(size.strip(), kind) for size in match[2].split(","))
        most = 1 if kind == "input" else 2
        if len(sizes) > most:
            shown = "[size] or [rows, columns]" if most == 2 else "[size]"
            raise CellError(f"'{match[1]}' has {len(sizes)} sizes; write {match[1]}{shown}")
        yield Declaration(kind, match[1], sizes, line)
        place = match.end()
        if place < len(items):
            if items[place] != ",":
                raise CellError(f"expected ',' after `{match[0].strip()}`")
            place += 1
            if not items[place:].strip():
                raise CellError("a name is missing after the last ','")


def _size(text: str, kind: str) -> sp.Expr:
    """A size; those of inputs are names or numbers, others may be sums: `parameter W[n, n + m]`."""
    if not text:
        raise CellError("a size is missing: write name[n], or name[n, m] for a matrix")
    terms = [text] if kind == "input" else text.split("+")
    total = sp.S.Zero
    for term in (term.strip() for term in terms):
        match = _TERM.fullmatch(term)
        if not match or (match[1] and kind == "input"):
            raise CellError(f"size '{one_line(text, 24)}': write a name, as n, or a whole number")
        for digits in (match[1], match[3]):
            if digits and (len(digits) > len(str(MAX_SIZE)) or not 1 <= int(digits) <= MAX_SIZE):
                raise CellError(f"size {one_line(digits, 12)} is not between 1 and {MAX_SIZE}")
        if match[2]:
            check_name(match[2])
        unit = sp.Symbol(match[2], integer=True, positive=True) if match[2] else sp.S.One
        total += int(match[1] or match[3] or 1) * unit
    check_size(total)
    return total


def check_size(size: sp.Expr) -> None:
    """Refuse a size that is too large, or a sum of too many, for its text to be read again."""
    counts = size.as_coefficients_dict().values()
    if len(counts) > MAX_SIZES or max(counts) > MAX_SIZE:
        raise CellError(
            f"size {one_line(str(size), 40)}: more than {MAX_SIZES} terms, or more than {MAX_SIZE}"
        )


def _statement(chunk: str, line: int) -> Statement:
    if not chunk.isascii():  # Python would read full-width or script letters as plain ones
        strange = next(c for c in chunk if not c.isascii())
        raise CellError(f"'{one_line(strange)}' in an equation; names and operators are ASCII")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Where a file is expected, Python looks for one to quote from in its errors.
            body = ast.parse(chunk, mode="single").body
    except (SyntaxError, ValueError):
        raise CellError(f"not an equation; {ADVICE}") from None
    except (MemoryError, RecursionError):
        raise CellError("an expression nests too deep; give parts of it names") from None
    if len(body) != 1 or not isinstance(body[0], ast.Assign):
        raise CellError("expected `name = expression`, or `input`, `state` or `parameter`")
    targets, value = body[0].targets, body[0].value
    if len(targets) != 1 or not isinstance(targets[0], ast.Name):
        raise CellError("the left side must be one name, as in `C = f * C[t-1]`")
    check_name(targets[0].id)
    check_expression(value, chunk)
    return Statement(targets[0].id, value, chunk, line)
