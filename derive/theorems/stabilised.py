"""Shifted gates and stabilised exponentials: bounds that need one more fact about a function."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import inf

import sympy as sp

from derive.cell import Variable, lag
from derive.differentials import differential, tangent
from derive.expressions import (
    Apply,
    Expr,
    MatrixSymbol,
    Name,
    ZeroMatrix,
    add,
    apply,
    scale,
    spread,
    times,
    zero,
)
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.ranges import Interval, Polynomial, Ranges, cases, linear_in
from derive.theorems.growth import kept
from derive.theorems.memory import path_factor
from derive.theorems.row import Bound
from derive.theorems.saying import depends, expanded, less, magnitude, number

__all__ = [
    "normaliser_carried",
    "normaliser_from_zero",
    "normalisers",
    "shifted",
    "stabilisers",
    "unstabilised",
]


@lru_cache(maxsize=4)
def shifted(gradients: Gradients) -> list[Bound]:
    """s_t = sigmoid(a) s_{t-1} + (1 - sigmoid(a - beta)) g: |s_t| <= max(|s_0|, e^beta)."""
    writer, found = writer_of(gradients), []
    for state in kept(gradients):
        pair = _pair(gradients, state)
        if pair is None:
            continue
        shift, size = pair.by, pair.size
        spelled = shift.xreplace(_narrow(gradients, state))
        text = writer.text(spelled) if not isinstance(shift, ZeroMatrix) else "0"
        top = times(number(size, state.now.shape), apply("exp", shift))
        name, now = state.name, writer.notation.name(state.name)
        first, tex = (
            writer.notation.name(f"{name}[0]"),
            writer.notation.tex(spelled) if text != "0" else text,
        )
        by = "" if size == 1 else f"{size} "
        found.append(
            Bound(
                text=f"|{name}_t| <= max(|{name}_0|, {by}exp({text})), where {text} >= 0; and "
                "exp of it is the least such bound",
                latex=rf"\lvert {now} \rvert \le \max(\lvert {first} \rvert, {by}e^{{{tex}}}), "
                rf"\quad {tex} \ge 0",
                sides=((magnitude(state.now), top),),
                positive=(shift, less(top, magnitude(state.before))),
                reasons=(
                    f"1 - sigmoid(a - b) <= exp(b) (1 - sigmoid(a)) for b >= 0, so that |{name}_t|"
                    f" <= k |{name}_{{t-1}}| + (1 - k) exp({text}), a mean; the quotient of both "
                    "sides tends to 1 as a grows",
                )
                if pair.is_constant
                else (),
                excess=f"|{name}_t| - exp({text})",
            )
        )
    return found


def _narrow(gradients: Gradients, state: Variable) -> dict[Expr, Expr]:
    """Spread scalars as the scalars themselves, as an author would write them."""
    shape = state.now.shape
    return {
        spread(p.now, shape): MatrixSymbol(p.name, *shape)
        for p in gradients.cell.parameters
        if p.now.shape == (1, 1) and shape != (1, 1)
    }


@dataclass(frozen=True)
class _Shift:
    """b, the bound of g, and whether a - c is b, without anything that changes over time."""

    by: Expr
    size: Fraction
    is_constant: bool


def _pair(gradients: Gradients, state: Variable) -> _Shift | None:
    """Of a state sigmoid(a) s + (1 - sigmoid(c)) g; None if it has not this form."""
    ranges, values = Ranges(gradients), {a.name: a.value for a in gradients.forward}
    parts = linear_in(ranges.polynomial_of(state.name), lag(state.name))
    if parts is None or len(parts[0]) != 1 or len(parts[1]) != 2:
        return None
    ((kept_by, one),) = parts[0].items()
    if one != 1 or len(kept_by) != 1:
        return None
    single = next((m for m in parts[1] if len(m) == 1), None)
    double = next((m for m in parts[1] if len(m) == 2), None)
    if single is None or double is None or single[0] not in double:
        return None
    (other,) = (a for a in double if a != single[0]) if len(set(double)) == 2 else ("",)
    if parts[1][single] != -parts[1][double] or other == kept_by[0]:
        return None
    gates = [values.get(n) for n in (kept_by[0], other)]
    if not all(isinstance(g, Apply) and g.name == "sigmoid" for g in gates):
        return None
    first, second = (ranges.polynomial(g.argument) for g in gates if g is not None)
    shift = _difference(first, second)
    timeless = {p.name: p.now for p in gradients.cell.parameters}
    known = all(len(m) == 1 and m[0] in timeless for m in shift)
    size = abs(parts[1][single]) * ranges.atoms[single[0]].size
    if size == inf:
        return None
    wide = [
        scale(sp.Rational(n.numerator, n.denominator), _wide(timeless[m[0]], state.now))
        for m, n in shift.items()
        if len(m) == 1 and m[0] in timeless
    ]
    return _Shift(add(*wide) if wide else zero(state.now.shape), Fraction(size), known)


def _difference(a: Polynomial, b: Polynomial) -> Polynomial:
    found = {m: a.get(m, Fraction(0)) - b.get(m, Fraction(0)) for m in {*a, *b}}
    return {m: n for m, n in found.items() if n}


def _wide(scalar: MatrixSymbol, like: MatrixSymbol) -> Expr:
    return scalar if scalar.shape == like.shape else spread(scalar, like.shape)


@lru_cache(maxsize=4)
def normalisers(gradients: Gradients) -> list[Variable]:
    """States N_t = q N_{t-1} + p, p and q exponentials, by which another state is divided."""
    values = {a.name: a.value for a in gradients.forward}
    divided = {
        a.value.argument.name
        for a in gradients.forward
        if isinstance(a.value, Apply)
        and a.value.name == "reciprocal"
        and isinstance(a.value.argument, MatrixSymbol)
    }
    found = []
    for state in kept(gradients):
        ranges = Ranges(gradients)
        parts = linear_in(ranges.polynomial_of(state.name), lag(state.name))
        if state.name not in divided or parts is None or not parts[1]:
            continue
        factor, rest = (ranges.range(p) for p in parts)
        if factor.low >= 0 and rest.low >= 0 and not isinstance(values[state.name], Apply):
            found.append(state)
    return found


@lru_cache(maxsize=4)
def normaliser_from_zero(gradients: Gradients) -> list[Bound]:
    """N_t >= 1 from zero states: at the first step, and wherever N_{t-1} >= 1."""
    found, one = [], Fraction(1)
    states = gradients.cell.states
    zeros = {s.before.name: Interval(Fraction(0), Fraction(0), False, False) for s in states}
    for state in normalisers(gradients):
        name = state.name
        later = {state.before.name: Interval(one, inf, False)}
        proved = _at_least_one(gradients, name, zeros) and _at_least_one(gradients, name, later)
        first = expanded(gradients, name).xreplace({s.before: zero(s.now.shape) for s in states})
        found.append(
            Bound(
                text=f"{name}_t >= 1, from zero states",
                latex=rf"{writer_of(gradients).notation.name(name)} \ge 1, \quad s_0 = 0",
                sides=((number(1, state.now.shape), first),),
                reasons=(
                    f"{name}_1 >= 1 from zero states, and {name}_t >= 1 where {name}_{{t-1}} >= 1, "
                    "for each sign of what stands in max and min",
                )
                if proved
                else (),
                excess=f"1 - {name}_1",
            )
        )
    return found


@lru_cache(maxsize=4)
def normaliser_carried(gradients: Gradients) -> list[Bound]:
    """The misreading that N_t >= 1 whatever state is carried in."""
    found = []
    for state in normalisers(gradients):
        name, box = state.name, {state.before.name: Interval(Fraction(0), inf, False)}
        found.append(
            Bound(
                text=f"{name}_t >= 1, where {name}_0 >= 0",
                latex=rf"{writer_of(gradients).notation.name(name)} \ge 1, \quad "
                rf"{writer_of(gradients).notation.name(f'{name}[0]')} \ge 0",
                sides=((number(1, state.now.shape), state.now),),
                positive=(state.before,),
                reasons=("it is at least 1 wherever its lag is at least 0",)
                if _at_least_one(gradients, name, box)
                else (),
                excess=f"1 - {name}_t",
            )
        )
    return found


def _at_least_one(gradients: Gradients, name: str, given: Mapping[str, Interval]) -> bool:
    return all(ranges.of(name).low >= 1 for ranges in cases(gradients, given))


@lru_cache(maxsize=4)
def stabilisers(gradients: Gradients) -> list[tuple[Variable, list[Variable]]]:
    """States M with the states whose path factors read the lag of M: (M, [C, N])."""
    found, states = [], gradients.cell.states
    for stabiliser in states[1:]:
        scaled = [
            s
            for s in kept(gradients)
            if s not in (stabiliser, states[0])
            and s.shape == stabiliser.shape
            and depends(gradients, path_factor(gradients, s), stabiliser.before)
        ]
        if scaled and any(s in normalisers(gradients) for s in scaled):
            found.append((stabiliser, scaled))
    return found


@lru_cache(maxsize=4)
def unstabilised(gradients: Gradients) -> list[Bound]:
    """M + d, C e^-d and N e^-d in place of M, C and N change no output."""
    found, writer, output = [], writer_of(gradients), gradients.cell.output
    for stabiliser, scaled in stabilisers(gradients):
        d = tangent(stabiliser.before)
        moving: dict[Name, Expr] = {stabiliser.before: d}
        for state in scaled:
            moving[state.before] = scale(sp.S.NegativeOne, times(state.before, d))
        own = differential(gradients, stabiliser.now, moving)
        ranges = Ranges(gradients)
        rest = [differential(gradients, output.now, moving)]
        rest += [add(differential(gradients, s.now, moving), times(s.now, own)) for s in scaled]
        holds = not any(ranges.reduced(ranges.polynomial(e)) for e in rest)
        names, m = [s.name for s in scaled], stabiliser.name
        lags = ", ".join(f"{n}_{{t-1}} e^-d" for n in names)
        tex = ", ".join(writer.notation.name(f"{n}[t-1]") + r" e^{-\delta}" for n in names)
        found.append(
            Bound(
                text=f"{output.name}_t is the same for ({m}_{{t-1}} + d, {lags}) as for "
                f"({m}_{{t-1}}, {', '.join(f'{n}_{{t-1}}' for n in names)}), for every d",
                latex=rf"{writer.notation.name(output.name)} \text{{ does not change with }} "
                rf"({writer.notation.name(f'{m}[t-1]')} + \delta, {tex})",
                sides=tuple((magnitude(e), zero(e.shape)) for e in rest),
                positive=tuple(
                    less(s.before, number(Fraction(1, 100), s.now.shape))
                    for s in scaled
                    if s in normalisers(gradients)
                ),
                reasons=(
                    f"along d, the derivative of {output.name}_t is zero and "
                    f"{', '.join(names)} of step t change by -1 times themselves when {m}_t does "
                    "by 1: equal polynomials, in which N * (1 / N) is 1",
                )
                if holds
                else (),
                excess=f"d{output.name}_t/dd",
            )
        )
    return found
