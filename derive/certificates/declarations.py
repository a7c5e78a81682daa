"""The text of a cell, read by the checker of certificates: declarations, and equations as text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from derive.certificates.algebra import SLOPES
from derive.certificates.indices import SINGLE, Size, less

Shape: TypeAlias = tuple[Size, Size]

MAX_SIZE = 65_536
RESERVED = ("t", "dy", "bar", "carry", "input", "state", "parameter")
WORD = re.compile(r"[A-Za-z]\w{0,39}", re.ASCII)
_ITEM = re.compile(r"\s*([A-Za-z]\w*)\[([^\[\]]*)\]\s*(?:,|$)", re.ASCII)
_TERM = re.compile(r"(?:(\d{1,5})\s*\*\s*)?([A-Za-z]\w*)|(\d{1,5})", re.ASCII)


class RefusedError(Exception):
    """A text that is not in the language, or does not fit; one line."""


@dataclass(frozen=True)
class Cell:
    """What a text declares and defines; shapes by name, equations by name in their order."""

    kinds: Mapping[str, str]
    shapes: Mapping[str, Shape]
    equations: Mapping[str, str]

    def of(self, kind: str) -> list[str]:
        return [name for name, found in self.kinds.items() if found == kind]


def read_cell(text: str) -> Cell:
    """A cell's text in which every shape is declared.

    Raises:
        RefusedError: what is not read.
    """
    kinds: dict[str, str] = {}
    shapes: dict[str, Shape] = {}
    equations: dict[str, str] = {}
    for line in _lines(text):
        kind, _, rest = line.partition(" ")
        if kind in ("input", "state", "parameter") and not rest.startswith("="):
            while rest:
                item = _ITEM.match(rest)
                if not item or item[1] in kinds:
                    raise RefusedError(f"a declaration in `{line[:60]}`")
                sizes = [size_of(size) for size in item[2].split(",")]
                kinds[item[1]], shapes[item[1]] = kind, shape_of(sizes)
                rest = rest[item.end() :]
            continue
        name, equals, right = line.partition("=")
        name = name.strip()
        if not equals or not WORD.fullmatch(name) or name in equations:
            raise RefusedError(f"`{line[:60]}` is no equation")
        equations[name] = right.strip()
    named = {n for shape in shapes.values() for size in shape for n, _ in size}
    if clash := {*kinds, *equations} & {*named, *RESERVED, *SLOPES}:
        raise RefusedError(f"'{min(clash)}' has another meaning")
    states = [name for name, kind in kinds.items() if kind == "state"]
    if not states or not {*states} <= equations.keys():
        raise RefusedError("a cell has states, and an equation for each")
    if any(kinds.get(name, "state") != "state" for name in equations):
        raise RefusedError("an equation defines an input or a parameter")
    return Cell(kinds, shapes, equations)


def _lines(text: str) -> Iterator[str]:
    """Lines without documentation and comments; an open bracket goes on."""
    if text.startswith('"""'):
        text = text[3:].partition('"""')[2]
    held = ""
    for raw in text.split("\n"):
        held = f"{held} {raw.partition('#')[0].strip()}".strip()
        if held and held.count("(") + held.count("[") <= held.count(")") + held.count("]"):
            yield held
            held = ""
    if held:
        raise RefusedError("a bracket that is not closed")


def size_of(text: str) -> Size:
    """A size: n, 3, n + m or 3*n."""
    total: Size = ()
    for term in text.split("+"):
        match = _TERM.fullmatch(term.strip())
        count = int(match[1] or match[3] or 1) if match else 0
        if not match or not 1 <= count <= MAX_SIZE:
            raise RefusedError(f"the size `{text[:30]}`")
        total = less(total, ((match[2] or "", -count),))
    return total


def shape_of(sizes: Sequence[Size]) -> Shape:
    """A shape from one or two sizes: a vector is a column."""
    if not 1 <= len(sizes) <= 2:
        raise RefusedError(f"a shape of {len(sizes)} sizes")
    return sizes[0], sizes[1] if len(sizes) == 2 else SINGLE


def lagged(name: str, steps: int) -> str:
    """The name of a value some steps back: 'C' is 'C[t-1]', 'C[t-1]' is 'C[t-2]'."""
    stem, _, back = name.partition("[t-")
    steps += int(back[:-1] or 0) if back else 0
    return f"{stem}[t-{steps}]" if steps else stem


def tangent(name: str) -> str:
    """The direction in which a name moves."""
    return f"d({name})"
