"""Claims that rest on the slope of a function, or on one more fact about one."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from derive.certificates.algebra import SLOPES
from derive.certificates.declarations import RefusedError, lagged
from derive.certificates.examples import Example, begun
from derive.certificates.forms import names_in
from derive.certificates.indices import ONE, Poly, add, moved
from derive.certificates.intervals import VALUES
from derive.certificates.ranges import Ranges
from derive.certificates.reader import Value
from derive.certificates.subject import Subject
from derive.certificates.terms import Terms, plus, split

__all__ = ["DECIDED"]

SMALL = 1e-12


def slope(subject: Subject, function: str, most: str) -> list[str]:
    """Each use of a function has a slope in that interval."""
    ranges = Ranges(subject.sweep.algebra, subject.sweep.values)
    for _, steep in _slopes(subject, function):
        if ranges.of(steep).size > Fraction(most):
            raise RefusedError("it does not follow from the ranges of values")
    return []


def _slopes(subject: Subject, function: str) -> list[tuple[str, Poly]]:
    """The slope of each use of a function in the assignments, by the name of the use."""
    sweep, a, found = subject.sweep, subject.sweep.algebra, []
    for name, poly in sweep.values.items():
        atom = a.function(poly) or ""
        if atom.partition("#")[0] == function and function in SLOPES:
            found.append((name, SLOPES[function](a, dict(a.meaning[atom][0]), poly)))
    if not found:
        raise RefusedError(f"no assignment is `{function[:20]}` of something")
    return found


def steeper(subject: Subject, example: Example, function: str, most: str) -> None:
    """With the numbers, a slope is larger."""
    sweep = subject.sweep
    run, _ = begun(subject.maps, example, 0, sweep=sweep)
    run.steps(1, lambda name, back: name, {})
    for name, steep in _slopes(subject, function):
        shape = sweep.reader.shapes[name]
        found = [[complex(abs(v)) for v in row] for row in run.array(steep, shape, str)]
        bound = run.zeros(shape, complex(Fraction(most)))
        if example.is_of(found, bound):
            return example.exceed(found, bound)
    raise RefusedError("no slope is the counterexample's left side")


def vanishing(subject: Subject, factor: str | None, state: str, said: str) -> list[str]:
    """s_t = f(U s_{t-1} + ...), where |f'| is at most the factor: |J v| <= factor |U| |v|."""
    step, a = subject.step, subject.step.algebra
    atom = a.function(step.equations[state])
    if atom is None:
        raise RefusedError("the state is no function of something")
    function = atom.partition("#")[0]
    argument = dict(a.meaning[atom][0])
    steep = Ranges(a, step.equations).of(SLOPES[function](a, argument, step.equations[state]))
    if steep.size > Fraction(factor or 1):
        raise RefusedError("the slope of its function may be larger")
    d = Value(step.direction(state), step.shapes[state])
    inside = step.moved({lagged(state, 1): d.poly})
    del inside[state]
    moved_ = a.differential(argument, inside)
    for matrix in said.split(" + "):
        if not (matrix.startswith("|") and matrix.endswith("|")):
            raise RefusedError(f"`{matrix[:40]}` in the statement")
        moved_ = add(
            moved_, step.reader.product(subject.maps.expression(matrix[1:-1]), d).poly, sign=-1
        )
    if moved_:
        raise RefusedError("the argument moves by other matrices")
    return []


def hundred(subject: Subject, state: str, *said: str) -> list[str]:
    """A small change of one unit, through a hundred steps from zero."""
    step, (weight, small, other, large) = subject.step, said
    sizes = {n: 1 for shape in step.shapes.values() for size in shape for n, _ in size if n}
    if weight != other or len(subject.states) > 1 or weight not in step.cell.of("parameter"):
        raise RefusedError(f"`{weight[:40]}` is no parameter of one state")
    for factor, text, form in ((0.9, small, ".4g"), (1.1, large, ".6g")):
        values = {weight: [[complex(factor)]], f"{state}_{{t-1}}": [[complex(SMALL)]]}
        run, _ = begun(subject.maps, Example(sizes, values, [], []), 0)
        for _ in range(100):
            run.steps(1, step.at, {})
            run.values[lagged(state, 1)] = run.values[state]
        found = run.values[state][0][0].real / SMALL
        if format(factor**100, form) != text or abs(found / factor**100 - 1) > 1e-9:
            raise RefusedError(f"with {weight} = {factor} they make {found:.6g}")
    return []


def shifted(subject: Subject, state: str, size: str | None, by: str, again: str) -> list[str]:
    """s_t = sigmoid(a) s_{t-1} + (1 - sigmoid(c)) g, where a - c is a parameter and |g| <= size.

    Taken as true: 1 - sigmoid(a - b) <= exp(b) (1 - sigmoid(a)) for b >= 0, and that the quotient
    of both sides tends to 1 as a grows.
    """
    step, a = subject.step, subject.step.algebra
    ranges = Ranges(a, step.equations)
    parts = split(ranges.terms(step.reader.value(state)), subject.lag(state))
    keep, rest = parts if parts else ({}, {})
    (g, *_), (c, *_) = ([m for m in rest if len(m) == n] or [()] for n in (1, 2))
    gates = {atom for m in keep for atom in m}, {*c} - {*g}
    if (len(keep), len(rest), *map(len, (*keep, g, c, *gates))) != (1, 2, 1, 1, 2, 1, 1):
        raise RefusedError("the state has not this form")
    (f, one), (h, other), (_, inside) = (_function(subject, x) for (x,) in (*gates, g))
    shift = plus(one, {m: -v for m, v in other.items()})
    top = ranges.box(g[0]).size * abs(rest[g])
    if (f, h, *keep.values(), rest[g]) != ("sigmoid", "sigmoid", 1, -rest[c]):
        raise RefusedError("the state has not this form")
    if by != again or shift != ranges.terms(subject.maps.expression(by).poly):
        raise RefusedError("the gates' arguments differ by something else")
    if top > Fraction(size or 1):
        raise RefusedError("the candidate may be larger")
    fixed = {(x,) for m in (*one, *other, *inside) for x in m if x[0] in step.cell.of("parameter")}
    for bias, terms, atom in ((one, {*shift}, g[0]), (inside, set(), *gates[0])):
        read = names_in(subject.step.algebra, _atom(subject, atom))
        if not any(m[0][0] not in read for m in (bias.keys() & fixed) - terms):
            raise RefusedError("the gates and the candidate have no biases of their own")
    if not {*shift} <= fixed:
        raise RefusedError("the shift is no parameter")
    return []


def _function(subject: Subject, factor: Any) -> tuple[str, Terms]:
    """A factor as a function, and of what."""
    a, equations = subject.step.algebra, subject.step.equations
    atom = _atom(subject, factor)
    if atom.partition("#")[0] not in VALUES:
        raise RefusedError("the state has not this form")
    return atom.partition("#")[0], Ranges(a, equations).terms(dict(a.meaning[atom][0]))


def _atom(subject: Subject, factor: Any) -> str:
    name = str(factor[0])
    if "#" in name:
        return name
    return subject.step.algebra.function(subject.step.equations.get(name, {})) or name


def stabiliser(subject: Subject, output: str, first: str, moved_: str, still: str) -> list[str]:
    """Along (1, -C, -N) of (M, C, N) the output stands still; C_t, N_t change by -M_t' of them."""
    step, a = subject.step, subject.step.algebra
    names = still.replace("_{t-1}", "").split(", ")
    lags = ", ".join(f"{n}_{{t-1}} e^-d" for n in names[1:])
    if names[0] != first or moved_ != lags or not {*names} <= {*subject.states[1:]}:
        raise RefusedError("the states are others")
    if output != subject.states[0]:
        raise RefusedError("it is not about the output")
    moving = {lagged(first, 1): ONE}
    for n in names[1:]:
        moving[lagged(n, 1)] = add({}, step.reader.value(lagged(n, 1)), sign=-1)
    found = step.moved(moving)
    change = found.get(first, {})
    if any(add(found.get(n, {}), a.times(step.equations[n], change)) for n in names[1:]):
        raise RefusedError("they change otherwise")
    for n in names[1:]:
        moving[n] = add({}, a.times(step.reader.value(n), change), sign=-1)
    if _cancelled(subject, step.moved(moving).get(output, {})):
        raise RefusedError(f"{output}_t changes")
    return []


def mean(subject: Subject, state: str, x: str, count: str) -> list[str]:
    """N_t = N_{t-1} + 1, and N_t s_t = N_{t-1} s_{t-1} + x_t, in which N * (1 / N) is 1."""
    step, a, read = subject.step, subject.step.algebra, subject.step.reader.value
    if count not in subject.states or state not in subject.states:
        raise RefusedError("these are no states")
    if x not in step.cell.of("input"):
        raise RefusedError(f"'{x[:40]}' is no input")
    lag = read(lagged(count, 1))
    left = a.times(read(count), step.equations[state])
    right = add(a.times(lag, read(lagged(state, 1))), read(x))
    rest = _cancelled(subject, add(left, right, sign=-1))
    if step.equations[count] != add(lag, ONE) or a.substituted(rest, {count: add(lag, ONE)}):
        raise RefusedError("the sums of both sides are not the same")
    return []


def _cancelled(subject: Subject, poly: Poly) -> Poly:
    """With N * (1 / N) = 1, for names N."""
    a, found = subject.step.algebra, Poly()
    for (powers, factors, bounds), value in poly.items():
        kept = list(factors)
        for atom, axes in factors:
            if atom.startswith("reciprocal#"):
                (((_, inside, sums), _), *more) = a.meaning[atom][0]
                at = {"i": axes[0], "j": axes[1]}
                if not more and not sums and len(inside) == 1 and moved(inside, at)[0] in kept:
                    kept.remove(moved(inside, at)[0])
                    kept.remove((atom, axes))
        found = add(found, a.times({(powers, tuple(kept), bounds): value}, ONE))
    return found


DECIDED: Mapping[str, tuple[Callable[..., list[str]], Callable[..., None] | None]] = {
    "slopes": (slope, steeper),
    "vanishing": (vanishing, None),
    "0.9 and 1.1": (hundred, None),
    "shifted gates": (shifted, None),
    "stabiliser": (stabiliser, None),
    "running mean": (mean, None),
}
