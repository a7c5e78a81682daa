"""Networks for the terminal, and as JSON for other programs."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from derive.backpropagation import NetworkGradients
from derive.cell import Variable
from derive.claim import Claim
from derive.language.printing import text_of_expression
from derive.networks import Network
from derive.reports import claims_json, claims_text, gradient_lines, parameter_count

__all__ = [
    "Proofs",
    "network_claims_json",
    "network_claims_text",
    "network_json",
    "network_list_text",
    "network_row",
    "network_show_text",
]

Proofs = Mapping[str, Sequence[Claim]]


def network_row(network: Network) -> dict[str, Any]:
    """One network as `derive list` shows it."""
    return {
        "name": network.name,
        "layers": [str(layer).removeprefix("layer ") for layer in network.layers],
        "states": [s.name for s in network.states],
        "parameters": [p.name for p in network.parameters],
        "parameter_count": parameter_count(network),
        "source": network.source,
        "title": network.title,
    }


def network_list_text(rows: Sequence[dict[str, Any]]) -> str:
    """The zoo's networks as a table, below that of its cells."""
    lines = ["", "Networks"]
    for row in rows:
        lines.append(f"{row['name']:<24} {row['title']}")
        details = {
            "layers": "; ".join(row["layers"]),
            "parameters": f"{len(row['parameters'])} arrays: {row['parameter_count']}",
            "source": row["source"],
        }
        for key, text in details.items():
            lines += _filled(f"{key:<11} {text}", "    ", " " * 16)
    return "\n".join(lines) + "\n"


def network_json(network: Network) -> dict[str, Any]:
    """A network's shapes and layers, as `derive show --json` gives them."""
    return {
        "name": network.name,
        "layers": [
            {
                "cell": network.cell_of(wire.layer).name,
                "passes": [one.suffix for one in wire.passes],
                "residual": wire.layer.residual,
                "mask": wire.mask,
                "sizes": {str(dim): _size(size) for dim, size in wire.sizes.items()},
            }
            for wire in network.wiring.layers
        ],
        "inputs": [_shape(v) for v in network.inputs],
        "states": [_shape(v) for v in network.states],
        "parameters": [_shape(v) for v in network.parameters],
        "output": _shape(network.output),
        "equations": {
            cell.name: [
                {"name": e.name, "value": text_of_expression(e.value)} for e in cell.equations
            ]
            for cell in network.cells
        },
    }


def _shape(variable: Variable) -> dict[str, Any]:
    return {"name": variable.name, "shape": [_size(size) for size in variable.shape]}


def _size(size: Any) -> int | str:
    return int(size) if size.is_Integer else str(size)


def network_show_text(derived: NetworkGradients) -> str:
    """Layers, shapes, and the gradients of each different cell."""
    network = derived.network
    lines = [network.title or network.name]
    lines += _filled(f"Source: {network.source}") if network.source else []
    lines += ["", "Layers"]
    lines += [f"  {n}. {str(each)[6:]}" for n, each in enumerate(network.layers, start=1)]
    lines += ["", "Shapes; what belongs to layer k ends in _k, and in _kr if its time is reversed"]
    for kind, variables in (
        ("input", network.inputs),
        ("state", network.states),
        ("parameter", network.parameters),
        ("output", (network.output,)),
    ):
        lines += [f"  {kind:<10} {v.name}  ({', '.join(map(str, v.shape))})" for v in variables]
    lines += ["", "Cotangents between layers, in each pass, at each t"]
    lines += [f"  {line}" for line in _joints(network)]
    for g in derived.cells:
        lines += ["", f"Cell {g.cell.name}: equations, step t (@ matrix product, * elementwise)"]
        lines += [f"  {e.name} = {text_of_expression(e.value)}" for e in g.cell.equations]
        lines += ["", *gradient_lines(g)]
    return "\n".join(lines) + "\n"


def _joints(network: Network) -> Iterator[str]:
    """What the cotangent of each layer's output is."""
    wires = network.wiring.layers
    yield f"dy_{len(wires)} = dy, from outside"
    for wire in reversed(wires):
        into = f"dy_{wire.number - 1}" if wire.number > 1 else f"bar({network.inputs[0].name})"
        mask = f" * {wire.mask}" if wire.mask else ""
        inner = " + ".join(f"bar(x_{one.suffix})" for one in wire.passes)
        text = f"({inner}){mask}" if mask and len(wire.passes) > 1 else f"{inner}{mask}"
        yield f"{into} = {text}{f' + dy_{wire.number}' if wire.layer.residual else ''}"


def network_claims_json(network: Network, proofs: Proofs) -> dict[str, Any]:
    """The claims of each cell, with its name, as `derive prove --json` gives them."""
    claims = [
        {"cell": cell.name, **claim}
        for cell in network.cells
        for claim in claims_json(cell, proofs[cell.name])["claims"]
    ]
    return {"network": network.name, "claims": claims}


def network_claims_text(network: Network, proofs: Proofs) -> str:
    """The claims of each cell, one after the other."""
    return "\n".join(claims_text(cell, proofs[cell.name]) for cell in network.cells)


def _filled(text: str, first: str = "    ", later: str = "      ") -> list[str]:
    return textwrap.wrap(
        text, 96, initial_indent=first, subsequent_indent=later, break_long_words=False
    )
