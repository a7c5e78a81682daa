"""The output's own additive path, and states that are an activation of a recurrent product."""

from functools import lru_cache

from derive.cell import Variable
from derive.differentials import activated, differential, tangent
from derive.expressions import (
    Apply,
    Expr,
    MatMul,
    Name,
    OneMatrix,
    add,
    coefficient,
    matmul,
    parts_of,
    scale,
    stack,
    times,
    transpose,
    zero,
)
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.rules import slope
from derive.schedule.levels import stacks_of
from derive.schedule.terms import Matrix, read_sum
from derive.theorems.memory import derivative, has_path, one_step, path_factor
from derive.theorems.row import Identity

__all__ = ["no_output_path", "output_path", "recurrent_jacobian"]


def output_path(gradients: Gradients) -> list[Identity]:
    """With gates and candidates held fixed, the output keeps its lag by its path factor."""
    writer, state = writer_of(gradients), gradients.cell.output
    d, held = tangent(state.before), activated(gradients)
    right = times(path_factor(gradients, state), d)
    text, latex = derivative(writer, state)
    return [
        Identity(
            text=f"{text} = {writer.jacobian(right, d)}, gates and candidates held fixed",
            latex=rf"{latex}\Big|_{{\mathrm{{gates\ fixed}}}} = {writer.jacobian_tex(right, d)}",
            left=differential(
                gradients, state.now, {state.before: d}, through=lambda name: name not in held
            ),
            right=right,
            direction=d,
        )
    ]


def no_output_path(gradients: Gradients) -> str:
    """Why `output_path` does not apply, or ''."""
    found = has_path(gradients, gradients.cell.output)
    return "" if found else "the output's equation does not name its own lag in a sum, elementwise"


def _recurrence(gradients: Gradients, state: Variable) -> tuple[Apply, Expr] | None:
    """(activation, recurrent products of d) of a state that is an activation of such products."""
    values = {a.name: a.value for a in gradients.forward}
    value = values[state.name]
    if not isinstance(value, Apply) or value.argument.name not in values:
        return None
    if any(_sums_entries(part) for part in values[value.argument.name].atoms(MatMul)):
        return None
    products = read_sum(values[value.argument.name]).products
    gains = [(p.matrix, _moved(p.source, state, gradients)) for p in products]
    own = [matmul(_matrix(m), moved) for m, moved in gains if moved.has(tangent(state.before))]
    return (value, add(*own)) if own else None


def _sums_entries(product: Expr) -> bool:
    """Whether it is a sum over entries, a product with ones, and not with a parameter."""
    return any(isinstance(part, OneMatrix) for part in coefficient(product)[1].args)


def _moved(source: Name, state: Variable, gradients: Gradients) -> Expr:
    """How the state's own lag moves a source: itself, or a stack that it is part of."""
    if source == state.before:
        return tangent(source)
    stacked = stacks_of(gradients).get(source.name)
    if stacked is None:
        return zero(source.shape)
    return stack(tuple(_moved(part, state, gradients) for part in parts_of(stacked)))


@lru_cache(maxsize=4)
def recurrent_jacobian(gradients: Gradients) -> list[Identity]:
    """An activated state: slope times recurrent matrix."""
    found = []
    for state in gradients.cell.states:
        recurrence = _recurrence(gradients, state)
        if recurrence is not None:
            value, products = recurrence
            right = times(slope(value.name, value.argument, state.now), products)
            found.append(one_step(gradients, state, right))
    return found


def _matrix(matrix: Matrix) -> Expr:
    whole = transpose(matrix.parameter) if matrix.turned else matrix.parameter
    return scale(matrix.number, whole)
