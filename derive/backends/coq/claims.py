"""Which theorems of a Coq file say what the toolkit claims of the cell: a list at its end.

A row of `derive.theorems` has a counterpart here if its statement is one of the file's, or several
of them together. The list is read back from the file: see `derive.backends.coq.record`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from derive.backends.coq.context import Context
from derive.backends.coq.entries import known
from derive.backends.coq.shifted import shifts_of
from derive.backends.coq.specifications import specification
from derive.backends.coq.through_time import KINDS
from derive.gradients import Gradients
from derive.theorems import THEOREMS
from derive.theorems.gates import gates, gates_in_range
from derive.theorems.growth import convex, forgetful, forgetting, growth, kept, linear
from derive.theorems.memory import memories, path, path_product
from derive.theorems.row import Bound, Fact, Stated
from derive.theorems.slopes import slopes

__all__ = ["AWAY", "Settled", "claims", "claims_of", "listed"]

_HEAD = "(* ---------- what `derive prove` claims, and the theorems above that say it ----------"
_ROW = re.compile(r"^   \[(proved|refuted)(?:, (.+?))?\] (.+?): (.+)\n     by (.+)$", re.MULTILINE)
AWAY = "on runs away from kinks and poles"
_THEOREM = re.compile(r"^(?:Theorem|Lemma) ([\w']+)", re.MULTILINE)


@dataclass(frozen=True)
class Settled:
    """A claim, and the theorems of the file that say it: everywhere, or only `where`."""

    name: str
    verdict: str
    statement: str
    where: str
    theorems: tuple[str, ...]


# What a row says of a cell, each with the names of theorems that would say the same.
_Found = Iterable[tuple[Stated, tuple[str, ...]]]
_Counterparts = Callable[[Context], _Found]


def _each(
    names: Callable[[Gradients], Iterable[str]],
    said: Callable[[Gradients], Sequence[Stated]],
    *theorems: str,
) -> _Counterparts:
    """A row that says one thing of each name, in this order."""

    def found(c: Context) -> _Found:
        for name, stated in zip(names(c.gradients), said(c.gradients), strict=True):
            yield stated, tuple(theorem.format(name) for theorem in theorems)

    return found


def _all(row: str, *theorems: str) -> _Counterparts:
    """A row that says one thing of a cell."""
    (one,) = (t for t in THEOREMS if t.name == row)
    return lambda c: [(stated, theorems) for stated in one.identities(c.gradients)]


def _memories(g: Gradients) -> list[str]:
    return [s.name for s in memories(g)]


def _kept(g: Gradients) -> list[str]:
    return [s.name for s in kept(g)]


def _growing(g: Gradients) -> list[str]:
    """Those that 'linear growth' speaks of."""
    found = growth(g)
    return [n for n in _kept(g) if n not in found or found[n].level is None]


def _forgetful(g: Gradients) -> list[str]:
    return [s.name for s in forgetful(g)]


def _functions(g: Gradients) -> list[str]:
    """In |tanh'| <= 1."""
    return [bound.text[1:].partition("'")[0] for bound in slopes(g)]


def _gates(c: Context) -> _Found:
    ranged = known(c)
    for gate, stated in zip(gates(c.gradients), gates_in_range(c.gradients), strict=True):
        row = ranged.get(gate.name)
        if row is not None and stated.text.endswith(f" in {row.interval}"):
            yield stated, (f"range_{gate.name}",)


def _shifted(c: Context) -> _Found:
    for found in shifts_of(c):
        y = found.state.name
        yield found.bound, (f"shifted_bound_{y}", f"shifted_least_{y}")


# These suppose that a run keeps away from kinks and poles.
SMOOTH: Mapping[str, _Counterparts] = MappingProxyType(
    {
        "gradients": _all("gradients", *(f"gradient_of_{kind.name}" for kind in KINDS)),
        "path": _each(_memories, path, "direct_{0}__{0}", "path_{0}_only"),
        "path over T steps": _each(_memories, path_product, "path_{0}_over_T"),
    }
)
OTHERS: Mapping[str, _Counterparts] = MappingProxyType(
    {
        "gates": _gates,
        "output in (-1, 1)": _all("output in (-1, 1)", "output_below_one"),
        "linear growth": _each(_growing, linear, "bounded_{0}"),
        "convex combination": _each(_kept, convex, "bounded_{0}"),
        "bounded forgetting": _each(_forgetful, forgetting, "forgetting_{0}"),
        "shifted gates": _shifted,
        "slopes": _each(_functions, slopes, "slope_of_{0}"),
        "chaining": _all("chaining", "chaining"),
    }
)


def claims(c: Context, lines: Iterable[str]) -> Iterator[str]:
    """The list, for a file that has these lines."""
    there = set(_THEOREM.findall("\n".join(lines)))
    away = "" if "smooth_everywhere" in there else f", {AWAY}"
    table = {**OTHERS, **SMOOTH}
    found: list[str] = []
    for row in THEOREMS:
        if row.name not in table or row.absent(c.gradients):
            continue
        head = f"[proved{away if row.name in SMOOTH else ''}] {row.name}"
        for stated, names in table[row.name](c):
            if there.issuperset(names) and _is_proved(stated):
                found += [f"   {head}: {stated.text}", f"     by {', '.join(names)}"]
    if found:
        yield from (_HEAD, *found, "*)")


def _is_proved(stated: Stated) -> bool:
    """Whether `derive.proofs` proves it; identities that fail have no theorem in the file."""
    match stated:
        case Bound():
            return bool(stated.reasons)
        case Fact():
            return stated.holds is True
    return True


def listed(source: str) -> tuple[Settled, ...]:
    """The list of a file, read back."""
    rows = _ROW.findall(source.rpartition(_HEAD)[2]) if _HEAD in source else ()
    return tuple(
        Settled(name, verdict, statement, where, tuple(theorems.split(", ")))
        for verdict, where, name, statement, theorems in rows
    )


def claims_of(source: str, specified: str = "") -> tuple[Settled, ...]:
    """What a file settles, and what the proofs of a specification do that it is held against."""
    others = specification(specified) if specified else ()
    return tuple(claim for text in (source, *(t for _, t in others)) for claim in listed(text))
