"""The article's first half: notation with shapes, the equations, the loss."""

from collections.abc import Iterator

from derive.cell import Variable
from derive.expressions import Apply, BlockMatrix, Expr
from derive.latex.page import Page
from derive.latex.typesetting import Line, aligned, escape, table
from derive.primitives import PRIMITIVES
from derive.single_assignment import Assignment

__all__ = ["at", "equations", "loss", "notation_section", "opening"]


def opening(page: Page) -> str:
    """Title and source."""
    cell = page.gradients.cell
    title, name = escape(cell.title or cell.name), escape(cell.name)
    said = " ".join(cell.doc.strip().partition("\n")[2].partition("Source:")[0].split())
    lines = [
        rf"\begin{{center}}{{\Large\bfseries {title}\par}}\medskip",
        rf"{{\large Back-propagation through time for the cell \texttt{{{name}}}\par}}",
        r"\end{center}\bigskip",
    ]
    if said:
        lines.append(rf"\paragraph{{Variant.}} {escape(said)}" + "\n")
    if cell.source:
        lines.append(rf"\paragraph{{Source.}} {escape(cell.source)}" + "\n")
    return "\n".join(lines) + "\n"


def notation_section(page: Page) -> str:
    """Every name with its meaning and space, and how to read the operations."""
    rows = [*_rows(page)]
    return (
        "\\section{Notation}\n"
        "Vectors are columns. The same equations hold at every step $t$; parameters have no "
        f"index of time. A sequence has ${page.last}$ steps.\n"
        + table(("symbol", "space", "meaning"), rows)
        + _conventions(page)
    )


def _rows(page: Page) -> Iterator[tuple[str, str, str]]:
    cell, written = page.gradients.cell, {e.name for e in page.gradients.cell.equations}
    states = {s.name for s in cell.states}

    def row(name: str, space: str, meaning: str) -> tuple[str, str, str]:
        return f"${page.notation.name(name)}$", f"${space}$", meaning

    def declared(variable: Variable, meaning: str) -> tuple[str, str, str]:
        return row(variable.name, page.notation.space(variable.shape), meaning)

    for variable in cell.inputs:
        yield declared(variable, "input")
    for place, variable in enumerate(cell.states):
        shown = "" if variable.name == "y" else " $y_{t}$"
        yield declared(variable, f"state; it is the output{shown}" if place == 0 else "state")
    for assignment in page.gradients.forward:
        if assignment.name not in states:
            meaning = _meaning(page, assignment, assignment.name in written)
            yield row(assignment.name, page.space(assignment.symbol), meaning)
    for variable in cell.parameters:
        kind = "matrix" if len(variable.shape) == 2 else "vector"
        yield declared(variable, f"parameter, a {'number' if _is_number(variable.now) else kind}")


def _meaning(page: Page, assignment: Assignment, written: bool) -> str:
    """What a value computed within the step is."""
    value = assignment.value
    if written and isinstance(value, Apply) and PRIMITIVES[value.name].range == (0.0, 1.0):
        return "gate"
    if written:
        return "intermediate value"
    for other in page.gradients.forward:
        if isinstance(other.value, Apply) and other.value.argument == assignment.symbol:
            return f"pre-activation of ${page.notation.name(other.name)}$"
    if isinstance(value, Apply):
        return f"the value ${page.notation.tex(value)}$"
    kind = "stacked columns" if isinstance(value, BlockMatrix) else "part"
    return f"{kind}, for ${page.notation.name(assignment.equation)}$"


def _conventions(page: Page) -> str:
    cell, name = page.gradients.cell, page.notation.name
    some = page.gradients.forward[0].name
    state = cell.states[0].name
    items = [
        r"$a\odot b$ is the product entry by entry, $a^{\odot k}$ the power entry by entry, and a "
        r"function of a vector acts on each entry. $A\,b$ is the matrix product, $A^{\top}$ the "
        r"transpose.",
        r"A number that stands in a sum is the vector with that number in every entry; "
        r"$\mathbf{1}$ is the vector of ones. $[\,v\,]_{i:j}$ are the entries $i$ to $j$ of $v$, "
        r"both included.",
        rf"A bar is a \emph{{total}} derivative of the loss: ${name(f'bar({some})')}$ is "
        rf"$\partial\mathcal{{L}}/\partial {name(some)}$, with every path from step $t$ to step "
        rf"${page.last}$ counted once. It has the shape of what it belongs to.",
        rf"An arrow is the part that comes back through later steps: "
        rf"${name(f'carry({state})')}$ is what step $t+1$ sends back to ${name(state)}$, "
        rf"and ${name(f'bar({state}[t-1])')}$ is what step $t$ sends back to "
        rf"${name(f'{state}[t-1]')}$.",
        r"$\delta^{\mathrm{out}}_{t}$ is the \emph{direct} derivative of the loss in the output "
        rf"${_output(page)}$: all later steps held fixed.",
    ]
    values = [a.symbol for a in page.gradients.forward]
    parameters = [p.now for p in cell.parameters]
    if any(map(_is_number, (*values, *parameters))) and cell.dimensions:
        items.insert(
            2,
            r"What is in $\mathbb{R}^{1}$ is a number; where a vector or a matrix is meant, it "
            r"stands in every entry.",
        )
    matrices = [v.name for v in values if v.shape[1] != 1]
    if matrices:
        items.append(
            rf"A matrix that a step computes, such as ${name(matrices[0])}$, is another one for "
            r"each example of a batch. $\operatorname{diag}(A)$ of a matrix $A$ multiplies a "
            r"matrix with it, entry by entry."
        )
    body = "\n".join(rf"\item {item}" for item in items)
    return f"\\begin{{itemize}}\n{body}\n\\end{{itemize}}\n"


def _output(page: Page) -> str:
    """The output under its own name, and as y where that is another one."""
    name = page.notation.name(page.gradients.cell.output.name)
    return name if name == "y_{t}" else f"y_{{t}}={name}"


def _is_number(value: Expr) -> bool:
    return value.shape == (1, 1)


def equations(page: Page) -> str:
    """The cell as its author writes it, and in single-assignment form."""
    cell, notation = page.gradients.cell, page.notation
    written = [
        Line(notation.name(e.name), page.pieces(e.value), f"eq:cell-{k}")
        for k, e in enumerate(cell.equations, 1)
    ]
    steps = [
        Line(notation.name(a.name), page.pieces(a.value), page.label(a.name))
        for a in page.gradients.forward
    ]
    return (
        "\\section{One step forward}\nThe cell as it is written, from the input and the states "
        f"of step $t-1$ to the states of step $t$:\n{aligned(written)}"
        "The same step with a name for the argument and for the value of every function, so that "
        "each slope can be written in a value that is known. Derivatives are taken of these "
        f"equations.\n{aligned(steps)}"
    )


def loss(page: Page) -> str:
    """What is differentiated, and what the reader has to supply."""
    cell, name, last = page.gradients.cell, page.notation.name, page.last
    final = r", \allowbreak ".join(at(name(s.name), last) for s in cell.states)
    given = ",\\\\\n".join(
        rf"{at(name(f'carry({s.name})'), last)} = \frac{{\partial\ell}}"
        rf"{{\partial {at(name(s.name), last)}}}"
        for s in cell.states
    )
    return (
        "\\section{Loss}\nThe loss is any differentiable function of all outputs and of the final "
        f"states, $\\mathcal{{L}} = \\ell(y_{{1}}, \\dots, y_{{{last}}}, \\allowbreak {final})$. "
        "What it contributes is given by its direct derivatives, with $y_{t}$ and the final "
        "states taken as independent arguments of $\\ell$:\n"
        "\\begin{gather*}\n\\delta^{\\mathrm{out}}_{t} = "
        f"\\frac{{\\partial\\ell}}{{\\partial y_{{t}}}} \\quad (t = 1, \\dots, {last}),"
        f"\\\\\n{given}.\n\\end{{gather*}}\n"
    )


def at(tex: str, time: str) -> str:
    """A name at another time than t."""
    return tex.removesuffix("t}") + time + "}"
