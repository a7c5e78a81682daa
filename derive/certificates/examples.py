"""Counterexamples run again: both sides of a statement in numbers."""

import ast
import re
from collections.abc import Iterator, Mapping

from derive.certificates.declarations import RefusedError
from derive.certificates.indices import Poly
from derive.certificates.statements import Maps
from derive.certificates.steps import lagged, tangent
from derive.certificates.values import Array, Run

__all__ = ["both_sides", "read_example"]

_COUNT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_EXAMPLE = re.compile(
    r"(?:([^;:]*); )?(?:(.*), )?all else 0: left (.+?), right (.+?)"
    r"(?: \(a complex step through the equations gives (.+)\))?"
)


def read_example(text: str) -> tuple[dict[str, int], dict[str, Array], Array, Array]:
    """Sizes, values by their written names, left and right, of a counterexample.

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
    return counts, values, numbers_of(left), numbers_of(right)


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


def both_sides(
    maps: Maps,
    kind: str,
    state: str,
    right: Poly | None,
    sizes: Mapping[str, int],
    written: Mapping[str, Array],
) -> tuple[Array, Array]:
    """Both sides: steps are run, and the state's change is read off.

    Args:
        maps: reads names as they are written.
        kind: of the claim; which step the move is at follows from it.
        right: what the statement says; None for one-step derivatives multiplied.
        sizes, written: the counterexample; what it does not name is 0.

    Raises:
        RefusedError: it names what is computed, or a shape that is another one.
    """
    step = maps.step
    back = 2 if right is None else 1 if kind.startswith("total") else 0
    start, shape = lagged(state, max(1, back)), step.shapes[state]
    run = Run(step.algebra, step.shapes, step.equations, sizes, held=kind == "output path")
    given = {maps.name(name): array for name, array in written.items()}
    factor = given.pop("P[t-1]", None) if kind == "path over T steps" else None
    d = given.pop(tangent(start if factor is None else f"{state}[0]"), run.zeros(shape, 1))
    free = [lagged(name, k) for name in step.cell.of("input") for k in range(back + 1)]
    free += [lagged(name, back + 1) for name in step.cell.of("state")]
    for name in (*free, *step.cell.of("parameter")):
        zeros = run.zeros(step.reader.shapes[name])
        run.values[name] = given.pop(name, zeros)
        _check(name, run.values[name], zeros)
    if given:
        raise RefusedError(f"'{min(given)}' in the counterexample is not given but computed")
    _check("the direction", d, run.zeros(shape))
    if factor is not None:
        _check("P", factor, d)
        d = [[v * w for v, w in zip(*rows, strict=True)] for rows in zip(d, factor, strict=True)]
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


def _check(name: str, array: Array, like: Array) -> None:
    if [len(row) for row in array] != [len(row) for row in like]:
        raise RefusedError(f"{name} has another shape in the counterexample")
