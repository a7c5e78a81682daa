"""The records of a step: parameters, inputs, states; their sums, inner products and curves."""

from collections.abc import Sequence
from dataclasses import dataclass

from derive.backends.coq.writing import grouped, shape
from derive.cell import Cell
from derive.expressions import Name

__all__ = ["Record", "records"]


@dataclass(frozen=True)
class Record:
    """One kind of argument of a step.

    Attributes:
        type: par, inp or st.
        fields: (the name's field, the name); its shape is the name's.
        letter: what the functions of this record begin with.
    """

    type: str
    letter: str
    fields: tuple[tuple[str, Name], ...]

    @property
    def projections(self) -> str:
        """All fields, for a list of names to unfold."""
        return " ".join(f for f, _ in self.fields)

    @property
    def reduced(self) -> str:
        """The tactic that takes a field of a record."""
        return f"cbn [{self.projections}]. " if self.fields else ""

    def made(self, values: Sequence[str]) -> str:
        """A record of these values."""
        return f"(mk{self.type}{''.join(' ' + v for v in values)})"

    def lines(self) -> list[str]:
        """The record with its algebra and its curves."""
        t, d = self.type, self.letter
        declared = "; ".join(f"{f} : mat" for f, _ in self.fields)
        dots = grouped([f"dot {shape(n)} ({f} a) ({f} b)" for f, n in self.fields])
        both = self.made([f"({f} a + {f} b)%mat" for f, _ in self.fields])
        curve = "; ".join(
            f"curve_{f} : Dmat {shape(n)} (fun u => {f} (a u)) z ({f} da)" for f, n in self.fields
        )
        blanks = " ".join(f"(D_const _ _ ({f} a) z)" for f, _ in self.fields)
        still = f"{self.letter}zero"
        return [
            f"Record {t} := mk{t} {{ {declared} }}.",
            f"Definition {d}add (a b : {t}) : {t} := {both}.",
            f"Definition {still} : {t} := {self.made(['mzero'] * len(self.fields))}.",
            f"Definition {d}dot (a b : {t}) : R := {dots}.",
            f"Lemma {d}dot_add a b c : {d}dot ({d}add a b) c = {d}dot a c + {d}dot b c.",
            f"Proof. unfold {d}dot, {d}add. {self.reduced}rewrite ?dot_add_l. ring. Qed.",
            f"Lemma {d}dot_zero c : {d}dot {still} c = 0.",
            f"Proof. unfold {d}dot, {still}. {self.reduced}rewrite ?dot_zero_l. ring. Qed.",
            f"Lemma {d}dot_still c : {d}dot c {still} = 0.",
            f"Proof. unfold {d}dot, {still}. {self.reduced}rewrite ?dot_zero. ring. Qed.",
            f"Record D{d} (a : R -> {t}) (z : R) (da : {t}) : Prop := mkD{d} {{ {curve} }}.",
            f"Lemma D{d}_const (a : {t}) z : D{d} (fun _ => a) z {still}.",
            f"Proof. exact (mkD{d} (fun _ => a) z {still} {blanks}). Qed.",
            *self._changes(),
            "",
        ]

    def _changes(self) -> list[str]:
        """For each field, the record with another value there."""
        return [
            f"Definition with_{f} (a : {self.type}) (m : mat) : {self.type} := "
            + self.made(["m" if g == f else f"({g} a)" for g, _ in self.fields])
            + "."
            for f, _ in self.fields
        ]


def records(cell: Cell) -> tuple[Record, Record, Record]:
    """Parameters, inputs and states of a cell."""
    return (
        Record("par", "p", tuple((f"p_{v.name}", v.now) for v in cell.parameters)),
        Record("inp", "x", tuple((f"x_{v.name}", v.now) for v in cell.inputs)),
        Record("st", "s", tuple((f"s_{v.name}", v.before) for v in cell.states)),
    )
