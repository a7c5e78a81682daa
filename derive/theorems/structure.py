"""Parameters and symmetries: counts, exchanged gates, means, sums over time."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from derive.cell import Variable
from derive.differentials import tangent
from derive.expressions import (
    Apply,
    Expr,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    add,
    spread,
    times,
)
from derive.gradients import Gradients, bar, carry, upstream
from derive.jacobians import writer_of
from derive.normal_form import equal
from derive.ranges import Ranges
from derive.theorems.memory import path_factor
from derive.theorems.row import Bound, Fact, Identity
from derive.theorems.saying import depends, expanded, less, number
from derive.transposes import inner

__all__ = [
    "copies",
    "counted",
    "exchanged",
    "means",
    "squared_carry",
    "swelling",
    "truncated",
]


def copies(gradients: Gradients) -> int:
    """Activations of a sum of an input product and a recurrent product."""
    return len(_layers(gradients))


@lru_cache(maxsize=4)
def _layers(gradients: Gradients) -> dict[str, Expr]:
    """The argument of each activation that multiplies both inputs and lagged states."""
    cell, values = gradients.cell, {a.name: a.value for a in gradients.forward}
    inputs, lags = {x.now for x in cell.inputs}, {s.before for s in cell.states}
    found = {}
    for name, value in values.items():
        own = values.get(str(value.argument)) if isinstance(value, Apply) else None
        if own is not None:
            leaves = _multiplied(own, values)
            if leaves & inputs and leaves & lags:
                found[name] = own
    return found


def _multiplied(value: Expr, values: Mapping[str, Expr]) -> set[Name]:
    """What products with matrices in an argument read, not through another activation."""
    found: set[Name] = set()
    for product in value.atoms(MatMul):
        for leaf in product.atoms(MatrixSymbol):
            inside = values.get(leaf.name)
            found |= {leaf} if inside is None else _linear_leaves(inside, values)
    for leaf in value.atoms(MatrixSymbol):
        inside = values.get(leaf.name)
        if inside is not None and not isinstance(inside, Apply):
            found |= _multiplied(inside, values)
    return found


def _linear_leaves(value: Expr, values: Mapping[str, Expr]) -> set[Name]:
    if isinstance(value, Apply):
        return set()
    found: set[Name] = set()
    for leaf in value.atoms(MatrixSymbol):
        inside = values.get(leaf.name)
        found |= {leaf} if inside is None else _linear_leaves(inside, values)
    return found


def counted(gradients: Gradients) -> list[Fact]:
    """K activations of W @ x + U @ h[t-1] + b have k times the parameters of one."""
    cell, k = gradients.cell, copies(gradients)
    (n, *_), (m, *_) = cell.output.shape, cell.inputs[0].shape
    one = n * (n + m + 1)
    total = sum((sp.Mul(*p.shape) for p in cell.parameters), sp.S.Zero)
    rest = sp.expand(total - k * one)
    sizes = dict.fromkeys(cell.dimensions, 1)
    left, right = (int(sp.sympify(e).subs(sizes)) for e in (total, k * one))
    if left == right and rest != 0:
        sizes = {d: 2 + j for j, d in enumerate(cell.dimensions)}
        left, right = (int(sp.sympify(e).subs(sizes)) for e in (total, k * one))
    said = ", ".join(f"{d} = {size}" for d, size in sizes.items())
    return [
        Fact(
            text=f"the parameters are {k} times those of one layer: {sp.factor(k * one)} numbers",
            latex=rf"\lvert \theta \rvert = {k}\,{sp.latex(one)}",
            holds=rest == 0,
            reasons=(f"the shapes add up to {sp.factor(total)}",),
            remainder=(str(rest),) if rest != 0 else (),
            example=f"{said}: left {left}, right {right}" if rest != 0 else "",
        )
    ]


@lru_cache(maxsize=4)
def exchanged(gradients: Gradients) -> list[Bound]:
    """The misreading that the parameters of two gates may be exchanged."""
    writer = writer_of(gradients)
    layers = [(n, _signature(gradients, n)) for n in _layers(gradients)]
    for place, (first, (shape, own)) in enumerate(layers):
        for second, (other_shape, other) in layers[place + 1 :]:
            if shape != other_shape or set(own) & set(other):
                continue
            swap: dict[Expr, Expr] = dict(zip((*own, *other), (*other, *own), strict=True))
            state = gradients.cell.states[-1]
            whole = expanded(gradients, state.name)
            turned = whole.xreplace(swap)
            one, two, name = (writer.notation.name(n) for n in (first, second, state.name))
            return [
                Bound(
                    text=f"{state.name}_t stays as it is when the parameters of {first} and "
                    f"{second} are exchanged",
                    latex=rf"{name}(\theta_{{{one}}}, \theta_{{{two}}}) = "
                    rf"{name}(\theta_{{{two}}}, \theta_{{{one}}})",
                    sides=((state.now, turned), (turned, state.now)),
                    reasons=("equal polynomial normal forms",) if equal(whole, turned) else (),
                    excess=f"{state.name}_t, less the same with these parameters exchanged",
                )
            ]
    return []


def _signature(gradients: Gradients, name: str) -> tuple[str, list[Name]]:
    """An activation with its parameters numbered in order of appearance, and these parameters."""
    values = {a.name: a.value for a in gradients.forward}
    timeless = {p.now for p in gradients.cell.parameters}
    value = values[name]
    inside = values[str(value.argument)]
    terms = inside.args if isinstance(inside, MatAdd) else (inside,)
    own = [
        leaf for t in terms for leaf in sorted(t.atoms(MatrixSymbol), key=str) if leaf in timeless
    ]
    numbered = {n: MatrixSymbol(f"#{k}", *n.shape) for k, n in enumerate(own)}
    return f"{value.name}({inside.xreplace(numbered)})", own


@lru_cache(maxsize=4)
def means(gradients: Gradients) -> list[Bound]:
    """N_t s_t = N_{t-1} s_{t-1} + x_t, where N counts the steps: s_T is the mean of x."""
    writer, found = writer_of(gradients), []
    cell, ranges = gradients.cell, Ranges(gradients)
    for count in _counters(gradients):
        for state in cell.states:
            k = path_factor(gradients, state)
            if state == count or not depends(gradients, k, count.now):
                continue
            for x in (x for x in cell.inputs if x.shape == state.shape):
                n_before, n_now = (_spread(n, state.now) for n in (count.before, count.now))
                left, right = times(n_now, state.now), add(times(n_before, state.before), x.now)
                same = ranges.reduced(ranges.polynomial(less(left, right)))
                s, n = state.name, count.name
                found.append(
                    Bound(
                        text=f"{s}_T = (1/T) * sum over t = 1..T of {x.name}_t, where {n}_0 = 0",
                        latex=rf"{writer.notation.name(s)} = \frac{{1}}{{t}} \sum_{{\tau=1}}^{{t}} "
                        rf"{writer.notation.name(x.name)}, \quad {n}_0 = 0",
                        sides=((left, right), (right, left)),
                        positive=(less(count.before, number(1, count.now.shape)),),
                        reasons=(
                            f"{n}_t {s}_t = {n}_{{t-1}} {s}_{{t-1}} + {x.name}_t, as polynomials "
                            f"in which {n}_t * (1 / {n}_t) is 1",
                        )
                        if not same
                        else (),
                        excess=f"{n}_t {s}_t - {n}_{{t-1}} {s}_{{t-1}} - {x.name}_t",
                    )
                )
    return found


def _counters(gradients: Gradients) -> list[Variable]:
    """States s_t = s_{t-1} + 1 of one entry."""
    values = {a.name: a.value for a in gradients.forward}
    return [
        s
        for s in gradients.cell.states
        if s.now.shape == (1, 1) and values[s.name] == add(s.before, number(1, s.now.shape))
    ]


def _spread(scalar: Expr, like: Expr) -> Expr:
    return scalar if like.shape == (1, 1) else spread(scalar, like.shape)


def truncated(gradients: Gradients) -> list[Identity]:
    """The sweep is additive: with what arrives as a sum of two parts, each goes back by itself."""
    cell = gradients.cell
    arriving = [upstream(cell), *(carry(s) for s in cell.states)]
    cotangents = [*(bar(a.of) for a in gradients.backward), *arriving]
    cut, dropped = ({n: _named(n, part) for n in cotangents} for part in ("kept", "dropped"))
    both = {n: add(cut[n], dropped[n]) for n in cotangents}
    adjoints = (*gradients.backward, *gradients.parameters, *gradients.inputs, *gradients.states)
    sums = [
        add(*(inner(a.value.xreplace(put), tangent(a.of)) for a in adjoints if a.terms))
        for put in (both, cut, dropped)
    ]
    names = ", ".join(f"carry({s.name})" for s in cell.states)
    return [
        Identity(
            text=f"with {names} = 0 at the cuts, dL/dp lacks exactly the sweep of these carries "
            "with dy = 0, for every parameter p",
            latex=r"\frac{\partial L}{\partial p} = \frac{\partial L}{\partial p}"
            r"\Big|_{\mathrm{carry}=0} + \frac{\partial L}{\partial p}\Big|_{\mathrm{d}y=0}",
            left=sums[0],
            right=add(sums[1], sums[2]),
            direction=None,
        )
    ]


def _named(name: Name, part: str) -> Name:
    return MatrixSymbol(f"{part} {name.name}", *name.shape)


def squared_carry(gradients: Gradients) -> Gradients:
    """The same with the square of a cotangent in the last carry: a wrong derivation."""
    *kept, last = gradients.states
    *terms, end = last.terms
    spoilt = replace(end, value=times(end.value, end.value))
    return replace(gradients, states=(*kept, replace(last, terms=(*terms, spoilt))))


def swelling(gradients: Gradients) -> str:
    """Why `counted` does not apply, or ''."""
    cell = gradients.cell
    if not cell.inputs or not copies(gradients):
        return "no activation multiplies both the input and a lagged state"
    return ""
