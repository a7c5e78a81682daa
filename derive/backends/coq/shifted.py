"""States sigmoid(a) s + (1 - sigmoid(a - b)) g: e^b is their least bound (JANET)."""

from collections.abc import Iterator
from dataclasses import dataclass

from derive.backends.coq.context import Context
from derive.backends.coq.entries import Entry, entry_of, known
from derive.backends.coq.folded import Below
from derive.backends.coq.writing import POINT, written
from derive.cell import Variable
from derive.expressions import Apply, Expr
from derive.theorems.growth import kept
from derive.theorems.row import Bound
from derive.theorems.stabilised import shifted

__all__ = ["Shifted", "shifts", "shifts_of"]

RUN = "(run par inp st step p xs s0 {})"


@dataclass(frozen=True)
class Shifted:
    """A state with the names of its two gates and of g, and the bound with its shift b."""

    state: Variable
    keeps: str
    adds: str
    candidate: str
    entry: Entry
    bound: Bound

    @property
    def shift(self) -> Expr:
        """The b: a hypothesis of the bound is that it is not negative."""
        return self.bound.positive[0]


def shifts_of(c: Context) -> list[Shifted]:
    """The states of this form of which the row 'shifted gates' is proved, with |g| < 1."""
    found = [s for state in kept(c.gradients) if (s := _parts(c, state))]
    bounds = shifted(c.gradients)
    if len(found) != len(bounds):
        return []
    return [
        Shifted(*parts, bound)
        for parts, bound in zip(found, bounds, strict=True)
        if bound.reasons and "|, exp(" in bound.text  # for larger g it is a multiple of exp
    ]


def _parts(c: Context, state: Variable) -> tuple[Variable, str, str, str, Entry] | None:
    entry, ranged = entry_of(c, state.now, state.before), known(c)
    if entry is None or len(entry.poly) != 3:
        return None
    named = {frozenset(entry.atoms[a] for a in m): n for m, n in entry.poly.items()}
    single = [m for m in named if len(m) == 1]
    pairs = [m for m in named if len(m) == 2]
    own = [m for m in pairs if state.before.name in m]
    others = [m for m in pairs if m not in own]
    if not (len(single) == len(own) == len(others) == 1) or not single[0] < others[0]:
        return None
    (candidate,), (keeps,) = single[0], own[0] - {state.before.name}
    (adds,) = others[0] - single[0]
    values = {a.name: a.value for a in c.gradients.forward}
    gates = [values.get(n) for n in (keeps, adds)]
    sigmoids = all(isinstance(v, Apply) and v.name == "sigmoid" for v in gates)
    signs = (named[single[0]], named[own[0]], named[others[0]]) == (1, 1, -1)
    same = all(v is not None and v.shape == state.now.shape for v in gates)
    if not (sigmoids and signs and same) or candidate not in ranged:
        return None
    if ranged[candidate].interval != "(-1, 1)":
        return None
    return state, keeps, adds, candidate, entry


def shifts(c: Context) -> Iterator[str]:
    """The bound over any number of steps, and that it is the least one."""
    values = {a.name: a.value for a in c.gradients.forward}
    for found in shifts_of(c):
        y, entry = found.state.name, found.entry
        kept_by, added_by = (values[n].argument for n in (found.keeps, found.adds))
        a, other = (f"{written(v, c.values)} i j" for v in (kept_by, added_by))
        below = Below(values)
        if not (below.is_linear(kept_by) and below.is_linear(added_by)):
            continue
        b = f"{written(found.shift, c.values)}%mat i j"
        lag, g = f"s_{y} s i j", f"v_{found.candidate} {POINT} i j"
        names = ", ".join(f"v_{n}" for n in (found.keeps, found.adds))
        below_names = ", ".join(f"v_{n}" for n in below.opened)
        opened = f"unfold {below_names}; " if below_names else ""
        yield f"Lemma shifted_{y} {POINT} i j M : 0 <= {b} -> exp ({b}) <= M ->"
        yield f"  Rabs ({lag}) <= M -> Rabs (v_{y} {POINT} i j) <= M."
        yield "Proof."
        yield "  intros B E S."
        yield f"  assert (A : {other} = {a} - {b})"
        yield f"    by ({opened}unfold_entries; rewrite ?bsum_one; lra)."
        yield f"  assert (V : v_{y} {POINT} i j = sigm ({a}) * {lag} + (1 - sigm ({other})) * {g})"
        unfolded = entry.equation().removesuffix("; ring")
        yield f"    by ({unfolded}; unfold {names}; unfold_entries; ring)."
        yield "  rewrite V, A. apply shifted_step; auto."
        yield f"  exact (range_{found.candidate} {POINT} i j)."
        yield "Qed."
        yield f"Theorem shifted_bound_{y} p x s xs s0 T i j : 0 <= {b} ->"
        yield f"  Rabs (s_{y} {RUN.format('T')} i j) <= Rmax (Rabs (s_{y} s0 i j)) (exp ({b}))."
        yield "Proof."
        yield "  intros B. induction T; [simpl; apply Rmax_l|]."
        yield f"  apply (shifted_{y} p (xs T) {RUN.format('T')} i j);"
        yield "    [exact B | apply Rmax_r | exact IHT]."
        yield "Qed."
        yield "(* a takes all values, and g all between -1 and 1: no smaller bound is kept. *)"
        yield f"Theorem shifted_least_{y} {POINT} i j G : G < exp ({b}) ->"
        yield "  exists a g, -1 < g < 1 /\\"
        yield f"  G < sigm a * G + (1 - sigm (a - {b})) * g."
        yield "Proof. apply shifted_least. Qed."
