"""Growth of a state that its own equation keeps: s_t = a * s_{t-1} + b, by the corners of a and b.

a and b are polynomials in gates and candidates, which lie in known intervals. What holds at all
corners holds inside: |a| |s| + |b| is convex in each of them.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy as sp

from derive.cell import Variable, lag
from derive.differentials import earlier
from derive.expressions import Apply, Expr, MatAdd, add, apply, scale, times
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.ranges import Ranges, linear_in
from derive.theorems.memory import has_path, path_factor
from derive.theorems.row import Bound
from derive.theorems.saying import fraction, less, magnitude, number

__all__ = [
    "Growth",
    "convex",
    "forgetful",
    "forgetting",
    "growth",
    "kept",
    "linear",
    "products",
    "reached",
]


@dataclass(frozen=True)
class Growth:
    """What |s_t| is at most: `keep` * |s_{t-1}| + `more`, and max(|s_0|, `level`) if not None."""

    state: Variable
    keep: Fraction
    more: Fraction
    level: Fraction | None
    corners: int


@lru_cache(maxsize=4)
def kept(gradients: Gradients) -> list[Variable]:
    """States whose equation names their own lag in a sum, entry by entry."""
    return [s for s in gradients.cell.states if has_path(gradients, s)]


@lru_cache(maxsize=4)
def growth(gradients: Gradients) -> dict[str, Growth]:
    """By state; only those whose a and b are bounded."""
    found = {}
    for state in kept(gradients):
        ranges = Ranges(gradients)
        parts = linear_in(ranges.polynomial_of(state.name), lag(state.name))
        corners = None if parts is None else ranges.corners(parts)
        if corners is None:
            continue
        pairs = [(abs(a), abs(b)) for a, b in corners]
        found[state.name] = Growth(
            state, max(a for a, _ in pairs), max(b for _, b in pairs), _level(pairs), len(pairs)
        )
    return found


def _level(pairs: list[tuple[Fraction, Fraction]]) -> Fraction | None:
    """The least G with |a| G + |b| <= G and |a| <= 1 at every corner."""
    level = Fraction(0)
    for a, b in pairs:
        if a > 1 or (a == 1 and b):
            return None
        if a < 1:
            level = max(level, b / (1 - a))
    return level


@lru_cache(maxsize=4)
def linear(gradients: Gradients) -> list[Bound]:
    """|s_t| <= |s_0| + B t, where |a| <= 1 and |b| <= B."""
    writer, found = writer_of(gradients), []
    for state in kept(gradients):
        known = growth(gradients).get(state.name)
        if known is not None and known.level is not None:
            continue  # it is bounded: see `convex`
        holds = known is not None and known.keep <= 1
        more = known.more if known is not None and holds else Fraction(1)
        t = "t" if more == 1 else f"{fraction(more)} t"
        name = state.name
        now, start = (writer.notation.name(n) for n in (name, f"{name}[0]"))
        text = f"|{name}_t| <= |{name}_0|" + (f" + {t}" if more else "")
        found.append(
            Bound(
                text=text,
                latex=rf"\lvert {now} \rvert \le \lvert {start} \rvert"
                + (f" + {t}" if more else ""),
                sides=((magnitude(state.now), _more(magnitude(state.before), more)),),
                reasons=(_reason(known, f"|{name}_t| <= |{name}_{{t-1}}| + {fraction(more)}"),)
                if holds
                else (),
                excess=f"|{name}_t| - |{name}_{{t-1}}| - {fraction(more)}",
            )
        )
    return found


def _reason(known: Growth | None, text: str) -> str:
    assert known is not None
    return f"{text} at all {known.corners} corners of the intervals of gates and candidates"


def _more(expr: Expr, number_: Fraction) -> Expr:
    return add(expr, number(number_, expr.shape)) if number_ else expr


@lru_cache(maxsize=4)
def reached(gradients: Gradients) -> list[Bound]:
    """The linear bound is reached in the limit: the claim that it can be lowered is refuted."""
    writer, found = writer_of(gradients), []
    for name, known in growth(gradients).items():
        if known.keep > 1 or not known.more or known.level is not None:
            continue
        if not _independent(gradients, known.state):
            continue
        state, less_ = known.state, known.more * Fraction(99, 100)
        factor = fraction(less_)
        found.append(
            Bound(
                text=f"|{name}_t| <= |{name}_0| + {factor} t",
                latex=rf"\lvert {writer.notation.name(name)} \rvert \le \lvert "
                rf"{writer.notation.name(f'{name}[0]')} \rvert + {factor}\,t",
                sides=((magnitude(state.now), _more(magnitude(state.before), less_)),),
                reasons=(),
                excess=f"|{name}_t| - |{name}_{{t-1}}| - {factor}",
            )
        )
    return found


def _independent(gradients: Gradients, state: Variable) -> bool:
    """Whether each activation of a state's sum has a bias that nothing else reads."""
    values = {a.name: a.value for a in gradients.forward}
    biases = {p.now for p in gradients.cell.parameters if p.now.shape == state.now.shape}
    atoms = {a for m in Ranges(gradients).polynomial_of(state.name) for a in m}
    for atom in atoms - {lag(state.name)}:
        value = values.get(atom)
        inside = values.get(str(value.argument)) if isinstance(value, Apply) else None
        terms = inside.args if isinstance(inside, MatAdd) else ()
        own = [t for t in terms if t in biases]
        if not any(sum(v.has(bias) for v in values.values()) == 1 for bias in own):
            return False
    return True


@lru_cache(maxsize=4)
def convex(gradients: Gradients) -> list[Bound]:
    """|s_t| <= max(|s_0|, G)."""
    writer, found = writer_of(gradients), []
    for state in kept(gradients):
        known = growth(gradients).get(state.name)
        level = known.level if known is not None else None
        top = Fraction(1) if level is None else level
        name, shape = state.name, state.now.shape
        reason = f"|a| <= 1 and |a| {fraction(top)} + |b| <= {fraction(top)}, a the factor of "
        reason += f"{name}_{{t-1}} and b the rest,"
        before, now = writer.notation.name(f"{name}[0]"), writer.notation.name(name)
        found.append(
            Bound(
                text=f"|{name}_t| <= max(|{name}_0|, {fraction(top)})",
                latex=rf"\lvert {now} \rvert \le \max(\lvert {before} \rvert, {fraction(top)})",
                sides=((magnitude(state.now), number(top, shape)),),
                positive=(less(number(top, shape), magnitude(state.before)),),
                reasons=(_reason(known, reason),) if level is not None else (),
                excess=f"|{name}_t| - {fraction(top)}",
            )
        )
    return found


def forgetful(gradients: Gradients) -> list[Variable]:
    """The states that are kept by a factor that may be below 1."""
    ranges = Ranges(gradients)
    factors = {s: ranges.polynomial(path_factor(gradients, s)) for s in kept(gradients)}
    return [s for s, factor in factors.items() if ranges.range(factor).low < 1]


@lru_cache(maxsize=4)
def forgetting(gradients: Gradients) -> list[Bound]:
    """With 0 <= k <= kbar < 1: |s_t| <= kbar^t |s_0| + B (1 - kbar^t) / (1 - kbar)."""
    writer, found = writer_of(gradients), []
    for state in forgetful(gradients):
        k = path_factor(gradients, state)
        ranges = Ranges(gradients)
        factor = ranges.range(ranges.polynomial(k))
        rest = less(state.now, times(k, state.before))
        parts = linear_in(ranges.polynomial_of(state.name), lag(state.name))
        size = ranges.range(parts[1]) if parts is not None else None
        holds = factor.low >= 0 and size is not None and size.is_bounded
        most = Fraction(size.size) if holds and size is not None else Fraction(1)
        name = state.name
        b = "" if most == 1 else f"{fraction(most)} "
        now, before = writer.notation.name(name), writer.notation.name(f"{name}[0]")
        least = times(apply("relu", k), magnitude(state.before))  # the least k that is allowed
        bound = add(least, number(most, rest.shape))
        found.append(
            Bound(
                text=f"|{name}_t| <= k^t |{name}_0| + {b}(1 - k^t) / (1 - k), "
                f"where {writer.text(k)} <= k < 1",
                latex=rf"\lvert {now} \rvert \le k^{{t}} \lvert {before} \rvert + "
                rf"{b}\frac{{1 - k^{{t}}}}{{1 - k}}, \quad {writer.notation.tex(writer.spelled(k))}"
                r" \le k < 1",
                sides=((magnitude(state.now), bound),),
                positive=(less(number(Fraction(99, 100), k.shape), k),),  # k < 1: not at its edge
                reasons=(
                    f"the factor lies in {factor} and the rest in {size}, so that "
                    f"|{name}_t| <= k |{name}_{{t-1}}| + {fraction(most)}",
                )
                if holds
                else (),
                excess=f"|{name}_t| - k |{name}_{{t-1}}| - {fraction(most)}",
            )
        )
    return found


@lru_cache(maxsize=4)
def products(gradients: Gradients) -> list[Bound]:
    """The product of T factors lies between the powers of the least and the largest of them."""
    writer, found = writer_of(gradients), []
    for state in kept(gradients):
        k = path_factor(gradients, state)
        ranges = Ranges(gradients)
        factor = ranges.range(ranges.polynomial(k))
        if factor.low == factor.high:
            continue
        text, tex = writer.text(k), writer.notation.tex(writer.spelled(k))
        before = earlier(k, {p.name for p in gradients.cell.parameters})
        half = (add(k, before), magnitude(less(k, before)))
        low, high = (_halved(e) for e in (less(*half), add(*half)))
        product = times(k, before)
        found.append(
            Bound(
                text=f"low^T <= product over t = 1..T of ({text}) <= high^T, "
                "where low is the least of them and high the largest",
                latex=rf"\ell^{{T}} \le \prod_{{t=1}}^{{T}} {tex} \le u^{{T}}, \quad "
                rf"\ell = \min_t {tex}, \; u = \max_t {tex}",
                sides=((product, times(high, high)), (times(low, low), product)),
                steps=2,
                reasons=(f"{text} in {factor}: no factor is negative",) if factor.low >= 0 else (),
                excess=f"product - high^T, where {text} may be negative",
            )
        )
    return found


def _halved(expr: Expr) -> Expr:
    return scale(sp.Rational(1, 2), expr)
