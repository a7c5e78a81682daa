"""Total derivatives of a memory: every path of one step, and why they do not multiply."""

from functools import lru_cache

from derive.cell import Variable
from derive.differentials import differential, earlier, is_zero, tangent
from derive.expressions import Expr, MatrixSymbol, Name, add, times
from derive.gradients import Gradients
from derive.jacobians import count_paths, writer_of
from derive.theorems.memory import along, derivative, memories, one_step, others, path_factor
from derive.theorems.row import Identity

__all__ = ["arriving", "exposed", "total", "total_is_path", "totals_multiply"]

SHOWN = 40  # paths of a derivative; more are counted


def _within(gradients: Gradients, state: Variable, other: Variable, own: bool) -> Expr:
    """How another state moves in the same step when `state` moves; `own`: not through a third."""
    thirds = {s.name for s in gradients.cell.states} - {other.name}
    return differential(
        gradients,
        other.now,
        {state.now: tangent(state.now)},
        through=lambda name: not own or name not in thirds,
    )


@lru_cache(maxsize=16)
def arriving(gradients: Gradients, state: Variable, own: bool = False) -> dict[Name, Expr]:
    """How the states of step t-1 that step t reads move when `state` does."""
    read = {leaf for a in gradients.forward for leaf in a.value.atoms(MatrixSymbol)}
    timeless = {p.name for p in gradients.cell.parameters}
    moving: dict[Name, Expr] = {state.before: tangent(state.before)}
    for other in others(gradients.cell, state):
        moved = earlier(_within(gradients, state, other, own), timeless)
        if other.before in read and not is_zero(moved):
            moving[other.before] = moved
    return moving


@lru_cache(maxsize=4)
def exposed(gradients: Gradients) -> list[Variable]:
    """Memories that another state shows to the next step."""
    return [s for s in memories(gradients) if len(arriving(gradients, s)) > 1]


def total(gradients: Gradients) -> list[Identity]:
    """The path factor, plus what other states show of the memory, each by itself."""
    writer, found = writer_of(gradients), []
    for state in exposed(gradients):
        d = tangent(state.before)
        shown = arriving(gradients, state, own=True)
        right = [times(path_factor(gradients, state), d)]
        text, latex = derivative(writer, state)
        where: list[str] = []
        texts = [writer.jacobian(right[0], d)]
        texs = [writer.jacobian_tex(right[0], d)]
        for name, moved in shown.items():
            if name == state.before:
                continue
            right.append(differential(gradients, state.now, {name: moved}))
            before, tex = writer.name(name.name), writer.notation.name(name.name)
            now = writer.notation.name(state.name)
            texts.append(f"(d{state.name}_t/d{before}) {writer.jacobian(moved, d, factor=True)}")
            partial = rf"\frac{{\partial {now}}}{{\partial {tex}}}"
            texs.append(rf"{partial}\,{writer.jacobian_tex(moved, d, factor=True)}")
            step = differential(gradients, state.now, {name: tangent(name)})
            many = count_paths(step, tangent(name))
            said = f"{many} paths" if many > SHOWN else writer.jacobian(step, tangent(name))
            where.append(f"d{state.name}_t/d{before} = {said}")
        found.append(
            Identity(
                text=f"{text} = {' + '.join(texts)}, total{', where ' * bool(where)}"
                + "; ".join(where),
                latex=rf"{latex}\Big|_{{\mathrm{{total}}}} = {' + '.join(texs)}",
                left=differential(gradients, state.now, arriving(gradients, state)),
                right=add(*right),
                direction=d,
                steps=2,
                moved=tuple(arriving(gradients, state).items()),
                of=state.name,
            )
        )
    return found


def total_is_path(gradients: Gradients) -> list[Identity]:
    """The misreading that the path factor is the total derivative."""
    return [
        one_step(gradients, s, along(gradients, s), "total", arriving(gradients, s), steps=2)
        for s in exposed(gradients)
    ]


@lru_cache(maxsize=4)
def totals_multiply(gradients: Gradients) -> tuple[Identity, ...]:
    """The misreading that total derivatives of one state multiply over steps."""
    writer, cell, found = writer_of(gradients), gradients.cell, []
    timeless = {p.name for p in cell.parameters}
    shown = exposed(gradients)
    for state in [s for s in cell.states if s in shown or len(cell.states) == 1]:
        moving = arriving(gradients, state)
        start = {earlier(n, timeless): earlier(e, timeless) for n, e in moving.items()}
        moved = {
            s.before: earlier(differential(gradients, s.now, moving), timeless) for s in cell.states
        }
        once = {tangent(state.before): moved[state.before]}
        again = {n: e.xreplace(once) for n, e in moving.items()}
        text, latex = derivative(writer, state, "t-2")
        one, one_tex = derivative(writer, state)
        found.append(
            Identity(
                text=f"{text} = {one} times the same one step earlier, total",
                latex=rf"{latex}\Big|_{{\mathrm{{total}}}} = {one_tex}\Big|_{{\mathrm{{total}}}}"
                r"\text{ times the same one step earlier}",
                left=differential(gradients, state.now, moved),
                right=differential(gradients, state.now, again),
                direction=earlier(tangent(state.before), timeless),
                steps=3,
                moved=tuple(start.items()),
                of=state.name,
            )
        )
    return tuple(found)
