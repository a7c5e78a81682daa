"""A known way to be wrong: a row that makes models which are wrong in that way."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from verify.deviations.model import Model

__all__ = ["Deviation", "Family", "Side", "Variant"]

# Where it shows: in outputs, in gradients, in how calls behave, or not everywhere.
Side = Literal["forward", "backward", "conduct", "sometimes"]


@dataclass(frozen=True)
class Variant:
    """One model that is wrong in a known way; `label` says which, after the row's cause."""

    label: str
    model: Model


@dataclass(frozen=True)
class Family:
    """Models with a free number.

    Attributes:
        label: with {} where the number is written.
        at: the model for a number.
        estimate: how the number is found in what an implementation gives, a row of
            `verify.diagnosis.estimates`.
        samples: numbers that the catalogue of mutants takes.
    """

    label: str
    at: Callable[[Fraction], Model]
    estimate: str
    samples: tuple[Fraction, ...]

    def variant(self, number: Fraction) -> Variant:
        """The model for a number, with its label."""
        return Variant(self.label.format(_said(number)), self.at(number))


@dataclass(frozen=True)
class Deviation:
    """A row.

    Attributes:
        cause: what is said to a person who has made it.
        source: where it is known from: an issue of a project, a paper, or 'systematic'.
        variants: every model that deviates from a given one in this way; none where the cell has
            nothing of the kind.
        families: the same with a free number.
        by_design: whether people do it on purpose, so that it is no wrong formula.
        told_by: properties whose failure tells it, for conduct.
        unless: properties whose failure tells something else, so that this one is told by
            nothing but a model that fails in the same way.
    """

    name: str
    cause: str
    source: str
    side: Side
    variants: Callable[[Model], Iterable[Variant]] = lambda model: ()
    families: Callable[[Model], Iterable[Family]] = lambda model: ()
    by_design: bool = False
    told_by: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def samples(self, model: Model) -> Iterator[Variant]:
        """Variants, and those of families with their sample numbers."""
        yield from self.variants(model)
        for family in self.families(model):
            for number in family.samples:
                yield family.variant(number)


def _said(number: Fraction) -> str:
    return str(number) if number.denominator <= 64 else f"{float(number):.6g}"
