"""Gradients -> Claim about given sizes and T: proved, refuted with numbers, or not decided."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from derive.cell import Cell
from derive.claim import DECIDED, PROVED, REFUTED, UNDECIDED, Claim
from derive.concrete.counterexamples import Counterexample, find
from derive.concrete.forms import NAMINGS, Forms, forms
from derive.concrete.recurrence import upstreams, wanted
from derive.errors import UsageError, one_line
from derive.evaluate import Sizes
from derive.gradients import Gradients
from derive.normal_form import TooLargeError

__all__ = ["Decision", "claim_of", "decide", "sizes_of"]

SHOWN = 8  # terms of a remainder; further ones are counted
NUMBERS, STEPS = 20_000, 200  # up to which a counterexample is looked for

_SOURCE = (
    "reverse accumulation: Linnainmaa (1976), doi:10.1007/BF01931367; "
    "through time: Werbos (1990), doi:10.1109/5.58337"
)
_GIVEN = (
    "L = sum over t of <dy_t, y_t> + sum over states s of <dstate_s, s_T>; slopes as in the table "
    "of primitives: at a kink, and where it declares one, that one"
)


@dataclass(frozen=True)
class Decision:
    """What was found of one cell at given sizes.

    Attributes:
        entries: how many entries all gradients have together.
        compared: both sides in each normal form that was not too large; the last one decides.
        reason: why they are not equal, or not known to be; '' if they are.
        searched: whether numbers were tried.
        example: numbers for which an entry differs.
    """

    cell: Cell
    sizes: Sizes
    steps: int
    entries: int
    compared: tuple[Forms, ...]
    reason: str
    searched: bool
    example: Counterexample | None

    @property
    def differing(self) -> tuple[str, ...]:
        """Entries of gradients whose forms differ."""
        return tuple(self.compared[-1].differing) if self.compared else ()

    @property
    def verdict(self) -> str:
        """Forms alone prove, numbers alone refute."""
        if not self.reason:
            return PROVED
        return REFUTED if self.example else UNDECIDED


def sizes_of(cell: Cell, given: Mapping[str, int]) -> Sizes:
    """A number for each symbolic size: as given, else 2, 3, ..., all different.

    Raises:
        UsageError: the cell has no such size.
    """
    names = [str(dim) for dim in cell.dimensions]
    for name in given:
        if name not in names:
            shown, known = one_line(name, 40), ", ".join(names) or "none"
            raise UsageError(f"{cell.name} has no size '{shown}'; it has {known}")
    free = (size for size in range(2, 1000) if size not in given.values())
    return {dim: given[str(dim)] if str(dim) in given else next(free) for dim in cell.dimensions}


def decide(derived: Gradients, sizes: Sizes, steps: int = 2) -> Decision:
    """Whether the derived sweep over `steps` steps gives the derivative of the unrolled loss.

    The left side is a chain rule on scalars, which shares nothing with the rules of derivation.
    """
    cell, found = derived.cell, []
    entries = sum(map(prod, wanted(cell, sizes, steps).values()))
    numbers = entries + sum(map(prod, upstreams(cell, sizes, steps).values()))
    reason, searched, example = "", False, None
    for naming in NAMINGS:
        try:
            found.append(forms(derived, sizes, steps, naming))
            reason = "different polynomials" if found[-1].differing else ""
        except TooLargeError as error:
            reason = reason or f"{error} to compare"
        if reason and not searched and numbers <= NUMBERS and steps <= STEPS:
            searched, example = True, find(derived, sizes, steps)
        if example or not reason:
            break
    return Decision(cell, sizes, steps, entries, tuple(found), reason, searched, example)


def claim_of(decision: Decision) -> Claim:
    """The decision as it is printed."""
    verdict, example = decision.verdict, decision.example
    sizes = [f"{dim} = {size}" for dim, size in decision.sizes.items()]
    return Claim(
        theorem="gradients at given sizes",
        statement=(
            "dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, for "
            f"{', '.join([*sizes, f'T = {decision.steps}'])}: {decision.entries} entries"
        ),
        latex="",
        verdict=verdict,
        level=DECIDED if verdict in (PROVED, REFUTED) else "",
        method=_method(decision),
        hypotheses=_GIVEN,
        source=_SOURCE,
        remainder=tuple(_remainder(decision)),
        example=str(example) if example else "",
        kind="gradients",
    )


def _method(decision: Decision) -> str:
    if decision.verdict == PROVED:
        equal = decision.compared[-1]
        return (
            f"equal polynomials, {equal.terms} terms in {equal.generators} generators: "
            f"leaves, {equal.naming.what}"
        )
    if decision.example:
        return f"{decision.reason}, and a numeric counterexample"
    if not decision.searched:
        return f"{decision.reason}, and too many numbers to look for a counterexample"
    return f"{decision.reason}, but no counterexample was found"


def _remainder(decision: Decision) -> Iterator[str]:
    """Where the sweep goes wrong first; else the shortest difference between gradients."""
    if not decision.differing:
        return
    first = decision.compared[0].first
    if first is None:
        every = [(f"dL/d{n}", p) for made in decision.compared for n, p in made.differing.items()]
        first = min(every, key=lambda pair: len(pair[1].terms))
    name, polynomial = first
    terms = list(polynomial)
    yield f"of {name}; {len(decision.differing)} entries of gradients differ:"
    yield from (f"  {term}" for term in terms[:SHOWN])
    if len(terms) > SHOWN:
        yield f"  ... and {len(terms) - SHOWN} more"
