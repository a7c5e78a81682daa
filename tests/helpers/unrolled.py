"""The oracle for gradients: the loss of a few unrolled steps, differentiated by SymPy itself.

For given sizes and T the loss sum_t <dy_t, y_t> + sum_s <dstate_T[s], s_T> is written entry by
entry from the cell's equations, with SymPy scalars, and differentiated by `sp.diff`. The derived
recurrence is run at the same sizes. Both become polynomials, whose equality is exact.

Functions are opaque: a generator each, with the slope of its row. So a function with a kink is
compared on all of its pieces at once, by the slope that is declared. Irrational constants, such as
1 / sqrt(n), are a rational times a generator: what is equal for any of its values is equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any

import numpy as np
import sympy as sp
from entries import Entries, Named, Sizes, entries, grid
from polynomials import Generators, Polynomial, SwellError, total
from sympy.core.expr import AtomicExpr
from sympy.core.function import AppliedUndef

from derive.cell import Cell, lag
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES

__all__ = ["Leaves", "Unrolled", "Value", "leaves", "loss"]

Scalar = Callable[[Any], Any]


@dataclass(frozen=True)
class Leaves:
    """The independent quantities of an unrolled run; lists have one item for each step."""

    parameters: Named
    inputs: list[Named]
    initial: Named
    dy: list[Entries]
    final: Named

    @property
    def wanted(self) -> Named:
        """What gradients are taken by: parameters, inputs 'x@2', initial states 'h_0'."""
        inputs = {f"{k}@{t}": x for t, step in enumerate(self.inputs, 1) for k, x in step.items()}
        return {**self.parameters, **inputs, **{f"{k}_0": s for k, s in self.initial.items()}}


def leaves(cell: Cell, sizes: Sizes, steps: int, make: Callable[[str], Any]) -> Leaves:
    """Every leaf of `steps` steps; `make` gives a scalar for a name."""
    at = lambda name, variable: grid(name, variable.now.shape, sizes, make)
    return Leaves(
        parameters={p.name: at(p.name, p) for p in cell.parameters},
        inputs=[{x.name: at(f"{x.name}@{t}", x) for x in cell.inputs} for t in range(1, steps + 1)],
        initial={s.name: at(f"{s.name}@0", s) for s in cell.states},
        dy=[at(f"dy@{t}", cell.output) for t in range(1, steps + 1)],
        final={s.name: at(f"dstate({s.name})", s) for s in cell.states},
    )


def loss(
    cell: Cell,
    sizes: Sizes,
    given: Leaves,
    apply: Callable[..., Any],
    keep: Scalar = lambda value: value,
    number: Scalar = lambda value: value,
) -> Any:
    """The unrolled scalar loss, straight from the equations.

    Args:
        apply: (function's name, scalars) -> scalar.
        keep: what is done to each entry of each equation's value, once it is computed.
        number: a constant as a scalar.
    """
    total, states = 0, given.initial
    for inputs, dy in zip(given.inputs, given.dy, strict=True):
        values = {**given.parameters, **inputs, **{lag(k): s for k, s in states.items()}}
        for equation in cell.equations:
            value = entries(equation.value, values, sizes, number, apply)
            values[equation.name] = np.vectorize(keep, otypes=[object])(value)
        states = {s.name: values[s.name] for s in cell.states}
        total += (dy * states[cell.output.name]).sum()
    return total + sum((given.final[s.name] * states[s.name]).sum() for s in cell.states)


class Unrolled:
    """The gradients of one cell at one size, as SymPy finds them.

    Args:
        most: how many terms a polynomial may have before `SwellError` is raised.
    """

    def __init__(self, cell: Cell, sizes: Sizes, steps: int, most: int = 1_000_000) -> None:
        self.cell, self.sizes, self.steps, self.most = cell, sizes, steps, most
        self.generators = Generators()

    @cached_property
    def gradients(self) -> Named:
        """DL by every leaf that is asked for, in normal form."""
        given = leaves(self.cell, self.sizes, self.steps, _leaf)
        apply = lambda name, *z: _opaque(name)(*map(Value, z))
        keep = lambda value: Value(value, kept=True)
        total = loss(self.cell, self.sizes, given, apply, keep, _symbolic)
        form = _Forms(self.generators, self.most)
        gradient = np.vectorize(lambda leaf: form(sp.diff(total, leaf)), otypes=[object])
        return {name: gradient(array) for name, array in given.wanted.items()}

    def differing(self, derived: Gradients) -> list[str]:
        """The entries of the gradients in which the derived recurrence says something else."""
        right = self.gradients  # first, as it says where something swells
        found = self._run(derived)
        assert found.keys() == right.keys()
        return [
            f"{name}{list(place)}"
            for name, truth in right.items()
            for place in np.ndindex(*truth.shape)
            if found[name].shape != truth.shape or found[name][place] != truth[place]
        ]

    def _number(self, value: sp.Expr) -> Polynomial:
        rational, rest = value.as_coeff_Mul()
        return _fraction(rational) * (1 if rest == 1 else self.generators.leaf(str(rest)))

    def _run(self, derived: Gradients) -> Named:
        """The derived recurrence, on polynomials: forward, then t = T ... 1 with its carries."""
        given = leaves(self.cell, self.sizes, self.steps, self.generators.leaf)
        value_of = lambda expr, values: entries(
            expr, values, self.sizes, self._number, self.generators.applied
        )
        kept = {e.name for e in self.cell.equations}
        tapes, states = [], given.initial
        for inputs in given.inputs:
            tape = {**given.parameters, **inputs, **{lag(k): s for k, s in states.items()}}
            for a in derived.forward:
                value = value_of(a.value, tape)
                name = np.vectorize(self.generators.named, otypes=[object])
                tape[a.name] = name(value) if a.name in kept else value
            states = {s.name: tape[s.name] for s in self.cell.states}
            tapes.append(tape)
        carried = given.final
        grads = {p.name: grid("", p.now.shape, self.sizes, _nothing) for p in self.cell.parameters}
        for t in reversed(range(self.steps)):
            known = {**tapes[t], "dy": given.dy[t]}
            known |= {f"carry({k})": c for k, c in carried.items()}
            for adjoint in derived.backward:
                known[f"bar({adjoint.of.name})"] = value_of(adjoint.value, known)
            for adjoint in derived.parameters:
                name = adjoint.of.name
                grads[name] = grads[name] + value_of(adjoint.value, known)
            for adjoint in derived.inputs:
                grads[f"{adjoint.of.name}@{t + 1}"] = value_of(adjoint.value, known)
            now = {a.of.name: value_of(a.value, known) for a in derived.states}
            carried = {s.name: now[lag(s.name)] for s in self.cell.states}
        return {**grads, **{f"{k}_0": c for k, c in carried.items()}}


def _symbolic(value: sp.Expr) -> sp.Expr:
    """A constant as a rational times the leaf that stands for the rest of it."""
    rational, rest = value.as_coeff_Mul()
    return rational * (1 if rest == 1 else _leaf(str(rest)))


def _leaf(name: str) -> sp.Symbol:
    # SymPy asks whether derivatives are zero: it finds out sooner where it is told of the leaves.
    return sp.Symbol(name, nonzero=True)


def _fraction(number: sp.Rational) -> Polynomial:
    whole = number.is_Integer
    return Polynomial({0: int(number) if whole else Fraction(int(number.p), int(number.q))}, 0)


def _nothing(name: str) -> Polynomial:
    return Polynomial({}, 0)


class Value(AtomicExpr):
    """An expression under a name: SymPy differentiates what it names, but never walks into it.

    `kept` says that the name is a generator of the normal form, too.
    """

    is_commutative = is_real = is_nonzero = True

    def __new__(cls, expr: sp.Expr, kept: bool = False) -> sp.Expr:
        if expr.is_Atom and not kept:
            return expr
        self = AtomicExpr.__new__(cls)
        self.expr, self.kept, self.derivatives = expr, kept, {}
        return self

    def _hashable_content(self) -> tuple[Any, ...]:
        return self.expr, self.kept

    @cached_property
    def free_symbols(self) -> set[sp.Symbol]:
        return self.expr.free_symbols

    def _eval_derivative(self, by: sp.Symbol) -> sp.Expr:
        if by not in self.derivatives:
            self.derivatives[by] = Value(self.expr._eval_derivative(by))
        return self.derivatives[by]

    def _eval_derivative_n_times(self, by: sp.Symbol, times: int) -> sp.Expr:
        assert times == 1
        return self._eval_derivative(by)


@cache
def _opaque(name: str) -> sp.FunctionClass:
    """The primitive as a SymPy function whose `fdiff` is the row's slope.

    `test_primitives.py` checks that slope against SymPy's derivative of the row's value, and
    `test_oracle.py` checks this oracle against elementary functions. The log-sum-exp of a column
    has the slopes exp(z_k - y).
    """

    def fdiff(self: sp.Function, argindex: int = 1) -> sp.Expr:
        if name == "logsumexp":
            return _opaque("exp")(Value(self.args[argindex - 1] - self))
        z, y = sp.Symbol("z"), sp.Symbol("y")
        slope = sp.sympify(PRIMITIVES[name].slope(z, y)).replace(
            lambda node: isinstance(node, AppliedUndef),
            lambda node: _opaque(node.func.__name__)(*node.args),
        )
        return slope.xreplace({z: self.args[0], y: self})

    return type(name, (sp.Function,), {"fdiff": fdiff, "is_real": True, "is_nonzero": True})


class _Forms:
    """SymPy scalars in normal form; each distinct node is converted once."""

    def __init__(self, generators: Generators, most: int) -> None:
        self._generators, self._most = generators, most
        self._known: dict[sp.Expr, Polynomial] = {}

    def __call__(self, expr: sp.Expr) -> Polynomial:
        if expr not in self._known:
            form = self._form(expr)
            if len(form.terms) > self._most:
                raise SwellError(f"a polynomial of {len(form.terms)} terms")
            self._known[expr] = form
        return self._known[expr]

    def _form(self, expr: sp.Expr) -> Polynomial:
        match expr:
            case sp.Symbol():
                return self._generators.leaf(expr.name)
            case sp.Rational():
                return _fraction(expr)
            case Value():
                form = self(expr.expr)
                return self._generators.named(form) if expr.kept else form
            case sp.Function():
                return self._generators.applied(expr.func.__name__, *map(self, expr.args))
            case sp.Add():
                return total(map(self, expr.args))
            case sp.Mul():
                return _product(map(self, expr.args))
            case sp.Pow() if expr.exp.is_Integer and expr.exp > 0:
                return self(expr.base) ** int(expr.exp)
        raise AssertionError(f"no normal form for {type(expr).__name__}")


def _product(factors: Iterator[Polynomial]) -> Polynomial:
    result = Polynomial({0: 1}, 0)
    for factor in factors:
        result = result * factor
    return result
