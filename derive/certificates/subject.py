"""What claims are judged against: a cell, its sweep, and what it does with its states."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from derive.certificates.declarations import lagged, shape_of, size_of, tangent
from derive.certificates.indices import ONE, Poly
from derive.certificates.ranges import Ranges
from derive.certificates.statements import Maps
from derive.certificates.steps import Step
from derive.certificates.sweep import check_assignments, check_sweep
from derive.certificates.terms import split

__all__ = ["Subject"]


class Subject:
    """A cell with its sweep; building it decides `gradients`."""

    def __init__(self, cell: Mapping[str, Any]) -> None:
        self.step = Step(cell["text"])
        rows = [
            (r["name"], r["value"], shape_of([size_of(str(size)) for size in r["shape"]]))
            for r in cell["assignments"]
        ]
        check_assignments(self.step.cell, rows)
        cotangents = {r["name"]: r["value"] for r in cell["cotangents"]}
        self.sweep = check_sweep(self.step.cell, rows, cotangents)
        self.maps = Maps(self.step)
        self.witness: Mapping[str, str] = {}  # of the claim that is judged
        self.states = self.step.cell.of("state")

    def about(self, what: str) -> list[str]:
        """The states that a kind of claim must be about; [''] if it is about the cell."""
        return self._about[what]

    @cached_property
    def _about(self) -> Mapping[str, list[str]]:
        step, (output, *others) = self.step, self.states
        kept = [s for s in self.states if self.has_path(s)]
        memories = [s for s in others if s in kept]
        shown = [s for s in memories if len(step.arriving(s, step.direction(s))) > 1]
        return {
            "cell": [""],
            "several": [""] if others else [],
            "kept": kept,
            "forgetful": [s for s in kept if self.least(s) < 1],
            "memories": memories,
            "output": [s for s in kept if s == output],
            "bare": [output] if output not in kept else [],
            "carried": memories or kept,
            "shown": shown,
            "chained": shown if others else [output],
            "growing": [s for s in kept if self.level(s) is None],
        }

    def has_path(self, state: str) -> bool:
        """Whether s_t = k * s_{t-1} + ... entry by entry, everything else held fixed."""
        tangents = [f for _, fs, _ in self._kept(state) for f in fs if f[0][:2] == "d("]
        return bool(tangents) and all(f[1] == self.sweep.reader.axes(state) for f in tangents)

    def factor(self, state: str) -> Poly:
        """The k of a state that has a path."""
        one = {tangent(lagged(state, 1)): ONE}
        return self.spelled(self.sweep.algebra.substituted(self._kept(state), one))

    def _kept(self, state: str) -> Poly:
        before, sweep = lagged(state, 1), self.sweep
        direction = {before: sweep.reader.value(tangent(before))}
        return sweep.algebra.differential(sweep.values[state], direction)

    def least(self, state: str) -> Any:
        """What the factor of a state that has a path is at least."""
        return Ranges(self.sweep.algebra, self.sweep.values).of(self.factor(state)).low

    def spelled(self, poly: Poly) -> Poly:
        """Without names that the cell's author did not choose."""
        return self.sweep.algebra.substituted(poly, self._cut)

    @cached_property
    def _cut(self) -> Mapping[str, Poly]:
        cut: dict[str, Poly] = {}
        for name, poly in self.sweep.values.items():
            if name not in self.step.cell.equations:
                cut[name] = self.sweep.algebra.substituted(poly, cut)
        return cut

    def corners(self, state: str) -> list[tuple[Any, Any]] | None:
        """|a| and |b| of s_t = a s_{t-1} + b at the corners of the intervals of what a and b read;
        None if these are not bounded, or it has not this form.
        """
        ranges = Ranges(self.step.algebra, self.step.equations)
        parts = split(ranges.terms(self.step.reader.value(state)), self.lag(state))
        found = None if parts is None else ranges.corners(*parts)
        return None if found is None else [(abs(a), abs(b)) for a, b in found.values()]

    def level(self, state: str) -> Any:
        """The least G with |a| <= 1 and |a| G + |b| <= G at every corner; None if there is none."""
        found = self.corners(state)
        if found is None or any(a > 1 or (a == 1 and b) for a, b in found):
            return None
        return max((b / (1 - a) for a, b in found if a < 1), default=0)

    def grows(self, state: str) -> tuple[bool, Any]:
        """Whether |a| <= 1 at every corner, and the largest |b|."""
        found = self.corners(state) or [(2, 0)]
        return all(a <= 1 for a, _ in found), max(b for _, b in found)

    def lag(self, state: str) -> Any:
        """The lag of a state as an atom."""
        return lagged(state, 1), self.step.reader.axes(state)
