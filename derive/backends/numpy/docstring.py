"""What an emitted module says of itself: equations, shapes, theorems, where it comes from."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from derive.cell import Cell, Variable
from derive.language.printing import text_of_expression
from derive.networks import Network, Wired
from derive.version import VERSION

if TYPE_CHECKING:
    from derive.claim import Claim

__all__ = ["docstring", "network_docstring"]

_Sections: TypeAlias = list[list[str]]


def docstring(cell: Cell, digest: str, claims: Sequence["Claim"]) -> str:
    """The module's docstring, with its quotes."""
    return _text(
        cell,
        [
            ["Equations of step t; @ is the matrix product, * is elementwise:"],
            _equations(cell),
        ],
        [line for claim in claims if _is_told(claim) for line in _wrapped(_claimed(claim), "    ")],
        f"the cell {cell.name}, digest {digest}",
    )


def network_docstring(
    network: Network, digest: str, claims: Mapping[str, Sequence["Claim"]]
) -> str:
    """The docstring of a network's module, with its quotes."""
    sections: _Sections = [["Layers, each reading the outputs of the one before it:"]]
    rows = [_layer(network, wire) for wire in network.wiring.layers]
    sections.append([line for row in rows for line in _wrapped(row, "    ")])
    sections += [["Equations of step t; @ is the matrix product, * is elementwise:"]]
    sections += [[f"  {cell.name}", *_equations(cell)] for cell in network.cells]
    theorems: list[str] = []
    for cell in network.cells:
        for claim in claims.get(cell.name, ()):
            if _is_told(claim):
                theorems += _wrapped(f"{cell.name}: {_claimed(claim)}", "    ")
    return _text(network, sections, theorems, f"the network {network.name}, digest {digest}")


def _layer(network: Network, wire: Wired) -> str:
    """What a layer runs, and what the names of its passes end in."""
    layer = wire.layer
    ends = [f"_{one.suffix}{' (time reversed)' if one.reverse else ''}" for one in wire.passes]
    text = f"{wire.number}. {network.cell_of(layer).name}, names end in {' and '.join(ends)}"
    text += f"; its input is multiplied by {wire.mask}" if layer.dropout else ""
    return text + ("; its input, unmasked, is added to its output" if layer.residual else "")


def _equations(cell: Cell) -> list[str]:
    return [f"    {e.name} = {text_of_expression(e.value)}" for e in cell.equations]


def _text(model: Cell | Network, said: _Sections, theorems: list[str], what: str) -> str:
    causal = isinstance(model, Cell) or model.causal
    call = "truncated(params, x, state_0=None, dy=None, dstate_T=None, *, lengths=None, k1, k2)"
    sections: _Sections = [
        _wrapped(
            f'"""{model.title or model.name}: forward and backward through time, for batches.'
        ),
        _wrapped(f"Source: {model.source}") if model.source else [],
        *said,
        ["Shapes:"],
        _shapes(model),
        [
            "    y, state_T, tape = forward(params, x, state_0=None, *, lengths=None)",
            "    grads = backward(params, tape, dy=None, dstate_T=None)",
            *([f"    grads = {call}"] if causal else []),
        ],
        _wrapped(
            "None means zeros. lengths, whole numbers (batch,), are the sequences' own lengths: a "
            "state stays as it is past its sequence's end, y is zero there, and what stands in x "
            "or dy there has no effect. grads has an entry for each parameter, for each input, "
            "and for each initial state, under its name with _0. The tape refers to x: do not "
            "change x before backward has run."
        ),
        _wrapped(
            "Theorems about the equations in real numbers. Their levels: decided, by bptt; "
            "kernel-checked, by Coq too. `derive prove` has all of them, with hypotheses:"
        )
        if theorems
        else [],
        theorems,
        _wrapped(
            "Run this file to check its gradients against differences. Written by bptt "
            f"{VERSION} from {what}."
        ),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + '\n"""'


def _is_told(claim: "Claim") -> bool:
    """Whether a kernel says it: what is settled of gradients, paths and ranges."""
    return bool(claim.level) and claim.kind in ("gradients", "path", "range")


def _claimed(claim: "Claim") -> str:
    note = "" if claim.should_hold else "; a common misreading"
    return f"{claim.statement} [{claim.settled}{note}]"


def _shapes(cell: Cell | Network) -> list[str]:
    lines = [f"    {v.name}: ({_sizes('steps, batch', v)})" for v in cell.inputs]
    own = f", which is {cell.output.name}" if cell.output in cell.states else ""
    lines.append(f"    y: ({_sizes('steps, batch', cell.output)}){own}")
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
