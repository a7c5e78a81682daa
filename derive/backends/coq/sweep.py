"""The reverse sweep of a step in Coq, as it was derived, and that it is the transpose."""

from collections.abc import Iterator

from derive.backends.coq.adjoints import Transposed
from derive.backends.coq.context import Context
from derive.backends.coq.curves import Curves
from derive.backends.coq.writing import ADJOINT, MOVED, piled, shape, size, written
from derive.expressions import BlockMatrix
from derive.gradients import bar
from derive.rules import pull
from derive.single_assignment import Assignment

__all__ = ["adjoint", "sweep", "transposes"]


def sweep(c: Context) -> Iterator[str]:
    """Cotangents, and what parameters, inputs and lagged states get."""
    yield "(* ---------- the reverse sweep of one step, as derived ---------- *)\n"
    for found in c.gradients.backward:
        value = written(found.value, c.cotangents)
        yield f"Definition b_{found.of.name} {ADJOINT} : mat := {value}%mat."
    blocks = (c.gradients.parameters, c.gradients.inputs, c.gradients.states)
    for record, adjoints in zip(c.records, blocks, strict=True):
        values = [f"{written(a.value, c.cotangents)}%mat" for a in adjoints]
        name = f"adj{record.letter.upper()}"
        yield f"Definition {name} {ADJOINT} : {record.type} :="
        yield f"  mk{record.type}" + "".join(f"\n    {v}" for v in values) + "."
    yield ""


def transposes(c: Context) -> Iterator[str]:
    """One lemma for each equation that a cotangent reaches."""
    yield "(* ---------- each equation's part is the transpose of how it moves ---------- *)\n"
    assigned = {a.name: a for a in c.gradients.forward}
    for found in c.reached():
        yield from _transpose(c, assigned[found.of.name])
    yield ""


def _transpose(c: Context, a: Assignment) -> Iterator[str]:
    of, moved = shape(a.symbol), f"(d_{a.name} {MOVED})"
    curves = Curves(c.values, c.tangents, dict.fromkeys(c.tangents, "_"))
    structural = curves.of(a.value)
    yield c.said(a)
    yield f"Lemma turned_{a.name} {MOVED} dv :"
    if structural is None:
        yield f"  dot {of} dv {moved} = 0.\nProof. exact (dot_zero {of} dv). Qed."
        return
    names = c.cotangents | {bar(a.symbol).name: "dv"}
    contributions = pull(a.value, a.symbol, bar(a.symbol), c.rules, c.primitives)
    walk = Transposed(curves, names, contributions, f"unfold v_{a.name}; entry")
    step = walk.at(a.value, "dv")
    assert next(contributions, None) is None, f"{a.name}: a contribution is left over"
    yield f"  dot {of} dv {moved} =\n  {step.total}."
    yield "Proof."
    yield f"  assert (E : meq {of} {moved} {structural.moved})"
    yield f"    by (unfold d_{a.name}, v_{a.name}; entry)."
    yield f"  rewrite (dot_right {of} dv _ _ E)."
    rows, pieces = size(a.value.shape[0]), piled(a.value)
    if isinstance(a.value, BlockMatrix) and rows != pieces:
        yield f"  rewrite (dot_rows {rows} ({pieces}) _ _ _ ltac:(lia))."
    yield f"  exact {step.proof}."
    yield "Qed."


def adjoint(c: Context) -> Iterator[str]:
    """The whole step: what arrives, times how it moves, is what is handed on, times what moves."""
    output = shape(c.cell.output.now)
    yield f"Theorem adjoint {ADJOINT} dp dx ds :"
    yield f"  dot {output} dy (out (dstep {MOVED})) + sdot carry (dstep {MOVED})"
    yield (f"  = pdot (adjP {ADJOINT}) dp + xdot (adjX {ADJOINT}) dx + sdot (adjS {ADJOINT}) ds.")
    yield "Proof."
    for found in c.reached():
        name = found.of.name
        yield f"  assert (E_{name} := turned_{name} {MOVED} (b_{name} {ADJOINT}))."
        yield f"  unfold b_{name} in E_{name} at 1. rewrite ?dot_add_l in E_{name}."
    yield "  unfold pdot, xdot, sdot, adjP, adjX, adjS, out, dstep."
    yield "  fields. rewrite ?dot_add_l, ?dot_zero_l. lra."
    yield "Qed.\n"
