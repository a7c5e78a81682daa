"""The Jacobian of all states together, which multiplies over steps; and paths of a factor one."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from derive.differentials import differential, tangent
from derive.expressions import Expr, Name, add, zero
from derive.gradients import Gradients, bar, carry, upstream
from derive.jacobians import Writer, count_paths, writer_of
from derive.theorems.growth import kept
from derive.theorems.memory import derivative, one_step
from derive.theorems.recurrences import output_path
from derive.theorems.row import Identity
from derive.transposes import inner, reverse_sweep

__all__ = ["blocks", "carousel", "one_state"]

MOST = 60  # paths that are multiplied out; where there are more, assignment by assignment
SHOWN = 120  # characters of a block; a longer one is counted


def one_state(gradients: Gradients) -> str:
    """Why `blocks` does not apply, or ''."""
    several = len(gradients.cell.states) > 1
    return "" if several else "the cell has one state: see its own row"


def blocks(gradients: Gradients) -> list[Identity]:
    """<v, J d> = <J' v, d> for all states together: J by blocks, J' what the sweep carries."""
    writer, states = writer_of(gradients), gradients.cell.states
    said, left, paths = [], [], 0
    for state in states:
        for other in states:
            moved = differential(gradients, state.now, {other.before: tangent(other.before)})
            left.append(inner(carry(state), moved))
            paths += count_paths(moved, tangent(other.before))
            text, _ = derivative(writer, other)
            name = text.replace(f"d{other.name}_t/", f"d{state.name}_t/")
            said.append(f"{name} = {_short(writer, moved, tangent(other.before))}")
    # Where there are many paths, the same assignment by assignment.
    whole = reverse_sweep(gradients) if paths > MOST else (add(*left), add(*_by_sweep(gradients)))
    names = ", ".join(s.name for s in states)
    tex = ", ".join(writer.notation.name(f"{s.name}[T]") for s in states)
    first = tex.replace("T", "0")
    return [
        Identity(
            text=f"the Jacobian of ({names})_T by ({names})_0 is J_T ... J_1, with J_t of blocks "
            + "; ".join(said),
            latex=rf"\frac{{\partial ({tex})}}{{\partial ({first})}} = J_T \cdots J_1",
            left=whole[0],
            right=whole[1],
            direction=None,
        )
    ]


def _by_sweep(gradients: Gradients) -> list[Expr]:
    states = gradients.cell.states
    return [
        inner(carried, tangent(state.before))
        for state, carried in zip(states, _carried(gradients), strict=True)
    ]


def _short(writer: Writer, moved: Expr, d: Name) -> str:
    count = count_paths(moved, d)
    text = writer.jacobian(moved, d) if count <= 3 else ""
    return text if text and len(text) <= SHOWN else f"{count} path{'s' * (count > 1)}"


def _carried(gradients: Gradients) -> list[Expr]:
    """What the reverse sweep carries to each lagged state, from the cotangents of all states."""
    values: dict[Name, Expr] = {upstream(gradients.cell): zero(gradients.cell.output.now.shape)}
    for adjoint in gradients.backward:
        values[bar(adjoint.of)] = _put(adjoint.value, values)
    return [_put(a.value, values) for a in gradients.states]


def _put(expr: Expr, values: Mapping[Name, Expr]) -> Expr:
    return expr.xreplace(dict(values))


@lru_cache(maxsize=4)
def carousel(gradients: Gradients) -> list[Identity]:
    """The path factor is one: what is kept is kept without loss, over any number of steps."""
    found = [
        one_step(gradients, s, tangent(s.before), "direct")
        for s in kept(gradients)
        if s != gradients.cell.output
    ]
    if found or gradients.cell.output not in kept(gradients):
        return found
    (path,) = output_path(gradients)
    text, latex = derivative(writer_of(gradients), gradients.cell.output)
    d = tangent(gradients.cell.output.before)
    return [
        replace(
            path,
            text=f"{text} = I, gates and candidates held fixed",
            latex=rf"{latex}\Big|_{{\mathrm{{gates\ fixed}}}} = I",
            right=d,
        )
    ]
