"""Second biases: a bias beside a recurrent product, and whether it has the first one's gradient."""

from functools import lru_cache

from derive.expressions import (
    Expr,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    OneMatrix,
    add,
    coefficient,
    scale,
    symbol,
    zero,
)
from derive.gradients import Gradients, bar
from derive.jacobians import writer_of
from derive.rules import pull
from derive.theorems.row import Identity

__all__ = ["second_biases"]


@lru_cache(maxsize=4)
def second_biases(gradients: Gradients) -> list[Identity]:
    """A bias beside a layer's recurrent product, if there were one: it has the other's gradient."""
    writer, found = writer_of(gradients), []
    lags = {s.before for s in gradients.cell.states}
    vectors = {a.of: a for a in gradients.parameters}
    for assignment in gradients.forward:
        adjoint = next((a for a in gradients.backward if a.of == assignment.symbol), None)
        biases = [n for n in _summands(assignment.value) if n in vectors]
        if adjoint is None or not biases or not adjoint.terms:
            continue
        bias = biases[0]
        inside = _flat(gradients, assignment.name)
        for place, (host, term) in enumerate(inside):
            number, product = coefficient(term)
            if not isinstance(product, MatMul) or isinstance(product.args[0], OneMatrix):
                continue
            if not _depends(gradients, product, lags):
                continue
            second = symbol(f"c_{place}", bias.shape)
            arrives = _arriving(gradients, host, scale(number, second), second)
            if host != assignment.name:
                within = next(a for a in gradients.backward if a.of.name == host)
                arrives = arrives.xreplace({bar(within.of): within.value})
            name = f"c beside {writer.text(product)}"
            found.append(
                Identity(
                    text=f"dL/d{bias.name} = dL/dc, for a second bias {name}",
                    latex=rf"\frac{{\partial L}}{{\partial {writer.notation.name(bias.name)}"
                    r"} = \frac{\partial L}{\partial c}",
                    left=vectors[bias].value,
                    right=arrives,
                    direction=None,
                )
            )
    return found


def _summands(value: Expr) -> list[Name]:
    terms = value.args if isinstance(value, MatAdd) else (value,)
    return [t for t in terms if isinstance(t, MatrixSymbol)]


def _flat(gradients: Gradients, name: str) -> list[tuple[str, Expr]]:
    """Terms of a sum, and of sums that it multiplies: (assignment, term)."""
    values = {a.name: a.value for a in gradients.forward}
    value = values[name]
    found = []
    for term in value.args if isinstance(value, MatAdd) else (value,):
        found.append((name, term))
        if not isinstance(coefficient(term)[1], MatMul):
            for leaf in sorted(term.atoms(MatrixSymbol), key=str):
                inner_value = values.get(leaf.name)
                if isinstance(inner_value, MatAdd | MatMul):
                    found += [
                        (leaf.name, t)
                        for t in (
                            inner_value.args if isinstance(inner_value, MatAdd) else [inner_value]
                        )
                    ]
    return found


def _depends(gradients: Gradients, product: Expr, lags: set[Name]) -> bool:
    """Whether a product reads a lagged state, by itself or through what it multiplies."""
    values = {a.symbol: a.value for a in gradients.forward}
    leaves = product.atoms(MatrixSymbol)
    return any(
        leaf in lags or (leaf in values and values[leaf].atoms(MatrixSymbol) & lags)
        for leaf in leaves
    )


def _arriving(gradients: Gradients, host: str, added: Expr, second: Name) -> Expr:
    """The cotangent of a name in what is added to an assignment's value."""
    assignment = next(a for a in gradients.forward if a.name == host)
    moved = add(assignment.value, added)
    contributions = pull(moved, assignment.symbol, bar(assignment.symbol))
    parts = [c.value for c in contributions if c.leaf == second]
    return add(*parts) if parts else zero(second.shape)
