"""Slopes of functions, and what follows for changes that are carried through many steps."""

from fractions import Fraction
from functools import lru_cache

import numpy as np
import sympy as sp

from derive.cell import Variable
from derive.differentials import differential, tangent
from derive.evaluate import Array, Numbers, run_step, whole
from derive.expressions import (
    Apply,
    Expr,
    MatMul,
    MatrixSymbol,
    add,
    coefficient,
    matmul,
    scale,
    times,
    total,
)
from derive.gradients import Gradients
from derive.jacobians import Link, operators, writer_of
from derive.normal_form import equal
from derive.primitives import PRIMITIVES
from derive.ranges import Interval, Ranges
from derive.rules import slope
from derive.theorems.memory import derivative, one_step
from derive.theorems.recurrences import recurrent_jacobian
from derive.theorems.row import Bound, Fact
from derive.theorems.saying import fraction, magnitude, number
from derive.theorems.totals import arriving, exposed

__all__ = [
    "exploding",
    "lipschitz",
    "powers",
    "slopes",
    "steepness",
    "vanishing",
    "vanishing_solved",
]


def steepness(name: str) -> Fraction | None:
    """The largest |slope| of a primitive, from its range; None if it has none, or none is known."""
    z, y = sp.Symbol("z"), sp.Symbol("y")
    row = PRIMITIVES[name]
    found = sp.sympify(row.slope(z, y))
    if row.declared:
        return Fraction(0)
    poly: dict[tuple[str, ...], Fraction] = {}
    if found.free_symbols == {y} and found.is_polynomial(y):
        for (degree,), number_ in sp.Poly(found, y).terms():
            poly[("y",) * degree] = Fraction(int(number_.p), int(number_.q))
    elif found.is_Rational:
        poly[()] = Fraction(int(found.p), int(found.q))
    else:  # the slope is a value of another row
        sign, inner = found.as_coeff_Mul()
        other = PRIMITIVES.get(getattr(inner.func, "__name__", ""))
        if other is None or not all(abs(v) < float("inf") for v in other.range):
            return None
        return Fraction(int(abs(sign) * max(map(abs, other.range))))
    low, high = (Fraction(v) if abs(v) < float("inf") else v for v in row.range)
    ranges = Ranges(None, {"y": Interval(low, high)})
    ranges.of("y")
    size = ranges.range(poly).size
    return Fraction(size) if size < float("inf") else None


@lru_cache(maxsize=4)
def slopes(gradients: Gradients) -> list[Bound]:
    """Each function's slope is at most its steepness, or 1 where there is none."""
    found, ranges = [], Ranges(gradients)
    uses: dict[str, list[Expr]] = {}
    for assignment in gradients.forward:
        value = assignment.value
        if isinstance(value, Apply) and _is_smooth(value.name):
            steep = slope(value.name, value.argument, assignment.symbol)
            uses.setdefault(value.name, []).append(steep)
    for name, steeps in uses.items():
        known = steepness(name)
        sizes = [known if known is not None else _size(ranges, s) for s in steeps]
        most = max((Fraction(1) if s is None else s for s in sizes), default=Fraction(1))
        found.append(
            Bound(
                text=f"|{name}'| <= {fraction(most)}",
                latex=rf"\lvert {_tex(name)}' \rvert \le {fraction(most)}",
                sides=tuple((magnitude(s), number(most, s.shape)) for s in steeps),
                reasons=()
                if None in sizes
                else (f"the slope, a polynomial of the value or a value itself, is at most {most}",)
                if known is not None
                else (f"the arguments that it has here keep the slope at most {most}",),
                excess=f"|{name}'| - {fraction(most)}",
            )
        )
    return found


def _is_smooth(name: str) -> bool:
    """Whether a slope is asked for: not where it is a convention or the function has poles."""
    return PRIMITIVES[name].is_finite and not PRIMITIVES[name].declared


def _size(ranges: Ranges, steep: Expr) -> Fraction | None:
    size = ranges.range(ranges.polynomial(steep)).size
    return Fraction(size) if size < float("inf") else None


def _tex(name: str) -> str:
    tex = PRIMITIVES[name].latex
    return r"\operatorname{" + name.replace("_", r"\_") + "}" if "{z}" in tex else tex


@lru_cache(maxsize=4)
def lipschitz(gradients: Gradients) -> list[tuple[Variable, Expr, str]]:
    """States that are an activation of their own recurrent products: (state, moved, function)."""
    values = {a.name: a.value for a in gradients.forward}
    found = []
    for identity in recurrent_jacobian(gradients):
        if not equal(identity.left, identity.right):
            continue  # other paths lead back too: another state of the step is read
        (state,) = [s for s in gradients.cell.states if s.name == identity.of]
        found.append((state, identity.right, values[state.name].name))
    return found


@lru_cache(maxsize=4)
def vanishing(gradients: Gradients) -> list[Bound]:
    """|J_T ... J_1 v| <= (L rho)^T |v|, rho at least the row sums of |U|."""
    writer, found = writer_of(gradients), []
    for state, moved, name in lipschitz(gradients):
        d, known = tangent(state.before), steepness(name)
        most = Fraction(1) if known is None else known
        matrices = [_matrix(o.links) for o in operators(moved, d)]
        if any(m is None for m in matrices):
            continue
        whole = [m for m in matrices if m is not None]
        right = add(*(matmul(magnitude(m), magnitude(d)) for m in whole))
        names = " + ".join(f"|{writer.text(m)}|" for m in whole)
        _, tex = derivative(writer, state)
        rho = "rho" if most == 1 else f"(rho * {fraction(most)})"
        rho_tex = r"\rho" if most == 1 else rf"(\rho \cdot {fraction(most)})"
        found.append(
            Bound(
                text=f"|J_T ... J_1 v| <= {rho}^T |v| in the largest entry, where J_t = "
                f"{derivative(writer, state)[0]} and rho >= the row sums of {names}",
                latex=rf"\lVert J_T \cdots J_1 v \rVert_{{\infty}} \le {rho_tex}^{{T}} "
                rf"\lVert v \rVert_{{\infty}}, \quad J_t = {tex}",
                sides=((magnitude(moved), _scaled(right, most)),),
                reasons=()
                if known is None
                else (
                    f"|{name}'| <= {most}, and |U v| <= |U| |v| entry by entry, which is at most "
                    "the row sum times the largest entry",
                ),
                excess=f"|J_t v| - {fraction(most)} {names} |v|",
            )
        )
    return found


def _scaled(expr: Expr, factor: Fraction) -> Expr:
    return scale(sp.Rational(factor.numerator, factor.denominator), expr)


def _matrix(links: tuple[Link, ...]) -> Expr | None:
    """The one matrix of a path, its other factors diagonal."""
    found = [link.expr for link in links if link.kind == "matrix"]
    known = all(link.kind in ("matrix", "diagonal") for link in links)
    return found[0] if known and len(found) == 1 else None


@lru_cache(maxsize=4)
def powers(gradients: Gradients) -> list[Fact]:
    """One unit with a recurrent weight of 0.9, or 1.1: what 100 steps leave of a change."""
    found, cell = [], gradients.cell
    sizes = dict.fromkeys(cell.dimensions, 1)
    for state, moved, _ in lipschitz(gradients):
        d = tangent(state.before)
        names = {leaf for o in operators(moved, d) for leaf in _weights(o.links)}
        if len(names) != 1 or len(cell.states) != 1:
            continue
        (weight,) = names
        if {whole(n, sizes) for e in (weight, state.now) for n in e.shape} != {1}:
            continue
        left = []
        for factor in (0.9, 1.1):
            given: dict[str, Array] = {
                n.name: np.zeros([whole(k, sizes) for k in n.shape], complex)
                for n in (v.now for v in (*cell.parameters, *cell.inputs))
            }
            given[weight.name] = np.full((1, 1), factor, complex)
            given[state.before.name] = np.full((1, 1), 1e-30j)
            with np.errstate(all="ignore"):
                for _ in range(100):
                    done = run_step(gradients.forward, given, sizes, Numbers(complex))
                    given[state.before.name] = done[state.name]
            left.append(float(given[state.before.name].imag.item() / 1e-30))
        holds = all(abs(x / a**100 - 1) < 1e-9 for x, a in zip(left, (0.9, 1.1), strict=True))
        text = f"{weight.name} = 0.9: 0.9^100 = {0.9**100:.4g}; {weight.name} = 1.1: "
        text += f"1.1^100 = {1.1**100:.6g}"
        found.append(
            Fact(
                text=f"from zero, of a change of one unit's {state.name}_0, 100 steps make: {text}",
                latex=r"0.9^{100} \approx 2.656 \cdot 10^{-5}, \quad 1.1^{100} \approx 13781",
                holds=holds,
                reasons=(
                    f"a complex step through 100 steps of the equations gives {left[0]:.4g} and "
                    f"{left[1]:.6g}",
                ),
                remainder=() if holds else (f"{left[1]:.6g} - 1.1^100",),
                example=""
                if holds
                else f"n = 1; {weight.name} = 1.1: left {left[1]:.6g}, right {1.1**100:.6g}",
            )
        )
    return found


def _weights(links: tuple[Link, ...]) -> list[MatrixSymbol]:
    return [e for link in links for e in link.expr.atoms(MatrixSymbol) if link.kind == "matrix"]


@lru_cache(maxsize=4)
def exploding(gradients: Gradients) -> list[Bound]:
    """The misreading that a change of a memory never grows, all paths of a step counted."""
    writer, found = writer_of(gradients), []
    for state in exposed(gradients):
        d = tangent(state.before)
        moved = differential(gradients, state.now, arriving(gradients, state))
        text, latex = derivative(writer, state)
        found.append(
            Bound(
                text=f"|({text}) v| <= |v|, total",
                latex=rf"\Bigl\lvert {latex}\Big|_{{\mathrm{{total}}}} v \Bigr\rvert \le "
                r"\lvert v \rvert",
                sides=((magnitude(moved), _most(d)),),
                reasons=(),
                steps=2,
                excess=f"|({text}) v| - |v|",
            )
        )
    return found


def _most(d: MatrixSymbol) -> Expr:
    """At least the largest entry of |d|, in every entry: their sum."""
    every = total(magnitude(d))
    ones = number(1, d.shape)
    return times(ones, every) if d.shape == (1, 1) else matmul(ones, every)


@lru_cache(maxsize=4)
def vanishing_solved(gradients: Gradients) -> list[Bound]:
    """The misreading that a change of a memory is kept, whatever the gates are."""
    writer, found = writer_of(gradients), []
    for state in exposed(gradients):
        d = tangent(state.before)
        step = one_step(gradients, state, differential(gradients, state.now, {state.before: d}))
        text, latex = derivative(writer, state)
        small = scale(sp.Rational(1, 100), magnitude(d))
        ranges = Ranges(gradients)
        least = ranges.range(ranges.polynomial(_factor(step.left, d)))
        found.append(
            Bound(
                text=f"|({text}) v| >= |v| / 100, direct",
                latex=rf"\Bigl\lvert {latex}\Big|_{{\mathrm{{direct}}}} v \Bigr\rvert \ge "
                r"\tfrac{1}{100}\lvert v \rvert",
                sides=((small, magnitude(step.left)),),
                reasons=(f"the factor lies in {least}",) if least.low >= Fraction(1, 100) else (),
                excess=f"|v| / 100 - |({text}) v|",
            )
        )
    return found


def _factor(moved: Expr, d: Expr) -> Expr:
    """A differential at a direction of ones."""
    return moved.xreplace({d: number(1, d.shape)}) if not coefficient(moved)[1].has(MatMul) else d
