"""What a proof is, when it is done: a statement with its verdict, level and evidence."""

from dataclasses import dataclass

__all__ = ["DECIDED", "KERNEL_CHECKED", "PROVED", "REFUTED", "UNDECIDED", "VOID", "Claim"]

PROVED, REFUTED, UNDECIDED, VOID = "proved", "refuted", "not decided", "does not apply"
DECIDED, KERNEL_CHECKED = "decided", "kernel-checked"


@dataclass(frozen=True)
class Claim:
    """One theorem's row evaluated for one cell.

    Attributes:
        theorem: the row's name.
        statement: what is claimed of this cell, as text; `latex` is the same as TeX math.
        verdict: 'proved', 'refuted', 'not decided' or 'does not apply'.
        level: 'decided': by this program, for all values and sizes; 'kernel-checked': also by Coq,
            see `derive.accepted`; '' if nothing was settled.
        method: how it was settled.
        hypotheses: what is held fixed or assumed; for 'does not apply', the reason.
        source: paper or text.
        should_hold: False for a misreading that is shown in order to be refuted.
        remainder: left side minus right side, term by term, where they differ.
        example: numbers for which the two sides differ, with both values.
        kind: the group that the row belongs to, a key of `derive.theorems.KINDS`.
        optional: whether a cell may well lack it: refuted or not decided, it is no failure.
        coq: theorems of the cell's Coq file that say the same, if Coq has accepted them.
    """

    theorem: str
    statement: str
    latex: str
    verdict: str
    level: str
    method: str
    hypotheses: str
    source: str
    should_hold: bool = True
    remainder: tuple[str, ...] = ()
    remainder_latex: tuple[str, ...] = ()
    example: str = ""
    kind: str = "path"
    optional: bool = False
    coq: tuple[str, ...] = ()

    @property
    def settled(self) -> str:
        """The verdict with its level, as it is printed: 'proved, decided'."""
        return f"{self.verdict}, {self.level}" if self.level else self.verdict

    @property
    def fails(self) -> bool:
        """Whether a claim that should hold does not."""
        return self.should_hold and not self.optional and self.verdict == REFUTED

    @property
    def is_open(self) -> bool:
        """Whether a claim that should hold could not be decided."""
        return self.should_hold and not self.optional and self.verdict == UNDECIDED

    @property
    def misread(self) -> bool:
        """Whether it is a misreading, refuted as it should be."""
        return not self.should_hold and self.verdict == REFUTED
