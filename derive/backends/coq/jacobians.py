"""Direct derivatives of states by lagged states, and additive paths over T steps.

Direct: the other states of step t-1, parameters and inputs stand still. `j_Y__Z` says how Y at step
t moves when Z at step t-1 moves by d.
"""

from collections.abc import Iterator

from derive.backends.coq.context import Context
from derive.backends.coq.writing import POINT, shape, written
from derive.cell import Variable
from derive.differentials import differential, is_zero, tangent
from derive.expressions import Expr, Name
from derive.normal_form import TooLargeError, equal
from derive.rules import push
from derive.theorems.memory import along, memories, path_factor

__all__ = ["jacobians", "paths"]


def jacobians(c: Context) -> Iterator[str]:
    """A block for each pair of states."""
    yield "(* ---------- direct derivatives of states by lagged states ---------- *)\n"
    for lag in c.cell.states:
        moved = _moving(c, lag)
        yield from _chain(c, lag, moved)
        for state in c.cell.states:
            yield from _block(c, state, lag, state.now in moved)
    yield ""


def _moving(c: Context, lag: Variable) -> dict[Name, Expr]:
    """The names that move when a lag does, each by the names before it."""
    tangents: dict[Name, Expr] = {lag.before: tangent(lag.before)}
    found: dict[Name, Expr] = {}
    for a in c.gradients.forward:
        moved = push(a.value, a.symbol, tangents, c.rules, c.primitives)
        if not is_zero(moved):
            found[a.symbol] = moved
            tangents[a.symbol] = tangent(a.symbol)
    return found


def _chain(c: Context, lag: Variable, moved: dict[Name, Expr]) -> Iterator[str]:
    """How each name moves with a lag, and that this is what is left of its differential."""
    z = lag.name
    names = c.values | {tangent(lag.before).name: "d"}
    names |= {tangent(n).name: f"(j_{n.name}__{z} {POINT} d)" for n in moved}
    for name, value in moved.items():
        yield f"Definition j_{name.name}__{z} {POINT} d : mat := {written(value, names)}%mat."
    still = f"{POINT} pzero xzero (with_s_{z} szero d)"
    for a in c.gradients.forward:
        into = f"j_{a.name}__{z} {POINT} d" if a.symbol in moved else "mzero"
        mine = f", j_{a.name}__{z}" if a.symbol in moved else ""
        before = ", ".join(f"?left_{name}__{z}" for name in c.reads(a))
        rewritten = f"rewrite {before}. " if before else ""
        yield f"Lemma left_{a.name}__{z} {POINT} d : d_{a.name} {still} = {into}."
        yield f"Proof. unfold d_{a.name}{mine}. {rewritten}unfold with_s_{z}. still. Qed."


def _block(c: Context, state: Variable, lag: Variable, moves: bool) -> Iterator[str]:
    y, z = state.name, lag.name
    curve = f"(fun u => with_s_{z} s (C u))"
    into = f"(j_{y}__{z} p x (with_s_{z} s (C z)) d)" if moves else "mzero"
    yield f"Theorem direct_{y}__{z} {POINT} (C : R -> mat) z d : smooth p x (with_s_{z} s (C z)) ->"
    yield f"  Dmat {shape(lag.now)} C z d ->"
    yield f"  Dmat {shape(state.now)} (fun u => s_{y} (step p x (with_s_{z} s (C u)))) z {into}."
    yield "Proof."
    fields = " ".join(
        "HC" if s.name == z else f"(D_const _ _ (s_{s.name} s) z)" for s in c.cell.states
    )
    yield f"  intros Hs HC. assert (HS := mkDs {curve} z (with_s_{z} szero d) {fields})."
    yield f"  assert (G := moves_{y} (fun _ => p) (fun _ => x) {curve} z pzero xzero"
    yield f"    (with_s_{z} szero d) Hs (Dp_const p z) (Dx_const x z) HS)."
    yield f"  rewrite left_{y}__{z} in G. exact G."
    yield "Qed."


def paths(c: Context) -> Iterator[str]:
    """Memories: the path factor, and over T steps its product."""
    found = list(_paths(c))
    if found:
        yield "(* ---------- additive paths ---------- *)\n"
        yield from found


def _paths(c: Context) -> Iterator[str]:
    g = c.gradients
    for state in memories(g):
        y, of = state.name, shape(state.now)
        left = differential(g, state.now, {state.before: tangent(state.before)})
        try:
            holds = equal(left, along(g, state))
        except TooLargeError:
            holds = False
        if not holds:
            yield f"(* {y}: its path factor is not all of its direct derivative j_{y}__{y}. *)\n"
            continue
        moved = "".join(f", j_{n.name}__{y}" for n in _moving(c, state))
        factor = written(path_factor(g, state), c.values)
        yield f"Definition path_{y} {POINT} : mat := {factor}%mat."
        yield f"Lemma path_{y}_only {POINT} d :"
        yield f"  meq {of} (j_{y}__{y} {POINT} d) (path_{y} {POINT} * d)."
        yield f"Proof. unfold path_{y}{moved}. entry. Qed."
        yield f"Fixpoint frozen_{y} p xs (ss : nat -> st) (C : mat) (t : nat) : mat :="
        yield "  match t with"
        yield "  | O => C"
        yield f"  | S t' => s_{y} (step p (xs t') (with_s_{y} (ss t') (frozen_{y} p xs ss C t')))"
        yield "  end."
        frozen = f"frozen_{y} p xs ss (C u)"
        state_at = f"(with_s_{y} (ss t) (frozen_{y} p xs ss (C z) t))"
        yield f"(* All but {y} frozen at ss: T steps multiply a change by the factors' product. *)"
        yield f"Theorem path_{y}_over_T p xs ss (C : R -> mat) z d T :"
        yield f"  (forall t, (t < T)%nat -> smooth p (xs t) {state_at}) -> Dmat {of} C z d ->"
        yield f"  Dmat {of} (fun u => frozen_{y} p xs ss (C u) T) z"
        yield f"    (product (fun t => path_{y} p (xs t) {state_at}) T * d)%mat."
        yield "Proof."
        yield f"  intros Hs H. apply (D_path {of} (fun u => {frozen})); [exact H|]."
        yield "  intros t D Ht HD. eapply Dmat_eq;"
        yield f"    [exact (direct_{y}__{y} p (xs t) (ss t) (fun u => {frozen} t) z D"
        yield f"      (Hs t Ht) HD) | apply path_{y}_only]."
        yield "Qed.\n"
