"""What surrounds the formulas of forward: states, time, lengths, rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from verify.deviations.deviation import Family, Variant
from verify.deviations.model import Model, Results, States
from verify.kernels import Array, Example
from verify.recurrence import Field

__all__ = [
    "cell_clipped",
    "final_states",
    "initial_states",
    "inputs_moved",
    "limited",
    "not_carried",
    "output_another",
    "output_other",
    "padding",
    "plain",
    "reversed_time",
    "rows_leak",
    "state_transformed",
]

Variants = Callable[[Model], Iterator[Variant]]
Given = Callable[[Example], Example]


def plain(field: Field, value: Any) -> Array:
    """The number that a value stands for."""
    found: Array = getattr(value, "value", value)
    return found


def _given(model: Model, change: Given) -> Model:
    return replace(model, given=(*model.given, change))


def initial_states(model: Model) -> Iterator[Variant]:
    """Initial states ignored, or of one size exchanged."""
    states = model.cell.states

    def without(names: frozenset[str]) -> Given:
        def change(e: Example) -> Example:
            if e.state_0 is None:
                return e
            kept = {n: np.zeros_like(a) if n in names else a for n, a in e.state_0.items()}
            return replace(e, state_0=kept)

        return change

    for state in states:
        yield Variant(f"{state.name}_0 ignored", _given(model, without(frozenset((state.name,)))))
    if len(states) > 1:
        every = frozenset(s.name for s in states)
        yield Variant("all ignored", _given(model, without(every)))
    for k, one in enumerate(states):
        for other in states[k + 1 :]:
            if one.shape == other.shape:
                label = f"{one.name}_0 and {other.name}_0 exchanged"
                yield Variant(label, _given(model, _exchanged(one.name, other.name)))


def _exchanged(one: str, other: str) -> Given:
    def change(e: Example) -> Example:
        if e.state_0 is None:
            return e
        swap = {one: other, other: one}
        return replace(e, state_0={n: e.state_0[swap.get(n, n)] for n in e.state_0})

    return change


def state_transformed(model: Model) -> Iterator[Variant]:
    """Initial states passed through a function."""
    for state in model.cell.states:
        for name in ("tanh", "sigmoid", "relu", "exp"):

            def start(
                field: Field,
                t: int,
                read: States,
                first: States,
                state: str = state.name,
                name: str = name,
            ) -> States:
                return {**read, state: field.apply(name, read[state])} if t == 0 else read

            new = replace(model, starting=(*model.starting, start))
            yield Variant(f"{name}({state.name}_0) for {state.name}_0", new)

        def positive(
            field: Field, t: int, read: States, first: States, state: str = state.name
        ) -> States:
            v = plain(field, read[state])
            half = field.constant(sp.Rational(1, 2), v.shape[-2:])
            shifted, below = field.add(read[state], half), field.apply("sigmoid", read[state])
            return {**read, state: field.where(v >= 0, shifted, below)} if t == 0 else read

        said = f"the positive g of {state.name}_0 (x + 1/2, sigmoid(x) below 0) for {state.name}_0"
        yield Variant(said, replace(model, starting=(*model.starting, positive)))


def not_carried(model: Model) -> Iterator[Variant]:
    """A state that each step reads as it was at first, or as zero."""
    for state in model.cell.states:

        def first(
            field: Field, t: int, read: States, first: States, state: str = state.name
        ) -> States:
            return {**read, state: first[state]}

        def nothing(
            field: Field, t: int, read: States, first: States, state: str = state.name
        ) -> States:
            zeros = field.zeros(plain(field, read[state]).shape)
            return {**read, state: zeros} if t else read

        for label, start in (("its initial value", first), ("zero", nothing)):
            new = replace(model, starting=(*model.starting, start))
            yield Variant(f"{label} for {state.name}[t-1] at every step", new)


def reversed_time(model: Model) -> Iterator[Variant]:
    """The sequence from its end to its start; outputs as they come, or in the order of inputs."""

    def turned(e: Example) -> Example:
        inputs = {n: _turned(a, e.lengths) for n, a in e.inputs.items()}
        return replace(e, inputs=inputs)

    def back(field: Field, e: Example, found: Results) -> Results:
        return found | {"y": _flipped(field, found["y"], e)}

    def dy_back(e: Example) -> Example:
        return e if e.dy is None else replace(e, dy=_turned(e.dy, e.lengths))

    def dx_back(field: Field, e: Example, found: Results) -> Results:
        return {n: _flipped(field, v, e) if n in e.inputs else v for n, v in found.items()}

    base = replace(model, given=(*model.given, turned), finishing=(*model.finishing, dx_back))
    yield Variant("outputs in the order of computing", base)
    both = replace(base, values=(*model.values, back), upstream=(*model.upstream, dy_back))
    yield Variant("outputs in the order of inputs", both)


def _turned(array: Array, lengths: Any) -> Array:
    ends = np.full(array.shape[1], len(array)) if lengths is None else np.asarray(lengths)
    found = np.array(array)
    for b, end in enumerate(ends):
        found[:end, b] = array[:end, b][::-1]
    return found


def _flipped(field: Field, steps: list[Any], e: Example) -> list[Any]:
    """The same of values by step."""
    ends = np.full(e.batch, e.steps) if e.lengths is None else np.asarray(e.lengths)
    found = list(steps)
    for t in range(e.steps):
        value = steps[t]
        for other in range(e.steps):
            rows = (ends - 1 - t == other)[:, None, None]
            if rows.any() and other != t:
                value = field.where(rows, steps[other], value)
        found[t] = value
    return found


def inputs_moved(model: Model) -> Iterator[Variant]:
    """Inputs of another step."""

    def moved(by: int) -> Given:
        def change(e: Example) -> Example:
            return replace(e, inputs={n: shifted(a, by) for n, a in e.inputs.items()})

        return change

    def turned(by: int) -> Callable[[Field, Example, Results], Results]:
        def finish(field: Field, e: Example, found: Results) -> Results:
            return {
                n: _steps_shifted(field, v, -by) if n in e.inputs else v for n, v in found.items()
            }

        return finish

    for by, label in ((1, "x[t-1] for x"), (-1, "x[t+1] for x")):
        new = _given(model, moved(by))
        yield Variant(label, replace(new, finishing=(*model.finishing, turned(by))))


def shifted(array: Array, by: int) -> Array:
    """Steps moved to later ones, zeros before; to earlier ones for a negative number."""
    found = np.zeros_like(array)
    if by > 0:
        found[by:] = array[:-by]
    else:
        found[:by] = array[-by:]
    return found


def _steps_shifted(field: Field, steps: list[Any], by: int) -> list[Any]:
    nothing = [field.zeros(plain(field, s).shape) for s in steps[: abs(by)]]
    return [*nothing, *steps[:-by]] if by > 0 else [*steps[-by:], *nothing]


def output_other(model: Model) -> Iterator[Variant]:
    """The state of the step before as the output."""
    states = model.cell.states
    out = states[0]

    def late(field: Field, e: Example, found: Results) -> Results:
        steps = found["y"]
        return found | {"y": _steps_shifted(field, steps, 1) if len(steps) > 1 else steps}

    def late_dy(e: Example) -> Example:
        return e if e.dy is None or e.steps < 2 else replace(e, dy=shifted(e.dy, -1))

    new = replace(model, values=(*model.values, late), upstream=(*model.upstream, late_dy))
    yield Variant(f"y is {out.name} of the step before", new)


def output_another(model: Model) -> Iterator[Variant]:
    """Another value of the step given as output: C for h."""
    out = model.cell.output
    for a in model.forward:
        if a.symbol.shape == out.now.shape and a.name != out.name:
            yield Variant(f"y is {a.name}", replace(model, shows=a.name))


def padding(model: Model) -> Iterator[Variant]:
    """Lengths ignored by forward and backward."""

    def change(e: Example) -> Example:
        return replace(e, lengths=None)

    yield Variant("every row runs to the last step", _given(model, change))


def final_states(model: Model) -> Iterator[Variant]:
    """The final output of the last step for that of the row's end: zero where it ended before."""
    out = model.cell.output.name

    def last(field: Field, e: Example, found: Results) -> Results:
        return found | {f"{out}_T": [found["y"][-1]]} if found["y"] else found

    yield Variant(f"{out}_T is y of the last step", replace(model, values=(*model.values, last)))


def rows_leak(model: Model) -> Iterator[Variant]:
    """Every row starts from the states of the first, or from one of them."""

    def first(names: frozenset[str]) -> Given:
        def change(e: Example) -> Example:
            if e.state_0 is None or not e.batch:
                return e
            kept = {
                n: np.repeat(a[:1], e.batch, axis=0) if n in names else a
                for n, a in e.state_0.items()
            }
            return replace(e, state_0=kept)

        return change

    def mixed(e: Example) -> Example:
        if e.state_0 is None or not e.batch:
            return e
        return replace(e, state_0={n: np.roll(a, 1, axis=0) for n, a in e.state_0.items()})

    names = [s.name for s in model.cell.states]
    for chosen in (names, *([n] for n in names)) if len(names) > 1 else (names,):
        said = "states" if chosen is names else chosen[0]
        label = f"every row starts from the first row's {said}"
        yield Variant(label, _given(model, first(frozenset(chosen))))
    yield Variant("each row starts from its neighbour's states", _given(model, mixed))


def cell_clipped(model: Model) -> Iterator[Family]:
    """A state clipped by value after each step, the gradient passing where it is not clipped."""
    for state in model.cell.states:

        def at(number: Fraction, name: str = state.name) -> Model:
            def end(field: Field, new: States) -> States:
                return {**new, name: limited(field, new[name], number)}

            return replace(model, ending=(*model.ending, end))

        yield Family(f"{state.name} clipped at {{}}", at, "ceiling", (Fraction(1, 5),))


def limited(field: Field, value: Any, number: Fraction) -> Any:
    """A value clipped to [-number, number]."""
    v = plain(field, value)
    ends = [field.given(np.full(v.shape, s * float(number), v.real.dtype)) for s in (1, -1)]
    return field.where(v < -float(number), ends[1], field.where(v > float(number), ends[0], value))
