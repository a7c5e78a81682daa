"""The output's own additive path, and states that are an activation of a recurrent product."""

from derive.cell import Variable
from derive.differentials import Writer, activated, differential, tangent
from derive.expressions import Apply, Expr, add, matmul, scale, times, transpose
from derive.gradients import Gradients
from derive.rules import slope
from derive.schedule.terms import Product, read_sum
from derive.theorems.memory import derivative, has_path, path_factor
from derive.theorems.row import Identity

__all__ = ["no_output_path", "output_path", "recurrent_jacobian"]


def output_path(gradients: Gradients) -> list[Identity]:
    """With gates and candidates held fixed, the output keeps its lag by its path factor."""
    writer, state = Writer(gradients), gradients.cell.output
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


def _recurrence(gradients: Gradients, state: Variable) -> tuple[Apply, list[Product]] | None:
    """(activation, recurrent products) of a state that is an activation of a sum of products."""
    values = {a.name: a.value for a in gradients.forward}
    value = values[state.name]
    if not isinstance(value, Apply) or value.argument.name not in values:
        return None
    products = read_sum(values[value.argument.name]).products
    own = [p for p in products if p.source == state.before]
    return (value, own) if own else None


def recurrent_jacobian(gradients: Gradients) -> list[Identity]:
    """An activated state: slope times recurrent matrix."""
    writer, found = Writer(gradients), []
    for state in gradients.cell.states:
        recurrence = _recurrence(gradients, state)
        if recurrence is None:
            continue
        value, products = recurrence
        d = tangent(state.before)
        gains = [matmul(_matrix(p), d) for p in products]
        right = times(slope(value.name, value.argument, state.now), add(*gains))
        text, latex = derivative(writer, state)
        found.append(
            Identity(
                text=f"{text} = {writer.jacobian(right, d)}",
                latex=f"{latex} = {writer.jacobian_tex(right, d)}",
                left=differential(gradients, state.now, {state.before: d}),
                right=right,
                direction=d,
                moved=((state.before, d),),
                of=state.name,
            )
        )
    return found


def _matrix(product: Product) -> Expr:
    matrix = product.matrix
    whole = transpose(matrix.parameter) if matrix.turned else matrix.parameter
    return scale(matrix.number, whole)
