"""One step in Coq: its equations, how it moves, and that this is its derivative on every curve."""

from collections.abc import Iterator

from derive.backends.coq.context import CURVES, CURVES_MOVE, Context
from derive.backends.coq.curves import Curves
from derive.backends.coq.functions import function_of
from derive.backends.coq.writing import MOVED, POINT, piled, shape, size, written
from derive.differentials import tangent
from derive.expressions import Apply, BlockMatrix, LogSumExp
from derive.rules import push
from derive.single_assignment import Assignment

__all__ = ["derivatives", "differential", "equations", "smoothness"]


def equations(c: Context) -> Iterator[str]:
    """The forward step."""
    yield "(* ---------- the equations of one step ---------- *)\n"
    for a in c.gradients.forward:
        yield c.said(a)
        yield f"Definition v_{a.name} {POINT} : mat := {written(a.value, c.values)}%mat."
    nexts = [c.values[s.name] for s in c.cell.states]
    yield f"Definition step {POINT} : st := {c.records[2].made(nexts)}."
    yield f"Definition out (s : st) : mat := s_{c.cell.output.name} s.\n"


def differential(c: Context) -> Iterator[str]:
    """What the rules of differentiation say that the step's differential is."""
    yield "(* ---------- how the step moves ---------- *)\n"
    moving = {leaf: tangent(leaf) for leaf in c.leaves()}
    names = c.values | {f"d({n})": t for n, t in c.tangents.items()}
    for a in c.gradients.forward:
        moved = push(a.value, a.symbol, moving, c.rules, c.primitives)
        yield f"Definition d_{a.name} {MOVED} : mat := {written(moved, names)}%mat."
    nexts = [c.tangents[s.name] for s in c.cell.states]
    yield f"Definition dstep {MOVED} : st := {c.records[2].made(nexts)}.\n"


def smoothness(c: Context) -> Iterator[str]:
    """Where that holds: away from kinks and poles."""
    yield "(* ---------- away from kinks and poles ---------- *)\n"
    found = [f"ok_{a.name} : {held}" for a in c.gradients.forward if (held := _condition(c, a))]
    yield f"Record smooth {POINT} : Prop := mksmooth {{ {'; '.join(found)} }}."
    if not found:
        yield f"Lemma smooth_everywhere {POINT} : smooth {POINT}."
        yield f"Proof. exact (mksmooth {POINT}). Qed."
    yield ""


def _condition(c: Context, assignment: Assignment) -> str:
    value = assignment.value
    if isinstance(value, LogSumExp):
        return f"(0 < {size(value.argument.shape[0])})%nat"
    if not isinstance(value, Apply) or not function_of(value.name).smooth:
        return ""
    rows, columns = map(size, value.shape)
    held = function_of(value.name).smooth.format(z=f"{written(value.argument, c.values)} i j")
    return f"forall i j, (i < {rows})%nat -> (j < {columns})%nat -> {held}"


def derivatives(c: Context) -> Iterator[str]:
    """A lemma for each equation, and the step's derivative."""
    yield "(* ---------- that is its derivative along every curve ---------- *)\n"
    point = "(p z) (x z) (s z)"
    for a in c.gradients.forward:
        into = f"(d_{a.name} {point} dp dx ds)"
        curve = f"(fun u => v_{a.name} (p u) (x u) (s u))"
        moved, proof = _structural(c, a, point)
        yield c.said(a)
        yield f"Lemma moves_{a.name} {CURVES} : {CURVES_MOVE} ->"
        yield f"  Dmat {shape(a.symbol)} {curve} z {into}."
        yield "Proof."
        yield f"  intros Hs HP HX HS. assert (E : meq {shape(a.symbol)} {moved} {into})"
        yield f"    by (unfold d_{a.name}, v_{a.name}; entry)."
        yield f"  refine (Dmat_eq {shape(a.symbol)} {curve} z _ _ _ E). unfold v_{a.name}."
        yield f"  refine {proof}."
        yield "Qed."
    proofs = " ".join(f"(moves_{s.name} p x s z dp dx ds Hs HP HX HS)" for s in c.cell.states)
    yield f"Theorem step_moves {CURVES} : {CURVES_MOVE} ->"
    yield f"  Ds (fun u => step (p u) (x u) (s u)) z (dstep {point} dp dx ds)."
    yield "Proof. intros Hs HP HX HS."
    yield f"  exact (mkDs (fun u => step (p u) (x u) (s u)) z (dstep {point} dp dx ds) {proofs})."
    yield "Qed.\n"


def _structural(c: Context, assignment: Assignment, point: str) -> tuple[str, str]:
    """The structural derivative at z along curves p, x, s, and its proof."""
    proofs = {
        n.name: f"(curve_{f} {r.letter} z d{r.letter} H{r.letter.upper()})"
        for r in c.records
        for f, n in r.fields
    }
    proofs |= {
        a.name: f"(moves_{a.name} p x s z dp dx ds Hs HP HX HS)" for a in c.gradients.forward
    }
    smooth = f"ok_{assignment.name} {point} Hs"
    found = Curves(c.at("({} z)", point), c.moving(point), proofs, smooth).of(assignment.value)
    if found is None:
        return "mzero", "(D_const _ _ _ _)"
    if isinstance(assignment.value, BlockMatrix):  # rows are counted piece by piece
        rows = f"({piled(assignment.value)}) ({size(assignment.value.shape[0])})"
        return found.moved, f"(Dmat_rows {rows} _ _ _ _ ltac:(lia) {found.proof})"
    return found.moved, found.proof
