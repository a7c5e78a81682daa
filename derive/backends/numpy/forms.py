"""Which form a kernel is emitted in: fused where that form can say the cell, else stepwise."""

from typing import TypeAlias

from derive.backends.numpy.fused import Fused
from derive.backends.numpy.stepwise import Stepwise
from derive.expressions import (
    Apply,
    BlockMatrix,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    Transpose,
    coefficient,
)
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES
from derive.schedule import schedule
from derive.schedule.levels import ONCE, levels_of

__all__ = ["Form", "form_of", "is_fused"]

Form: TypeAlias = Fused | Stepwise


def form_of(gradients: Gradients) -> Form:
    """The fastest form that can say the cell."""
    return Fused(schedule(gradients)) if is_fused(gradients) else Stepwise(gradients)


def is_fused(gradients: Gradients) -> bool:
    """Whether the faster form can say the cell.

    It computes what stands past a sequence's end and multiplies it by zero, so that no function of
    the cell or of its slopes may be infinite at a finite argument.
    """
    cell, level = gradients.cell, levels_of(gradients)
    values = [a.value for a in gradients.forward]
    if any(len(state.shape) == 2 for state in cell.states):
        return False
    if any(value.has(LogSumExp, MatrixSlice) for value in values):
        return False
    states = {state.name for state in cell.states}
    if any(a.name in states and isinstance(a.value, BlockMatrix) for a in gradients.forward):
        return False
    if any(not coefficient(e)[0].is_Rational for v in values for e in v.atoms(MatAdd, MatMul)):
        return False
    adjoints = (*gradients.backward, *gradients.parameters, *gradients.inputs, *gradients.states)
    used = {node.name for v in (*values, *(a.value for a in adjoints)) for node in v.atoms(Apply)}
    if not all(PRIMITIVES[name].is_finite for name in used):
        return False
    products = [p for v in values for p in v.atoms(MatMul) if p.args[0].is_Matrix]
    return all(_is_applied_parameter(product, level) for product in products)


def _is_applied_parameter(product: MatMul, level: dict[str, int]) -> bool:
    left, right = product.args
    matrix = left.args[0] if isinstance(left, Transpose) else left
    if not isinstance(matrix, MatrixSymbol) or not isinstance(right, MatrixSymbol):
        return False
    # A number is its own transpose: products and outer products of numbers look alike.
    return level[matrix.name] == ONCE and right.shape[1] == 1 and 1 not in matrix.shape
