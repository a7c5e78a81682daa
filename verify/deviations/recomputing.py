"""Backward computes something again and otherwise: a gate, a state, an order of rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from derive.evaluate import Sizes
from derive.expressions import Apply, MatrixSymbol
from derive.language.printing import text_of_expression
from verify.deviations.around import plain
from verify.deviations.carries import root
from verify.deviations.deviation import Variant
from verify.deviations.model import Model, Results, Step, Steps
from verify.deviations.programs import program
from verify.deviations.reading import changed, named, readers
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = [
    "Order",
    "flat_order",
    "from_before",
    "from_checkpoints",
    "gate_offset",
    "kept_coarsely",
    "outputs_reversed",
    "rows_flattened",
]

Order = Callable[[int, int], Array]


def _spoilt(model: Model, label: str, change: Callable[[Field, Step, Sizes], Step]) -> Variant:
    def spoil(field: Field, known: Steps, sizes: Sizes) -> Steps:
        return [change(field, step, sizes) for step in known]

    return Variant(label, replace(model, tape=(*model.tape, spoil)))


def gate_offset(model: Model) -> Iterator[Variant]:
    """A gate that backward computes again with a constant that forward has not: a forget bias."""
    for a in model.forward:
        if not (isinstance(a.value, Apply) and a.value.name == "sigmoid"):
            continue
        for number in (1, -1):

            def change(
                field: Field,
                step: Step,
                sizes: Sizes,
                name: str = a.name,
                value: Apply = a.value,
                number: int = number,
            ) -> Step:
                z = program(value.argument)(step, sizes, field)
                shift = field.constant(sp.Rational(number), plain(field, z).shape[-2:])
                return step | {name: field.apply(value.name, field.add(z, shift))}

            yield _spoilt(model, f"{a.name} with {number} added before its {a.value.name}", change)


def from_before(model: Model) -> Iterator[Variant]:
    """A value from the state before, wherever it is read, or in one place."""
    yield from _everywhere(model)
    yield from _in_one_place(model)


def from_checkpoints(model: Model) -> Iterator[Variant]:
    """Steps computed again in segments, where a state begins at zero in each."""
    names = [s.name for s in model.equations.states]
    lengths: tuple[tuple[str, Callable[[int], int]], ...] = (
        ("sqrt(T), rounded up,", root),
        *((f"{k} steps", lambda T, k=k: k) for k in (2, 4, 5, 8, 10, 16, 20, 25, 32)),
    )
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):
        for said, length in lengths:

            def again(
                field: Field, known: Steps, sizes: Sizes, chosen: Any = chosen, length: Any = length
            ) -> Steps:
                found: Steps = []
                for t, step in enumerate(known):
                    first, new = t % length(len(known)) == 0, dict(step)
                    for s in model.equations.states:
                        if not first:
                            new[s.before.name] = found[-1][s.name]
                        elif s.name in chosen:
                            zeros = plain(field, step[s.before.name]).shape
                            new[s.before.name] = field.zeros(zeros)
                    for a in model.forward:
                        new[a.name] = program(a.value)(new, sizes, field)
                    found.append(new)
                return found

            label = f"{' and '.join(chosen)} zero at the start of each segment of {said}"
            yield Variant(label, replace(model, tape=(*model.tape, again)))


FORMATS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("float16", lambda a: a.astype(np.float16)),
    ("float32", lambda a: a.astype(np.float32)),
    ("bfloat16", lambda a: _nearest(a)),
)


def _nearest(a: Array) -> Array:
    """The nearest number with eight binary digits."""
    fraction, power = np.frexp(a)
    return np.ldexp(np.rint(fraction * 256) / 256, power)


def kept_coarsely(model: Model) -> Iterator[Variant]:
    """What forward keeps for backward rounded to a coarser format."""
    names = [a.name for a in model.forward]
    activated = [a.name for a in model.forward if isinstance(a.value, Apply)]
    equations = [e for e in model.equations.equations if isinstance(e.value, Apply)]
    gates = [e.name for e in equations if e.value.name == "sigmoid"]
    inner = {e.name for e in equations} - {s.name for s in model.equations.states}
    states = [s.before.name for s in model.equations.states]
    every = [*names, *states, *(v.name for v in model.equations.inputs)]
    kinds = (
        ("gates", gates),
        ("gates and candidates", [e.name for e in equations if e.name in inner]),
        ("all activations", activated),
        ("all values", [*names, *states]),
    )
    for format_, cut in FORMATS:
        for said, chosen in (*kinds, ("states", states), ("everything", every)):

            def round_off(
                field: Field, step: Step, sizes: Sizes, chosen: Any = chosen, cut: Any = cut
            ) -> Step:
                with np.errstate(all="ignore"):
                    found = {n: cut(plain(field, step[n])).astype(np.float64) for n in chosen}
                return step | {n: field.given(a) for n, a in found.items()}

            if chosen:
                yield _spoilt(model, f"{said} in {format_}", round_off)


def _everywhere(model: Model) -> Iterator[Variant]:
    """What is computed from a state, computed again from that of the step before."""
    names = {s.name for s in model.equations.states}
    for s in model.equations.states:
        made = [
            a for a in model.forward if a.name not in names and s.now in a.value.atoms(MatrixSymbol)
        ]
        for chosen in ([a] for a in made):

            def change(
                field: Field, step: Step, sizes: Sizes, s: Any = s, chosen: Any = chosen
            ) -> Step:
                known = {**step, s.name: step[s.before.name]}
                again = {a.name: program(a.value)(known, sizes, field) for a in chosen}
                return step | again

            said = ", ".join(a.name for a in chosen)
            yield _spoilt(model, f"{said} from {s.before.name} for {s.name}", change)


def _in_one_place(model: Model) -> Iterator[Variant]:
    """The same in one place: tanh(C[t-1]) for tanh(C) in a slope, or in one gate's cotangent."""
    names = {s.name for s in model.equations.states}
    values = {a.symbol: a.value for a in model.forward if a.name not in names}
    now = {s.now: s.before for s in model.equations.states}
    again = {n: v.xreplace(now) for n, v in values.items() if v.xreplace(now) != v}
    for reader in readers(model):
        value = reader[4].value
        for name in sorted(value.atoms(MatrixSymbol) & again.keys(), key=str):
            label = f"{named(reader)}, with {text_of_expression(again[name])} for {name.name}"
            yield Variant(label, changed(model, reader, value.xreplace({name: again[name]})))


def _back(steps: int, batch: int) -> Array:
    """The same the other way round."""
    number = np.arange(steps * batch).reshape(batch, steps)
    return np.asarray(number.T, int)


def flat_order(steps: int, batch: int) -> Array:
    """Where entry (t, b) comes from, if the rows are swapped first and then read in a row."""
    number = np.arange(steps * batch).reshape(steps, batch)
    return np.asarray(number.T.reshape(steps, batch), int)


def rows_flattened(model: Model) -> Iterator[Variant]:
    """Rows of an input or a state in another order in the gradients of what multiplies it."""
    names = [*(v.name for v in model.cell.inputs), *(s.before.name for s in model.cell.states)]
    read = {
        n.name
        for a in model.derived.parameters
        for t in a.terms
        for n in t.value.atoms(MatrixSymbol)
    }
    names = [n for n in names if n in read]
    ways = (("batch first", flat_order, "time first"), ("time first", _back, "batch first"))
    for chosen in (*([n] for n in names), names) if len(names) > 1 else (names,):
        for one, order, other in ways:

            def spoil(
                field: Field,
                known: Steps,
                sizes: Sizes,
                chosen: list[str] = chosen,
                order: Order = order,
            ) -> Steps:
                for name in chosen if known else ():
                    given = np.stack([plain(field, step[name]) for step in known])
                    found = given.reshape(-1, *given.shape[2:])[order(*given.shape[:2])]
                    values = [field.given(a) for a in found]
                    known = [s | {name: v} for s, v in zip(known, values, strict=True)]
                return known

            said = " and ".join(chosen)
            label = f"rows of {said} flattened {one}, those of deltas {other}"
            yield Variant(label, replace(model, tape=(*model.tape, spoil)))


def outputs_reversed(model: Model) -> Iterator[Variant]:
    """Outputs stacked from the last step to the first; cotangents follow."""

    def turned(field: Field, e: Example, found: Results) -> Results:
        return found | {"y": found["y"][::-1]}

    def back(e: Example) -> Example:
        return e if e.dy is None else replace(e, dy=np.ascontiguousarray(e.dy[::-1]))

    values = (*model.values, turned)
    yield Variant(
        "from the last to the first",
        replace(model, values=values, upstream=(*model.upstream, back)),
    )
