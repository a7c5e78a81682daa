"""The whole article: preamble, sections in reading order, how to reproduce it."""

from collections.abc import Sequence

from derive.claim import Claim
from derive.gradients import Gradients
from derive.latex import backward, forward
from derive.latex.claims import theorems
from derive.latex.page import Page, page_of
from derive.latex.typesetting import escape
from derive.zoo import names

__all__ = ["latex"]

# Text bullets need a font that Debian packs apart, so the bullet is the mathematical one.
_PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[margin=2.5cm]{geometry}
\usepackage{amsmath,amssymb,mathtools,array,booktabs,longtable}
\usepackage[hidelinks]{hyperref}
\allowdisplaybreaks
\setlength{\emergencystretch}{3em}
\renewcommand{\labelitemi}{$\bullet$}
\begin{document}
"""


def latex(gradients: Gradients, claims: Sequence[Claim]) -> str:
    """A complete article on a cell, for pdflatex with Debian's texlive-latex-recommended.

    Args:
        gradients: of the cell that the article is about.
        claims: theorems as they were settled for this cell; none leaves the section out.

    Returns:
        ASCII text ending in a newline; the same arguments give the same text.
    """
    page = page_of(gradients)
    sections = (
        forward.opening,
        forward.notation_section,
        forward.equations,
        forward.loss,
        backward.rules,
        backward.paths,
        backward.step,
        backward.recurrence,
        backward.parameters,
        backward.stored,
        backward.special_cases,
    )
    body = "\n".join(section(page) for section in sections)
    return f"{_PREAMBLE}{body}\n{theorems(claims)}\n{_reproduce(page)}\\end{{document}}\n"


def _reproduce(page: Page) -> str:
    cell = page.gradients.cell.name
    name = escape(cell if cell in names() else f"{cell}.cell")
    return (
        "\\section{Reproducing this text}\n\\noindent"
        rf"\texttt{{derive latex {name}}} writes this article, \texttt{{derive prove {name}}} "
        rf"settles the theorems again, and \texttt{{derive numpy {name}}} writes a kernel that "
        "checks these gradients against finite differences.\n"
    )
