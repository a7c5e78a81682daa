"""Where values lie: gates in (0, 1), candidates in (-1, 1), and how far a memory can go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from derive.backends.coq.context import Context
from derive.backends.coq.writing import POINT
from derive.cell import Variable
from derive.expressions import (
    Apply,
    Expr,
    HadamardProduct,
    MatAdd,
    MatrixSymbol,
    OneMatrix,
    coefficient,
)

__all__ = ["ranges"]


@dataclass(frozen=True)
class _Kind:
    """A range with the library's lemma for it."""

    said: str
    lemma: str


GATE, UNIT = _Kind("0 < {} < 1", "sigm_range"), _Kind("-1 < {} < 1", "tanh_range")
KINDS = {"sigmoid": GATE, "tanh": UNIT}


def ranges(c: Context) -> Iterator[str]:
    """Ranges of values that the equations give, and the bounds of memories that follow."""
    known: dict[str, _Kind] = {}
    lines: list[str] = []
    for a in c.gradients.forward:
        kind = _kind(a.value, known)
        if kind is None:
            continue
        known[a.name] = kind
        lines.append(f"Lemma range_{a.name} {POINT} i j : {kind.said.format(_entry(a.name))}.")
        if isinstance(a.value, Apply):
            proof = f"apply {kind.lemma}."
        else:
            facts = " ".join(f"(range_{f.name} {POINT} i j)" for f in a.value.args)
            proof = f"generalize {facts}. intros. repeat split; nra."
        lines.append(f"Proof. unfold v_{a.name}. unfold_entries. {proof} Qed.")
    for state in c.cell.states:
        lines.extend(_bounded(c, state, known))
    if lines:
        yield "(* ---------- where values lie ---------- *)\n"
        yield from lines
        yield ""


def _entry(name: str) -> str:
    return f"v_{name} {POINT} i j"


def _kind(value: Expr, known: Mapping[str, _Kind]) -> _Kind | None:
    """The range of a value: of an activation, or of a product of two names that have one."""
    if isinstance(value, Apply):
        return KINDS.get(value.name)
    if isinstance(value, HadamardProduct) and len(value.args) == 2:
        kinds = {known.get(f.name) if isinstance(f, MatrixSymbol) else None for f in value.args}
        if None not in kinds:
            return GATE if kinds == {GATE} else UNIT
    return None


def _bounded(c: Context, state: Variable, known: Mapping[str, _Kind]) -> Iterator[str]:
    """A memory that a gate keeps: what is added is below one, or blended in by the same gate."""
    value = next(a.value for a in c.gradients.forward if a.name == state.name)
    if not isinstance(value, MatAdd) or len(value.args) != 2:
        return
    for kept, added in (value.args, value.args[::-1]):
        gate = _factor(kept, state.before, known)
        if gate is None:
            continue
        blended = _blended(added, gate, known)
        if blended:
            yield from _blend(state, gate, blended)
        elif _kind(added, known) is not None:
            yield from _memory(state, gate, added)
        return


def _factor(kept: Expr, lag: Expr, known: Mapping[str, _Kind]) -> Expr | None:
    """The gate k of k * lag, or of (1 - k) * lag."""
    if not isinstance(kept, HadamardProduct) or len(kept.args) != 2 or lag not in kept.args:
        return None
    if kept.args[0] == kept.args[1]:
        return None
    gate = next(f for f in kept.args if f != lag)
    name = gate if isinstance(gate, MatrixSymbol) else _complemented(gate)
    return gate if name is not None and known.get(name.name) is GATE else None


def _complemented(expr: Expr) -> Any:
    """The name z of 1 - z; None if it is not that."""
    if not isinstance(expr, MatAdd) or len(expr.args) != 2:
        return None
    one, rest = expr.args
    number, name = coefficient(rest)
    plain = isinstance(one, OneMatrix) and number == -1 and isinstance(name, MatrixSymbol)
    return name if plain else None


def _blended(added: Expr, gate: Expr, known: Mapping[str, _Kind]) -> str:
    """The candidate w of (1 - k) * w, whose size is below one; '' if it is not that."""
    if not isinstance(added, HadamardProduct) or len(added.args) != 2:
        return ""
    for other, candidate in (added.args, added.args[::-1]):
        opposite = _complemented(other) == gate or _complemented(gate) == other
        if opposite and isinstance(candidate, MatrixSymbol) and candidate.name in known:
            return candidate.name
    return ""


def _memory(state: Variable, gate: Expr, added: Expr) -> Iterator[str]:
    if not isinstance(gate, MatrixSymbol) or not isinstance(added, HadamardProduct):
        return
    y, facts = state.name, (gate, *added.args)  # a product with a range is one of names
    shown = " ".join(f"(range_{f.name} {POINT} i j)" for f in facts)
    yield f"Lemma grows_{y} {POINT} i j M : Rabs (s_{y} s i j) <= M -> Rabs ({_entry(y)}) <= M + 1."
    yield f"Proof. intros H. unfold v_{y}. unfold_entries. generalize {shown}. intros."
    yield "  match goal with |- Rabs ?e <= _ => first"
    yield f"    [ replace e with (v_{gate.name} {POINT} i j * s_{y} s i j"
    product = " * ".join(f"v_{f.name} {POINT} i j" for f in added.args)
    yield f"        + {product}) by ring;"
    yield "      apply memory_step; auto; split; nra ] end. Qed."
    yield f"Theorem bounded_{y} p xs s0 T i j :"
    yield f"  Rabs (s_{y} (run par inp st step p xs s0 T) i j) <= Rabs (s_{y} s0 i j) + INR T."
    yield "Proof."
    yield "  induction T; [simpl; lra|]. rewrite S_INR, <- Rplus_assoc."
    yield f"  apply (grows_{y} p (xs T) (run par inp st step p xs s0 T) i j). exact IHT."
    yield "Qed."


def _blend(state: Variable, gate: Expr, candidate: str) -> Iterator[str]:
    y, plain = state.name, isinstance(gate, MatrixSymbol)
    name = (gate if plain else _complemented(gate)).name
    v = f"v_{name} {POINT} i j"
    k = f"({v})" if plain else f"(1 - {v})"
    shown = f"(range_{name} {POINT} i j) (range_{candidate} {POINT} i j)"
    yield f"Lemma blends_{y} {POINT} i j M : 1 <= M ->"
    yield f"  Rabs (s_{y} s i j) <= M -> Rabs ({_entry(y)}) <= M."
    yield f"Proof. intros HM H. unfold v_{y}. unfold_entries. generalize {shown}. intros."
    blend = f"{k} * s_{y} s i j + (1 - {k}) * v_{candidate} {POINT} i j"
    yield f"  match goal with |- Rabs ?e <= _ => replace e with ({blend}) by ring end."
    yield "  apply blend_step; [split; lra | apply Rabs_le; lra | exact H]. Qed."
    yield f"Theorem bounded_{y} p xs s0 T i j :"
    yield f"  Rabs (s_{y} (run par inp st step p xs s0 T) i j) <= Rmax (Rabs (s_{y} s0 i j)) 1."
    yield "Proof."
    yield "  induction T; [simpl; apply Rmax_l|]."
    yield f"  apply (blends_{y} p (xs T) (run par inp st step p xs s0 T) i j);"
    yield "    [apply Rmax_r | exact IHT]."
    yield "Qed."
