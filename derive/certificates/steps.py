"""One step of a cell as the checker sees it: equations, and derivatives along paths."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from derive.certificates.algebra import Algebra
from derive.certificates.declarations import RefusedError, Shape, lagged, read_cell, tangent
from derive.certificates.indices import SINGLE, Poly
from derive.certificates.reader import Reader

__all__ = ["Step", "everything"]

LAGS = 3


def everything(function: str) -> bool:
    """Nothing stands still."""
    return True


class Step:
    """A cell's equations as polynomials; values of earlier steps have names, too."""

    def __init__(self, text: str) -> None:
        self.cell = cell = read_cell(text)
        self.algebra = a = Algebra()
        given = {name: cell.shapes[name] for name in cell.kinds if cell.kinds[name] != "state"}
        given |= {lagged(name, 1): cell.shapes[name] for name in cell.of("state")}
        self.reader = Reader(a, given)
        self.shapes: dict[str, Shape] = dict(cell.shapes)
        self.known: dict[Any, dict[str, Poly]] = {}
        self.timed = {*cell.of("input"), *cell.of("state"), *cell.equations}
        self.equations: dict[str, Poly] = {}
        for name, right in cell.equations.items():
            value = self.reader.read(right, cell.shapes.get(name))
            self.shapes.setdefault(name, value.shape or (SINGLE, SINGLE))
            if value.wide or (value.shape is None and name not in cell.shapes):
                raise RefusedError(f"the shape of '{name}' does not follow from its equation")
            self.reader.shapes[name] = self.shapes[name]
            self.equations[name] = value.poly
            a.call(name, value.poly, self.reader.axes(name))
        for back in range(1, LAGS + 1):
            for name in self.timed:
                self.reader.shapes[lagged(name, back)] = self.shapes[name]
        for back in range(1, LAGS):
            for name, poly in self.equations.items():
                at = lagged(name, back)
                a.call(at, self.earlier(poly, back), self.reader.axes(at))

    def earlier(self, poly: Poly, steps: int = 1) -> Poly:
        """The same some steps earlier; parameters and tangents stay."""
        names = {lagged(name, back) for name in self.timed for back in range(LAGS - steps + 1)}
        values = {name: self.reader.value(lagged(name, steps)) for name in names}
        return self.algebra.substituted(poly, values)

    def moved(
        self, moving: Mapping[str, Poly], through: Callable[[str], bool] = everything
    ) -> dict[str, Poly]:
        """How each name moves within a step when some do; what does not move is left out."""
        key = frozenset((name, frozenset(poly.items())) for name, poly in moving.items())
        if (key, through) not in self.known:
            found = self.known[key, through] = dict(moving)
            for name, poly in self.equations.items():
                if name not in moving:
                    change = self.algebra.differential(poly, found, through)
                    if change:
                        found[name] = change
        return dict(self.known[key, through])

    def direction(self, state: str, back: int = 1) -> Poly:
        """The tangent of a state some steps back, as a name."""
        name = tangent(lagged(state, back))
        self.reader.shapes[name] = self.shapes[state]
        return self.reader.value(name)

    def arriving(self, state: str, direction: Poly) -> dict[str, Poly]:
        """How the states of step t-1 that step t reads move when `state` moves there."""
        within = self.moved({state: direction})
        found = {lagged(state, 1): direction}
        for other in self.cell.of("state"):
            if other != state and within.get(other) and self.reads(lagged(other, 1)):
                found[lagged(other, 1)] = self.earlier(within[other])
        return found

    def at(self, name: str, back: int) -> str:
        """What a name of the step is called some steps back; parameters stay."""
        return lagged(name, back) if name.partition("[")[0] in self.timed else name

    def reads(self, name: str) -> bool:
        """Whether an equation names it."""
        word = re.compile(rf"(?<!\w){re.escape(name)}")
        return any(word.search(text.replace(" ", "")) for text in self.cell.equations.values())
