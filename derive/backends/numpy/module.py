"""Schedule -> the whole module of a cell as text."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, overload

from derive.backends.numpy.docstring import docstring
from derive.backends.numpy.forms import Form, form_of
from derive.backends.numpy.parts import (
    PULL,
    RUN,
    assigned,
    checks,
    function,
    imports,
    joined,
    kept,
    primitive,
    runtime,
    size_lines,
    tables,
    used,
)
from derive.backpropagation import NetworkGradients
from derive.cell import Cell
from derive.gradients import Gradients

if TYPE_CHECKING:
    from derive.claim import Claim

__all__ = ["digest", "numpy_source"]


def digest(cell: Cell) -> str:
    """Sixteen hexadecimal digits that change with the cell's text."""
    return hashlib.sha256(str(cell).encode()).hexdigest()[:16]


@overload
def numpy_source(gradients: Gradients, claims: Sequence["Claim"] = ...) -> str: ...
@overload
def numpy_source(
    gradients: NetworkGradients, claims: Mapping[str, Sequence["Claim"]] = ...
) -> str: ...
def numpy_source(
    gradients: Gradients | NetworkGradients,
    claims: Sequence["Claim"] | Mapping[str, Sequence["Claim"]] = (),
) -> str:
    """The stand-alone module of a cell or of a network.

    It has `forward`, `backward`, a check of its own gradients and, where time runs one way,
    `truncated`.

    Args:
        gradients: what `derive.backpropagate` gave.
        claims: theorems for the module's docstring; for a network, by the name of the cell.

    Returns:
        Python source that imports NumPy alone; the same bytes for the same cell and claims.
    """
    if isinstance(gradients, NetworkGradients):
        from derive.backends.numpy.network import network_source

        return network_source(gradients, claims if isinstance(claims, Mapping) else {})
    assert not isinstance(claims, Mapping)
    return _cell_source(gradients, claims)


def _cell_source(gradients: Gradients, claims: Sequence["Claim"]) -> str:
    cell, form = gradients.cell, form_of(gradients)
    names = used([gradients])
    shapes = {"_PARAMETERS": cell.parameters, "_INPUTS": cell.inputs, "_STATES": cell.states}
    run, pull = _forward(cell, form), _backward(cell, form)
    helpers, own = checks()
    return joined(
        [
            docstring(cell, digest(cell), claims),
            imports(["backward", "forward", "self_check", "truncated"]),
            tables(cell.name, digest(cell), shapes, cell.output, names),
            function("forward(params, x, state_0=None, *, lengths=None)", RUN, run, form.quiet),
            function("backward(params, tape, dy=None, dstate_T=None)", PULL, pull, form.quiet),
            runtime("runtime_truncated"),
            *(primitive(name) for name in names),
            runtime(form.runtime),
            helpers,
            own,
        ]
    )


def _forward(cell: Cell, form: Form) -> list[str]:
    names = [x.name for x in cell.inputs]
    padding, outputs = form.make("padding"), form.make("y")
    return [
        f"[{', '.join(names)}], dtype, sizes = _inputs(x, params, state_0)",
        *_parameter_lines("forward", cell),
        'state_0 = _states("forward", "state_0", state_0, sizes, dtype)',
        *size_lines(cell),
        *form.entry(),
        f"{padding} = _padding(lengths, steps, batch)",
        "if lengths is not None:",
        *(f"    {n} = np.where({padding}, 0, {n}).astype(dtype, copy=False)" for n in names),
        *form.forward(),
        f"{outputs} = np.array({form.make(f'{cell.output.name}_seq')}[1:])",
        "if lengths is not None:",
        f"    np.copyto({outputs}, 0, where={padding})",
        "state_T = {",
        *(f'    "{state.name}": {form.final(state)},' for state in cell.states),
        "}",
        "tape = {",
        '    "digest": _DIGEST,',
        '    "dtype": dtype,',
        '    "sizes": sizes,',
        f'    "padding": {padding},',
        *kept(form.tape()),
        "}",
        f"return {outputs}, state_T, tape",
    ]


def _backward(cell: Cell, form: Form) -> list[str]:
    return [
        "tape = _tape(tape)",
        'sizes, dtype = dict(tape["sizes"]), tape["dtype"]',
        *_parameter_lines("backward", cell),
        "dy = _outputs(dy, tape, _OUTPUT)",
        'dstate_T = _states("backward", "dstate_T", dstate_T, sizes, dtype)',
        *size_lines(cell),
        *form.entry(),
        f'{form.make("padding")} = tape["padding"]',
        *assigned(form.tape(), 'tape["kept"]'),
        *form.backward(),
    ]


def _parameter_lines(call: str, cell: Cell) -> list[str]:
    names = [p.name for p in cell.parameters]
    return assigned(names, f'_parameters("{call}", params, sizes, dtype)')
