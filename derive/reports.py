"""Cells, gradients and claims for the terminal, and as JSON for other programs."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import sympy as sp

from derive.cell import Cell, Variable
from derive.claim import PROVED, REFUTED, UNDECIDED, VOID, Claim
from derive.differentials import tangent
from derive.expressions import Apply
from derive.gradients import Adjoint, Gradients, gradients
from derive.jacobians import Writer
from derive.language.printing import text_of_expression
from derive.networks import Network
from derive.proofs import prove
from derive.theorems import KINDS, THEOREMS
from derive.theorems.own_lag import shown_lags

__all__ = [
    "cell_json",
    "cell_row",
    "claims_json",
    "claims_text",
    "gradient_lines",
    "list_text",
    "parameter_count",
    "show_text",
]


def cell_row(cell: Cell) -> dict[str, Any]:
    """One cell as `derive list` shows it; the path Jacobian is derived, not typed in."""
    g = gradients(cell)
    states = [s.name for s in cell.states]
    gates = [e.name for e in cell.equations if isinstance(e.value, Apply) and e.name not in states]
    return {
        "name": cell.name,
        "states": states,
        "gates": gates,
        "parameters": [p.name for p in cell.parameters],
        "parameter_count": parameter_count(cell),
        "path_jacobian": "; ".join(f"{left} = {right}" for left, right in _paths(g)),
        "path_claims": _path_claims(g),
        "source": cell.source,
        "title": cell.title,
    }


def parameter_count(cell: Cell | Network) -> str:
    """How many numbers the parameters hold, in the cell's sizes: '4*n*(m + n + 1)'."""
    return str(sp.factor(sum((sp.Mul(*p.shape) for p in cell.parameters), sp.S.Zero)))


def _paths(g: Gradients) -> list[tuple[str, str]]:
    """What states keep of their own lag: ('dC_t/dC_{t-1}', 'diag(f_t)')."""
    writer = Writer(g)
    return [
        (f"d{s.name}_t/d{writer.name(s.before.name)}", writer.jacobian(moved, tangent(s.before)))
        for s, moved in shown_lags(g).items()
    ]


# Rows about what a state keeps of its own lag over one step, and what else stands still in them.
_OF_PATHS = {
    "path": "direct",
    "output path": "gates and candidates held fixed",
    "recurrent Jacobian": "direct",
    "own lag": "direct",
}


def _path_claims(g: Gradients) -> list[dict[str, str]]:
    """What is settled of these paths, with its level."""
    claims = prove(g, [t for t in THEOREMS if t.name in _OF_PATHS])
    about = tuple(left for left, _ in _paths(g))
    return [
        {"name": c.theorem, "statement": c.statement, "verdict": c.verdict, "level": c.level}
        for c in claims
        if c.verdict != VOID and c.statement.startswith(about)
    ]


def list_text(rows: Sequence[dict[str, Any]]) -> str:
    """The zoo as a table."""
    lines = []
    for row in rows:
        lines.append(f"{row['name']:<24} {row['title']}")
        details = {
            "states": ", ".join(row["states"]),
            "gates": ", ".join(row["gates"]) or "none",
            "parameters": f"{', '.join(row['parameters']) or 'none'}: {row['parameter_count']}",
            "path": _shortened(row["path_jacobian"]) or "no state reads its own lag",
            "settled": _settled(row),
            "source": row["source"],
        }
        for key, text in details.items():
            if not text:
                continue
            lines += textwrap.wrap(
                f"{key:<11} {text}",
                96,
                initial_indent="    ",
                subsequent_indent=" " * 16,
                break_long_words=False,
            )
    return "\n".join(lines) + "\n"


def _settled(row: dict[str, Any]) -> str:
    """The verdicts of a cell's paths with their levels: 'direct: proved, decided'."""
    found = {
        f"{_OF_PATHS[c['name']]}: {', '.join(filter(None, (c['verdict'], c['level'])))}": None
        for c in row["path_claims"]
    }
    return "; ".join(found)


def _shortened(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:400].rpartition(' + ')[0]} + ... (all: --json)"


def cell_json(cell: Cell) -> dict[str, Any]:
    """A cell's shapes and equations, as `derive show --json` gives them."""
    return {
        "name": cell.name,
        "inputs": [_shape(v) for v in cell.inputs],
        "states": [_shape(v) for v in cell.states],
        "parameters": [_shape(v) for v in cell.parameters],
        "equations": [
            {"name": e.name, "value": text_of_expression(e.value)} for e in cell.equations
        ],
    }


def _shape(variable: Variable) -> dict[str, Any]:
    sizes = [int(s) if s.is_Integer else str(s) for s in variable.shape]
    return {"name": variable.name, "shape": sizes}


def show_text(g: Gradients) -> str:
    """Equations, shapes and gradients in the terminal."""
    cell = g.cell
    lines = [cell.title or cell.name]
    lines += _filled(f"Source: {cell.source}") if cell.source else []
    lines += ["", "Equations, step t (@ matrix product, * elementwise)"]
    lines += [f"  {e.name} = {text_of_expression(e.value)}" for e in cell.equations]
    lines += ["", "Shapes"]
    for kind, variables in (
        ("input", cell.inputs),
        ("state", cell.states),
        ("parameter", cell.parameters),
    ):
        lines += [f"  {kind:<10} {v.name}  ({', '.join(map(str, v.shape))})" for v in variables]
    lines += [
        "",
        "Single assignments",
        *(f"  {a.name} = {text_of_expression(a.value)}" for a in g.forward),
        "",
        *gradient_lines(g),
    ]
    return "\n".join(lines) + "\n"


_SWEEP = [t for t in THEOREMS if t.kind == "gradients"]


def gradient_lines(g: Gradients) -> list[str]:
    """The reverse sweep of a step, what it carries, and the gradients."""
    cell = g.cell
    return [
        "Cotangents of step t, in this order; bar(v) = dL/dv",
        f"  dy is dL/dy_t from outside (y is {cell.output.name}); carry(s) comes from step t+1, at",
        "  t = T from dL/ds_T",
        *_adjoints(g.backward),
        "",
        "Carried to step t-1; after t = 1 these are the gradients of the initial states",
        *(f"  carry({s.name}) <- {_value(a)}" for s, a in zip(cell.states, g.states, strict=True)),
        "",
        "Gradients of inputs, at each t",
        *_adjoints(g.inputs),
        "",
        "Gradients of parameters: the sum over t and the batch of",
        *_adjoints(g.parameters),
        "",
        *(f"That these are the gradients, for any T: {c.settled}" for c in prove(g, _SWEEP)),
    ]


def _adjoints(adjoints: Iterable[Adjoint]) -> list[str]:
    return [f"  bar({a.of.name}) = {_value(a)}" for a in adjoints]


def _value(adjoint: Adjoint) -> str:
    return text_of_expression(adjoint.value)


def claims_json(cell: Cell, claims: Sequence[Claim]) -> dict[str, Any]:
    """Claims as `derive prove --json` gives them."""
    return {
        "cell": cell.name,
        "claims": [
            {
                "name": c.theorem,
                "statement": c.statement,
                "level": c.level,
                "verdict": c.verdict,
                "should_hold": c.should_hold,
                "method": c.method,
                "hypotheses": c.hypotheses,
                "source": c.source,
                "remainder": list(c.remainder),
                "example": c.example,
                "kind": c.kind,
                "optional": c.optional,
                "coq": list(c.coq),
            }
            for c in claims
        ],
    }


def claims_text(cell: Cell, claims: Sequence[Claim], brief: bool = False) -> str:
    """Claims for a person, by kind; `brief` leaves out hypotheses and methods.

    What does not apply is counted: `claims_json` has it, with the reasons.
    """
    lines = [f"{cell.name}: {cell.title}" if cell.title else cell.name, ""]
    for kind, heading in KINDS.items():
        shown = [c for c in claims if c.kind == kind and c.verdict != VOID]
        if shown:
            lines += [heading, ""] + [line for c in _alike(shown) for line in _claim(c, brief)]
    void = [c for c in claims if c.verdict == VOID]
    if void and not brief:
        names = "; ".join(c.theorem for c in void)
        lines += [*_filled(f"Do not apply (--json says why): {names}", ""), ""]
    proved = sum(c.verdict == PROVED for c in claims)
    wrong = [c for c in claims if c.fails]
    misread = sum(c.misread for c in claims)
    lacking = sum(c.optional and c.verdict == REFUTED for c in claims)
    undecided = sum(c.verdict == UNDECIDED for c in claims)
    lines.append(
        f"{proved} proved, {len(wrong)} refuted, {misread} misreadings refuted, "
        f"{f'{lacking} of its properties lacking, ' if lacking else ''}"
        f"{f'{undecided} not decided, ' if undecided else ''}{len(void)} do not apply"
    )
    return "\n".join(lines) + "\n"


def _alike(claims: Sequence[Claim]) -> Iterator[list[Claim]]:
    """Neighbours that differ in their statements alone, together."""
    for _, group in groupby(claims, lambda c: replace(c, statement="", latex="", coq=())):
        yield list(group)


def _claim(claims: Sequence[Claim], brief: bool) -> list[str]:
    claim = claims[0]
    note = " (a misreading)" if claim.misread else ""
    lines = [f"[{claim.settled}] {claim.theorem}{note}"]
    lines += [line for c in claims for line in _filled(c.statement)]
    if not brief:
        lines += _filled(f"given: {claim.hypotheses}") + _filled(f"by: {claim.method}")
        theorems = dict.fromkeys(name for c in claims for name in c.coq)
        lines += _filled(f"in Coq: {', '.join(theorems)}") if theorems else []
    if claim.remainder:
        lines += ["    left minus right:", *(f"      {r}" for r in claim.remainder)]
    if claim.example:
        lines += _filled(f"counterexample: {claim.example}")
    return [*lines, ""]


def _filled(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(
        text,
        96,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
    )
