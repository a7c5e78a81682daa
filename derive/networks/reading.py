"""Text -> Network: a line for each layer. Bounded in time for any input."""

import re
from collections.abc import Callable, Iterator

from derive.cell import Cell
from derive.errors import CellError, one_line
from derive.language.names import label
from derive.language.reading import decoded, documentation
from derive.networks.layers import Layer
from derive.networks.network import Network

__all__ = ["MAX_LAYERS", "parse_network"]

MAX_LAYERS = 100

_LAYER = re.compile(r"layer\s+([A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.cell)?)(?:\s+(.*))?", re.ASCII)
_DIRECTIONS = ("reverse", "both")
_OPTIONS = (*_DIRECTIONS, "residual", "dropout")
_EXPECTED = "expected `layer CELL`, and behind it any of " + ", ".join(_OPTIONS)


def parse_network(text: str | bytes, cell: Callable[[str], Cell], name: str = "network") -> Network:
    """Read a network from its text.

    Args:
        text: documentation, if any, then a line for each layer; bytes are read as UTF-8.
        cell: the cell that a word means; it raises CellError or UsageError where there is none.
        name: what to call the network; its file's stem, as a rule.

    Raises:
        CellError: one line with the place, what was found and what was expected.
    """
    doc, rest, first = documentation(decoded(text))
    layers = [_layer(line, content, cell) for line, content in _lines(rest, first)]
    return Network(label(name), tuple(layers), doc)


def _lines(text: str, first: int) -> Iterator[tuple[int, str]]:
    """Lines without comments and blanks."""
    count = 0
    for line, raw in enumerate(text.split("\n"), start=first):
        content = raw.partition("#")[0].strip()
        if content:
            count += 1
            if count > MAX_LAYERS:
                raise CellError(f"line {line}: more than {MAX_LAYERS} layers")
            yield line, content


def _layer(line: int, content: str, cell: Callable[[str], Cell]) -> Layer:
    match = _LAYER.fullmatch(content)
    if match is None:
        raise CellError(f"line {line}: {_EXPECTED}; found `{one_line(content)}`")
    words = [word.strip() for word in match[2].split(",")] if match[2] else []
    for place, word in enumerate(words):
        if word not in _OPTIONS:
            raise CellError(
                f"line {line}: option '{one_line(word, 40)}' in `{one_line(content)}`, expected "
                f"{', '.join(_OPTIONS)}, with commas between"
            )
        if word in words[:place] or (word in _DIRECTIONS and set(_DIRECTIONS) & {*words[:place]}):
            raise CellError(
                f"line {line}: '{word}' after '{', '.join(words[:place])}' in "
                f"`{one_line(content)}`; write one direction, and each option once"
            )
    try:
        found = cell(match[1])
    except CellError as error:
        raise CellError(f"line {line}: cell '{match[1]}': {error}") from None
    return Layer(
        cell=found,
        direction="both" if "both" in words else "reverse" if "reverse" in words else "forward",
        residual="residual" in words,
        dropout="dropout" in words,
        called=match[1],
        line=line,
    )
