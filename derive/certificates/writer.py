"""Gradients and claims -> a certificate: what the checker needs in order to decide again."""

import platform
import re
from collections.abc import Sequence
from typing import Any

import sympy as sp

from derive.certificates.checker import FORMAT, VERSION, digest, normal_forms, seal
from derive.claim import DECIDED, Claim
from derive.differentials import differential, tangent
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.language.printing import text_of_expression
from derive.version import VERSION as DERIVE

__all__ = ["certificate"]

_COUNTED = re.compile(r"d(\w+)_t/d(\w+)_\{t-1\} = (?:the sum of its )?\d+ paths?")


def certificate(proved: Sequence[tuple[Gradients, Sequence[Claim]]]) -> dict[str, Any]:
    """The certificate of cells and their claims, as a document for JSON."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "versions": {
            "derive": DERIVE,
            "sympy": sp.__version__,
            "python": platform.python_version(),
        },
        "cells": [_cell(gradients, claims) for gradients, claims in proved],
    }
    return {**document, "seal": seal(document)}


def _cell(g: Gradients, claims: Sequence[Claim]) -> dict[str, Any]:
    text = str(g.cell)
    adjoints = (*g.backward, *g.states, *g.inputs, *g.parameters)
    cell: dict[str, Any] = {
        "name": g.cell.name,
        "text": text,
        "digest": digest(text),
        "assignments": [
            {
                "name": a.name,
                "value": text_of_expression(a.value),
                "shape": [str(size) for size in a.value.shape],
            }
            for a in g.forward
        ],
        "cotangents": [{"name": a.of.name, "value": text_of_expression(a.value)} for a in adjoints],
        "claims": [_claim(g, c) for c in claims],
    }
    for claim, form in zip(cell["claims"], normal_forms(cell), strict=True):
        claim["normal_form"] = form
    return cell


def _claim(g: Gradients, claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.theorem,
        "statement": claim.statement,
        "level": DECIDED if claim.level else "",  # what the checker does again
        "verdict": claim.verdict,
        "should_hold": claim.should_hold,
        "hypotheses": claim.hypotheses,
        "source": claim.source,
        "example": claim.example,
        "normal_form": [],
        "witness": [_paths(g, *found) for found in _COUNTED.findall(claim.statement)],
    }


def _paths(g: Gradients, state: str, other: str) -> str:
    """The paths of a direct derivative that a statement only counts."""
    by_name = {s.name: s for s in g.cell.states}
    now, before = by_name[state].now, by_name[other].before
    moved = differential(g, now, {before: tangent(before)})
    said = writer_of(g).jacobian(moved, tangent(before))
    return f"d{state}_t/d{other}_{{t-1}} = {said}"
