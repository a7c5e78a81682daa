"""Gates exchanged: parameters permuted, one gate's value read for another's, stale states."""

from collections.abc import Iterator, Mapping
from itertools import combinations, permutations

import sympy as sp

from derive.expressions import (
    Apply,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    add,
    constant,
    scale,
    times,
)
from derive.language.printing import text_of_expression
from verify.deviations.deviation import Variant
from verify.deviations.editing import places, with_equation, with_renamed
from verify.deviations.model import Model

__all__ = ["bias_outside", "coupled", "permuted", "permuted_kind", "read", "roles", "stale"]

# Of more gates only pairs are exchanged.
MOST = 4


def roles(model: Model) -> dict[str, dict[str, Name]]:
    """By gate: what its parameter does ('? @ x', '? * C[t-1]', 'bias') -> that parameter.

    A parameter belongs to a gate if no other equation reads it.
    """
    cell = model.equations
    parameters = {p.now for p in cell.parameters}
    uses: dict[Name, set[str]] = {}
    for equation in cell.equations:
        for leaf in equation.value.atoms(MatrixSymbol) & parameters:
            uses.setdefault(leaf, set()).add(equation.name)
    found: dict[str, dict[str, Name]] = {}
    for equation in cell.equations:
        for node, parent, _ in places(equation.value):
            if node in parameters and len(uses[node]) == 1:
                role = _role(node, parent)
                found.setdefault(equation.name, {}).setdefault(f"{role} {node.shape}", node)
    return found


def _role(node: Name, parent: object) -> str:
    if isinstance(parent, MatMul | HadamardProduct):
        unknown = MatrixSymbol("?", *node.shape)
        return text_of_expression(parent.xreplace({node: unknown}))
    return "bias"


def permuted(model: Model) -> Iterator[Variant]:
    """Every order of the gates in a stack of parameters, but for the right one."""
    found = roles(model)
    for group in _groups(found):
        for order in _orders(group):
            moved = [(a, b) for a, b in zip(group, order, strict=True) if a != b]
            shared = [r for r in found[moved[0][0]] if all(r in found[a] for a, _ in moved)]
            names = {found[a][r]: found[b][r] for r in shared for a, b in moved}
            if names:
                label = f"{', '.join(group)} computed with the parameters of {', '.join(order)}"
                yield Variant(label, with_renamed(model, names))


def permuted_kind(model: Model) -> Iterator[Variant]:
    """Two gates exchanged in one kind of parameter alone: in W, in U, in b, in p."""
    found = roles(model)
    for one, other in combinations(found, 2):
        shared = [r for r in found[one] if r in found[other]]
        for role in shared if len(shared) > 1 or len(found[one]) > 1 else ():
            a, b = found[one][role], found[other][role]
            label = f"{a.name} and {b.name} exchanged"
            yield Variant(label, with_renamed(model, {a: b, b: a}))


def _groups(found: Mapping[str, Mapping[str, Name]]) -> list[tuple[str, ...]]:
    """Gates that have a kind of parameter in common."""
    groups: list[tuple[str, ...]] = []
    for role in dict.fromkeys(r for gate in found.values() for r in gate):
        group = tuple(gate for gate in found if role in found[gate])
        if len(group) > 1 and not any(set(group) <= set(g) for g in groups):
            groups = [g for g in groups if not set(g) <= set(group)]
            groups.append(group)
    return groups


def _orders(group: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(group) <= MOST:
        yield from (p for p in permutations(group) if p != group)
        return
    for a, b in combinations(group, 2):
        swap = {a: b, b: a}
        yield tuple(swap.get(name, name) for name in group)


def read(model: Model) -> Iterator[Variant]:
    """One gate's value read for another's, in one equation."""
    activated = [e.name for e in model.equations.equations if isinstance(e.value, Apply)]
    symbols = {a.name: a.symbol for a in model.forward if a.name in activated}
    order = [e.name for e in model.equations.equations]
    for equation in model.equations.equations:
        for old in sorted(equation.value.atoms(MatrixSymbol), key=str):
            if old.name not in symbols:
                continue
            for other in symbols.values():
                early = order.index(other.name) < order.index(equation.name)
                if other.shape == old.shape and other != old and early:
                    value = equation.value.xreplace({old: other})
                    label = f"{other.name} for {old.name} in {equation.name}"
                    yield Variant(label, with_equation(model, equation.name, value))


def coupled(model: Model) -> Iterator[Variant]:
    """1 minus another gate for a gate: coupled input and forget gates."""
    gates = {
        a.name: a.symbol
        for a in model.forward
        for e in model.equations.equations
        if e.name == a.name and isinstance(e.value, Apply) and e.value.name == "sigmoid"
    }
    order = [e.name for e in model.equations.equations]
    for old in gates.values():
        for other in gates.values():
            if old == other or old.shape != other.shape:
                continue
            new, instead = model, None
            for equation in model.equations.equations:
                if old in equation.value.atoms(MatrixSymbol):
                    if order.index(other.name) > order.index(equation.name):
                        break
                    one = constant(sp.S.One, other.shape)
                    instead = add(one, scale(sp.S.NegativeOne, other))
                    value = equation.value.xreplace({old: instead})
                    new = with_equation(new, equation.name, value)
            else:
                if instead is not None:
                    yield Variant(f"1 - {other.name} for {old.name}", new)


def stale(model: Model) -> Iterator[Variant]:
    """A state of the step before read for the new one, or the new one for that, in one equation."""
    order = [e.name for e in model.equations.equations]
    for equation in model.equations.equations:
        for state in model.equations.states:
            for old, new in ((state.now, state.before), (state.before, state.now)):
                late = new == state.now and (order.index(state.name) >= order.index(equation.name))
                if old in equation.value.atoms(MatrixSymbol) and not late:
                    value = equation.value.xreplace({old: new})
                    label = f"{new.name} for {old.name} in {equation.name}"
                    yield Variant(label, with_equation(model, equation.name, value))


def bias_outside(model: Model) -> Iterator[Variant]:
    """As r * (U @ h) + c what is r * (U @ h + c)."""
    parameters = {p.now for p in model.equations.parameters}
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if not isinstance(node, HadamardProduct):
                continue
            for k, factor in enumerate(node.args):
                if not isinstance(factor, MatAdd):
                    continue
                gate = times(*node.args[:k], *node.args[k + 1 :])
                biases = [a for a in factor.args if a in parameters]
                if biases:
                    kept = add(*(a for a in factor.args if a not in parameters))
                    value = rebuild(add(times(gate, kept), *biases))
                    names = ", ".join(b.name for b in biases)
                    around = text_of_expression(gate)
                    label = f"{names} outside of {around} * (...) in {equation.name}"
                    yield Variant(label, with_equation(model, equation.name, value))
