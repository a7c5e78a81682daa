"""The stepwise form of a kernel, for any cell: each assignment and each cotangent is a line.

What needs no lagged state is computed for all steps in one call, before the loop; cotangents that
no carry needs, and all gradients, after it.
"""

from collections.abc import Iterator

from derive.backends.numpy.arrays import is_column, shape_text
from derive.backends.numpy.pointwise import number_text
from derive.backends.numpy.stepping import Stepping, broken, given, is_flattened, shown
from derive.cell import Variable
from derive.expressions import (
    Expr,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    coefficient,
)
from derive.gradients import Adjoint, Gradients
from derive.schedule.levels import ONCE, SEQUENCE, STEP

__all__ = ["Stepwise"]


class Stepwise:
    """The names of one cell's emitted source, and its lines."""

    runtime = "runtime_stepwise"
    quiet = 'all="ignore"'  # what stands past a sequence's end may divide by zero

    def __init__(self, gradients: Gradients) -> None:
        self.gradients = gradients
        self.names = Stepping(gradients)
        self.looped = _looped(gradients, self.names)

    def make(self, hint: str) -> str:
        """The one emitted name for `hint`."""
        return self.names.make(hint)

    def entry(self) -> list[str]:
        """Lines that make parameters of one column columns."""
        flattened = [p.name for p in self.gradients.cell.parameters if is_flattened(p)]
        return [f"{name} = {name}[..., 0]" for name in flattened]

    def final(self, state: Variable) -> str:
        """A state after the last step, in the shape of the contract."""
        return shown(state, f"{self.make(f'{state.name}_seq')}[-1]")

    def tape(self) -> list[str]:
        """What `forward` hands to `backward`."""
        names = self.names
        whole = (names.sequence(n).partition("[")[0] for n in names.kept)
        states = (names.make(f"{s}_seq") for s in names.lagged.values())
        return list(dict.fromkeys([*whole, *states]))

    def forward(self) -> Iterator[str]:
        """Lines from checked arguments to the states' sequences."""
        for line in self._forward():
            yield from broken(line)

    def backward(self) -> Iterator[str]:
        """Lines from the tape to the gradients."""
        for line in self._backward():
            yield from broken(line)

    def _forward(self) -> Iterator[str]:
        g, names = self.gradients, self.names
        whole, local = names.whole, names.local
        for level in (ONCE, SEQUENCE):
            for a in g.forward:
                if names.level[a.name] == level:
                    place = a.name if level == ONCE else names.sequence(a.name)
                    yield f"{place} = {whole.full(a.value)}"
        for state in g.cell.states:
            place = names.make(f"{state.name}_seq")
            yield f"{place} = np.empty((steps + 1, batch, {shape_text(state.now)}), dtype)"
            yield f'{place}[0] = {given(state, f"""state_0["{state.name}"]""")}'
        steps = [a for a in g.forward if names.level[a.name] == STEP]
        kept = [a for a in steps if a.name in names.kept and a.name not in names.states]
        for a in kept:
            shape = f"(steps, batch, {shape_text(a.symbol)})"
            yield f"{names.sequence(a.name)} = np.empty({shape}, dtype)"
        yield "for t in range(steps):"
        made = frozenset(a.name for a in steps)
        yield from (f"    {line}" for line in names.views([a.value for a in steps], made))
        rows = names.make("rows_t")
        yield f"    {rows} = {names.make('padding')}[t]"
        for a in steps:
            yield f"    {a.name} = {local.full(a.value)}"
            if a in kept:
                yield f"    {names.stored(a.name)} = _alive({a.name}, {rows})"
        for state in g.cell.states:
            held = f"{names.make(f'{state.name}_seq')}[t]"
            yield f"    {names.stored(state.name)} = _alive({state.name}, {rows}, {held})"

    def _backward(self) -> Iterator[str]:
        g, names = self.gradients, self.names
        for assignment in g.forward:
            if names.level[assignment.name] == ONCE:
                yield f"{assignment.name} = {names.whole.full(assignment.value)}"
        for state in g.cell.states:
            place = names.make(f"carry_{state.name}")
            yield f'{place} = {given(state, f"""dstate_T["{state.name}"]""")}'
        yield from self._loop()
        padding, beyond = names.make("padding"), names.make("beyond")
        yield f"{beyond} = {padding} if isinstance({padding}, np.ndarray) else None"
        for adjoint in self._after():
            name = names.sequence(f"bar({adjoint.of.name})")
            if names.level[adjoint.of.name] == ONCE:
                yield f"{name} = {self._reduced(adjoint)}"
            else:
                yield f"{name} = _alive({names.whole.full(adjoint.value)}, {beyond})"
        yield "return {"
        for parameter, adjoint in zip(g.cell.parameters, g.parameters, strict=True):
            yield f'    "{parameter.name}": {shown(parameter, self._reduced(adjoint))},'
        for x, adjoint in zip(g.cell.inputs, g.inputs, strict=True):
            if adjoint.terms:
                yield f'    "{x.name}": _alive({names.whole.full(adjoint.value)}, {beyond}),'
            else:
                yield f'    "{x.name}": np.zeros((steps, batch, {shape_text(x.now)}), dtype),'
        for state in g.cell.states:
            yield f'    "{state.name}_0": {shown(state, names.make(f"carry_{state.name}"))},'
        yield "}"

    def _after(self) -> list[Adjoint]:
        """Cotangents that no carry needs."""
        return [a for a in self.gradients.backward if a.terms and a not in self.looped]

    def _loop(self) -> Iterator[str]:
        g, names, local = self.gradients, self.names, self.names.local
        inside = {f"bar({a.of.name})" for a in self.looped}
        ends = (*self._after(), *g.parameters, *g.inputs)
        later = {leaf.name for a in ends for leaf in a.value.atoms(MatrixSymbol)} & inside
        for a in self.looped:
            if f"bar({a.of.name})" in later:
                place = names.sequence(f"bar({a.of.name})")
                yield f"{place} = np.empty((steps, batch, {shape_text(a.of)}), dtype)"
        yield "for t in reversed(range(steps)):"
        values = [a.value for a in (*self.looped, *g.states)]
        yield from (f"    {line}" for line in names.views(values))
        rows = names.make("rows_t")
        yield f"    {rows} = {names.make('padding')}[t]"
        if any(v.has(MatrixSymbol("dy", *g.cell.output.now.shape)) for v in values):
            yield f"    {names.at_step('dy')} = dy[t]"
        for a in self.looped:
            name = names.at_step(f"bar({a.of.name})")
            yield f"    {name} = _alive({local.full(a.value)}, {rows})"
            if f"bar({a.of.name})" in later:
                yield f"    {names.sequence(f'bar({a.of.name})')}[t] = {name}"
        carries = [names.make(f"carry_{s.name}") for s in g.cell.states]
        if len(carries) == 1:
            yield f"    {carries[0]} = _alive({self._carried(g.states[0])}, {rows}, {carries[0]})"
            return
        yield f"    {', '.join(carries)} = ("  # together: each may read the others
        for adjoint, name in zip(g.states, carries, strict=True):
            yield f"        _alive({self._carried(adjoint)}, {rows}, {name}),"
        yield "    )"

    def _carried(self, adjoint: Adjoint) -> str:
        """The cotangent of a lagged state."""
        if adjoint.terms:
            return self.names.local.full(adjoint.value)
        return f"np.zeros((batch, {shape_text(adjoint.of)}), dtype)"

    def _reduced(self, adjoint: Adjoint) -> str:
        """The gradient of something that all steps share: summed over steps and batch."""
        value = adjoint.value
        terms = value.args if isinstance(value, MatAdd) else (value,)
        texts = [self._summed(term) for term in terms] if adjoint.terms else []
        return " + ".join(texts) or f"np.zeros(({shape_text(adjoint.of)},), dtype)"

    def _summed(self, term: Expr) -> str:
        whole = self.names.whole
        if whole.is_once(term):
            return f"np.array({whole.full(term)})"
        number, rest = coefficient(term)
        if isinstance(rest, MatMul) and isinstance(rest.args[1], Transpose):
            left, right = rest.args[0], rest.args[1].args[0]
            sides = [e for e in (left, right) if is_column(e) and not isinstance(e, OneMatrix)]
            if len(sides) == 2 and not any(whole.is_once(e) for e in sides):
                outer = f"_flat({whole.full(left)}).T @ _flat({whole.full(right)})"
                return outer if number == 1 else f"({number_text(number)}) * ({outer})"
        return f"_alive({whole.full(term)}, {self.make('beyond')}).sum((0, 1))"


def _looped(gradients: Gradients, names: Stepping) -> list[Adjoint]:
    """Cotangents that the carries depend on, in the order of the sweep."""
    values = {f"bar({a.of.name})": a.value for a in gradients.backward}
    # The cotangents of states are among them: their carries exist in the loop alone.
    found = {f"bar({s.name})" for s in gradients.cell.states}
    waiting = [a.value for a in gradients.states] + [values[name] for name in sorted(found)]
    while waiting:
        for leaf in waiting.pop().atoms(MatrixSymbol):
            if leaf.name in values and leaf.name not in found:
                found.add(leaf.name)
                waiting.append(values[leaf.name])
    inside = [a for a in gradients.backward if f"bar({a.of.name})" in found]
    return [a for a in inside if names.level[a.of.name] != ONCE]
