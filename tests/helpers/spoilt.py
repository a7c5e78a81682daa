"""Ways to spoil a derivation, one row each: for any cell, or None where it cannot be said."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from derive.expressions import Expr, MatMul, Name, Transpose, scale, transpose
from derive.gradients import Adjoint, Gradients, Term, gradients
from derive.primitives import PRIMITIVES

__all__ = ["SPOILT", "Spoilt"]

Spoil = Callable[[Gradients], Gradients | None]
Change = Callable[[Expr], Expr]


@dataclass(frozen=True)
class Spoilt:
    """A wrong derivation.

    Attributes:
        spoil: right gradients -> wrong ones; None if the cell has nothing to spoil that way.
        lstm: names whose gradients are wrong for the LSTM of the zoo, with all upstreams.
    """

    what: str
    spoil: Spoil
    lstm: str


def changed(adjoint: Adjoint, change: Change) -> Adjoint:
    """The adjoint with every summand changed."""
    return replace(adjoint, terms=tuple(replace(t, value=change(t.value)) for t in adjoint.terms))


def where(part: str, change: Change) -> Spoil:
    """A change of all summands in `parameters`, `inputs`, `states` or `backward`."""

    def spoil(g: Gradients) -> Gradients | None:
        found = tuple(changed(a, change) for a in getattr(g, part))
        return None if found == getattr(g, part) else replace(g, **{part: found})

    return spoil


def first(part: str, fits: Callable[[Adjoint], bool], change: Callable[..., tuple]) -> Spoil:
    """A change of the terms of the first adjoint that fits."""

    def spoil(g: Gradients) -> Gradients | None:
        adjoints = list(getattr(g, part))
        for place, adjoint in enumerate(adjoints):
            if fits(adjoint):
                adjoints[place] = replace(adjoint, terms=change(adjoint.terms))
                return replace(g, **{part: tuple(adjoints)})
        return None

    return spoil


def slope(name: str, wrong: Callable) -> Spoil:
    """The primitive's slope replaced, before deriving."""
    row = replace(PRIMITIVES[name], slope=wrong)

    def spoil(g: Gradients) -> Gradients | None:
        found = gradients(g.cell, primitives={**PRIMITIVES, name: row})
        return None if found == g else found

    return spoil


def outside(kind: str, last: bool = False) -> Spoil:
    """What arrives from outside of the step dropped: 'dy', or the first or last state's carry."""

    def spoil(g: Gradients) -> Gradients | None:
        state = g.cell.states[-1 if last else 0].name
        fits: Callable[[Adjoint], bool] = lambda a: a.of.name == state
        kept = lambda terms: tuple(t for t in terms if t.through != kind)
        return first("backward", fits, kept)(g)

    return spoil


def several(adjoint: Adjoint) -> bool:
    return len(adjoint.terms) > 1


def unturned(expr: Expr) -> Expr:
    """U for U.T, where U is square."""
    if isinstance(expr, MatMul) and isinstance(expr.args[0], Transpose):
        matrix = expr.args[0].args[0]
        if matrix.shape[0] == matrix.shape[1]:
            return MatMul(matrix, *expr.args[1:])
    return expr


def turned(expr: Expr) -> Expr:
    """A square matrix's gradient, transposed."""
    square = isinstance(expr, MatMul) and expr.shape[0] == expr.shape[1]
    return transpose(expr) if square else expr


def activated(g: Gradients) -> list[Name]:
    """Pre-activations."""
    return [a.of for a in g.backward if any("activation" in t.rules for t in a.terms)]


def swapped_gates(part: str) -> Spoil:
    """The cotangents of two pre-activations exchanged wherever `part` reads them."""

    def spoil(g: Gradients) -> Gradients | None:
        names = [n for n in activated(g) if not any(n.name == s.name for s in g.cell.states)]
        pairs = [(a, b) for a in names for b in names if a.name < b.name and a.shape == b.shape]
        for left, right in pairs:
            a, b = (type(n)(f"bar({n.name})", *n.shape) for n in (left, right))
            found = where(part, lambda e, a=a, b=b: e.xreplace({a: b, b: a}))(g)
            if found is not None:
                return found
        return None

    return spoil


def swapped_factors(g: Gradients) -> Gradients | None:
    """The cotangents of two factors of one product exchanged."""
    adjoints = list(g.backward)
    found: dict[str, int] = {}
    for place, adjoint in enumerate(adjoints):
        for term in adjoint.terms:
            if "elementwise product" not in term.rules or several(adjoint):
                continue
            other = found.setdefault(term.through, place)
            if other != place:
                adjoints[place] = replace(adjoint, terms=adjoints[other].terms)
                adjoints[other] = replace(adjoints[other], terms=adjoint.terms)
                return replace(g, backward=tuple(adjoints))
    return None


def shifted(part: str, last: bool) -> Spoil:
    """A state's value at t for the one at t-1."""

    def spoil(g: Gradients) -> Gradients | None:
        state = g.cell.states[-1 if last else 0]
        return where(part, lambda e: e.xreplace({state.before: state.now}))(g)

    return spoil


def last_term(change: Callable[[Term], tuple[Term, ...]]) -> Callable[..., tuple]:
    return lambda terms: (*terms[:-1], *change(terms[-1]))


def scaled(number: int) -> Callable[[Term], tuple[Term, ...]]:
    return lambda term: (replace(term, value=scale(number, term.value)),)


EVERY = "x W_f U_f b_f W_i U_i b_i W_o U_o b_o W_g U_g b_g h_0 C_0"

SPOILT: tuple[Spoilt, ...] = (
    Spoilt("slope of sigmoid is y", slope("sigmoid", lambda z, y: y), EVERY),
    Spoilt("slope of sigmoid is negative", slope("sigmoid", lambda z, y: y * (y - 1)), EVERY),
    Spoilt("slope of tanh is 1 - y", slope("tanh", lambda z, y: 1 - y), EVERY),
    Spoilt("no dy", outside("dy"), EVERY),
    Spoilt("no carry of the first state", outside("carry"), EVERY),
    Spoilt("no carry of the last state", outside("carry", last=True), EVERY),
    Spoilt("a term of a carry dropped", first("states", several, lambda t: t[1:]), EVERY),
    Spoilt("a term of a carry doubled", first("states", several, last_term(scaled(2))), EVERY),
    Spoilt("a term of a carry negated", first("states", several, last_term(scaled(-1))), EVERY),
    Spoilt("a term of dx dropped", first("inputs", several, lambda t: t[1:]), "x"),
    Spoilt("a term of dx doubled", first("inputs", several, last_term(scaled(2))), "x"),
    Spoilt(
        "a term of a cotangent dropped",
        first(
            "backward", lambda a: several(a) and a.terms[-1].through != "carry", lambda t: t[:-1]
        ),
        EVERY,
    ),
    Spoilt(
        "a term of a cotangent negated",
        first(
            "backward",
            lambda a: several(a) and a.terms[-1].through != "carry",
            last_term(scaled(-1)),
        ),
        EVERY,
    ),
    Spoilt("a gradient doubled", first("parameters", bool, last_term(scaled(2))), "W_f"),
    Spoilt("U not transposed in the carries", where("states", unturned), EVERY),
    Spoilt("gradients of U transposed", where("parameters", turned), "U_f U_i U_o U_g"),
    Spoilt("gates swapped in parameters", swapped_gates("parameters"), "W_g U_g b_g W_o U_o b_o"),
    Spoilt("gates swapped in the carries", swapped_gates("states"), EVERY),
    Spoilt("gates swapped in dx", swapped_gates("inputs"), "x"),
    Spoilt("factors of a product swapped", swapped_factors, EVERY),
    Spoilt("h for h[t-1] in parameters", shifted("parameters", last=False), "U_f U_i U_o U_g"),
    Spoilt("C for C[t-1] in slopes", shifted("backward", last=True), EVERY),
)
