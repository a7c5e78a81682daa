"""What a state keeps of its own lag, both ways: by differentials, and by the reverse sweep."""

from functools import lru_cache

from derive.cell import Variable
from derive.differentials import additive, differential, is_zero, tangent
from derive.expressions import Expr, Name, zero
from derive.gradients import Gradients, bar, carry, upstream
from derive.jacobians import operators, writer_of
from derive.theorems.memory import derivative, has_path
from derive.theorems.recurrences import recurrent_jacobian
from derive.theorems.row import Identity
from derive.transposes import inner

__all__ = ["no_own_lag", "own_lag", "own_lags", "shown_lags"]

SHOWN = 400  # characters of a Jacobian; a longer one is counted


@lru_cache(maxsize=4)
def shown_lags(gradients: Gradients) -> dict[Variable, Expr]:
    """Which states' own lags describe a cell, each with how the state moves when its lag does.

    Where equations name a state's lag in a sum, that term of each, gates held fixed. If none does,
    the direct derivatives, with the other states of step t-1 held fixed: of the states beside the
    output, or of the output if it is the only one.
    """
    states = gradients.cell.states
    additively = {s: additive(gradients, s, tangent(s.before)) for s in states}
    found = {s: moved for s, moved in additively.items() if not is_zero(moved)}
    if not found:
        found = {s: _moved(gradients, s) for s in states[1:] or states}
    return {s: moved for s, moved in found.items() if not is_zero(moved)}


@lru_cache(maxsize=4)
def own_lags(gradients: Gradients) -> list[Variable]:
    """Those of `shown_lags` for which no other row says in which form."""
    said = {identity.of for identity in recurrent_jacobian(gradients)}
    return [s for s in shown_lags(gradients) if s.name not in said and not has_path(gradients, s)]


def no_own_lag(gradients: Gradients) -> str:
    """Why `own_lag` does not apply, or ''."""
    return "" if own_lags(gradients) else "other rows say what the states keep of their own lags"


def own_lag(gradients: Gradients) -> list[Identity]:
    """<v, J d> = <J' v, d>: J by differentials, J' what the reverse sweep carries back."""
    writer, found = writer_of(gradients), []
    for state in own_lags(gradients):
        d, v = tangent(state.before), carry(state)
        moved = _moved(gradients, state)
        jacobian = writer.jacobian(moved, d)
        text, latex = derivative(writer, state)
        if len(jacobian) > SHOWN:
            said = f"the sum of its {sum(1 for _ in operators(moved, d))} paths"
            tex = rf"\text{{{said}}}"
        else:
            said, tex = jacobian, writer.jacobian_tex(moved, d)
        found.append(
            Identity(
                text=f"{text} = {said}, direct, and so it is carried back",
                latex=rf"{latex} = {tex}",
                left=inner(v, moved),
                right=inner(_carried(gradients, state), d),
                direction=None,
            )
        )
    return found


def _moved(gradients: Gradients, state: Variable) -> Expr:
    return differential(gradients, state.now, {state.before: tangent(state.before)})


def _carried(gradients: Gradients, state: Variable) -> Expr:
    """What the reverse sweep gives the lag of a state when a cotangent arrives at it alone."""
    cell, g = gradients.cell, gradients
    values: dict[Name, Expr] = {upstream(cell): zero(cell.output.now.shape)}
    values |= {carry(s): zero(s.now.shape) for s in cell.states if s.name != state.name}
    for adjoint in g.backward:
        values[bar(adjoint.of)] = adjoint.value.xreplace(values)
    place = [s.name for s in cell.states].index(state.name)
    return g.states[place].value.xreplace(values)
