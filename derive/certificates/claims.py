"""Claims of a certificate, judged: each is decided again from the cell's text alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from derive.certificates.declarations import RefusedError, shape_of, size_of
from derive.certificates.examples import both_sides, read_example
from derive.certificates.indices import Poly, add
from derive.certificates.others import OTHERS, gate, second_bias
from derive.certificates.reader import Value
from derive.certificates.statements import Maps, parsed, read_as, state_of
from derive.certificates.steps import Step, check_assignments, check_sweep, lagged, tangent
from derive.certificates.values import Array, far, near

__all__ = ["CLAIMS", "KNOWN", "OPEN", "RIGHT", "VOID", "WRONG", "Subject"]

RIGHT, WRONG, OPEN, VOID = "right", "wrong", "not rechecked", "does not apply"
LEVEL = "decided"

FIXED = "the other states of step t-1 are held fixed"

# What is known of each kind of claim: its hypotheses, and whether it should hold.
CLAIMS: Mapping[str, tuple[str, bool]] = {
    "gradients": (
        "all tangents dv and cotangents bar(v) are independent; slopes as in the table of "
        "primitives, each checked against its function",
        True,
    ),
    "path": ("the other states of step t-1 (the hidden trajectory) are held fixed", True),
    "path over T steps": (
        "the whole trajectory of the other states is held fixed: this is the derivative along "
        "the memory's path, not the total derivative",
        True,
    ),
    "total derivative": (
        "one step; what the memory shows at t-1 is followed, everything else of step t-1 is held "
        "fixed; dC_t/dh_{t-1} itself has all its paths",
        True,
    ),
    "total derivative is the path": (
        "none: this is a misreading of 'path'; gates read the hidden state, which shows the memory",
        False,
    ),
    "total derivatives multiply": (
        "none: with several states this is a misreading; what shows the memory at t-1 depends on "
        "the other states of t-2 too, so only the Jacobian of all states multiplies",
        False,
    ),
    "constant error carousel": (
        "none: this is a misreading, unless the state is only added to; a forget gate makes it "
        "the gate",
        False,
    ),
    "recurrent Jacobian": (FIXED, True),
    "output path": (
        "every gate and candidate, which read h_{t-1} as well, is held fixed: this is the additive "
        "path, not the derivative of the step",
        True,
    ),
    "own lag": (f"{FIXED}; for states that no other row of this table is about", True),
}
PARTIAL = re.compile(r"d(\w+)_t/d(\w+)_\{t-1\} = (.+)")
KNOWN = {**CLAIMS, **OTHERS}
SWEEP = "dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, for any T"


class Subject:
    """A cell with its sweep, against which claims are judged."""

    def __init__(self, cell: Mapping[str, Any]) -> None:
        self.step = Step(cell["text"])
        self.rows = [
            (r["name"], r["value"], shape_of([size_of(str(size)) for size in r["shape"]]))
            for r in cell["assignments"]
        ]
        self.cotangents = {r["name"]: r["value"] for r in cell["cotangents"]}
        check_assignments(self.step.cell, self.rows)
        self.sweep = check_sweep(self.step.cell, self.rows, self.cotangents)
        self.maps = Maps(self.step)

    def judged(self, claim: Mapping[str, Any]) -> tuple[str, str]:
        """Outcome and reason.

        Raises:
            RefusedError: the claim is not what is found here.
        """
        kind, verdict = claim["name"], claim["verdict"]
        if kind not in KNOWN and verdict == VOID:
            return VOID, ""
        if kind not in KNOWN:
            return OPEN, "this checker does not know this kind of claim"
        hypotheses, holds = KNOWN[kind]
        if claim["should_hold"] != holds:
            raise RefusedError("whether it should hold is not so")
        if verdict == VOID:
            if claim["level"] or claim["example"] or claim["normal_form"]:
                raise RefusedError("a claim that does not apply has no evidence")
            return VOID, ""
        if claim["hypotheses"] != hypotheses:
            raise RefusedError("the hypotheses are not those of this kind of claim")
        if verdict == "not decided":
            return OPEN, "it was not decided"
        if claim["level"] != LEVEL:
            raise RefusedError(f"the level is not '{LEVEL}', which is what can be rechecked here")
        if verdict == "refuted" and kind in OTHERS:
            return OPEN, "this checker runs no counterexample of this kind"
        if verdict == "refuted":
            self.refuted(claim)
        elif verdict == "proved":
            self.proved(claim)
        else:
            raise RefusedError("the verdict is none")
        return RIGHT, ""

    def proved(self, claim: Mapping[str, Any]) -> None:
        """That both sides have the normal form that is written."""
        if claim["example"]:
            raise RefusedError("a claim that is proved has no counterexample")
        if claim["normal_form"] != self.form(claim):
            raise RefusedError("the normal form is not the one found here")

    def form(self, claim: Mapping[str, Any]) -> list[str]:
        """The normal form that both sides of a claim have."""
        if claim["name"] == "gradients":
            if claim["statement"] != SWEEP:
                raise RefusedError("the statement is not one of this kind of claim")
            return self.sweep.algebra.shown(self.sweep.form)
        if claim["name"] == "second bias":
            return second_bias(self.maps, self.sweep, claim["statement"])
        if claim["name"] == "gates":
            gate(self.maps, claim["statement"])
            return []
        kind = read_as(claim["name"], claim["statement"])
        left, right = self.sides(kind, claim["statement"])
        if add(left, right, sign=-1):
            raise RefusedError("the two sides have different normal forms")
        return self.step.algebra.shown(left)

    def sides(self, kind: str, statement: str) -> tuple[Poly, Poly]:
        """The derivative that a statement is about, and what it says that it is."""
        step, (state, said, where) = self.step, parsed(kind, statement)
        if kind == "total derivatives multiply":
            return self.chained(state)
        right = self.right(kind, state, said, where)
        d = step.direction(state)
        moving = {lagged(state, 1): d}
        if kind.startswith("total"):
            moving = step.arriving(state, d)
        through = _not_gates if kind == "output path" else _everything
        return step.moved(moving, through).get(state, {}), right

    def right(self, kind: str, state: str, said: str, where: str) -> Poly:
        """What a statement says of a derivative, as a map of the tangent of the lag."""
        step = self.step
        if state not in step.cell.of("state"):
            raise RefusedError(f"'{state[:40]}' is no state")
        if kind == "output path" and state != step.cell.of("state")[0]:
            raise RefusedError("it is not about the output")
        self.maps.parts = {}
        d = Value(step.direction(state), step.shapes[state])
        for part in where.split("; ") if where else ():
            self.partial(part, state)
        value = self.maps.applied(f"diag({said})" if kind == "path over T steps" else said, d)
        if not value.single and value.shape != d.shape:
            raise RefusedError("the two sides have different shapes")
        return value.poly

    def partial(self, part: str, state: str) -> None:
        """dC_t/dh_{t-1} = ..., which a statement refers to, is the direct derivative."""
        found = PARTIAL.fullmatch(part)
        if not found or found[1] != state or found[2] not in self.step.cell.of("state"):
            raise RefusedError(f"`{part[:40]}` in the statement")
        other = found[2]
        d = Value(self.step.direction(other), self.step.shapes[other])
        moved = self.step.moved({lagged(other, 1): d.poly}).get(state, {})
        if add(moved, self.maps.applied(found[3], d).poly, sign=-1):
            raise RefusedError(f"d{state}_t/d{other}_{{t-1}} is not what the statement says")
        self.maps.parts[f"(d{state}_t/d{other}_{{t-1}})"] = found[3]

    def chained(self, state: str) -> tuple[Poly, Poly]:
        """The total derivative over two steps, and the product of two over one."""
        step = self.step
        d = step.direction(state)
        arriving = step.arriving(state, d)
        once = {
            name: step.earlier(poly)
            for name, poly in step.moved(arriving).items()
            if name in step.cell.of("state")
        }
        left = step.moved({lagged(name, 1): poly for name, poly in once.items()})
        values = {tangent(lagged(state, 1)): once.get(state, {})}
        again = {n: step.algebra.substituted(poly, values) for n, poly in arriving.items()}
        return left.get(state, {}), step.moved(again).get(state, {})

    def lacking(self, claims: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Claims that a certificate of this cell must have and has not."""
        names = {c["name"] for c in claims}
        yield from (f"there is no claim '{kind}'" for kind in CLAIMS if kind not in names)
        for kind, states in self.wanted().items():
            about = [
                state_of(kind, c["statement"])
                for c in claims
                if c["name"] == kind and c["verdict"] != VOID
            ]
            if sorted(about) != sorted(states):
                said = ", ".join(about)[:60] or "no state"
                yield f"'{kind}' is about {', '.join(states) or 'no state'}, not {said}"

    def wanted(self) -> dict[str, list[str]]:
        """Which states each kind of claim is about, where that is decided here."""
        step, sweep, (output, *others) = self.step, self.sweep, self.step.cell.of("state")
        memories = [s for s in others if sweep.has_path(s)]
        kept = [output] if sweep.has_path(output) else []
        shown = [s for s in memories if len(step.arriving(s, step.direction(s))) > 1]
        return {
            "path": memories,
            "path over T steps": memories,
            "constant error carousel": memories or kept,
            "total derivative": shown,
            "total derivative is the path": shown,
            "total derivatives multiply": shown if others else [output],
            "output path": kept,
        }

    def refuted(self, claim: Mapping[str, Any]) -> None:
        """That the numbers give what is written, and that the sides differ."""
        if claim["normal_form"]:
            raise RefusedError("a claim that is refuted has no common normal form")
        sizes, written, left, right = read_example(claim["example"])
        kind = read_as(claim["name"], claim["statement"])
        state, said, where = parsed(kind, claim["statement"])
        if state not in self.step.cell.of("state"):
            raise RefusedError(f"'{state[:40]}' is no state")
        chained = kind == "total derivatives multiply"
        map_ = None if chained else self.right(kind, state, said, where)
        found, other = both_sides(self.maps, kind, state, map_, sizes, written)
        for name, array, value in (("left", left, found), ("right", right, other)):
            if not near(array, value):
                raise RefusedError(f"the counterexample's {name} side is {_told(value)}")
        if not far(found, other):
            raise RefusedError("both sides are the same for the counterexample's numbers")


def _everything(function: str) -> bool:
    return True


def _not_gates(function: str) -> bool:
    """Gates and candidates are functions of each entry; log-sum-exp is a sum."""
    return function == "logsumexp"


def _told(array: Array) -> str:
    return ", ".join(f"{v.real:.6g}" for row in array[:3] for v in row[:3])
