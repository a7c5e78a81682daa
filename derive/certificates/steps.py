"""One step of a cell as the checker sees it: equations, derivatives along paths, the sweep."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from derive.certificates.algebra import Algebra
from derive.certificates.declarations import RESERVED, WORD, Cell, RefusedError, Shape, read_cell
from derive.certificates.indices import SINGLE, Poly, add
from derive.certificates.reader import Reader

__all__ = ["Step", "Sweep", "check_assignments", "check_sweep", "inner", "lagged", "tangent"]

LAGS = 3


def lagged(name: str, steps: int) -> str:
    """The name of a value some steps back: 'C' is 'C[t-1]', 'C[t-1]' is 'C[t-2]'."""
    stem, _, back = name.partition("[t-")
    steps += int(back[:-1] or 0) if back else 0
    return f"{stem}[t-{steps}]" if steps else stem


def tangent(name: str) -> str:
    """The direction in which a name moves."""
    return f"d({name})"


class Step:
    """A cell's equations as polynomials; values of earlier steps have names, too."""

    def __init__(self, text: str) -> None:
        self.cell = cell = read_cell(text)
        self.algebra = a = Algebra()
        given = {name: cell.shapes[name] for name in cell.kinds if cell.kinds[name] != "state"}
        given |= {lagged(name, 1): cell.shapes[name] for name in cell.of("state")}
        self.reader = Reader(a, given)
        self.shapes: dict[str, Shape] = dict(cell.shapes)
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
        self, moving: Mapping[str, Poly], through: Callable[[str], bool] = lambda f: True
    ) -> dict[str, Poly]:
        """How each name moves within a step when some do; what does not move is left out."""
        found = dict(moving)
        for name, poly in self.equations.items():
            if name not in moving:
                change = self.algebra.differential(poly, found, through)
                if change:
                    found[name] = change
        return found

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


def check_assignments(cell: Cell, rows: Iterable[tuple[str, str, Shape]]) -> None:
    """That single assignments are the cell's equations, cut into pieces with names.

    Raises:
        RefusedError: they are not; says which equation.
    """
    a = Algebra()
    step, cut = (Reader(a, {**_given(cell)}) for _ in range(2))
    pieces: dict[str, Poly] = {}
    waiting = dict(cell.equations)
    whole: dict[str, Poly] = {}
    for name, text, shape in rows:
        value = cut.read(text, shape)
        if not WORD.fullmatch(name) or name in RESERVED:
            raise RefusedError(f"`{name[:40]}` is no name for an assignment")
        if name in cut.shapes or (name in cell.shapes and shape != cell.shapes[name]):
            raise RefusedError(f"the assignment of '{name}' is a second one, or has another shape")
        cut.shapes[name] = shape
        poly = a.substituted(value.poly, pieces)
        if name not in waiting:
            pieces[name] = poly
            continue
        if next(iter(waiting)) != name:
            raise RefusedError(f"the assignment of '{name}' stands out of order")
        said = step.read(waiting.pop(name), shape).poly
        step.shapes[name] = shape
        whole[name] = a.substituted(said, whole)
        if poly != said and a.substituted(poly, whole) != whole[name]:
            raise RefusedError(
                f"the assignments give '{name}' another value than the cell's equation"
            )
    if waiting:
        raise RefusedError(f"'{next(iter(waiting))}' has no assignment")


def _given(cell: Cell) -> dict[str, Shape]:
    """What a step does not compute: inputs, parameters, states of step t-1."""
    return {
        lagged(name, 1) if kind == "state" else name: cell.shapes[name]
        for name, kind in cell.kinds.items()
    }


@dataclass(frozen=True)
class Sweep:
    """A sweep that is right: the form of both sides, and the assignments it is about."""

    form: Poly
    reader: Reader
    values: Mapping[str, Poly]
    texts: Mapping[str, str]
    written: Mapping[str, Poly]

    @property
    def algebra(self) -> Algebra:
        return self.reader.algebra

    def has_path(self, state: str) -> bool:
        """Whether s_t = k * s_{t-1} + ... entry by entry, everything else held fixed."""
        before, own = lagged(state, 1), self.reader.axes(state)
        direction = {before: self.reader.value(tangent(before))}
        moved = self.algebra.differential(self.values[state], direction)
        factors = [f for _, factors, _ in moved for f in factors if f[0] == tangent(before)]
        return bool(moved) and all(axes == own for _, axes in factors)


def check_sweep(
    cell: Cell, rows: Iterable[tuple[str, str, Shape]], cotangents: Mapping[str, str]
) -> Sweep:
    """That the cotangents are the transpose of the assignments' differential.

    With all d(u) and bar(v) independent, the sum of <bar(v), dv> over assignments must be that of
    <bar(u) - upstream, du> over all names; upstream is dy of the output, and the carry of a state.

    Raises:
        RefusedError: they are not; says for which name.
    """
    a, rows = Algebra(), list(rows)
    given = _given(cell)
    shapes = {**given, **{name: shape for name, _, shape in rows}}
    if missing := shapes.keys() ^ cotangents.keys():
        raise RefusedError(f"'{min(missing)}' has no cotangent, or has one and is no name")
    states = cell.of("state")
    bars = {f"bar({name})": shape for name, shape in shapes.items() if name not in given}
    bars |= {f"carry({name})": cell.shapes[name] for name in states}
    bars |= {tangent(name): shape for name, shape in shapes.items()}
    bars["dy"] = cell.shapes[states[0]]
    reader = Reader(a, {**given, **bars})
    values: dict[str, Poly] = {}
    for name, text, shape in rows:
        values[name] = reader.read(text, shape).poly
        reader.shapes[name] = shape
        a.call(name, values[name], reader.axes(name))
    written = {name: reader.read(text, shapes[name]).poly for name, text in cotangents.items()}
    upstream = {name: reader.value(f"carry({name})") for name in states}
    upstream[states[0]] = add(upstream[states[0]], reader.value("dy"))

    moving = {name: reader.value(tangent(name)) for name in shapes}
    form: Poly = {}
    for name, value in values.items():
        if written[name]:  # the others are zero
            moved = a.differential(value, moving)
            form = add(form, inner(a, reader.value(f"bar({name})"), moved, shapes[name]))
    rest = form
    for name, value in written.items():
        arrived = add(value, upstream.get(name, {}), sign=-1)
        rest = add(rest, inner(a, arrived, moving[name], shapes[name]), sign=-1)
    for _, factors, _ in rest:
        wrong = min(atom[2:-1] for atom, _ in factors if atom.startswith("d("))
        raise RefusedError(f"the cotangent of '{wrong}' is not what the assignments give")
    return Sweep(form, reader, values, {name: text for name, text, _ in rows}, written)


def inner(a: Algebra, left: Poly, right: Poly, shape: Shape) -> Poly:
    """The sum of left * right over all entries."""
    return a.summed(a.summed(a.times(left, right), "i", shape[0]), "j", shape[1])
