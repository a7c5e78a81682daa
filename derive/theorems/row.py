"""What a theorem's row is, and what it says of one cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from derive.expressions import Expr, Name
from derive.gradients import Gradients

__all__ = ["KINDS", "Bound", "Fact", "Identity", "MustFail", "Stated", "Statement", "Theorem"]

# Groups of rows, in the order in which they are printed, with the heading of each.
KINDS = {
    "gradients": "Gradients",
    "path": "Paths: how a state moves with its own lag",
    "range": "Ranges: where values lie",
    "slope": "Slopes: how fast a change shrinks or grows",
    "structure": "Structure: parameters, symmetries, sums over time",
    "law": "Laws of a step, which tests of kernels rely on",
}


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


@dataclass(frozen=True)
class Bound:
    """left <= right, entry by entry, for all values that the hypotheses allow.

    Attributes:
        sides: pairs (left, right); the bound is all of them. They are evaluated through the
            cell's equations in a search for numbers that exceed them.
        reasons: the inequalities from which it follows, as `derive.ranges` decided them; empty if
            that procedure could not.
        steps: how many time steps the names in `sides` span; the last one is step t.
        positive: what the hypotheses hold at or above zero; numbers that break it refute nothing.
        excess: the sides as text, for a bound that is refuted: 'h_t - 1'.
    """

    text: str
    latex: str
    sides: tuple[tuple[Expr, Expr], ...]
    reasons: tuple[str, ...]
    steps: int = 1
    positive: tuple[Expr, ...] = ()
    excess: str = ""


@dataclass(frozen=True)
class Fact:
    """Something that is read off the equations, and settled there.

    Attributes:
        holds: whether it is true; None if that could not be decided.
        reasons: what it follows from.
        remainder: what stands against it.
        example: numbers for which it is false, both values evaluated through the equations.
    """

    text: str
    latex: str
    holds: bool | None
    reasons: tuple[str, ...]
    remainder: tuple[str, ...] = ()
    example: str = ""


Stated = Identity | Bound | Fact
Statement = Callable[[Gradients], Sequence[Stated]]


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
        kind: a key of `KINDS`.
        optional: whether a cell may well lack it: refuted or not decided, it is no failure.
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
    kind: str = "path"
    optional: bool = False
