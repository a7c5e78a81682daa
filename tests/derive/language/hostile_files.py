"""Whole texts that must be refused: encodings, declarations, definitions over several lines."""

from dataclasses import dataclass

__all__ = ["MARKER", "WHOLE", "Row"]

MARKER = "bptt_was_executed"


@dataclass(frozen=True)
class Row:
    """A text, what its error must contain ('a|b': either), and the line that it names."""

    name: str
    text: str | bytes
    says: str
    line: int


_X, _H = "input x[m]\n", "state h[n]\n"
_SOUND = "h = tanh(W @ x + U @ h[t-1] + b)\n"
_CELL = _X + _H + _SOUND
_CONTROL = "control character"
_NO_NAME = "is not a name here"
_SIZE = "write a name, as n, or a whole number"


def _sums(equations: int, terms: int, name: str) -> str:
    """Equations of many parameters, each read once."""
    names = iter(range(equations * terms))
    sums = [
        "+".join(f"{name.format(next(names))}*x" for _ in range(terms)) for _ in range(equations)
    ]
    lines = [f"g{k}={total}\n" for k, total in enumerate(sums)]
    return "".join(lines) + f"h = W @ ({'+'.join(f'g{k}' for k in range(equations))})\n"


def _declared(name: str, declaration: str, says: str) -> Row:
    """A declaration in line 3, before a sound equation."""
    return Row(name, f"{_X}{_H}{declaration}\n{_SOUND}", says, 3)


WHOLE = (
    # Bytes and characters.
    Row("Latin-1", _CELL.encode() + b"# Schr\xf6dinger\n", "byte 61 is not UTF-8", 4),
    Row("UTF-16 with its mark", _CELL.encode("utf-16"), "byte 0 is not UTF-8", 1),
    Row("UTF-16 without its mark", _CELL.encode("utf-16-le"), rf"{_CONTROL} '\x00'", 1),
    Row("overlong UTF-8", b"input x[m]\n\xc0\xaf\n", "byte 11 is not UTF-8", 2),
    Row("UTF-8 cut short", (_CELL + "# \u03c3").encode()[:-1], "is not UTF-8", 4),
    Row("surrogate in bytes", b"\xed\xa0\x80", "byte 0 is not UTF-8", 1),
    Row("surrogate in text", _X + "# \ud800\n", rf"{_CONTROL} '\ud800'", 2),
    Row("random bytes", bytes(range(255, 0, -1)), "byte 0 is not UTF-8", 1),
    Row("an ELF header", b"\x7fELF\x02\x01\x01\x00", rf"{_CONTROL} '\x7f'", 1),
    Row("a zip archive", b"PK\x03\x04" + bytes(26), rf"{_CONTROL} '\x03'", 1),
    Row("NUL", f"{_X}{_H}h = x\0\n", rf"{_CONTROL} '\x00'", 3),
    Row("NUL in a comment", f"{_X}{_H}# \0\n{_SOUND}", _CONTROL, 3),
    Row("escape sequence", f"{_X}\x1b[31m{_H}", rf"{_CONTROL} '\x1b'", 2),
    Row("form feed", f"{_X}\f{_H}", rf"{_CONTROL} '\x0c'", 2),
    Row("backspace in the documentation", f'"""a\b"""\n{_CELL}', rf"{_CONTROL} '\x08'", 1),
    Row("right-to-left override", f"{_X}{_H}h = x # \u202e\n", rf"{_CONTROL} '\u202e'", 3),
    Row("zero-width space", f"{_X}{_H}h = x\u200b\n", rf"{_CONTROL} '\u200b'", 3),
    Row("no-break space", f"{_X}{_H}h =\u00a0x\n", rf"{_CONTROL} '\xa0'", 3),
    Row("line separator", f"{_X}{_H}h = x\u2028h = x\n", rf"{_CONTROL} '\u2028'", 3),
    Row("byte-order mark inside", f"{_X}\ufeff{_H}", rf"{_CONTROL} '\ufeff'", 2),
    Row("NUL after bare carriage returns", "input x[m]\r\rstate h[n]\0", _CONTROL, 3),
    # Size.
    Row("ten megabytes of an equation", "h = " + "x + " * 2_621_440, "more than 65536 bytes", 1),
    Row("ten megabytes of bytes", b"\xff" * 10_485_760, "more than 65536 bytes", 1),
    Row("ten megabytes of brackets", "(" * 10_485_760, "more than 65536 bytes", 1),
    Row("one line of 60,000 characters", f"{_X}{_H}h = {'x+' * 30_000}x", "2000 characters", 3),
    Row("one name of 60,000 characters", f"{_X}{_H}{'h' * 60_000}", "2000 characters", 3),
    Row("a bracket open for 9,000 lines", f"{_X}{_H}h = (\n" + "x\n" * 9_000, "2000 char", 3),
    Row("a bracket open to the end", f"{_X}{_H}h = (x\n\n\n", "a bracket is not closed", 3),
    Row("9,000 equations", _X + _H + "h = x\n" * 9_000, "more than 200 equations", 203),
    Row("7,000 states", _X + "state a[n], b[n]\n" * 3_500, "more than 1000 declared", 501),
    Row("5,940 parameters", _X + _H + _sums(60, 99, "w{:04}"), "1000 inputs, states and para", 1),
    Row(
        "a text that grows when printed", _X + _H + _sums(18, 50, "w{:031}"), "printed with its", 1
    ),
    # Documentation.
    Row("documentation never closed", f'\n"""Cell.\n{_CELL}', 'is not closed by """', 2),
    Row("documentation over a line end", f'"Cell.\n"\n{_CELL}', 'is not closed by "', 1),
    Row("backslash in documentation", f'"""\\N{{DIGIT}}"""\n{_CELL}', "a backslash in the doc", 1),
    Row(
        "code after documentation",
        f'"""Cell.""" + open("{MARKER}", "w")\n',
        "expected `name = expr",
        1,
    ),
    Row("documentation twice", f'"""Cell."""\n"""Cell."""\n{_CELL}', "expected `name = expr", 2),
    Row("documentation in single quotes", f"'''Cell.'''\n{_CELL}", "expected `name = expr", 1),
    Row("documentation closed by four", f'"""Cell.""""\n{_CELL}', "not an equation", 1),
    # Nothing there.
    Row("empty text", "", "no input is declared; write for example `input x[m]`", 1),
    Row("a byte-order mark alone", b"\xef\xbb\xbf", "no input is declared", 1),
    Row("comments alone", "# a cell\n# of nothing\n", "no input is declared", 1),
    Row("documentation alone", '"""Cell."""', "no input is declared", 1),
    Row("no input", _H + "h = tanh(U @ h[t-1])\n", "no input is declared", 1),
    Row("no state", _X + "h = tanh(W @ x)\n", "no state is declared", 1),
    Row("no equation", _X + _H, "state 'h' has no equation; write `h = ...`", 2),
    # Declarations.
    _declared("declaration without a name", "state", "expected `state name[size]`"),
    _declared("declaration without a size", "state c", "expected `state name[size]`"),
    _declared("declaration with round brackets", "state c(n)", "expected `state name[size]`"),
    _declared("declaration with a value", "state c[n] = 0", "expected ',' after `c[n]`"),
    _declared("declaration without a comma", "state c[n] d[n]", "expected ',' after `c[n]`"),
    _declared("declaration with a last comma", "state c[n],", "a name is missing after the last"),
    _declared("declaration with two commas", "state c[n],, d[n]", "expected `state name[size]`"),
    _declared("declaration of an expression", "state c+d[n]", f"'c+d' {_NO_NAME}"),
    _declared("declaration called", f"input(open('{MARKER}'))", "expected `input name[size]`"),
    _declared("declaration of a plural", "states c[n]", "not an equation"),
    _declared("declaration with a capital", "State c[n]", "not an equation"),
    _declared("empty size", "parameter c[]", "a size is missing"),
    _declared("half a size", "parameter c[n,]", "a size is missing"),
    _declared("three sizes", "parameter c[n, n, n]", "write c[size] or [rows, columns]"),
    _declared("three sizes of a state", "state c[n, n, n]", "write c[size] or [rows, columns]"),
    _declared("matrix as an input", "input c[n, n]", "'c' has 2 sizes; write c[size]"),
    _declared("size zero", "state c[0]", "size 0 is not between 1 and 65536"),
    _declared("negative size", "state c[-1]", f"size '-1': {_SIZE}"),
    _declared("fractional size", "state c[1.5]", f"size '1.5': {_SIZE}"),
    _declared("huge size", "state c[99999999999]", "size 99999999999 is not between"),
    _declared("size with 1,500 digits", f"state c[{'9' * 1_500}]", "is not between 1 and 65536"),
    _declared("size with a sign of its own", "state c[+4]", f"size '+4': {_SIZE}"),
    _declared("size as a product", "parameter c[n*m]", f"size 'n*m': {_SIZE}"),
    _declared("size as a power", "parameter c[n**2]", f"size 'n**2': {_SIZE}"),
    _declared("size as a difference", "parameter c[n - 1]", f"size 'n - 1': {_SIZE}"),
    _declared("sum as an input's size", "input c[n + m]", f"size 'n + m': {_SIZE}"),
    _declared("sum of sizes too large", "parameter c[65536 + 1]", "or more than 65536"),
    _declared(
        "sum of too many sizes",
        f"parameter c[{'+'.join(f's{k}' for k in range(99))}]",
        "more than 16 terms",
    ),
    _declared("size in Arabic digits", "state c[\u0664]", rf"size '\u0664': {_SIZE}"),
    _declared("size that is a builtin", "state c[len]", "'len' is used by the emitted source"),
    _declared("size that is emitted", "state c[np]", "'np' is used by the emitted source"),
    _declared("size that is the time", "state c[t]", "'t' is used by the emitted source"),
    _declared("size that is a keyword", "state c[is]", "'is' is a keyword"),
    _declared("size that is a function", "state c[tanh]", "'tanh' is a function of the language"),
    Row("size that is an input", f"{_X}state h[x]\n{_SOUND}", "'x' is also the name of a size", 1),
    _declared("builtin as a state", "state print[n]", "'print' is used by the emitted source"),
    _declared("keyword as an input", "input lambda[m]", "'lambda' is a keyword"),
    _declared("function as a parameter", "parameter exp[n]", "'exp' is a function of the lang"),
    _declared("emitted name as a state", "state tape[n]", "'tape' is used by the emitted source"),
    _declared("initial state as a state", "state h_0[n]", "'h_0' names the initial state of 'h'"),
    _declared("initial state as an input", "input h_0[n]", "'h_0' names the initial state of 'h'"),
    _declared("dunder as a state", "state __all__[n]", f"'__all__' {_NO_NAME}"),
    _declared("confusable name", "state \u0441[n]", rf"'\u0441' {_NO_NAME}"),
    _declared("number as a name", "state 7[n]", f"'7' {_NO_NAME}"),
    _declared("declared twice", "input x[m]", "'x' is declared twice"),
    _declared("declared as two kinds", "parameter h[n]", "'h' is declared twice"),
    _declared("state never defined", "state c[n]", "state 'c' has no equation; write `c = ...`"),
    _declared("input never read", "input c[n]", "input 'c' is never read; remove it"),
    _declared("parameter never read", "parameter c[n]", "parameter 'c' is never read; remove it"),
    # Definitions over several lines.
    Row("zero alone", f"{_X}state h[n], c[n]\nc = 0\nh = W @ x + c\n", "the right side is 0", 3),
    Row("defined twice", _CELL + "h = x\n", "'h' is defined twice, first in line 3", 4),
    Row(
        "declared parameter defined",
        f"{_X}{_H}parameter g[n]\ng = W @ x\nh = g\n",
        "'g' is a declared parameter; an equation cannot define it",
        4,
    ),
    Row("equation that nothing reads", f"{_X}{_H}g = W @ x\n{_SOUND}", "nothing reads 'g'", 3),
    Row(
        "read above its equation",
        f"{_X}{_H}h = tanh(g)\ng = W @ x\n",
        "'g' is read before its equation in line 4; move that up",
        3,
    ),
    Row(
        "state read above its equation",
        f"{_X}state h[n], c[n]\nh = tanh(c)\nc = W @ x\n",
        "write c[t-1] for the step before, or move that equation up",
        3,
    ),
    Row("circle of two", f"{_X}{_H}g = h\nh = g\n", "'h' is read before its equation", 3),
    Row(
        "number that no shape is for",
        f"{_X}{_H}g = 2\nh = g * h[t-1]\n",
        "a number alone has no shape",
        3,
    ),
    Row(
        "lag of an intermediate",
        f"{_X}{_H}g = W @ x\nh = g[t-1]\n",
        "'g' is neither a state nor",
        4,
    ),
    Row(
        "contradiction over two lines",
        f"{_X}{_H}g = W @ x + b\nh = b * x + g\n",
        "shapes [?] (`W @ x` in line 3) and [m] (declared in line 1) do not fit|do not fit",
        4,
    ),
    Row(
        "declared shape against use",
        f"{_X}{_H}parameter W[n, k]\nh = W @ x\n",
        "`W @ x`: shapes [n, k] (declared in line 3) and [m] (declared in line 1) do not fit",
        4,
    ),
    Row(
        "whole size against a name",
        "input x[3]\nstate h[4]\nh = tanh(x)\n",
        "shapes [4] (declared in line 2) and [3] (declared in line 1) do not fit",
        3,
    ),
    Row(
        "stack that doubles without end",
        _X
        + _H
        + "a0 = [x, x]\n"
        + "".join(f"a{k} = [a{k - 1}, a{k - 1}]\n" for k in range(1, 190))
        + "h = W @ a189\n",
        "or more than 65536",
        19,
    ),
    Row(
        "stack of many sizes",
        "".join(f"input x{k}[s{k}]\n" for k in range(20))
        + _H
        + f"h = W @ [{', '.join(f'x{k}' for k in range(20))}]\n",
        "more than 16 terms",
        22,
    ),
    Row(
        "error inside a wrapped equation",
        f"{_X}{_H}\nh = (W @ x\n  # why\n  + selu(x))\n",
        "unknown function 'selu'",
        4,
    ),
    Row(
        "error after carriage returns",
        "input x[m]\r\nstate h[n]\r\n\r\nh = selu(x)\r\n",
        "unknown function 'selu'",
        4,
    ),
    Row(
        "error after documentation",
        f'# c\n\n"""Two\nlines."""\n{_X}{_H}h = selu(x)\n',
        "unknown function 'selu'",
        7,
    ),
)
