"""Any number of steps: the gradient of a loss, as a whole and entry by entry."""

from collections.abc import Iterator
from dataclasses import dataclass

from derive.backends.coq.context import Context
from derive.backends.coq.records import Record
from derive.backends.coq.writing import shape, size

__all__ = ["KINDS", "entries", "through_time"]

LOSSES = "l dl lT dlT (H : Losses l dl lT dlT)"
TYPES = "par inp st"
ALGEBRA = "padd pzero pdot xdot sdot"
STEP = "step dstep out out adjP adjX adjS pdot_add pdot_zero adjoint"
STILL = {letter: f"{letter}dot_still" for letter in "pxs"}
CONSTANT = {letter: f"D{letter}_const" for letter in "pxs"}


@dataclass(frozen=True)
class _Kind:
    """What moves: parameters, one step's input, or the initial states.

    Attributes:
        lemma: of the library.
        curve: binders of the theorem, with the curve that moves.
        smooth: that the run at z is away from kinks; `given` are further hypotheses.
        loss: at u; `gradient`: at z.
        arguments: in the lemma's order.
        whole: the value that moves, in the theorems about entries.
    """

    letter: str
    name: str
    lemma: str
    curve: str
    smooth: str
    given: str
    loss: str
    gradient: str
    arguments: str
    whole: str
    zeros: str


KINDS = (
    _Kind(
        letter="p",
        name="parameters",
        lemma="bptt_parameters",
        curve="(p : R -> par) xs s0 z dp T",
        smooth="smooth_run (p z) xs s0 T",
        given="Dp p z dp",
        loss="Loss l lT (p u) xs s0 T",
        gradient="grad_parameters dl dlT (p z) xs s0 T",
        arguments="p xs s0 z dp T",
        whole="p",
        zeros="xzero szero",
    ),
    _Kind(
        letter="x",
        name="inputs",
        lemma="bptt_input",
        curve="p xs s0 z (x : R -> inp) dx k T",
        smooth="smooth_run p (input_at k (x z) xs) s0 T",
        given="(k < T)%nat -> Dx x z dx",
        loss="Loss l lT p (input_at k (x u) xs) s0 T",
        gradient="grad_input dl dlT p (input_at k (x z) xs) s0 T k",
        arguments="p xs s0 z x dx k T",
        whole="(xs k)",
        zeros="xzero szero",
    ),
    _Kind(
        letter="s",
        name="initial_states",
        lemma="bptt_initial",
        curve="p xs (s0 : R -> st) z ds T",
        smooth="smooth_run p xs (s0 z) T",
        given="Ds s0 z ds",
        loss="Loss l lT p xs (s0 u) T",
        gradient="grad_state dl dlT p xs (s0 z) T",
        arguments="p xs s0 z ds T",
        whole="s0",
        zeros="xzero",
    ),
)


def through_time(c: Context) -> Iterator[str]:
    """Back-propagation through time, by the library's induction."""
    output = shape(c.cell.output.now)
    yield "(* ---------- T steps ----------"
    yield "   A loss is any sum of differentiable functions l t of the outputs, and lT of the final"
    yield "   states; dl t and dlT are their gradients. *)\n"
    yield f"Definition Loss := loss {TYPES} mat step out."
    yield f"Definition Losses := losses st mat sdot (dot {output}) Ds (Dmat {output})."
    yield f"Definition smooth_run := BPTT.smooth_run {TYPES} step smooth."
    yield f"Definition grad_parameters := BPTT.grad_parameters {TYPES} mat"
    yield "  padd pzero step out adjP adjS."
    yield f"Definition grad_input := BPTT.grad_input {TYPES} mat step out adjX adjS."
    yield f"Definition grad_state := BPTT.grad_state {TYPES} mat step out adjS."
    yield "Definition input_at := BPTT.input_at inp."
    yield "(* Such losses exist: the squared length of the outputs is one. *)"
    yield f"Lemma losses_exist : Losses (fun _ y => dot {output} y y) (fun _ y => (2 .* y)%mat)"
    yield "  (fun _ => 0) (fun _ => szero)."
    yield "Proof."
    yield "  split; intros; [apply D_square; assumption|]. rewrite sdot_zero."
    yield "  apply derivable_pt_lim_const."
    yield "Qed."
    yield "Definition out_moves (s : R -> st) z ds (H : Ds s z ds) :"
    yield f"  Dmat {output} (fun u => out (s u)) z (out ds)"
    yield f"  := curve_s_{c.cell.output.name} s z ds H.\n"
    for kind in KINDS:
        still = [t[letter] for t in (STILL, CONSTANT) for letter in "pxs" if letter != kind.letter]
        if kind.letter == "x":  # where the other steps' inputs stand still
            still = [*STILL.values(), *CONSTANT.values()]
        yield f"Theorem gradient_of_{kind.name} {LOSSES} {kind.curve} :"
        yield f"  {kind.smooth} -> {kind.given} ->"
        yield f"  derivable_pt_lim (fun u => {kind.loss}) z"
        yield f"    ({kind.letter}dot ({kind.gradient}) d{kind.letter})."
        yield "Proof."
        yield f"  exact ({kind.lemma} {TYPES} mat {ALGEBRA} (dot {output}) {STEP}"
        yield f"    Dp Dx Ds (Dmat {output}) smooth step_moves out_moves {kind.zeros}"
        yield f"    {' '.join(still)} l dl lT dlT H {kind.arguments})."
        yield "Qed."
    yield ""


def entries(c: Context) -> Iterator[str]:
    """Each entry of each gradient is the derivative of the loss by that entry."""
    yield "(* ---------- entry by entry ---------- *)\n"
    for kind, record in zip(KINDS, c.records, strict=True):
        for field, name in record.fields:
            rows, columns = (size(d) for d in name.shape)
            bounds = f"(a < {rows})%nat -> (b < {columns})%nat ->"
            yield from _entry(kind, record, field, bounds)
    yield ""


def _entry(kind: _Kind, record: Record, field: str, bounds: str) -> Iterator[str]:
    """The theorem about one entry: the curve changes it alone."""
    d, whole = kind.letter, kind.whole
    at, into = f"({field} {whole} a b)", f"(with_{field} {whole} (update ({field} {whole}) a b u))"
    curve, unit = f"(fun u => {into})", f"(with_{field} {d}zero (unit_at a b))"
    loss, gradient, head, arguments = {
        "p": (
            f"Loss l lT {into} xs s0 T",
            "grad_parameters dl dlT p xs s0 T",
            f"grad_{field} {LOSSES} p xs s0 T a b",
            f"{curve} xs s0 {at} {unit} T",
        ),
        "x": (
            f"Loss l lT p (input_at k {into} xs) s0 T",
            "grad_input dl dlT p xs s0 T k",
            f"grad_{field} {LOSSES} p xs s0 k T a b",
            f"p xs s0 {at} {curve} {unit} k T",
        ),
        "s": (
            f"Loss l lT p xs {into} T",
            "grad_state dl dlT p xs s0 T",
            f"grad_{field}_0 {LOSSES} p xs s0 T a b",
            f"p xs {curve} {at} {unit} T",
        ),
    }[d]
    one_input = d == "x"
    yield f"Theorem {head} : {bounds}"
    yield f"  {'(k < T)%nat -> ' * one_input}smooth_run p xs s0 T ->"
    yield f"  derivable_pt_lim (fun u => {loss}) {at} ({field} ({gradient}) a b)."
    yield f"Proof.\n  intros Ha Hb{' Hk' * one_input} Hs."
    yield f"  assert (E : with_{field} {whole} (update ({field} {whole}) a b {at}) = {whole})"
    yield f"    by (rewrite update_same; destruct {whole}; reflexivity)."
    if one_input:
        yield "  assert (F : input_at k (xs k) xs = xs)"
        yield "    by (apply functional_extensionality; intros t; unfold input_at, BPTT.input_at;"
        yield "        destruct (Nat.eqb_spec t k); subst; reflexivity)."
    moves = " ".join(
        f"(D_update _ _ ({f} {whole}) a b _)" if f == field else f"(D_const _ _ ({f} {whole}) _)"
        for f, _ in record.fields
    )
    yield f"  assert (D : D{d} {curve} {at} {unit})"
    yield f"    by exact (mkD{d} {curve} {at} {unit} {moves})."
    yield f"  assert (G := gradient_of_{kind.name} l dl lT dlT H {arguments})."
    yield f"  cbv beta in G. rewrite E{', F' * one_input} in G."
    yield f"  eapply D_eq; [exact (G Hs {'Hk ' * one_input}D)|]."
    yield f"  unfold {d}dot, with_{field}, {d}zero. fields."
    yield "  rewrite ?dot_zero, ?dot_unit by assumption. ring."
    yield "Qed."
