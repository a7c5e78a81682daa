"""Recorded calls and what is wrong with them -> a script of plain NumPy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import one_line
from verify.kernels import Array
from verify.properties.calling import Failure
from verify.reproduction.importing import imports_of
from verify.reproduction.lines import Calls
from verify.reproduction.literals import WIDTH, Store
from verify.reproduction.places import Place, find
from verify.reproduction.recording import Call

__all__ = ["Script", "script"]

# So many numbers in all are written out; more lie in a file beside the script.
WRITTEN = 120

# Up to so many calls are all made again, as what is wrong may lie in their order.
ALL_CALLS = 8

STRIDED = '''
def strided(a):
    """The same entries, not contiguous."""
    if a is None or isinstance(a, dict):
        return a and {name: strided(part) for name, part in a.items()}
    wide = np.zeros(tuple(2 * size for size in a.shape[::-1]), a.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in a.shape)][..., ::-1].T
    view[...] = a
    return view
'''


@dataclass(frozen=True)
class Script:
    """A script, and the arrays that it reads from the file `data` beside it; there may be none.

    Attributes:
        size: how many numbers are written out.
    """

    text: str
    size: int
    data: str = ""
    arrays: Mapping[str, Array] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the script, and its arrays beside it."""
        path.write_text(self.text, encoding="utf-8")
        if self.arrays:
            held: dict[str, Any] = dict(self.arrays)
            np.savez(path.with_name(self.data), **held)


def script(
    calls: Sequence[Call],
    failure: Failure,
    implementation: str,
    *,
    cell: str = "",
    convention: str = "",
    title: str = "",
    data: str = "",
    writes: bool = False,
) -> Script:
    """A script that makes the calls again and prints what came, what must come, and the bound.

    It needs NumPy and the implementation; this toolkit only where the implementation is called
    through one of its adapters.

    Args:
        calls: as recorded while the property was judged.
        implementation: how it is named, as for `verify.loading.load_implementation`.
        title: the comment in front, of any number of lines.
        data: the file beside the script for the arrays, if they are many; '' writes them all out.
        writes: whether the failure is that the last call writes to `failure.parameter`.
    """
    kept, got, expected = _needed(calls, failure, writes)
    work, body = _body(kept, failure, writes, None)
    if data and work.size > WRITTEN:
        work, body = _body(kept, failure, writes, Store())
    body += _written(work, failure) if writes else _said(work, failure, got, expected)
    modules, layer = imports_of(
        implementation,
        adapted=any(c.adapted for c in kept),
        cell=cell,
        convention=convention,
    )
    lines = [f"# {one_line(said, WIDTH - 2)}" for said in title.splitlines()]
    lines += ["from copy import deepcopy"] if work.many or writes else []
    lines += [f"import {name}" for name in modules]
    lines += ["from pathlib import Path"] if work.store else []
    lines += ["", "import numpy as np", "", *layer, ""]
    lines += [*STRIDED.splitlines(), "", ""] if any(c.strided for c in kept) else []
    if work.store is None:
        return Script("\n".join([*lines, *body]) + "\n", work.size)
    lines += [f'saved = np.load(Path(__file__).with_name("{data}"))', ""]
    return Script("\n".join([*lines, *body]) + "\n", 0, data, work.store.arrays)


def _body(
    calls: Sequence[Call], failure: Failure, writes: bool, store: Store | None
) -> tuple[Calls, list[str]]:
    work = Calls(calls, store)
    return work, [*work.body(_before(work, failure.parameter) if writes else iter(()))]


def _needed(
    calls: Sequence[Call], failure: Failure, writes: bool
) -> tuple[list[Call], Place | None, Place | None]:
    """The calls to be made again, and where the two numbers stand in them."""
    last = _last(calls)
    if writes:
        return _only(calls, {last}), None, None
    if failure.index is None:
        return _only(calls, set(range(last + 1)) if last < ALL_CALLS else {last}), None, None
    found = find(calls, failure.parameter, failure.index, failure.got)
    right = None
    if found is not None:
        right = find(calls, failure.parameter, failure.index, failure.expected, found)
    if len(calls) <= ALL_CALLS:
        return list(calls), found, right
    wanted = {k for place in (found, right) if place is not None for k in place.calls} or {0}
    order = {k: number for number, k in enumerate(sorted(_closed(calls, wanted)))}
    moved = [
        None if place is None else replace(place, calls=tuple(order[k] for k in place.calls))
        for place in (found, right)
    ]
    return _only(calls, wanted), moved[0], moved[1]


def _last(calls: Sequence[Call]) -> int:
    """The last call that counts: the one that raised, if there is one."""
    raised = [k for k, c in enumerate(calls) if c.raised]
    return raised[0] if raised else len(calls) - 1


def _closed(calls: Sequence[Call], wanted: set[int]) -> set[int]:
    """With the forward runs whose tapes are needed."""
    return wanted | {calls[k].tape_of for k in wanted if calls[k].kind == "backward"}


def _only(calls: Sequence[Call], wanted: set[int]) -> list[Call]:
    kept = sorted(_closed(calls, wanted))
    order = {k: number for number, k in enumerate(kept)}
    return [replace(calls[k], tape_of=order.get(calls[k].tape_of, -1)) for k in kept]


def _said(
    work: Calls, failure: Failure, got: Place | None, expected: Place | None
) -> Iterator[str]:
    """The lines that print."""
    name, index = failure.parameter, failure.index
    if got is not None:
        yield f'print("got     ", float({work.entry(name, got)}))'
        right = f"float({work.entry(name, expected)})" if expected else _text(failure.expected)
        yield f'print("expected", {right})'
        if failure.bound is not None:
            yield f'print("allowed ", {_text(failure.bound)})'
        return
    yield f"# {one_line(f'{name} {failure.message}'.strip(), WIDTH - 2)}"
    if any(c.raised for c in work.calls):
        return
    for k in [k for k, c in enumerate(work.calls) if name in c.results]:
        result = work.result(k, name)
        if index is not None:
            yield f"print({result})"
        else:
            yield f"print(np.asarray({result}).dtype, np.shape({result}))"
    if index is not None:
        yield "# and made of these:"
        yield f'print("got     ", {_text(failure.got)}, "expected", {_text(failure.expected)})'


def _text(value: Any) -> str:
    finite = not isinstance(value, float) or np.isfinite(value)
    return repr(value) if finite else f'float("{value}")'


def _place(work: Calls, name: str) -> str:
    """An expression for an argument of the last call, or a result of the one before."""
    results = [k for k, c in enumerate(work.calls[:-1]) if name in c.results]
    return work.argument(name) or (work.result(results[-1], name) if results else "None")


def _before(work: Calls, name: str) -> Iterator[str]:
    yield f"before = deepcopy({_place(work, name)})"


def _written(work: Calls, failure: Failure) -> Iterator[str]:
    now = _place(work, failure.parameter)
    yield f'print("got     ", np.asarray({now}).tolist())'
    yield 'print("expected", np.asarray(before).tolist())'
