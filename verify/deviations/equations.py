"""Forward computes other equations: terms, factors and activations missing or others."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import sympy as sp

from derive.expressions import (
    Apply,
    Expr,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    add,
    apply,
    coefficient,
    constant,
    matmul,
    scale,
    times,
    transpose,
)
from derive.language.printing import text_of_expression
from verify.deviations.deviation import Family, Variant
from verify.deviations.editing import places, with_equation
from verify.deviations.model import Model

__all__ = [
    "ROLES",
    "activation_argument",
    "activation_missing",
    "activation_other",
    "complement",
    "factor_missing",
    "offset",
    "outside_activation",
    "reset_after",
    "reset_before",
    "term_missing",
    "term_multiplied",
    "transposed",
    "value_scaled",
]

Variants = Callable[[Model], Iterator[Variant]]

# Functions that one finds in the place of another.
ACTIVATIONS = ("sigmoid", "tanh", "relu")


def _role(model: Model, term: Expr) -> str:
    """What a term of a sum is: 'bias', 'recurrent', 'input', 'peephole' or 'term'."""
    cell = model.equations
    parameters = {p.now for p in cell.parameters}
    lagged, inputs = {s.before for s in cell.states}, {v.now for v in cell.inputs}
    states = lagged | {s.now for s in cell.states}
    leaves = term.atoms(MatrixSymbol)
    if not leaves & parameters:
        return "term"
    if leaves <= parameters:
        return "bias"
    if any(isinstance(node, MatMul) for node, _, _ in places(term)):
        return "recurrent" if leaves & lagged else "input" if leaves & inputs else "term"
    return "peephole" if leaves & states else "term"


ROLES = ("bias", "recurrent", "input", "peephole", "term")


def _sums(model: Model) -> Iterator[tuple[str, MatAdd, Callable[[Expr], Expr]]]:
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if isinstance(node, MatAdd):
                yield equation.name, node, rebuild


def term_missing(role: str) -> Variants:
    """Each term of that role in a sum left out."""

    def variants(model: Model) -> Iterator[Variant]:
        for name, node, rebuild in _sums(model):
            for k, term in enumerate(node.args):
                if _role(model, term) == role:
                    kept = add(*node.args[:k], *node.args[k + 1 :])
                    label = f"{_short(term)} in {name}"
                    yield Variant(label, with_equation(model, name, rebuild(kept)))

    return variants


def term_multiplied(factor: int, roles: tuple[str, ...] = ROLES) -> Variants:
    """Each term of a sum times a whole number."""

    def variants(model: Model) -> Iterator[Variant]:
        for name, node, rebuild in _sums(model):
            for k, term in enumerate(node.args):
                if _role(model, term) in roles:
                    other = scale(sp.Integer(factor), term)
                    value = rebuild(add(*node.args[:k], other, *node.args[k + 1 :]))
                    yield Variant(f"{_short(term)} in {name}", with_equation(model, name, value))

    return variants


def factor_missing(model: Model) -> Iterator[Variant]:
    """Each factor of an elementwise product left out."""
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if isinstance(node, HadamardProduct):
                for k, factor in enumerate(node.args):
                    value = rebuild(times(*node.args[:k], *node.args[k + 1 :]))
                    label = f"{_short(factor)} in {equation.name}"
                    yield Variant(label, with_equation(model, equation.name, value))


def _activations(model: Model) -> Iterator[tuple[str, Apply, Callable[[Expr], Expr]]]:
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if isinstance(node, Apply) and node.name in ACTIVATIONS:
                yield equation.name, node, rebuild


def activation_missing(model: Model) -> Iterator[Variant]:
    """Each activation left out."""
    for name, node, rebuild in _activations(model):
        value = rebuild(node.argument)
        yield Variant(f"{node.name} in {name}", with_equation(model, name, value))


def activation_other(model: Model) -> Iterator[Variant]:
    """Each activation another one."""
    for name, node, rebuild in _activations(model):
        for other in ACTIVATIONS:
            if other != node.name:
                value = rebuild(apply(other, node.argument))
                label = f"{other} for {node.name} in {name}"
                yield Variant(label, with_equation(model, name, value))


def activation_argument(model: Model) -> Iterator[Family]:
    """Each activation of a multiple of its argument."""
    for name, node, rebuild in _activations(model):

        def at(
            factor: Fraction,
            name: str = name,
            node: Apply = node,
            rebuild: Callable[[Expr], Expr] = rebuild,
        ) -> Model:
            inner = scale(sp.Rational(factor), node.argument)
            return with_equation(model, name, rebuild(apply(node.name, inner)))

        label = f"{node.name}({{}} z) for {node.name}(z) in {name}"
        yield Family(label, at, "curve", (Fraction(2), Fraction(1, 2)))


def outside_activation(model: Model) -> Iterator[Variant]:
    """Each term of an activation's argument added after the activation."""
    for name, node, rebuild in _activations(model):
        if isinstance(node.argument, MatAdd):
            args = node.argument.args
            for k, term in enumerate(args):
                inner = apply(node.name, add(*args[:k], *args[k + 1 :]))
                label = f"{_short(term)} in {name}"
                yield Variant(label, with_equation(model, name, rebuild(add(inner, term))))


def offset(model: Model) -> Iterator[Family]:
    """A constant added to the argument of each activation."""
    for name, node, rebuild in _activations(model):

        def at(
            number: Fraction,
            name: str = name,
            node: Apply = node,
            rebuild: Callable[[Expr], Expr] = rebuild,
        ) -> Model:
            shift = constant(sp.Rational(number), node.shape)
            return with_equation(model, name, rebuild(apply(node.name, add(node.argument, shift))))

        yield Family(f"{{}} added in {name}", at, "curve", (Fraction(1),))


def value_scaled(model: Model) -> Iterator[Family]:
    """The value of each equation times a constant."""
    for equation in model.equations.equations:

        def at(number: Fraction, name: str = equation.name, value: Expr = equation.value) -> Model:
            return with_equation(model, name, scale(sp.Rational(number), value))

        yield Family(f"{equation.name} times {{}}", at, "curve", (Fraction(4, 5), Fraction(-1)))


def complement(model: Model) -> Iterator[Variant]:
    """1 - v for a gate v, and back, wherever it is read."""
    for equation in model.equations.equations:
        if isinstance(equation.value, Apply) and equation.value.name == "sigmoid":
            gate = equation.value
            one = constant(sp.S.One, gate.shape)
            value = add(one, scale(sp.S.NegativeOne, gate))
            label = f"1 - {equation.name} for {equation.name}"
            yield Variant(label, with_equation(model, equation.name, value))
            for reader in model.equations.equations:
                read = [n for n in reader.value.atoms(MatrixSymbol) if n.name == equation.name]
                for name in read:
                    other = add(one, scale(sp.S.NegativeOne, name))
                    new = with_equation(model, reader.name, reader.value.xreplace({name: other}))
                    yield Variant(f"{label} in {reader.name}", new)


def reset_before(model: Model) -> Iterator[Variant]:
    """As U @ (r * h) what is r * (U @ h): a gate applied before the product for after it."""
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if not isinstance(node, HadamardProduct):
                continue
            for k, factor in enumerate(node.args):
                gate = times(*node.args[:k], *node.args[k + 1 :])
                parts = factor.args if isinstance(factor, MatAdd) else (factor,)
                turned = [_pushed(gate, part) for part in parts]
                if not any(turned):
                    continue
                for outer in (True, False):
                    kept = [times(gate, p) if outer else p for p in parts]
                    new = [t or rest for t, rest in zip(turned, kept, strict=True)]
                    label = f"{_short(gate)} applied before the product in {equation.name}"
                    label += "" if outer or all(turned) else ", to nothing else"
                    value = rebuild(add(*new))
                    yield Variant(label, with_equation(model, equation.name, value))
                    if all(turned):
                        break


def _pushed(gate: Expr, part: Expr) -> Expr | None:
    """U @ (gate * h) for U @ h where the shapes allow it."""
    number, rest = coefficient(part)
    if not isinstance(rest, MatMul) or any(isinstance(a, OneMatrix) for a in rest.args):
        return None
    left, right = rest.args
    return scale(number, matmul(left, times(gate, right))) if right.shape == gate.shape else None


def reset_after(model: Model) -> Iterator[Variant]:
    """U @ (r * h) as r * (U @ h); and a bias inside of r * (U @ h + c) outside of it."""
    for equation in model.equations.equations:
        for node, _, rebuild in places(equation.value):
            if isinstance(node, MatMul) and isinstance(node.args[-1], HadamardProduct):
                left, product = node.args[-2:]
                for k, gate in enumerate(product.args):
                    rest = times(*product.args[:k], *product.args[k + 1 :])
                    new = matmul(left, rest)
                    if gate.shape == new.shape and not _lagged(model, gate):
                        label = f"{_short(gate)} applied after the product in {equation.name}"
                        value = rebuild(times(gate, new))
                        yield Variant(label, with_equation(model, equation.name, value))


def _lagged(model: Model, expr: Expr) -> bool:
    return expr in {s.before for s in model.equations.states}


def transposed(model: Model) -> Iterator[Variant]:
    """Each square matrix that multiplies from the left, turned; and all of them."""
    squares = []
    for equation in model.equations.equations:
        for node, parent, _ in places(equation.value):
            square = isinstance(node, MatrixSymbol) and node.shape[0] == node.shape[1] != 1
            if square and isinstance(parent, MatMul) and node in parent.args:
                squares.append(node)
    found = list(dict.fromkeys(squares))
    lone = [[one] for one in found]
    for chosen in (*lone, found) if len(found) > 1 else lone:
        new = model
        for equation in model.equations.equations:
            value = equation.value.xreplace({m: Transpose(m) for m in chosen})
            if value != equation.value:
                new = with_equation(new, equation.name, transpose(transpose(value)))
        names = ", ".join(m.name for m in chosen)
        yield Variant(f"{names} transposed in forward", new)


def _short(expr: Expr) -> str:
    return text_of_expression(expr)
