"""Network -> its module: each different cell's forward and backward once, and a table of layers."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from derive.backends.numpy.docstring import network_docstring
from derive.backends.numpy.forms import Form, form_of
from derive.backends.numpy.parts import (
    assigned,
    checks,
    function,
    imports,
    joined,
    kept,
    primitive,
    runtime,
    size_lines,
    size_text,
    tables,
    used,
)
from derive.backpropagation import NetworkGradients
from derive.cell import Cell
from derive.networks import Network, Wired

if TYPE_CHECKING:
    from derive.claim import Claim

__all__ = ["network_digest", "network_source"]


def network_digest(network: Network) -> str:
    """Sixteen hexadecimal digits that change with the layers or with the text of a cell."""
    layers = [f"{layer.options} {layer.cell}" for layer in network.layers]
    return hashlib.sha256("\n".join([network.doc, *layers]).encode()).hexdigest()[:16]


def network_source(derived: NetworkGradients, claims: Mapping[str, Sequence["Claim"]]) -> str:
    """The stand-alone module of a network, with the contract of a cell's.

    Args:
        claims: theorems for the module's docstring, by the cell's name in the network.
    """
    network = derived.network
    names = used(derived.cells)
    shapes = {
        "_PARAMETERS": network.parameters,
        "_INPUTS": network.inputs,
        "_STATES": network.states,
    }
    public = ["backward", "forward", "self_check", *(["truncated"] if network.causal else [])]
    forms = {g.cell.name: form_of(g) for g in derived.cells}
    cores = [text for g in derived.cells for text in _core(g.cell, forms[g.cell.name])]
    helpers, own = checks()
    return joined(
        [
            network_docstring(network, network_digest(network), claims),
            imports(public),
            tables(network.name, network_digest(network), shapes, network.output, names),
            runtime("runtime_network"),
            *([runtime("runtime_truncated")] if network.causal else []),
            *cores,
            _layers(network),
            *(primitive(name) for name in names),
            *_shared({form.runtime for form in forms.values()}),
            helpers,
            own,
        ]
    )


def _shared(rooms: set[str]) -> Iterator[str]:
    """The forms' own runtimes; what two of them have stands once."""
    seen: set[str] = set()
    for room in sorted(rooms):
        for part in runtime(room).strip("\n").split("\n\n\n"):
            if part not in seen:
                seen.add(part)
                yield part


def _core(cell: Cell, form: Form) -> Iterator[str]:
    """`forward` and `backward` of a cell, on arguments that were checked."""
    inputs = ", ".join(x.name for x in cell.inputs)
    padding, names = form.make("padding"), [p.name for p in cell.parameters]
    sequence = form.make(f"{cell.output.name}_seq")
    given = [*(assigned(names, "params") if names else []), *size_lines(cell), *form.entry()]
    lines = [
        *given,
        *form.forward(),
        "state_T = {",
        *(f'    "{state.name}": {form.final(state)},' for state in cell.states),
        "}",
        "tape = (",
        *(f"    {name}," for name in form.tape()),
        ")",
        f"return {sequence}[1:], state_T, tape",
    ]
    yield function(
        f"_{cell.name}_forward(params, {inputs}, state_0, {padding}, sizes, dtype)",
        f"{cell.name}: outputs, final states, and what `_{cell.name}_backward` needs.",
        lines,
        form.quiet,
    )
    lines = [*given, *assigned(form.tape(), "tape"), *form.backward()]
    yield function(
        f"_{cell.name}_backward(params, tape, dy, dstate_T, {padding}, sizes, dtype)",
        f"{cell.name}: gradients by the cell's own names.",
        lines,
        form.quiet,
    )


def _layers(network: Network) -> str:
    lines = [
        "# For each layer: its cell; its passes, as (suffix of their names, whether time is",
        "# reversed); the cell's sizes in the network's; what its further inputs read.",
        "_LAYERS = (",
    ]
    for wire in network.wiring.layers:
        lines += ["    {", *(f"        {line}" for line in _row(network, wire)), "    },"]
    return "\n".join([*lines, ")"])


def _row(network: Network, wire: Wired) -> Iterator[str]:
    cell = network.cell_of(wire.layer)
    yield f'"forward": _{cell.name}_forward,'
    yield f'"backward": _{cell.name}_backward,'
    passes = ", ".join(f'("{one.suffix}", {one.reverse})' for one in wire.passes)
    yield f'"passes": ({passes},),'
    sizes = ", ".join(f'"{dim}": "{size_text(size)}"' for dim, size in wire.sizes.items())
    yield f'"sizes": {{{sizes}}},'
    yield f'"mask": {_quoted(wire.mask)},'
    yield f'"residual": {wire.layer.residual},'
    groups = {
        "inputs": [x.name for x in cell.inputs],
        "reads": [wire.reads[x.name] for x in cell.inputs[1:]],
        "parameters": [p.name for p in cell.parameters],
        "states": [s.name for s in cell.states],
    }
    for label, names in groups.items():
        quoted = [f'"{name}"' for name in names]
        if not quoted:
            yield f'"{label}": (),'
        else:
            yield from (line[4:] for line in kept(quoted, f'"{label}": '))


def _quoted(name: str | None) -> str:
    return "None" if name is None else f'"{name}"'
