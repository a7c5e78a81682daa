"""Memories: which states are one, their path factor, and the path over one step and over T."""

from derive.cell import Cell, Variable
from derive.differentials import additive, differential, is_zero, ones, tangent
from derive.expressions import Expr, MatrixSymbol, times
from derive.gradients import Gradients
from derive.jacobians import Writer, is_diagonal
from derive.theorems.row import Identity

__all__ = [
    "derivative",
    "has_path",
    "memories",
    "no_memory",
    "others",
    "path",
    "path_factor",
    "path_product",
]


def others(cell: Cell, state: Variable) -> list[Variable]:
    """The other states."""
    return [s for s in cell.states if s.name != state.name]


def has_path(gradients: Gradients, state: Variable) -> bool:
    """Whether s_t = k * s_{t-1} + ... with k a vector."""
    direction = tangent(state.before)
    own = additive(gradients, state, direction)
    return not is_zero(own) and is_diagonal(own, direction)


def memories(gradients: Gradients) -> list[Variable]:
    """States beside the output that have an additive, elementwise path."""
    states = gradients.cell.states
    return [s for s in states[1:] if has_path(gradients, s)]


def path_factor(gradients: Gradients, state: Variable) -> Expr:
    """The k in s_t = k * s_{t-1} + ..."""
    return additive(gradients, state, ones(state.before))


def no_memory(gradients: Gradients) -> str:
    """Why rows about memories do not apply, or ''."""
    return "" if memories(gradients) else "no state beside the output is a memory"


def derivative(writer: Writer, state: Variable, back: str = "t-1") -> tuple[str, str]:
    """ds_t/ds_{t-1} as text and as TeX."""
    text = f"d{state.name}_t/d{state.name}_{{{back}}}"
    now, before = writer.notation.name(state.name), writer.notation.name(state.before.name)
    before = before.replace("t-1", back)
    return text, rf"\frac{{\partial {now}}}{{\partial {before}}}"


def path(gradients: Gradients) -> list[Identity]:
    """The direct derivative of each memory by its lag is its path factor."""
    writer, found = Writer(gradients), []
    for state in memories(gradients):
        d = tangent(state.before)
        right = times(path_factor(gradients, state), d)
        text, latex = derivative(writer, state)
        found.append(
            Identity(
                text=f"{text} = {writer.jacobian(right, d)}, direct",
                latex=rf"{latex}\Big|_{{\mathrm{{direct}}}} = {writer.jacobian_tex(right, d)}",
                left=differential(gradients, state.now, {state.before: d}),
                right=right,
                direction=d,
                moved=((state.before, d),),
                of=state.name,
            )
        )
    return found


def path_product(gradients: Gradients) -> list[Identity]:
    """One step of the induction: a change P * d of s_{t-1} becomes k * P * d."""
    writer, found = Writer(gradients), []
    for state in memories(gradients):
        name, k = state.name, path_factor(gradients, state)
        d = tangent(MatrixSymbol(f"{name}[0]", *state.now.shape))
        so_far = MatrixSymbol(_free("P", gradients) + "[t-1]", *state.now.shape)
        factor, tex = writer.text(k), writer.notation.tex(writer.spelled(k))
        last, first = (writer.notation.name(f"{name}[{step}]") for step in "T0")
        found.append(
            Identity(
                text=f"d{name}_T/d{name}_0 = diag(product over t = 1..T of ({factor}))",
                latex=rf"\frac{{\partial {last}}}{{\partial {first}}} = "
                rf"\operatorname{{diag}}\Bigl(\prod_{{t=1}}^{{T}} {tex}\Bigr)",
                left=differential(gradients, state.now, {state.before: times(so_far, d)}),
                right=times(k, so_far, d),
                direction=d,
                moved=((state.before, times(so_far, d)),),
                of=name,
            )
        )
    return found


def _free(name: str, gradients: Gradients) -> str:
    """`name`, or the first of name_2, name_3, ... that is no name of the step."""
    variables = (*gradients.cell.inputs, *gradients.cell.states, *gradients.cell.parameters)
    taken = {v.name for v in variables} | {a.name for a in gradients.forward}
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    return found
