"""Gradients and claims -> a certificate: what the checker needs in order to decide again."""

import platform
from collections.abc import Sequence
from typing import Any

import sympy as sp

from derive.certificates.checker import FORMAT, VERSION, digest, normal_forms, seal
from derive.claim import Claim
from derive.gradients import Gradients
from derive.language.printing import text_of_expression
from derive.version import VERSION as DERIVE

__all__ = ["certificate"]


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
        "claims": [_claim(c) for c in claims],
    }
    for claim, form in zip(cell["claims"], normal_forms(cell), strict=True):
        claim["normal_form"] = form
    return cell


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "name": claim.theorem,
        "statement": claim.statement,
        "level": claim.level,
        "verdict": claim.verdict,
        "should_hold": claim.should_hold,
        "hypotheses": claim.hypotheses,
        "source": claim.source,
        "example": claim.example,
        "normal_form": [],
    }
