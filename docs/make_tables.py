"""Renews the tables of these pages from the tables of the source: `python docs/make_tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is there is replaced.
"""

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from derive.accepted import recorded
from derive.claim import KERNEL_CHECKED, PROVED, REFUTED, UNDECIDED, VOID, Claim
from derive.gradients import gradients
from derive.language import reading, whitelist
from derive.language.shorthands import SHORTHANDS
from derive.primitives import PRIMITIVES, Primitive
from derive.proofs import prove
from derive.rules import RULES
from derive.theorems import THEOREMS
from derive.theorems.laws import reads_two_back
from derive.theorems.row import MustFail
from derive.theorems.structure import squared_carry
from derive.transposes import lost_term
from derive.zoo import load, names
from verify.conventions import CONVENTIONS, RELATIONS, Convention, Relation, Stack
from verify.deviations.table import DEVIATIONS
from verify.precisions import LOWER
from verify.properties import PROPERTIES

HERE = Path(__file__).parent

_MARKED = re.compile(r"(<!-- table: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """A page with its tables written anew.

    Raises:
        KeyError: a mark names a table that does not exist.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[3]}", text)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_shown, line))} |\n" for line in lines)


def _shown(text: str) -> str:
    """Text in which Markdown reads no column and no tag."""
    return text.replace("|", "&#124;").replace("<", "&lt;")


def _functions() -> str:
    z, y = sp.symbols("z y")
    rows = (
        (
            f"`{r.name}(z)`",
            f"`{_formula(r.value(z))}`",
            f"`{r.slope(z, y)}`",
            _special(r),
            _yes(r.complex_numpy),
        )
        for r in PRIMITIVES.values()
    )
    return _table(("function", "y", "slope dy/dz", "where not smooth", "complex numbers"), rows)


def _formula(value: sp.Expr) -> str:
    """A piecewise formula as Python writes it; arguments are real here."""
    value = value.replace(sp.re, lambda z: z)
    if not isinstance(value, sp.Piecewise):
        return str(value)
    *cases, (last, _) = value.args
    return " else ".join([*(f"{y} if {where}" for y, where in cases), str(last)])


def _special(row: Primitive) -> str:
    """Where a primitive is defined, and its slope where two smooth pieces meet."""
    if row.declared:
        return "the slope is declared, for every z"
    if row.domain[0] == 0:
        return "for z > 0"
    if not row.kinks:
        return ""
    where = "z = 0" if row.kinks == (0.0,) else "whole z"
    z, kink = sp.Symbol("z", real=True), sp.Integer(int(row.kinks[0]))
    if not row.value(z).subs(z, kink).is_finite:
        return f"not at {where}"
    slope = sp.sympify(row.slope(z, row.value(z))).replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: PRIMITIVES[node.func.__name__].value(*node.args),
    )
    return f"slope {slope.subs(z, kink)} at {where}"


def _shorthands() -> str:
    rows = (
        (f"`{r.name}({', '.join('ab'[: r.arguments])})`", _SHAPES[r.shape], r.meaning)
        for r in SHORTHANDS.values()
    )
    return _table(("function", "gives", "means"), rows)


_SHAPES = {
    "entries": "what a and b give entry by entry",
    "scalar": "a scalar",
    "vector": "a vector",
    "outer": "a matrix",
    "column": "a matrix",
}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _limits() -> str:
    rows = (
        ("bytes in a text", reading.MAX_BYTES),
        ("characters in an equation", reading.MAX_LINE),
        ("equations", reading.MAX_EQUATIONS),
        ("inputs, states and parameters", reading.MAX_DECLARATIONS),
        ("a size that is a number", reading.MAX_SIZE),
        ("nested brackets", whitelist.MAX_DEPTH),
        ("a power", whitelist.MAX_POWER),
        ("a lag", whitelist.MAX_LAG),
    )
    return _table(("at most", ""), ((what, str(limit)) for what, limit in rows))


def _rules() -> str:
    return f"{', '.join(r.name for r in RULES)}.\n"


def _theorems() -> str:
    rows = ((f"`{t.name}`", t.claim, t.hypotheses, _fails(t.must_fail)) for t in THEOREMS)
    return _table(("name", "claim", "hypotheses", "false for"), rows)


def _fails(case: MustFail) -> str:
    equations = "; ".join(f"`{line}`" for line in case.cell.splitlines() if " = " in line)
    spoilt = _SPOILT[case.spoil]
    return (equations or f"`{case.cell}`") + spoilt


_SPOILT = {
    MustFail("").spoil: "",
    lost_term: ", with a term of the sweep taken out",
    squared_carry: ", with a cotangent squared in the sweep",
    reads_two_back: ", with its output of two steps back added",
}


def _properties() -> str:
    rows = ((f"`{p.name}`", p.reason) for p in PROPERTIES)
    return _table(("property", "must hold because"), rows)


def _precisions() -> str:
    rows = ((f"`{row.name}`", row.said) for row in LOWER.values())
    return _table(("name", "computes"), rows)


def _rooms() -> str:
    text = (HERE.parent / "tests" / "test_flow.py").read_text(encoding="utf-8")
    flow = re.search(r"^FLOW = (\(.*?^\))", text, re.DOTALL | re.MULTILINE)
    assert flow is not None, "tests/test_flow.py has no FLOW"
    rows = ((f"`{room}`", _purpose(room)) for room in ast.literal_eval(flow[1]))
    return _table(("room", "what it is for"), rows)


def _purpose(room: str) -> str:
    """The first sentence of a module's documentation."""
    path = HERE.parent.joinpath(*room.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(doc.partition("\n\n")[0].split())


def _conventions() -> str:
    found = json.loads((HERE / "conventions" / "results.json").read_text(encoding="utf-8"))
    rows = (
        (f"`{c.name}`", _library(c), _arrays(c), c.sequence, _checked(found.get(c.name)))
        for c in CONVENTIONS.values()
    )
    return _table(("name", "computes", "arrays", "x", "compared with"), rows)


def _library(row: Convention) -> str:
    shown = f"[{row.library}]({row.source})" if row.source.startswith("https") else row.library
    return shown + "".join(f"; no place for {name}" for name in row.missing)


def _arrays(row: Convention) -> str:
    """The blocks of each array, with how they lie where it has more than one axis."""
    found = []
    for array, stacks in row.arrays.items():
        shown = " then ".join(
            f"{', '.join(n for names in row.names(s) for n in names)}{_axes(s)}" for s in stacks
        )
        found.append(f"`{array}` = {shown}")
    less = (f"{name} holds {constant:g} less" for name, constant in row.offsets.items())
    return "; ".join([*found, *less])


def _axes(stack: Stack) -> str:
    return "" if stack.axes == "r" else f" `{stack.axes}`"


def _checked(found: Mapping[str, Any] | None) -> str:
    return f"{found['with']}: {found['share of bound']:g}" if found else "its source"


def _relations() -> str:
    rows = (
        (f"`{r.first}`", f"`{r.second}`", "none do" if r.apart else _moved(r), r.reason)
        for r in RELATIONS
    )
    return _table(("cell", "cell", "the second's parameters", "because"), rows)


def _moved(row: Relation) -> str:
    return ", ".join(f"{n} = {s}" for n, s in row.second_from.items()) or "the same"


def _deviations() -> str:
    rows = (
        (r.name, r.cause + (" (by design)" if r.by_design else ""), r.source) for r in DEVIATIONS
    )
    return _table(("kind", "what is said", "known from"), rows)


_LETTERS = {PROVED: "p", REFUTED: "r", UNDECIDED: "?", VOID: "-"}
_VERDICTS = re.compile(r"(<!-- verdicts: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def verdicts(kind: str, cells: Iterable[str]) -> list[tuple[str, ...]]:
    """For each cell, what each row of a kind says of it: letters, one for each verdict.

    Capital letters: Coq has accepted it.
    """
    rows = [t for t in THEOREMS if t.kind == kind]
    found = []
    for cell in cells:
        claims = prove(gradients(load(cell)), rows)
        letters = [
            "".join(sorted({_letter(c) for c in claims if c.theorem == row.name})) for row in rows
        ]
        found.append((f"`{cell}`", *letters))
    return found


def _letter(claim: Claim) -> str:
    letter = _LETTERS[claim.verdict]
    return letter.upper() if claim.level == KERNEL_CHECKED else letter


def with_verdicts(text: str, cells: Iterable[str]) -> str:
    """A page with its tables of verdicts written anew: a minute for all cells."""
    cells = tuple(cells)

    def table(found: re.Match[str]) -> str:
        head = ("cell", *(t.name for t in THEOREMS if t.kind == found[2]))
        return f"{found[1]}\n{_table(head, verdicts(found[2], cells))}\n{found[3]}"

    return _VERDICTS.sub(table, text)


def _kernel_checked() -> str:
    """What Coq has accepted, by row: claims, and cells that have one."""
    found = [
        (row, verdict, cell, where)
        for cell, accepted in recorded().items()
        for (row, verdict, _), (where, *_) in accepted.claims.items()
    ]
    rows = []
    for theorem in THEOREMS:
        for verdict in (PROVED, REFUTED):
            mine = [f for f in found if f[:2] == (theorem.name, verdict)]
            if mine:
                away = sum(bool(where) for *_, where in mine)
                cells = len({cell for _, _, cell, _ in mine})
                rows.append((theorem.name, verdict, str(len(mine)), str(cells), str(away)))
    head = ("row", "verdict", "kernel-checked claims", "cells", "of the claims, away from kinks")
    return _table(head, rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "functions": _functions,
    "shorthands": _shorthands,
    "limits": _limits,
    "rules": _rules,
    "theorems": _theorems,
    "rooms": _rooms,
    "properties": _properties,
    "precisions": _precisions,
    "conventions": _conventions,
    "relations": _relations,
    "deviations": _deviations,
    "levels": _kernel_checked,
}


def main() -> None:
    """Write every page whose tables are out of date."""
    for page in sorted(HERE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = with_verdicts(renewed(text), names())
        if new != text:
            page.write_text(new, encoding="utf-8", newline="\n")
            print(f"renewed {page.relative_to(HERE.parent)}")


if __name__ == "__main__":
    main()
