"""What a theorem's row is, and what it says of one cell."""

from collections.abc import Callable
from dataclasses import dataclass, field

from derive.expressions import Expr, Name
from derive.gradients import Gradients

__all__ = ["Identity", "MustFail", "Statement", "Theorem"]


@dataclass(frozen=True)
class Identity:
    """left = right for all values of everything.

    Attributes:
        direction: the tangent that both sides are linear in; None if they are linear in many.
        text, latex: the identity as a person should read it.
        steps: how many time steps its names span; the last one is step t.
        moved: which states of an earlier step move, and how: what the left side is the derivative
            along. A counterexample recomputes it by a complex step through the cell's equations.
            Empty if the left side is no such derivative.
        of: the state at step t whose change the left side is.
    """

    text: str
    latex: str
    left: Expr
    right: Expr
    direction: Name | None
    steps: int = 1
    moved: tuple[tuple[Name, Expr], ...] = ()
    of: str = ""


Statement = Callable[[Gradients], list[Identity]]


@dataclass(frozen=True)
class MustFail:
    """A case in which a claim is false: a cell (by name or text), perhaps with a spoilt sweep."""

    cell: str
    spoil: Callable[[Gradients], Gradients] = field(default=lambda gradients: gradients)


@dataclass(frozen=True)
class Theorem:
    """One claim.

    Attributes:
        claim: what is claimed, in general.
        absent: why it does not apply to a cell, or ''.
        identities: what must hold for it to be true of a cell.
        induction: how a claim over T steps follows from the identities, or ''.
        must_fail: a case in which it is false; a test sees it fail.
        should_hold: False for a misreading that is shown in order to be refuted.
    """

    name: str
    claim: str
    absent: Callable[[Gradients], str]
    identities: Statement
    hypotheses: str
    source: str
    must_fail: MustFail
    induction: str = ""
    should_hold: bool = True
