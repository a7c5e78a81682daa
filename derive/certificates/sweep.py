"""That assignments are a cell's equations, and a sweep the transpose of their differential."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from derive.certificates.algebra import Algebra
from derive.certificates.declarations import (
    RESERVED,
    WORD,
    Cell,
    RefusedError,
    Shape,
    lagged,
    tangent,
)
from derive.certificates.indices import Poly, add
from derive.certificates.reader import Reader

__all__ = ["Sweep", "check_assignments", "check_sweep", "inner"]


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
        if cotangents[name].strip() != "0":
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
