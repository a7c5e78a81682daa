"""An entry of a name as a polynomial in ranged entries, written for Coq.

Activations with a known range are atoms, and so is the state's own lag. Everything between them and
the name, sums and products entry by entry, is unfolded; anything else has no polynomial here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType

import sympy as sp

from derive.backends.coq.context import Context
from derive.backends.coq.folded import folded
from derive.backends.coq.writing import number
from derive.expressions import (
    Apply,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Name,
    OneMatrix,
    ZeroMatrix,
    coefficient,
    spread_of,
)
from derive.ranges import Polynomial, Ranges
from derive.ranges.polynomials import plus, times

__all__ = ["Entry", "Range", "entry_of", "known", "said"]


@dataclass(frozen=True)
class Range:
    """A range of an activation.

    Attributes:
        interval: as `derive prove` prints it.
        said: for Coq, with {} for the value.
        proof: its tactics.
    """

    interval: str
    said: str
    proof: str

    @property
    def is_open(self) -> bool:
        """Whether neither end is attained."""
        return self.interval[0] + self.interval[-1] == "()"


# Of functions, at any argument; the proof is a lemma.
RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "sigmoid": Range("(0, 1)", "0 < {} < 1", "sigm_range"),
        "tanh": Range("(-1, 1)", "-1 < {} < 1", "tanh_range"),
        "sin": Range("[-1, 1]", "-1 <= {} <= 1", "SIN_bound"),
        "cos": Range("[-1, 1]", "-1 <= {} <= 1", "COS_bound"),
        "heaviside": Range("[0, 1]", "0 <= {} <= 1", "heaviside_range"),
        "sign": Range("[-1, 1]", "-1 <= {} <= 1", "sgn_range"),
    }
)


def known(c: Context) -> dict[str, Range]:
    """The assigned activations with a range, by name."""
    special, found = folded(c), {}
    for a in c.gradients.forward:
        if isinstance(a.value, Apply) and a.value.name in RANGES:
            row = RANGES[a.value.name]
            proof = f"unfold v_{a.name}. unfold_entries. apply {row.proof}."
            found[a.name] = replace(row, proof=proof)
        elif a.name in special:
            found[a.name] = Range(*special[a.name])
    return found


@dataclass
class Entry:
    """A name's entry (i, j).

    Attributes:
        poly: in atoms, each the text of an entry in Coq.
        atoms: the name of each.
        unfolded: names that Coq has to unfold on the way, the first one itself.
    """

    poly: Polynomial = field(default_factory=dict)
    atoms: dict[str, str] = field(default_factory=dict)
    unfolded: dict[str, None] = field(default_factory=dict)

    def boxed(self, poly: Polynomial, lag: str = "") -> str:
        """The tactics that make variables of a polynomial's atoms, with their ranges."""
        atoms = list(dict.fromkeys(atom for monomial in poly for atom in monomial))
        ranged = [a for a in atoms if a != lag]
        facts = [f"(range_{self.atoms[a]} {a.partition(' ')[2]})" for a in ranged]
        shown = [f"({atom})" for atom in atoms]
        said = (f"generalize {' '.join(terms)}; " for terms in (facts, shown) if terms)
        return f"{''.join(said)}intros"

    def equation(self) -> str:
        """The tactics that prove the entry equal to its polynomial."""
        names = ", ".join(f"v_{name}" for name in self.unfolded)
        return f"unfold {names}; unfold_entries; rewrite ?bsum_one; {self.decided}"

    @property
    def decided(self) -> str:
        """The tactic for equal polynomials: `ring` knows no fractions."""
        whole = all(value.denominator == 1 for value in self.poly.values())
        return "ring" if whole else "field"


def entry_of(c: Context, name: Name, lag: Name | None = None) -> Entry | None:
    """The entry of a name, if it is of degree one in each of its atoms and `Ranges` agrees."""
    found, ranged = Entry(), known(c)
    values = {a.symbol: a.value for a in c.gradients.forward}

    def walk(expr: Expr, place: str) -> Polynomial | None:
        value, rest = coefficient(expr)
        if not value.is_Rational:
            return None
        if value != 1:
            inner = walk(rest, place)
            return inner and times({(): Fraction(int(value.p), int(value.q))}, inner)
        match expr:
            case MatrixSymbol():
                return leaf(expr, place)
            case OneMatrix():
                return {(): Fraction(1)}
            case ZeroMatrix():
                return {}
            case MatAdd() | HadamardProduct():
                parts = [walk(arg, place) for arg in expr.args]
                join = plus if isinstance(expr, MatAdd) else times
                return None if None in parts else join(*(p for p in parts if p is not None))
            case HadamardPower():
                base = walk(expr.args[0], place)
                return base and times(*[base] * int(expr.args[1]))
            case MatMul():
                scalar, tall = spread_of(expr), isinstance(expr.args[0], OneMatrix)
                at = "0%nat j" if tall else "0%nat 0%nat"
                return None if scalar is None else walk(scalar, at)
        return None

    def leaf(symbol: Name, place: str) -> Polynomial | None:
        if symbol == lag or symbol.name in ranged:
            text = f"{c.values[symbol.name][1:-1]} {place}"
            found.atoms[text] = symbol.name
            return {(text,): Fraction(1)}
        if symbol not in values or isinstance(values[symbol], Apply):
            return None
        poly = walk(values[symbol], place)
        if symbol.name not in found.unfolded:  # it stands before what it reads
            found.unfolded = {symbol.name: None, **found.unfolded}
        return poly

    if name.name in ranged:
        found.poly = leaf(name, "i j") or {}
        return found
    poly = leaf(name, "i j")
    if poly is None or any(len(set(m)) < len(m) for m in poly):
        return None
    found.poly = poly
    named = {tuple(sorted(found.atoms[a] for a in m)): n for m, n in poly.items()}
    return found if named == Ranges(c.gradients).polynomial_of(name.name) else None


def said(poly: Polynomial) -> str:
    """A polynomial in entries."""
    terms = []
    for monomial, value in poly.items():
        factors = list(monomial)
        if value != 1 or not factors:
            factors.insert(0, number(sp.Rational(value.numerator, value.denominator)))
        terms.append(" * ".join(factors))
    return " + ".join(terms) or "0"
