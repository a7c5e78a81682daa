"""What every section of the article needs: the gradients, the notation, names of equations."""

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from derive.expressions import Expr
from derive.gradients import Adjoint, Gradients, Term
from derive.latex.typesetting import Line, Reason, reference
from derive.notation import Notation, notation_of
from derive.rules import RULES

__all__ = ["Page", "page_of"]


@dataclass(frozen=True)
class Page:
    """The subject of an article.

    Attributes:
        last: the sign of the last step: T, unless a name of the cell is T.
        examples: the sign of the batch size: B, unless a name of the cell is B.
    """

    gradients: Gradients
    notation: Notation
    last: str
    examples: str

    def label(self, name: str) -> str:
        """The label of the equation that assigns a name in single-assignment form."""
        names = [a.name for a in self.gradients.forward]
        return f"eq:step-{names.index(name) + 1}"

    def pieces(self, expr: Expr) -> tuple[Reason, ...]:
        """A right side without notes."""
        return (Reason(self.notation.tex(expr)),)

    def adjoint(self, adjoint: Adjoint, label: str, left: str = "", sum_over: str = "") -> Line:
        """A cotangent: one line for each term, with what gave it.

        Args:
            left: what stands before the equality sign; the cotangent's name by default.
            sum_over: an operator before every term.
        """
        pieces = []
        for number, term in enumerate(adjoint.terms):
            pieces.append(self._reason(term, number == 0, sum_over))
        shown = left or self.notation.name(f"bar({adjoint.of.name})")
        return Line(shown, tuple(pieces) or (Reason("0", *_note(["nothing reads it"])),), label)

    def space(self, expr: Expr) -> str:
        """The space of an expression's value."""
        rows, columns = expr.shape
        return self.notation.space((rows,) if columns == 1 else (rows, columns))

    def _reason(self, term: Term, first: bool, sum_over: str) -> Reason:
        terms = self.notation.terms(term.value)
        value = " ".join(terms)
        sign = "" if first else "+ "
        if sum_over:
            bracketed = f"({value})" if len(terms) > 1 or value.startswith("-") else value
            return Reason(f"{sign}{sum_over} {bracketed}", *self._why(term))
        if value.startswith("-") and not first and len(terms) == 1:
            return Reason(f"- {value.removeprefix('-')}", *self._why(term))
        bracketed = f"({value})" if len(terms) > 1 and not first else value
        return Reason(f"{sign}{bracketed}", *self._why(term))

    def _why(self, term: Term) -> tuple[str, float]:
        if term.through == "dy":
            return _note(["from the loss"])
        if term.through == "carry":
            return _note(["from step $t+1$"])
        where = reference(self.label(term.through))
        return _note([where, *(term.rules or ("copy",))])

    @property
    def used_rules(self) -> tuple[tuple[str, str], ...]:
        """Name and formula of each rule that gave a term."""
        used = {name for a in self.adjoints for term in a.terms for name in term.rules}
        return tuple((rule.name, rule.latex) for rule in RULES if rule.name in used)

    @property
    def adjoints(self) -> tuple[Adjoint, ...]:
        """All cotangents of a step, in the order they are derived."""
        g = self.gradients
        return (*g.backward, *g.parameters, *g.inputs, *g.states)

    def names(self, names: Iterable[str]) -> str:
        """Names as a list in a sentence: '$f_t$, $C_{t-1}$'."""
        return ", ".join(f"${self.notation.name(name)}$" for name in names)


def _note(parts: list[str]) -> tuple[str, float]:
    text = parts[0] if len(parts) == 1 else f"{parts[0]}: {', '.join(parts[1:])}"
    letters = sum(map(len, parts[1:])) + 2 * len(parts)
    letters += len("Eq. (99)") if len(parts) > 1 else len(parts[0])
    return rf"\text{{\small {text}}}", 4.5 * letters


def page_of(gradients: Gradients) -> Page:
    """The subject of an article on these gradients."""
    cell = gradients.cell
    taken = {v.name for v in (*cell.inputs, *cell.states, *cell.parameters)}
    taken |= {a.name for a in gradients.forward} | {str(d) for d in cell.dimensions}
    last, examples = (s if s not in taken else rf"\mathcal{{{s}}}" for s in ("T", "B"))
    return Page(gradients, notation_of(cell), last, examples)


def total_size(page: Page, values: Iterable[Expr]) -> str:
    """How many numbers some values are together."""
    size = sum((v.shape[0] * v.shape[1] for v in values), start=sp.S.Zero)
    return page.notation.size(sp.expand(size))
