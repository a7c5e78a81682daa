"""A cell: one time step of a recurrent network, as equations between named vectors."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import sympy as sp

from derive.expressions import Expr, Name, Shape, symbol

__all__ = ["Cell", "Equation", "Variable", "dimensions_of", "lag", "source_of", "title_of"]


def lag(name: str, steps: int = 1) -> str:
    """The name of `name` some steps back: 'h[t-1]'."""
    return f"{name}[t-{steps}]"


@dataclass(frozen=True)
class Variable:
    """A declared or inferred name with its shape: (n,) is a vector, (n, m) a matrix."""

    name: str
    shape: Shape

    @property
    def now(self) -> Name:
        """Its value at time t (for a parameter: at any time)."""
        return symbol(self.name, self.shape)

    @property
    def before(self) -> Name:
        """Its value at time t-1."""
        return symbol(lag(self.name), self.shape)


def dimensions_of(variables: Iterable[Variable]) -> tuple[sp.Symbol, ...]:
    """The symbolic sizes of variables, in order of appearance."""
    seen: dict[sp.Symbol, None] = {}
    for variable in variables:
        for size in variable.shape:
            seen.update(dict.fromkeys(sorted(size.free_symbols, key=str)))
    return tuple(seen)


def source_of(doc: str) -> str:
    """The part of a documentation after 'Source:'."""
    return " ".join(doc.partition("Source:")[2].split())


def title_of(doc: str) -> str:
    """The first line of a documentation, up to its source."""
    return doc.partition("Source:")[0].strip().partition("\n")[0].rstrip(".")


@dataclass(frozen=True)
class Equation:
    """`name` = `value` at time t; `line` is where the text says it, 0 if it has no text."""

    name: str
    value: Expr
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Cell:
    """One step: x_t and states s_{t-1} in, states s_t out; the first state is the output y_t.

    Build one from text with `derive.parse`, or from SymPy matrix expressions with `derive.build`,
    which goes through the same checks. Equations are in single-assignment order: each
    reads inputs, lagged states, parameters and the names of equations above it.
    """

    name: str = field(compare=False)
    inputs: tuple[Variable, ...]
    states: tuple[Variable, ...]
    parameters: tuple[Variable, ...]
    equations: tuple[Equation, ...]
    doc: str = ""

    @property
    def output(self) -> Variable:
        """The state that is the output y_t: the first one."""
        return self.states[0]

    @property
    def dimensions(self) -> tuple[sp.Symbol, ...]:
        """The symbolic sizes, in order of appearance (states first, as in 'n and m')."""
        return dimensions_of((*self.states, *self.inputs, *self.parameters))

    @property
    def source(self) -> str:
        """Where the equations come from: the part of `doc` after 'Source:'."""
        return source_of(self.doc)

    @property
    def title(self) -> str:
        """The first line of `doc`, up to its source."""
        return title_of(self.doc)

    def __str__(self) -> str:
        from derive.language import text_of

        return text_of(self)
