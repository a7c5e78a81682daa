"""Where values lie, and how far a state that is kept can go: by the corners of the atoms' ranges.

What `derive.theorems.growth` decides at corners, the library's tactic `at_corners` proves there.
"""

from collections.abc import Iterator

import sympy as sp

from derive.backends.coq.context import Context
from derive.backends.coq.entries import Entry, entry_of, known, said
from derive.backends.coq.writing import POINT, number, written
from derive.cell import Variable
from derive.ranges import Number, Ranges, linear_in
from derive.theorems.gates import no_bare_output, output_in_range
from derive.theorems.growth import Growth, growth
from derive.theorems.memory import path_factor

__all__ = ["ranges"]

RUN = "(run par inp st step p xs s0 {})"


def ranges(c: Context) -> Iterator[str]:
    """Ranges of values that the equations give, and the bounds of memories that follow."""
    lines = [*_activations(c), *_output(c)]
    for state in c.cell.states:
        entry = entry_of(c, state.now, state.before)
        found = growth(c.gradients).get(state.name)
        if entry is None or found is None or _lag(c, state) not in entry.atoms:
            continue
        if found.level is not None:
            lines += _blends(c, state, entry, found.level)
        elif found.keep <= 1:
            lines += _grows(c, state, entry, found)
        lines += _forgets(c, state, entry)
    if lines:
        yield "(* ---------- where values lie ---------- *)\n"
        yield from lines
        yield ""


def _activations(c: Context) -> Iterator[str]:
    for name, row in known(c).items():
        value = f"v_{name} {POINT} i j"
        yield f"Lemma range_{name} {POINT} i j : {row.said.format(value)}."
        yield f"Proof. {row.proof} Qed."


def _lag(c: Context, state: Variable) -> str:
    return f"{c.values[state.before.name][1:-1]} i j"


def _number(value: Number) -> str:
    return number(sp.Rational(value.numerator, value.denominator))


def _output(c: Context) -> Iterator[str]:
    """The output's size is below one."""
    output, g = c.cell.output, c.gradients
    if no_bare_output(g) or not output_in_range(g)[0].reasons:
        return
    entry, ranged = entry_of(c, output.now), known(c)
    if entry is None or not all(ranged[name].is_open for name in entry.atoms.values()):
        return
    y = output.name
    yield f"Lemma below_one_{y} {POINT} i j : Rabs (v_{y} {POINT} i j) < 1."
    yield "Proof."
    yield from _replaced(entry, y)
    yield f"  {entry.boxed(entry.poly)}; strictly_at_corners."
    yield "Qed."
    yield f"Theorem output_below_one p xs s0 T i j : Rabs (out {RUN.format('(S T)')} i j) < 1."
    yield f"Proof. exact (below_one_{y} p (xs T) {RUN.format('T')} i j). Qed."


def _replaced(entry: Entry, name: str) -> Iterator[str]:
    """The entry replaced by its polynomial."""
    if entry.unfolded:
        yield f"  assert (E : v_{name} {POINT} i j = {said(entry.poly)})"
        yield f"    by ({entry.equation()})."
        yield "  rewrite E."


def _grows(c: Context, state: Variable, entry: Entry, found: Growth) -> Iterator[str]:
    y, more, lag = state.name, _number(found.more), _lag(c, state)
    yield f"Lemma grows_{y} {POINT} i j M : Rabs ({lag}) <= M ->"
    yield f"  Rabs (v_{y} {POINT} i j) <= M + {more}."
    yield "Proof."
    yield from _over_box(entry, y, lag)
    yield "Qed."
    yield f"Theorem bounded_{y} p xs s0 T i j :"
    yield f"  Rabs (s_{y} {RUN.format('T')} i j) <= Rabs (s_{y} s0 i j) + {more} * INR T."
    yield "Proof."
    sums = "S_INR, Rmult_plus_distr_l, Rmult_1_r, <- Rplus_assoc"
    yield f"  induction T; [simpl; lra|]. rewrite {sums}."
    yield f"  apply (grows_{y} p (xs T) {RUN.format('T')} i j). exact IHT."
    yield "Qed."


def _blends(c: Context, state: Variable, entry: Entry, level: Number) -> Iterator[str]:
    y, top, lag = state.name, _number(level), _lag(c, state)
    yield f"Lemma blends_{y} {POINT} i j M : {top} <= M -> Rabs ({lag}) <= M ->"
    yield f"  Rabs (v_{y} {POINT} i j) <= M."
    yield "Proof."
    yield "  intros G."
    yield from _over_box(entry, y, lag)
    yield "Qed."
    yield f"Theorem bounded_{y} p xs s0 T i j :"
    yield f"  Rabs (s_{y} {RUN.format('T')} i j) <= Rmax (Rabs (s_{y} s0 i j)) {top}."
    yield "Proof."
    yield "  induction T; [simpl; apply Rmax_l|]."
    yield f"  apply (blends_{y} p (xs T) {RUN.format('T')} i j); [apply Rmax_r | exact IHT]."
    yield "Qed."


def _over_box(entry: Entry, name: str, lag: str) -> Iterator[str]:
    """The bound of a state whose lag lies in -M .. M."""
    yield "  intros H. apply abs_le_inv in H."
    yield from _replaced(entry, name)
    yield f"  generalize H. {entry.boxed(entry.poly, lag)}; at_corners."


def _forgets(c: Context, state: Variable, entry: Entry) -> Iterator[str]:
    """With a factor that is never negative, and at most k < 1: a bound for ever."""
    y, lag, g = state.name, _lag(c, state), c.gradients
    parts = linear_in(entry.poly, lag)
    k, boxes = path_factor(g, state), Ranges(g)
    factor = boxes.range(boxes.polynomial(k))
    both = linear_in(boxes.polynomial_of(state.name), state.before.name)
    if parts is None or both is None or factor.low < 0 or factor.low >= 1:
        return
    most = _number(boxes.range(both[1]).size)  # bounded, as the corners of its atoms are
    kept, rest = (said(p) for p in parts)
    unfold = ", ".join((f"factor_{y}", *(f"v_{n}" for n in entry.unfolded)))
    yield f"Definition factor_{y} {POINT} : mat := {written(k, c.values)}%mat."
    yield f"Lemma forgets_{y} {POINT} i j k : factor_{y} {POINT} i j <= k ->"
    yield f"  0 <= k /\\ Rabs (v_{y} {POINT} i j) <= k * Rabs ({lag}) + {most}."
    yield "Proof."
    yield f"  assert (F : factor_{y} {POINT} i j = {kept})"
    yield f"    by (unfold {unfold}; unfold_entries; rewrite ?bsum_one; {entry.decided})."
    yield f"  assert (E : v_{y} {POINT} i j = ({kept}) * {lag} + ({rest}))"
    yield f"    by ({entry.equation()})."
    yield f"  assert (P : - ({kept}) <= 0)"
    yield f"    by ({entry.boxed(parts[0], lag)}; at_corners)."
    yield f"  assert (B : Rabs ({rest}) <= {most})"
    yield f"    by ({entry.boxed(parts[1], lag)}; at_corners)."
    yield "  intros H. rewrite F in H. rewrite E. exact (forget_step _ _ _ _ _ P H B)."
    yield "Qed."
    run = RUN.format("t")
    yield f"Theorem forgetting_{y} p xs s0 k T i j : k < 1 ->"
    yield f"  (forall t, (t < T)%nat -> factor_{y} p (xs t) {run} i j <= k) ->"
    yield f"  Rabs (s_{y} {RUN.format('T')} i j)"
    yield f"  <= k ^ T * Rabs (s_{y} s0 i j) + {most} * ((1 - k ^ T) / (1 - k))."
    yield "Proof."
    yield f"  intros K H. apply (forget_over_T (fun t => Rabs (s_{y} {run} i j))); [exact K|]."
    yield f"  intros t Ht. exact (forgets_{y} p (xs t) {run} i j k (H t Ht))."
    yield "Qed."
