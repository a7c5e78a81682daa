"""Gradients and claims -> a complete article in TeX, pure ASCII, the same bytes every time."""

from derive.latex.article import latex

__all__ = ["latex"]
