"""Gradients -> the text of a Coq file about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from derive.backends.coq.adjoints import Transposed
from derive.backends.coq.curves import Curves
from derive.backends.coq.functions import function_of
from derive.backends.coq.records import Record, records
from derive.backends.coq.writing import ADJOINT, MOVED, POINT, piled, shape, size, written
from derive.cell import Cell
from derive.differentials import tangent
from derive.expressions import Apply, BlockMatrix, Expr, LogSumExp
from derive.gradients import Adjoint, Gradients, bar, carry, upstream
from derive.rules import RULES, Primitives, Rule, pull, push
from derive.primitives import PRIMITIVES
from derive.single_assignment import Assignment
from derive.version import VERSION

__all__ = ["coq_source", "library_source"]

STEP = "(p : par) (x : inp) (s : st)"
STEP_MOVED = f"{STEP} (dp : par) (dx : inp) (ds : st)"
STEP_BACK = f"{STEP} (dy : mat) (carry : st)"


def library_source() -> str:
    """The library that every file rests on: BPTT.v."""
    return (files("derive.backends.coq") / "BPTT.v").read_text(encoding="utf-8")


def coq_source(gradients: Gradients, rules: tuple[Rule, ...] = RULES, primitives: Primitives = PRIMITIVES) -> str:
    """A file that proves the gradients of a cell.

    Raises:
        UsageError: a primitive has no Coq definition; says which and why.
    """
    return "\n".join(_File(gradients, rules, primitives).lines()) + "\n"


@dataclass(frozen=True)
class _File:
    gradients: Gradients
    rules: tuple[Rule, ...]
    primitives: Primitives

    @property
    def cell(self) -> Cell:
        return self.gradients.cell

    @cached_property
    def records(self) -> tuple[Record, Record, Record]:
        return records(self.cell)

    @cached_property
    def values(self) -> dict[str, str]:
        """Names at a point."""
        found = {n.name: f"({f} {r.letter})" for r in self.records for f, n in r.fields}
        return found | {a.name: f"(v_{a.name} {POINT})" for a in self.gradients.forward}

    @cached_property
    def tangents(self) -> dict[str, str]:
        found = {n.name: f"({f} d{r.letter})" for r in self.records for f, n in r.fields}
        return found | {a.name: f"(d_{a.name} {MOVED})" for a in self.gradients.forward}

    @cached_property
    def cotangents(self) -> dict[str, str]:
        found = {bar(a.symbol).name: f"(b_{a.name} {ADJOINT})" for a in self.gradients.forward}
        found |= {carry(s).name: f"(s_{s.name} carry)" for s in self.cell.states}
        return self.values | found | {upstream(self.cell).name: "dy"}

    def lines(self) -> Iterator[str]:
        yield from self.head()
        for record in self.records:
            yield from record.lines()
        yield from self.forward()
        yield from self.differential()
        yield from self.smooth()
        yield from self.derivatives()
        yield from self.backward()
        yield from self.transposes()
        yield from self.assembly()
        yield from self.through_time()
        yield "End Cell."

    def head(self) -> Iterator[str]:
        name = self.cell.name
        yield f"(* {name}: back-propagation through time, proved. Made by bptt {VERSION}."
        yield "   Check it: coqc BPTT.v, then coqc this file; `derive check` does both and reads the axioms."
        for line in str(self.cell).splitlines():
            yield f"     {line}".rstrip().replace("(*", "( *").replace("*)", "* )")
        yield "*)"
        yield "Require Import Reals Lra Lia BPTT."
        yield "Open Scope R_scope."
        yield "Section Cell."
        if self.cell.dimensions:
            yield f"Variables {' '.join(size(d) for d in self.cell.dimensions)} : nat."
        yield ""

    def forward(self) -> Iterator[str]:
        yield "(* ---------- the equations of one step ---------- *)"
        yield ""
        for a in self.gradients.forward:
            yield f"Definition v_{a.name} {STEP} : mat := {written(a.value, self.values)}%mat."
        nexts = [self.values[s.name] for s in self.cell.states]
        yield f"Definition step {STEP} : st := {self.records[2].made(nexts)}."
        yield ""

    def differential(self) -> Iterator[str]:
        yield "(* ---------- how the step moves ---------- *)"
        yield ""
        moving = {leaf: tangent(leaf) for leaf in self.leaves()}
        text = self.values | {f"d({n})": t for n, t in self.tangents.items()}
        for a in self.gradients.forward:
            moved = push(a.value, a.symbol, moving, self.rules, self.primitives)
            yield f"Definition d_{a.name} {STEP_MOVED} : mat := {written(moved, text)}%mat."
        nexts = [self.tangents[s.name] for s in self.cell.states]
        yield f"Definition dstep {STEP_MOVED} : st := {self.records[2].made(nexts)}."
        yield ""

    def leaves(self) -> Iterator[Expr]:
        for record in self.records:
            yield from (name for _, name in record.fields)
        yield from (a.symbol for a in self.gradients.forward)

    def smooth(self) -> Iterator[str]:
        yield "(* ---------- away from kinks and poles ---------- *)"
        yield ""
        found = [f"ok_{a.name} : {c}" for a in self.gradients.forward if (c := self.condition(a))]
        yield f"Record smooth {STEP} : Prop := mksmooth {{ {'; '.join(found)} }}."
        yield ""

    def condition(self, assignment: Assignment) -> str:
        value = assignment.value
        if isinstance(value, LogSumExp):
            return f"(0 < {size(value.argument.shape[0])})%nat"
        if not isinstance(value, Apply) or not function_of(value.name).smooth:
            return ""
        rows, columns = map(size, value.shape)
        held = function_of(value.name).smooth.format(z=f"{written(value.argument, self.values)} i j")
        return f"forall i j, (i < {rows})%nat -> (j < {columns})%nat -> {held}"

    def derivatives(self) -> Iterator[str]:
        yield "(* ---------- and that this is its derivative along every curve ---------- *)"
        yield ""
        args = "(p : R -> par) (x : R -> inp) (s : R -> st) z dp dx ds"
        given = "smooth (p z) (x z) (s z) -> Dp p z dp -> Dx x z dx -> Ds s z ds"
        at = {f"({r.letter})" for r in self.records}
        for a in self.gradients.forward:
            curves = self.curves_at(a)
            found = curves.of(a.value)
            moved, proof = ("mzero", "(D_const _ _ _ _)")
            if found is not None:
                moved, proof = found.moved, found.proof
            into = f"(d_{a.name} (p z) (x z) (s z) dp dx ds)"
            curve = f"(fun u => v_{a.name} (p u) (x u) (s u))"
            yield f"Lemma moves_{a.name} {args} : {given} ->"
            yield f"  Dmat {shape(a.symbol)} {curve} z {into}."
            yield "Proof."
            yield "  intros Hs HP HX HS."
            yield f"  assert (E : meq {shape(a.symbol)} {moved} {into})"
            yield f"    by (unfold d_{a.name}, v_{a.name}; entry)."
            yield f"  refine (Dmat_eq {shape(a.symbol)} {curve} z _ _ _ E)."
            if isinstance(a.value, BlockMatrix):  # rows are counted piece by piece
                rows = f"({piled(a.value)}) ({size(a.value.shape[0])})"
                proof = f"(Dmat_rows {rows} _ _ _ _ ltac:(lia) {proof})"
            yield f"  unfold v_{a.name}. refine {proof}."
            yield "Qed."
        state = self.records[2]
        yield f"Theorem step_moves {args} : {given} ->"
        yield "  Ds (fun u => step (p u) (x u) (s u)) z (dstep (p z) (x z) (s z) dp dx ds)."
        yield "Proof."
        proofs = " ".join(
            f"(moves_{s.name} p x s z dp dx ds Hs HP HX HS)" for s in self.cell.states
        )
        yield f"  intros Hs HP HX HS. exact (mkDs (fun u => step (p u) (x u) (s u)) z "
        yield f"    (dstep (p z) (x z) (s z) dp dx ds) {proofs})."
        yield "Qed."
        yield ""

    def curves_at(self, assignment: Assignment) -> Curves:
        """Curves p, x, s at z."""
        point = "(p z) (x z) (s z)"
        names = {n.name: f"({f} ({r.letter} z))" for r in self.records for f, n in r.fields}
        names |= {a.name: f"(v_{a.name} {point})" for a in self.gradients.forward}
        tangents = {n.name: f"({f} d{r.letter})" for r in self.records for f, n in r.fields}
        tangents |= {a.name: f"(d_{a.name} {point} dp dx ds)" for a in self.gradients.forward}
        proofs = {
            n.name: f"(curve_{f} {r.letter} z d{r.letter} H{r.letter.upper()})"
            for r in self.records
            for f, n in r.fields
        }
        proofs |= {
            a.name: f"(moves_{a.name} p x s z dp dx ds Hs HP HX HS)" for a in self.gradients.forward
        }
        return Curves(names, tangents, proofs, f"ok_{assignment.name} {point} Hs")

    def backward(self) -> Iterator[str]:
        yield "(* ---------- the reverse sweep of one step, as derived ---------- *)"
        yield ""
        for adjoint in self.gradients.backward:
            value = written(adjoint.value, self.cotangents)
            yield f"Definition b_{adjoint.of.name} {STEP_BACK} : mat := {value}%mat."
        blocks = (self.gradients.parameters, self.gradients.inputs, self.gradients.states)
        for record, adjoints in zip(self.records, blocks, strict=True):
            values = [f"{written(a.value, self.cotangents)}%mat" for a in adjoints]
            name = f"adj{record.letter.upper()}"
            yield f"Definition {name} {STEP_BACK} : {record.type} :="
            yield f"  mk{record.type}" + "".join(f"\n    {v}" for v in values) + "."
        yield ""

    def reached(self) -> list[Adjoint]:
        return [a for a in self.gradients.backward if a.terms]

    def transposes(self) -> Iterator[str]:
        yield "(* ---------- each equation's part of it is the transpose of how it moves ---------- *)"
        yield ""
        values = {a.name: a for a in self.gradients.forward}
        for adjoint in self.reached():
            a = values[adjoint.of.name]
            curves = Curves(self.values, self.tangents, {n: "_" for n in self.tangents})
            arriving = self.cotangents[bar(a.symbol).name]
            names = self.cotangents | {bar(a.symbol).name: "b"}
            found = pull(a.value, a.symbol, bar(a.symbol), self.rules, self.primitives)
            walk = Transposed(curves, names, found, f"unfold v_{a.name}; entry")
            structural = curves.of(a.value)
            yield f"Lemma turned_{a.name} {STEP_MOVED} (b : mat) :"
            if structural is None:
                yield f"  dot {shape(a.symbol)} b (d_{a.name} {MOVED}) = 0."
                yield f"Proof. exact (dot_zero {shape(a.symbol)} b). Qed."
                continue
            step = walk.at(a.value, "b")
            assert next(found, None) is None, f"{a.name}: a contribution is left over"
            yield f"  dot {shape(a.symbol)} b (d_{a.name} {MOVED}) ="
            yield f"  {step.total}."
            yield "Proof."
            yield f"  assert (E : meq {shape(a.symbol)} (d_{a.name} {MOVED}) {structural.moved})"
            yield f"    by (unfold d_{a.name}, v_{a.name}; entry)."
            yield f"  rewrite (dot_right {shape(a.symbol)} b _ _ E)."
            if isinstance(a.value, BlockMatrix):
                yield f"  rewrite (dot_rows {size(a.value.shape[0])} ({piled(a.value)}) _ _ _ ltac:(lia))."
            yield f"  exact {step.proof}."
            yield "Qed."
        yield ""

    def assembly(self) -> Iterator[str]:
        output = self.cell.output
        yield f"Definition out (s : st) : mat := s_{output.name} s."
        yield f"Theorem adjoint {STEP} (dy : mat) (carry : st) (dp : par) (dx : inp) (ds : st) :"
        yield (
            f"  dot {shape(output.now)} dy (out (dstep {MOVED})) + sdot carry (dstep {MOVED})\n"
            f"  = pdot (adjP {ADJOINT}) dp + xdot (adjX {ADJOINT}) dx + sdot (adjS {ADJOINT}) ds."
        )
        yield "Proof."
        for adjoint in self.reached():
            name = adjoint.of.name
            yield f"  assert (E_{name} := turned_{name} {MOVED} (b_{name} {ADJOINT}))."
            yield f"  unfold b_{name} in E_{name} at 1. rewrite ?dot_add_l in E_{name}."
        yield "  unfold pdot, xdot, sdot, adjP, adjX, adjS, out, dstep."
        fields = " ".join(r.projections for r in self.records)
        yield f"  cbn [{fields}]. rewrite ?dot_add_l, ?dot_zero_l. lra."
        yield "Qed."
        yield ""

    def through_time(self) -> Iterator[str]:
        output = shape(self.cell.output.now)
        yield "(* ---------- any number of steps ---------- *)"
        yield ""
        yield f"Definition {self.theorem} :="
        yield f"  bptt par inp st mat padd pzero pdot xdot sdot (dot {output})"
        yield "    step dstep out out adjP adjX adjS pdot_add pdot_zero adjoint"
        yield f"    Dp Dx Ds (Dmat {output}) smooth step_moves"
        yield f"    (fun s z ds H => curve_s_{self.cell.output.name} s z ds H)."
        yield f"Print Assumptions {self.theorem}."

    @property
    def theorem(self) -> str:
        return "gradients_of_the_loss"
