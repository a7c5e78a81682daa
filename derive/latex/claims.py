"""The article's theorems: statement, verdict with its level, and what a refutation rests on."""

from collections.abc import Iterator, Sequence

from derive.claim import REFUTED, VOID, Claim
from derive.latex.typesetting import broken, escape

__all__ = ["theorems"]

# A formula of more lines than a page has, or a sentence as long, is not read: the rest is counted.
_MOST_LINES = 36
_MOST_LETTERS = 800

_LEVELS = {
    "decided": "polynomial normal forms are compared; equal ones prove the claim for all sizes and "
    "all values, and a refutation shows numbers for which the two sides differ",
    "kernel-checked": "decided so, and said by theorems of the cell's Coq file, which coqc accepts "
    "without an axiom beyond Coq's own of real numbers, functions and the excluded middle",
    "checked": "numeric evidence, not a proof",
}


def theorems(claims: Sequence[Claim]) -> str:
    """All claims in their order; those that do not apply in one list at the end."""
    settled = [c for c in claims if c.verdict != VOID]
    other = [c for c in claims if c.verdict == VOID]
    if not claims:
        return ""
    levels = dict.fromkeys(c.level for c in settled if c.level)
    known = [f"\\emph{{{escape(n)}}}: {_LEVELS[n]}" for n in levels if n in _LEVELS]
    text = "\\section{Theorems}\n"
    if known:
        text += f"Every verdict carries its level. {'; '.join(known)}.\n\n"
    text += "\n".join("\n".join(_claim(claim)) for claim in settled)
    if other:
        names = "; ".join(
            f"{escape(c.theorem)} ({escape(c.hypotheses or c.statement)})" for c in other
        )
        text += f"\n\\paragraph{{Claims that do not apply to this cell.}} {names}.\n"
    return text


def _claim(claim: Claim) -> Iterator[str]:
    misread = not claim.should_hold and claim.verdict == REFUTED
    remark = r" \emph{A misreading, stated in order to be refuted.}" if misread else ""
    # Words in a statement can be long: the right margin gives way.
    verdict = rf"\textbf{{[{escape(claim.settled)}]}}"
    yield rf"{{\raggedright\paragraph{{{escape(claim.theorem)}.}} {verdict}"
    yield rf"{remark} {_sentence(claim.statement)}\par}}"
    yield from _display([claim.latex])
    items = [*_evidence(claim)]
    if items:
        yield r"\begin{description}\setlength{\itemsep}{0pt}"
        yield from items
        yield "\\end{description}\n"


def _evidence(claim: Claim) -> Iterator[str]:
    """What the verdict assumes and rests on."""
    for title, text in (("Hypotheses", claim.hypotheses), ("Method", claim.method)):
        if text:
            yield rf"\item[{title}.] {_sentence(text)}"
    if claim.coq:
        names = ", ".join(rf"\texttt{{{escape(name)}}}" for name in claim.coq)
        yield rf"\item[In Coq.] {names}."
    if claim.remainder_latex:
        yield r"\item[Left minus right is the sum of] \leavevmode"
        yield from _display(list(claim.remainder_latex))
    elif claim.remainder:
        remains = "; ".join(map(escape, claim.remainder))
        yield rf"\item[Left minus right is the sum of] {remains}"
    if claim.example:
        yield rf"\item[Counterexample.] {_sentence(claim.example)}"
    if claim.source:
        yield rf"\item[Source.] {_sentence(claim.source)}"


def _sentence(text: str) -> str:
    if len(text) > _MOST_LETTERS:
        kept = text[:_MOST_LETTERS].rpartition(" ")[0]
        text = f"{kept} ... (`derive prove --json` has all of its {len(text)} letters)"
    shown = escape(text)
    return shown if shown.endswith((".", ":", "!", "?")) else f"{shown}."


def _display(formulas: list[str]) -> Iterator[str]:
    """Unnumbered formulas, long ones over several lines."""
    rows = []
    for formula in formulas:
        first, *more = broken(formula, 400.0)
        rows.append(f"&{first}")
        rows += [rf"&\qquad {{}}{line}" for line in more]
    left = len(rows) - _MOST_LINES
    if left > 1:
        rows[_MOST_LINES:] = [rf"&\qquad {{}}\cdots\quad\text{{({left} more lines)}}"]
    yield "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
