"""Counterexamples run again: both sides of a statement in numbers."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from derive.certificates.declarations import RefusedError, lagged, tangent
from derive.certificates.indices import Poly
from derive.certificates.statements import Maps
from derive.certificates.values import DIFFERENT, Array, Run, far, near

__all__ = ["Example", "begun", "derivatives", "read_example"]

_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_EXAMPLE = re.compile(
    r"(?:([^;:]*)(?:; |(?=: )))?(?:(?:(.*), )?all else 0)?: left (.+?), right (.+?)"
    r"(?: \(a complex step through the equations gives (.+)\))?"
)


@dataclass(frozen=True)
class Example:
    """Sizes, values by their written names, and what both sides are said to be."""

    sizes: Mapping[str, int]
    values: Mapping[str, Array]
    left: Array
    right: Array

    def is_of(self, left: Array, right: Array) -> bool:
        """Whether both sides are as written."""
        return near(self.left, left) and near(self.right, right)

    def differ(self, left: Array, right: Array) -> None:
        """That both sides are as written, and not the same.

        Raises:
            RefusedError: they are not.
        """
        for name, said, found in (("left", self.left, left), ("right", self.right, right)):
            if not near(said, found):
                numbers = ", ".join(f"{v.real:.6g}" for row in found[:3] for v in row[:3])
                raise RefusedError(f"the counterexample's {name} side is {numbers}")
        if not far(left, right):
            raise RefusedError("both sides are the same for the counterexample's numbers")

    def exceed(self, left: Array, right: Array) -> None:
        """That both sides are as written, and that the left one is larger in an entry.

        Raises:
            RefusedError: they are not.
        """
        self.differ(left, right)
        largest = max(abs(v) for side in (left, right) for row in side for v in row)
        if not most(left, right) > DIFFERENT * largest:
            raise RefusedError("the counterexample's numbers do not exceed the bound")


def most(left: Array, right: Array) -> float:
    """By how much an entry of the left side exceeds that of the right one; nan is nothing."""
    rows = zip(left, right, strict=True)
    pairs = [(v.real, w.real) for a, b in rows for v, w in zip(a, b, strict=True)]
    return max((v - w for v, w in pairs if v - w == v - w), default=-inf)


def read_example(text: str) -> Example:
    """A counterexample's text.

    Raises:
        RefusedError: the text is no counterexample.
    """
    found = _EXAMPLE.fullmatch(text)
    if not found:
        raise RefusedError("the counterexample is not written as one")
    sizes, given, left, right, again = found.groups()
    if again is not None and numbers_of(again) != numbers_of(left):
        raise RefusedError("the counterexample's left side is not what its complex step gives")
    counts = {name: int(value) for name, value in _items(sizes or "") if _COUNT.fullmatch(value)}
    values = {name: numbers_of(value) for name, value in _items(given or "")}
    if not all(_plain(v) for array in values.values() for row in array for v in row):
        raise RefusedError("the counterexample's numbers are not plain: k / 64, up to 1024")
    return Example(counts, values, numbers_of(left), numbers_of(right))


def _plain(value: complex) -> bool:
    """A number in which sums lose nothing that matters."""
    return abs(value) <= 1024 and value * 64 == round(value.real * 64)


def _items(text: str) -> Iterator[tuple[str, str]]:
    for item in re.split(r", (?=[A-Za-z])", text) if text else ():
        name, equals, value = item.partition(" = ")
        if not equals:
            raise RefusedError(f"`{item[:40]}` in the counterexample")
        yield name, value


def numbers_of(text: str) -> Array:
    """A number, a list or a list of lists as rows and columns."""
    try:
        value = ast.literal_eval(text.strip())
        rows = value if isinstance(value, list) else [value]
        array = [[complex(v) for v in (row if isinstance(row, list) else [row])] for row in rows]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError):
        raise RefusedError(f"`{text[:40]}` are no numbers") from None
    return array


def begun(
    maps: Maps, example: Example, back: int, state: str = "", free: str = "", sweep: Any = None
) -> tuple[Run, Array]:
    """A run at its start, and the value of one more name, which is 1 if it is not given.

    Args:
        back: how many earlier steps there are.
        free: the name of a direction, of the shape of `state`.
        sweep: if it is given, its assignments are run, and cotangents have values, too.

    Raises:
        RefusedError: the numbers are of a name that is computed, or have another shape.
    """
    step, of = maps.step, sweep or maps.step
    equations = sweep.values if sweep else step.equations
    run = Run(of.algebra, of.reader.shapes, equations, example.sizes)
    given = {maps.name(name): array for name, array in example.values.items()}
    names = [lagged(name, k) for name in step.cell.of("input") for k in range(back + 1)]
    names += [lagged(name, back + 1) for name in step.cell.of("state")]
    names += [name for name in of.reader.shapes if re.match(r"bar\(|carry\(|dy$", name)]
    for name in (*names, *step.cell.of("parameter")):
        zeros = run.zeros(of.reader.shapes[name])
        run.values[name] = _like(name, given.pop(name, zeros), zeros)
    one = run.zeros(step.shapes[state], 1) if free else []
    one = _like("the direction", given.pop(free, one), one)
    if "P[t-1]" in given and free.endswith("[0])"):
        pairs = zip(one, _like("P", given.pop("P[t-1]"), one), strict=True)
        one = [[v * w for v, w in zip(*rows, strict=True)] for rows in pairs]
    if given:
        raise RefusedError(f"'{min(given)}' in the counterexample is not given but computed")
    return run, one


def derivatives(
    maps: Maps, kind: str, state: str, right: Poly | None, example: Example
) -> tuple[Array, Array]:
    """Both sides: steps are run, and the state's change is read off.

    Args:
        kind: of the claim; which step the move is at follows from it.
        right: what the statement says; None for one-step derivatives multiplied.
    """
    step, shape = maps.step, maps.step.shapes[state]
    back = 2 if right is None else 1 if kind.startswith("total") else 0
    start = lagged(state, max(1, back))
    over = kind == "path over T steps"
    run, d = begun(maps, example, back, state, tangent(f"{state}[0]" if over else start))
    run.held = kind == "output path"
    again = dict(run.values)
    run.steps(back + 1, step.at, {start: d})
    left = run.derivative(state)
    if right is None:
        d = run.derivative(lagged(state, 1))
        run.values = again
        run.steps(back + 1, step.at, {lagged(state, 1): d})
        return left, run.derivative(state)
    run.values[tangent(lagged(state, 1))] = d
    return left, run.array(right, shape, str)


def _like(name: str, array: Array, like: Array) -> Array:
    if [len(row) for row in array] != [len(row) for row in like]:
        raise RefusedError(f"{name} has another shape in the counterexample")
    return array
