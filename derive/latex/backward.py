"""The article's second half: rules, one step back, the recurrence, parameters, special cases."""

from collections import Counter
from collections.abc import Iterator

from derive.errors import RuleError
from derive.expressions import Apply, Expr, MatMul, MatrixSymbol, symbol
from derive.gradients import Adjoint
from derive.latex.forward import at
from derive.latex.page import Page, total_size
from derive.latex.typesetting import Line, Reason, aligned, reference, table
from derive.notation import Notation
from derive.rules import slope

__all__ = ["parameters", "paths", "recurrence", "rules", "special_cases", "step", "stored"]


def rules(page: Page) -> str:
    """The rules that gave some term, and the slopes of the functions in the cell."""
    rows = [(name, f"${formula}$") for name, formula in page.used_rules]
    slopes = [
        (f"${page.notation.function(name)}$", f"${formula}$") for name, formula in _slopes(page)
    ]
    text = (
        "\\section{Rules of differentiation}\nEach rule takes the cotangent of a result back to "
        r"what the result was computed from; $\mathrel{+}=$ says that contributions of "
        "different uses add up.\n" + table(("rule", "what it does"), rows)
    )
    if not slopes:
        return text
    head = ("function", r"slope $\varphi'(z)$, with $y=\varphi(z)$")
    return (
        text + "The slopes of the functions in this cell, entry by entry:\n" + table(head, slopes)
    )


def _slopes(page: Page) -> Iterator[tuple[str, str]]:
    """Each function of the cell with its slope in z and y."""
    values = [a.value for a in page.gradients.forward]
    names = {node.name: None for v in values for node in v.atoms(Apply)}
    z, y = symbol("z", (page.gradients.forward[0].value.shape[0],)), None
    y = symbol("y", (z.shape[0],))
    notation = Notation(frozenset(("z", "y")), page.notation.spelled)
    for name in names:
        yield name, notation.tex(slope(name, z, y))


def paths(page: Page) -> str:
    """Who reads what: each path by which a name reaches the loss, none missed, none twice."""
    rows = []
    for adjoint in page.adjoints:
        uses = Counter(term.through for term in adjoint.terms)
        shown = [_use(page, *use, k == 0) for k, use in enumerate(uses.items())]
        rows.append((f"${page.notation.name(adjoint.of.name)}$", ", ".join(shown) or "nothing"))
    return (
        "\\section{Paths to the loss}\nA cotangent has one term for each use of its name. These "
        "are all the uses:\n" + table(("name", "used by"), rows)
    )


def _use(page: Page, through: str, times: int, first: bool) -> str:
    if through == "dy":
        return "the loss, as output"
    if through == "carry":
        return f"step $t+1$ (at $t={page.last}$: the loss, as final state)"
    return reference(page.label(through), "Eq.~" if first else "") + (
        f" in {times} places" if times > 1 else ""
    )


def step(page: Page) -> str:
    """Cotangents of everything one step assigns, in reverse order, and of its inputs."""
    lines = [page.adjoint(a, _back(page, a)) for a in page.gradients.backward]
    text = (
        "\\section{One step back}\n"
        f"Given what arrives from step $t+1$, the equations of step $t$ are taken in reverse "
        "order. On the right stand the equation through which a term comes back and the rules "
        f"that gave it, outermost first.\n{aligned(lines)}"
    )
    inputs = [page.adjoint(a, _back(page, a)) for a in page.gradients.inputs]
    if inputs:
        text += f"The gradient of the input of step $t$:\n{aligned(inputs)}"
    return text


def _back(page: Page, adjoint: Adjoint) -> str:
    return f"eq:back-{[a.of for a in page.adjoints].index(adjoint.of) + 1}"


def recurrence(page: Page) -> str:
    """The boundary t = T, the recurrence in t, and the initial states."""
    g, last, name = page.gradients, page.last, page.notation.name
    first = reference(_back(page, g.backward[0]))
    final = reference(_back(page, g.backward[-1]))
    arrows = [name(f"carry({s.name})") for s in g.cell.states]
    start = [
        Line(
            at(arrow, last),
            (Reason(rf"\frac{{\partial\ell}}{{\partial {at(name(s.name), last)}}}"),),
            f"eq:last-{k}",
        )
        for k, (arrow, s) in enumerate(zip(arrows, g.cell.states, strict=True), 1)
    ]
    carried = [page.adjoint(a, _back(page, a)) for a in g.states]
    initial = [
        Line(
            rf"\frac{{\partial\mathcal{{L}}}}{{\partial {at(name(s.name), '0')}}}",
            (Reason(at(arrow, "0")),),
            f"eq:initial-{k}",
        )
        for k, (arrow, s) in enumerate(zip(arrows, g.cell.states, strict=True), 1)
    ]
    return (
        f"\\section{{All steps}}\n\\paragraph{{The last step, $t={last}$.}} Nothing comes later, "
        "so the arrows hold what the loss says of the final states (zero where it does not read "
        f"them):\n{aligned(start)}"
        f"\\paragraph{{The recurrence, $t={last}, {last}-1, \\dots, 1$.}} Evaluate {first} to "
        f"{final}, then send back to step $t-1$:\n{aligned(carried)}"
        "\\paragraph{The first step, $t=1$.} What it sends back is the gradient of the initial "
        f"states:\n{aligned(initial)}"
    )


def parameters(page: Page) -> str:
    """Gradients of the parameters as sums over the steps, with their shapes."""
    g = page.gradients
    if not g.parameters:
        return "\\section{Parameters}\nThe cell has no parameters.\n"
    total = rf"\sum_{{t=1}}^{{{page.last}}}"
    lines = [
        page.adjoint(
            a,
            _back(page, a),
            rf"\frac{{\partial\mathcal{{L}}}}{{\partial {page.notation.name(a.of.name)}}}",
            total,
        )
        for a in g.parameters
    ]
    rows = [
        (
            f"${page.notation.name(a.of.name)}$",
            f"${page.space(a.of)}$",
            ", ".join(dict.fromkeys(_shape(page, a.of, term.value) for term in a.terms)),
        )
        for a in g.parameters
    ]
    return (
        "\\section{Parameters}\nA parameter is used at every step, so its gradient is a sum over "
        f"$t$ (and, for a batch, over the examples):\n{aligned(lines)}"
        "The shapes agree:\n" + table(("parameter", "space", "shape of a term"), rows)
    )


def _shape(page: Page, of: Expr, value: Expr) -> str:
    """The shape of a term, checked; for an outer product, as it comes about."""
    if value.shape != of.shape:
        raise RuleError(f"a term of bar({of}) has shape {value.shape}, expected {of.shape}")

    def shown(expr: Expr) -> str:
        rows, columns = (page.notation.factor(s) for s in expr.shape)
        return rf"$({rows} \times {columns})$"

    if isinstance(value, MatMul) and value.args[0].is_Matrix:
        return f"{shown(value.args[0])} {shown(value.args[1])} $=$ {shown(value)}"
    return shown(value)


def stored(page: Page) -> str:
    """What the backward pass reads of the forward pass, and how much that is."""
    g = page.gradients
    cell = g.cell
    known = {a.symbol for a in g.forward} | {v.now for v in cell.inputs}
    known |= {s.before for s in cell.states}
    read = {leaf for a in page.adjoints for leaf in a.value.atoms(MatrixSymbol)}
    ordered = [*(v.now for v in cell.inputs), *(s.before for s in cell.states)]
    ordered += [a.symbol for a in g.forward]
    kept = [leaf for leaf in ordered if leaf in known & read]
    if not kept:
        return "\\section{What is stored}\nThe backward pass reads no value of the forward pass.\n"
    return (
        "\\section{What is stored}\nOf the forward pass, step $t$ of the backward pass reads "
        f"{page.names(k.name for k in kept)}: at most ${total_size(page, kept)}$ numbers for each "
        f"step and example, so memory grows as ${page.last}$ and the work of a step does not "
        f"depend on ${page.last}$. A state of step $t-1$ that is read is the one that step $t-1$ "
        "has stored.\n"
    )


def special_cases(page: Page) -> str:
    """One step, no step, and batches of unequal lengths."""
    last, name = page.last, page.notation.name
    states = page.gradients.cell.states
    arrows = ", ".join(f"${at(name(f'carry({s.name})'), '1')}$" for s in states)
    b = page.examples
    return (
        "\\section{Special cases}\n\\begin{itemize}\n"
        f"\\item ${last}=1$: the first step is the last; {arrows} are given by the loss, and the "
        "sums over $t$ have one term.\n"
        f"\\item ${last}=0$: nothing is computed; the gradient of an initial state is what the "
        "loss says of the final state, and all other gradients are zero.\n"
        f"\\item Sequences of unequal lengths, padded to ${last}$: each example has its own last "
        f"step ${last}_{{k}}$, where its recurrence starts from the derivatives of the loss in "
        "its own final states. Padded steps are not steps: they add nothing to any sum, and the "
        "gradient of a padded input is zero.\n"
        "\\item Truncation replaces the arrows at some step by zero. The result is no longer the "
        "gradient: every path that crosses that step is missing.\n"
        f"\\end{{itemize}}\n" + _batch(b)
    )


def _batch(b: str) -> str:
    rows = [
        ("$A\\,v$", "$V A^{\\top}$", "matrix times vector"),
        ("$v + p$", "$V + \\mathbf{1}\\,p^{\\top}$", "a parameter $p$, added"),
        ("$v \\odot p$", "$V \\odot (\\mathbf{1}\\,p^{\\top})$", "a parameter $p$, multiplied"),
        ("$A^{\\top}\\,u$", "$U A$", "matrix times cotangent"),
        ("$u\\,v^{\\top}$", "$U^{\\top} V$", "gradient of a matrix, summed over examples"),
        ("$u$", "$U^{\\top}\\mathbf{1}$", "gradient of a vector, summed over examples"),
    ]
    return (
        f"\\section{{Batches}}\nFor ${b}$ examples at once, let row $k$ of a matrix $V$ be the "
        "transpose of the vector $v$ of example $k$, and $U$ likewise for a cotangent $u$. What "
        "acts on each entry stays as it is; the rest becomes:\n"
        + table(("one example", f"${b}$ examples as rows", ""), rows)
    )
