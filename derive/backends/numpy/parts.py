"""Pieces that every emitted module is put together from: functions, tables, shared runtime."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

import sympy as sp

from derive.cell import Cell, Variable
from derive.expressions import Apply
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES

__all__ = [
    "PULL",
    "RUN",
    "assigned",
    "checks",
    "function",
    "imports",
    "joined",
    "kept",
    "primitive",
    "runtime",
    "shape_text",
    "size_lines",
    "size_text",
    "tables",
    "used",
]

RUN = "Run a batch of sequences; shapes are in the module's docstring."
PULL = "Gradients of sum(dy * y) + sum(dstate_T * state_T), summed over steps and batch."

_MARK = "# --- emitted ---\n"
_CHECK = "def _example("


def joined(parts: Iterable[str]) -> str:
    """The module's text."""
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def imports(public: Iterable[str]) -> str:
    """The head of the module, below its docstring."""
    names = ", ".join(f'"{name}"' for name in sorted(public))
    return f"import sys\n\nimport numpy as np\n\n__all__ = [{names}]"


def runtime(name: str) -> str:
    """What a runtime file has below its mark."""
    return (files("derive.backends.numpy") / f"{name}.py").read_text("utf-8").partition(_MARK)[2]


def checks() -> tuple[str, str]:
    """The shared runtime: checks of arguments; the check of the module's own gradients."""
    helpers, mark, own = runtime("runtime").partition(_CHECK)
    return helpers, mark + own


def function(signature: str, doc: str, body: Iterable[str], quiet: str) -> str:
    """A function of the module; `quiet` is what NumPy does not warn of in it."""
    lines = [f"@np.errstate({quiet})", f"def {signature}:", f'    """{doc}"""']
    return "\n".join([*lines, *(f"    {line}" for line in body)])


def assigned(names: Sequence[str], value: str) -> list[str]:
    """[names] = value, on several lines if it is long."""
    if not names:
        return [value]
    line = f"[{', '.join(names)}] = {value}"
    if len(line) <= 90:
        return [line]
    rows = textwrap.wrap(f"{', '.join(names)},", 86)
    return ["[", *(f"    {row}" for row in rows), f"] = {value}"]


def kept(names: Sequence[str], head: str = '"kept": ', tail: str = ",") -> list[str]:
    """A tuple behind `head`, on several lines if it is long."""
    line = f"    {head}({', '.join(names)},){tail}"
    if len(line) <= 90:
        return [line]
    rows = textwrap.wrap(f"{', '.join(names)},", 82)
    return [f"    {head}(", *(f"        {row}" for row in rows), f"    ){tail}"]


def size_lines(cell: Cell) -> list[str]:
    """The cell's sizes as names."""
    names = [str(d) for d in cell.dimensions]
    lines = ['steps, batch = sizes["steps"], sizes["batch"]']
    return lines + [f'{name} = sizes["{name}"]' for name in names]


def tables(
    name: str,
    digest: str,
    rows: Mapping[str, Sequence[Variable]],
    output: Variable,
    primitives: Iterable[str],
) -> str:
    """The module's constants: names with shapes, and the dtypes that it takes."""
    lines = [f'_NAME = "{name}"', f'_DIGEST = "{digest}"']
    for label, variables in rows.items():
        shapes = (f'    "{v.name}": {shape_text(v)},' for v in variables)
        lines += [f"{label} = {{", *shapes, "}"]
    lines.append(f"_OUTPUT = {shape_text(output)}")
    if all(PRIMITIVES[primitive].complex_numpy for primitive in primitives):
        lines.append("# Complex numbers, in `forward` alone, are for the complex-step derivative.")
        lines.append("_DTYPES = (np.float32, np.float64, np.complex128)")
    else:
        lines.append("_DTYPES = (np.float32, np.float64)")
    return "\n".join(lines)


def shape_text(variable: Variable) -> str:
    """A shape as a tuple of texts."""
    sizes = [f'"{size_text(size)}"' for size in variable.shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def size_text(size: sp.Expr) -> str:
    """A size as a sum of names and whole numbers; 2*n is 'n + n'."""
    terms: list[str] = []
    for part, count in sorted(sp.sympify(size).as_coefficients_dict().items(), key=str):
        terms += [str(count)] if part == 1 else [str(part)] * int(count)
    return " + ".join(terms)


def used(cells: Iterable[Gradients]) -> list[str]:
    """The primitives that cells or their slopes apply, in the order of the table."""
    found: set[str] = set()
    for g in cells:
        adjoints = (*g.backward, *g.parameters, *g.inputs, *g.states)
        exprs = [a.value for a in g.forward] + [a.value for a in adjoints]
        found |= {node.name for expr in exprs for node in expr.atoms(Apply)}
    return [name for name in PRIMITIVES if name in found]


def primitive(name: str) -> str:
    """The function of a primitive."""
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
