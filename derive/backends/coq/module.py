"""Gradients -> the text of a Coq file about them."""

from collections.abc import Iterator
from importlib.resources import files

from derive.backends.coq.claims import claims
from derive.backends.coq.context import TYPES, Context
from derive.backends.coq.jacobians import jacobians, paths
from derive.backends.coq.laws import laws
from derive.backends.coq.ones import somewhere
from derive.backends.coq.ranges import ranges
from derive.backends.coq.shifted import shifts
from derive.backends.coq.steps import derivatives, differential, equations, smoothness
from derive.backends.coq.sweep import adjoint, sweep, transposes
from derive.backends.coq.through_time import entries, through_time
from derive.backends.coq.writing import size
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES
from derive.rules import RULES, Primitives, Rule
from derive.version import VERSION

__all__ = ["LIBRARY", "coq_source", "library_source"]

LIBRARY = "BPTT.v"


def library_source() -> str:
    """The library that every file rests on, written by hand."""
    return (files("derive.backends.coq") / LIBRARY).read_text(encoding="utf-8")


def coq_source(
    gradients: Gradients, rules: tuple[Rule, ...] = RULES, primitives: Primitives = PRIMITIVES
) -> str:
    """A file that proves the gradients of a cell.

    Args:
        rules, primitives: the tables that it was derived with; tests pass broken ones.

    Raises:
        UsageError: a primitive has no Coq definition; says which and why.
    """
    context = Context(gradients, rules, primitives)
    lines = list(_lines(context))
    return "\n".join((*lines, *claims(context, lines))) + "\n"


def _lines(c: Context) -> Iterator[str]:
    yield from _head(c)
    for record in c.records:
        yield from record.lines()
    yield f"Implicit Types {TYPES}."
    yield f"Ltac fields := cbn [{c.fields}]."
    yield "Ltac still := unfold pzero, xzero, szero; fields; autorewrite with still;"
    yield "  first [reflexivity | extensional]."
    yield ""
    for part in (
        equations,
        differential,
        smoothness,
        somewhere,
        derivatives,
        sweep,
        transposes,
        adjoint,
        through_time,
        entries,
        jacobians,
        paths,
        ranges,
        shifts,
        laws,
    ):
        yield from part(c)
    yield "End Cell."


def _head(c: Context) -> Iterator[str]:
    yield f"(* {c.cell.name}: back-propagation through time, proved. Made by bptt {VERSION}."
    yield f"   `derive check` runs coqc on {LIBRARY} and on this file, and reads the axioms."
    yield ""
    for line in str(c.cell).splitlines():
        yield f"     {line}".rstrip().replace("(*", "( *").replace("*)", "* )")
    yield "*)"
    yield "Require Import Reals Lra Lia FunctionalExtensionality BPTT."
    yield "Open Scope R_scope."
    yield "Section Cell."
    if c.cell.dimensions:
        yield f"Variables {' '.join(size(d) for d in c.cell.dimensions)} : nat."
    yield ""
