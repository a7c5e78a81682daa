"""Memories: which states are one, their path factor, and the path over one step and over T."""

from collections.abc import Mapping
from functools import lru_cache

from derive.cell import Cell, Variable
from derive.differentials import additive, differential, is_zero, ones, tangent
from derive.expressions import Expr, MatrixSymbol, Name, times
from derive.gradients import Gradients
from derive.jacobians import Writer, is_diagonal, writer_of
from derive.theorems.row import Identity

__all__ = [
    "along",
    "derivative",
    "has_path",
    "memories",
    "no_memory",
    "one_step",
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


@lru_cache(maxsize=4)
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


def one_step(
    gradients: Gradients,
    state: Variable,
    right: Expr,
    said: str = "",
    moving: Mapping[Name, Expr] | None = None,
    steps: int = 1,
) -> Identity:
    """How s_t moves with s_{t-1}, as an identity.

    Args:
        right: what the differential is claimed to be, linear in the tangent of s_{t-1}.
        said: in which sense: 'direct' or 'total'.
        moving: how the states of step t-1 move; by default s_{t-1} alone.
    """
    writer, d = writer_of(gradients), tangent(state.before)
    moving = moving or {state.before: d}
    text, latex = derivative(writer, state)
    sense = rf"\Big|_{{\mathrm{{{said}}}}}" if said else ""
    return Identity(
        text=f"{text} = {writer.jacobian(right, d)}{', ' * bool(said)}{said}",
        latex=rf"{latex}{sense} = {writer.jacobian_tex(right, d)}",
        left=differential(gradients, state.now, moving),
        right=right,
        direction=d,
        steps=steps,
        moved=tuple(moving.items()),
        of=state.name,
    )


def path(gradients: Gradients) -> list[Identity]:
    """The direct derivative of each memory by its lag is its path factor."""
    return [one_step(gradients, s, along(gradients, s), "direct") for s in memories(gradients)]


def along(gradients: Gradients, state: Variable) -> Expr:
    """The path factor times the tangent of s_{t-1}."""
    return times(path_factor(gradients, state), tangent(state.before))


def path_product(gradients: Gradients) -> list[Identity]:
    """One step of the induction: a change P * d of s_{t-1} becomes k * P * d."""
    writer, found = writer_of(gradients), []
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
