"""Schedule -> the whole module as text."""

import hashlib
import textwrap
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import sympy as sp

from derive.backends.numpy.docstring import docstring
from derive.backends.numpy.fused import Fused
from derive.backends.numpy.stepwise import Stepwise, is_fused
from derive.cell import Cell, Variable
from derive.expressions import Apply
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES
from derive.schedule import schedule

if TYPE_CHECKING:
    from derive.claim import Claim

__all__ = ["digest", "numpy_source"]

_MARK = "# --- emitted ---\n"
_CHECK = "def _example("
_RUN = "Run a batch of sequences; shapes are in the module's docstring."
_PULL = "Gradients of sum(dy * y) + sum(dstate_T * state_T), summed over steps and batch."


def digest(cell: Cell) -> str:
    """Sixteen hexadecimal digits that change with the cell's text."""
    return hashlib.sha256(str(cell).encode()).hexdigest()[:16]


def numpy_source(gradients: Gradients, claims: Sequence["Claim"] = ()) -> str:
    """The stand-alone module of a cell: `forward`, `backward`, and a check of its own gradients.

    Args:
        gradients: what `derive.gradients` gave for the cell.
        claims: theorems for the module's docstring.

    Returns:
        Python source that imports NumPy alone; the same bytes for the same cell and claims.
    """
    cell = gradients.cell
    form = Fused(schedule(gradients)) if is_fused(gradients) else Stepwise(gradients)
    helpers, mark, checks = _runtime("runtime").partition(_CHECK)
    parts = [
        docstring(cell, digest(cell), claims),
        'import sys\n\nimport numpy as np\n\n__all__ = ["backward", "forward", "self_check"]',
        _tables(gradients),
        _function("forward(params, x, state_0=None, *, lengths=None)", _RUN, _forward(cell, form), form.quiet),
        _function("backward(params, tape, dy=None, dstate_T=None)", _PULL, _backward(cell, form), form.quiet),
        *(_primitive(name) for name in _used(gradients)),
        _runtime(form.runtime),
        helpers,
        mark + checks,
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def _runtime(name: str) -> str:
    return (files("derive.backends.numpy") / f"{name}.py").read_text().partition(_MARK)[2]


def _function(signature: str, doc: str, body: Iterable[str], quiet: str) -> str:
    lines = [f"@np.errstate({quiet})", f"def {signature}:", f'    """{doc}"""', *(f"    {line}" for line in body)]
    return "\n".join(lines)


def _forward(cell: Cell, form: Fused | Stepwise) -> list[str]:
    names = [x.name for x in cell.inputs]
    padding, outputs = form.make("padding"), form.make("y")
    return [
        f"[{', '.join(names)}], dtype, sizes = _inputs(x, params, state_0)",
        *_parameter_lines("forward", cell),
        'state_0 = _states("forward", "state_0", state_0, sizes, dtype)',
        *_size_lines(cell),
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
        *_kept(form.tape()),
        "}",
        f"return {outputs}, state_T, tape",
    ]


def _kept(names: Sequence[str]) -> list[str]:
    line = f'    "kept": ({", ".join(names)},),'
    if len(line) <= 90:
        return [line]
    rows = textwrap.wrap(f"{', '.join(names)},", 82)
    return ['    "kept": (', *(f"        {row}" for row in rows), "    ),"]


def _backward(cell: Cell, form: Fused | Stepwise) -> list[str]:
    return [
        "tape = _tape(tape)",
        'sizes, dtype = dict(tape["sizes"]), tape["dtype"]',
        *_parameter_lines("backward", cell),
        f"dy = _outputs(dy, tape, {_shape(cell.output)})",
        'dstate_T = _states("backward", "dstate_T", dstate_T, sizes, dtype)',
        *_size_lines(cell),
        *form.entry(),
        f'{form.make("padding")} = tape["padding"]',
        *_assigned(form.tape(), 'tape["kept"]'),
        *form.backward(),
    ]


def _parameter_lines(call: str, cell: Cell) -> list[str]:
    names = [p.name for p in cell.parameters]
    return _assigned(names, f'_parameters("{call}", params, sizes, dtype)')


def _assigned(names: Sequence[str], value: str) -> list[str]:
    """[names] = value, on several lines if it is long."""
    if not names:
        return [value]
    line = f"[{', '.join(names)}] = {value}"
    if len(line) <= 90:
        return [line]
    rows = textwrap.wrap(f"{', '.join(names)},", 86)
    return ["[", *(f"    {row}" for row in rows), f"] = {value}"]


def _size_lines(cell: Cell) -> list[str]:
    names = [str(d) for d in cell.dimensions]
    lines = ['steps, batch = sizes["steps"], sizes["batch"]']
    return lines + [f'{name} = sizes["{name}"]' for name in names]


def _tables(gradients: Gradients) -> str:
    cell = gradients.cell
    rows = [f'_NAME = "{cell.name}"', f'_DIGEST = "{digest(cell)}"']
    tables = {"_PARAMETERS": cell.parameters, "_INPUTS": cell.inputs, "_STATES": cell.states}
    for label, variables in tables.items():
        rows += [f"{label} = {{", *(f'    "{v.name}": {_shape(v)},' for v in variables), "}"]
    if all(PRIMITIVES[name].complex_numpy for name in _used(gradients)):
        rows.append("# Complex numbers, in `forward` alone, are for the complex-step derivative.")
        rows.append("_DTYPES = (np.float32, np.float64, np.complex128)")
    else:
        rows.append("_DTYPES = (np.float32, np.float64)")
    return "\n".join(rows)


def _shape(variable: Variable) -> str:
    """A shape as a tuple of texts; 2*n is 'n + n'."""
    sizes = []
    for size in variable.shape:
        terms: list[str] = []
        for part, count in sorted(sp.sympify(size).as_coefficients_dict().items(), key=str):
            terms += [str(count)] if part == 1 else [str(part)] * int(count)
        sizes.append(f'"{" + ".join(terms)}"')
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _used(gradients: Gradients) -> list[str]:
    """The primitives that the cell or its slopes apply, in the order of the table."""
    g = gradients
    adjoints = (*g.backward, *g.parameters, *g.inputs, *g.states)
    exprs = [a.value for a in g.forward] + [a.value for a in adjoints]
    found = {node.name for expr in exprs for node in expr.atoms(Apply)}
    return [name for name in PRIMITIVES if name in found]


def _primitive(name: str) -> str:
    row = PRIMITIVES[name]
    first, *rest = row.numpy
    lines = [
        f"def _{name}(z, y=None):",
        f'    """{row.value(sp.Symbol("z"))}, into `y` if it is given."""',
        "    if y is None:",
        "        y = np.empty_like(z)",
        f"    {first.format(z='z', y='y')}",
        *(f"    {line.format(z='y', y='y')}" for line in rest),
        "    return y",
    ]
    return "\n".join(lines)
