"""Text and long equations as TeX that fits the page: escaping, measuring, breaking, tables."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["ROOM", "Line", "Reason", "aligned", "broken", "escape", "reference", "table", "width"]

LINE = 455.0
ROOM = 425.0  # what an equation may take of a line beside its number, in points

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    "\u2264": r"\ensuremath{\leq}",
    "\u2265": r"\ensuremath{\geq}",
    "\u00b7": r"\ensuremath{\cdot}",
    "\u00d7": r"\ensuremath{\times}",
    "\u2299": r"\ensuremath{\odot}",
    "\u2202": r"\ensuremath{\partial}",
    "\u00df": r"\ss{}",
    "\u00f8": r"\o{}",
    "\u00e6": r"\ae{}",
    "\u0142": r"\l{}",
    "$": r"\ensuremath{\mathdollar}",  # the text sign wants a font beyond the base
} | {c: f"\\{c}" for c in "_&%#{}"}
_ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0308\u030c\u0327", "`'^~\"vc", strict=True))


def escape(text: str) -> str:
    """Plain text as TeX; long words may break, characters that TeX lacks show their number."""
    return " ".join(_word(word) for word in text.split())


def _word(word: str) -> str:
    pieces = [_character(c) for c in word]
    if len(word) > 24:
        run = 0
        for place, character in enumerate(word):
            run = 0 if character in "/.-_:,=" or run == 15 else run + 1
            if run == 0:
                pieces[place] += r"\allowbreak{}"
    return "".join(pieces)


def _character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    greek = re.fullmatch(r"GREEK SMALL LETTER (\w+)", unicodedata.name(character, ""))
    if greek and greek[1] not in ("OMICRON", "FINAL", "LAMDA"):
        return rf"\ensuremath{{\{greek[1].lower()}}}"
    return rf"\texttt{{U+{ord(character):04X}}}"


_LINK = re.compile(r"\\hyperref\[[^]]*\]|\\ref\*\{[^}]*\}")
_TOKEN = re.compile(r"\\begin\{\w+\}|\\end\{\w+\}|\\[A-Za-z]+|\\.|.", re.DOTALL)
_WIDE = {"+", "-", "=", r"\odot", r"\leq", r"\cdot", r"\times"}
_NO_WIDTH = {"{", "}", " ", "_", "^", r"\mathit", r"\mathrm", r"\mathbf", r"\mathcal", r"\bar"}
_NO_WIDTH |= {r"\overline", r"\overleftarrow", r"\operatorname", r"\text", r"\mathbb", "&"}
_NO_WIDTH |= {r"\biggl", r"\biggr", r"\frac", r"\tfrac", r"\partial"}


def width(tex: str) -> float:
    """About how many points a formula takes, rather too many than too few."""
    if r"\begin{pmatrix}" in tex:
        before, _, rest = tex.partition(r"\begin{pmatrix}")
        inside, _, after = rest.partition(r"\end{pmatrix}")
        return width(before) + max(map(width, inside.split(r"\\"))) + 16 + width(after)
    total, script, small = 0.0, False, [False]
    for token in _TOKEN.findall(tex):
        if token in "_^":
            script = True
        elif token == "{":
            small.append(small[-1] or script)
            script = False
        elif token == "}":
            small.pop()
        else:
            total += _advance(token) * (0.72 if small[-1] or script else 1)
            script = False
    return total


def _advance(token: str) -> float:
    if token in _NO_WIDTH:
        return 0.0
    if token in _WIDE:
        return 12.5
    if token.startswith("\\"):
        return {r"\,": 1.7, r"\quad": 10, r"\qquad": 20, r"\sum": 15}.get(
            token, 6.5 if len(token) < 9 and token not in (r"\tanh", r"\exp") else 24.0
        )
    return 4.0 if token in "()[]:,.;!'|" else 8.5 if token.isupper() or token in "mw" else 5.6


_BREAKS = ((" + ", 0), (" - ", 0), (r" \odot ", 1))


def broken(tex: str, room: float) -> list[str]:
    """A formula in lines no wider than `room`, broken at operators, outer brackets first."""
    lines: list[str] = []
    while place := _break(tex, room):
        lines.append(tex[:place].rstrip())
        tex = tex[place:].lstrip()
    return [*lines, tex]


def _break(tex: str, room: float) -> int:
    """Where the first line ends; 0 if it does not. What is far beyond the room is not looked at."""
    fitting: list[tuple[int, int, int]] = []
    for point in _break_points(tex):
        wide = width(tex[: point[2]])
        if wide > room:
            fitting = fitting or [point]
            break
        if wide > 0.2 * room:
            fitting.append(point)
    else:
        if width(tex) <= room:
            return 0
    return min(fitting, key=lambda p: (p[0], p[1], -p[2]))[2] if fitting else 0


def _break_points(tex: str) -> Iterator[tuple[int, int, int]]:
    """(bracket depth, kind of operator, place) wherever a line may end."""
    braces = brackets = place = 0
    for found in _TOKEN.finditer(tex):
        token = found[0]
        if token in ("{", r"\left") or token.startswith(r"\begin"):
            braces += 1
        elif token in ("}", r"\right") or token.startswith(r"\end"):
            braces -= 1
        elif token in "([":
            brackets += 1
        elif token in ")]":
            brackets -= 1
        elif braces == 0:
            for text, kind in _BREAKS:
                if token == text.strip() and tex.startswith(text, max(place - 1, 0)):
                    yield brackets, kind, place
            if token == r"\," and tex[place - 1 : place] != "[" and tex[place + 2 :][:1] != "]":
                yield brackets, 2, place + len(token)
        place += len(token)


@dataclass(frozen=True)
class Reason:
    """A piece of a right side, and why it stands there (text in TeX, with its width)."""

    tex: str
    note: str = ""
    note_width: float = 0.0


@dataclass(frozen=True)
class Line:
    """One numbered equation: `left` = the pieces, each on its own line if it has a note."""

    left: str
    pieces: tuple[Reason, ...]
    label: str


def reference(label: str, word: str = "Eq.~") -> str:
    """A link to a numbered equation."""
    return rf"\hyperref[{label}]{{{word}(\ref*{{{label}}})}}"


def aligned(lines: Sequence[Line]) -> str:
    """Numbered equations in one display: notes on the right, or below where they do not fit."""
    left = max(width(line.left) for line in lines) + 12.5
    notes = max(piece.note_width for line in lines for piece in line.pieces)
    beside = ROOM - left - (notes + 20 if notes else 0)
    widest = max(_unbreakable(p.tex) for line in lines for p in line.pieces) + 10
    displayed = []
    for line in lines:
        if widest <= beside:
            rows = [*_grid(line, beside, below=False)]
        elif widest <= ROOM - left:
            rows = [*_grid(line, ROOM - left, below=True)]
        else:
            rows = [*_hanging(line)]
        # The star keeps the rows of one equation on a page.
        displayed.append(("\\\\*\n" if len(rows) < 12 else "\\\\\n").join(rows))
    body = "\\\\\n".join(displayed)
    return f"\\begin{{align}}\n{body}\n\\end{{align}}\n"


def _unbreakable(tex: str) -> float:
    return max(map(width, broken(tex, 1.0)))


def _grid(line: Line, room: float, below: bool) -> Iterator[str]:
    head = f"{line.left} &= "
    tail = rf" \label{{{line.label}}}"
    for number, piece in enumerate(line.pieces):
        texts = broken(piece.tex, room - (10 if number else 0))
        for k, text in enumerate(texts):
            side = "" if below or k or not piece.note else f" && {piece.note}"
            start = head or ("&\\quad {}" if k == 0 else "&\\qquad {}")
            yield f"{start}{text}{side}{tail}"
            head, tail = "", r" \notag"
        if below and piece.note:
            yield rf"&\qquad\quad {piece.note} \notag"


def _hanging(line: Line) -> Iterator[str]:
    yield rf"&{line.left} \label{{{line.label}}}"
    for number, piece in enumerate(line.pieces):
        for k, text in enumerate(broken(piece.tex, ROOM - 40)):
            sign = "= " if number == 0 and k == 0 else "{}"
            yield rf"&\quad {sign}{text} \notag"
        if piece.note:
            yield rf"&\qquad\quad {piece.note} \notag"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A ruled table: short ones stay with the text before, long ones may go over pages.

    If the table is too wide, its last column is broken into lines.
    """
    *others, last = (max(map(_cell_width, column)) for column in zip(head, *rows, strict=True))
    rest = LINE - sum(others) - 12 * len(others)
    spec = "l" * len(others)
    spec += "l" if last <= rest else rf">{{\raggedright\arraybackslash}}p{{{rest:.0f}pt}}"
    body = "".join(f"{' & '.join(row)} \\\\\n" for row in rows)
    if len(rows) <= 12:
        return (
            f"\\begin{{equation*}}\n\\begin{{tabular}}{{@{{}}{spec}@{{}}}}\n\\toprule\n"
            f"{' & '.join(head)} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
            "\\end{equation*}\n"
        )
    return (
        f"\\begin{{longtable}}{{@{{}}{spec}@{{}}}}\n\\toprule\n{' & '.join(head)} \\\\\n"
        f"\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n{body}\\end{{longtable}}\n"
    )


def _cell_width(cell: str) -> float:
    """The width of text with formulas and links in it."""
    text, *rest = _LINK.sub("", cell).split("$")
    return 5.0 * len(text) + sum(
        width(piece) if k % 2 == 0 else 5.0 * len(piece) for k, piece in enumerate(rest)
    )
