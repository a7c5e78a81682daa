"""Equation text <-> Cell. Text is parsed with `ast` and a white list; it is never evaluated."""

from derive.language.building import build, parse
from derive.language.printing import text_of

__all__ = ["build", "parse", "text_of"]
