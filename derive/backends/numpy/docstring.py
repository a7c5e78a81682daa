"""What an emitted module says of itself: equations, shapes, theorems, where it comes from."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from derive.cell import Cell, Variable
from derive.language.printing import text_of_expression
from derive.version import VERSION

if TYPE_CHECKING:
    from derive.claim import Claim

__all__ = ["docstring"]


def docstring(cell: Cell, digest: str, claims: Sequence["Claim"]) -> str:
    """The module's docstring, with its quotes."""
    equations = [f"    {e.name} = {text_of_expression(e.value)}" for e in cell.equations]
    sections = [
        _wrapped(f'"""{cell.title or cell.name}: forward and backward through time, for batches.'),
        _wrapped(f"Source: {cell.source}") if cell.source else [],
        ["Equations of step t; @ is the matrix product, * is elementwise:"],
        equations,
        ["Shapes:"],
        _shapes(cell),
        [
            "    y, state_T, tape = forward(params, x, state_0=None, *, lengths=None)",
            "    grads = backward(params, tape, dy=None, dstate_T=None)",
        ],
        _wrapped(
            "None means zeros. lengths, whole numbers (batch,), are the sequences' own lengths: a "
            "state stays as it is past its sequence's end, y is zero there, and what stands in x "
            "or dy there has no effect. grads has an entry for each parameter, for each input, "
            "and for each initial state, under its name with _0. The tape refers to x: do not "
            "change x before backward has run."
        ),
        ["Theorems:"] if claims else [],
        [line for claim in claims if claim.level for line in _wrapped(_claimed(claim), "    ")],
        _wrapped(
            "Run this file to check its gradients against differences. Written by bptt "
            f"{VERSION} from the cell {cell.name}, digest {digest}."
        ),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + '\n"""'


def _claimed(claim: "Claim") -> str:
    note = "" if claim.should_hold else "; a common misreading"
    return f"{claim.statement} [{claim.verdict}, {claim.level}{note}]"


def _shapes(cell: Cell) -> list[str]:
    lines = [f"    {v.name}: ({_sizes('steps, batch', v)})" for v in cell.inputs]
    lines.append(f"    y: ({_sizes('steps, batch', cell.output)}), which is {cell.output.name}")
    lines += [f"    state {v.name}: ({_sizes('batch', v)})" for v in cell.states]
    names: dict[str, list[str]] = {}
    for parameter in cell.parameters:
        names.setdefault(", ".join(map(str, parameter.shape)), []).append(parameter.name)
    for shape, members in names.items():
        lines += _wrapped(f"{', '.join(members)}: ({shape})", "    ")
    return lines


def _sizes(lead: str, variable: Variable) -> str:
    return ", ".join([lead, *map(str, variable.shape)])


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 96, initial_indent=indent, subsequent_indent=indent)
