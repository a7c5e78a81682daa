"""The body of `forward` and `backward` for any cell: each assignment and each cotangent as a line.

What needs no lagged state is computed for all steps in one call, before the loop; cotangents that
no carry needs, and all gradients, after it. `fused` cells, which are sums of products with
parameters and elementwise products, have a faster form: see `backward` and `forward`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from derive.backends.numpy.arrays import Arrays, is_column, shape_text
from derive.backends.numpy.pointwise import number_text
from derive.cell import Variable
from derive.expressions import (
    Apply,
    Expr,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    coefficient,
)
from derive.gradients import Adjoint, Gradients
from derive.language.names import EMITTED
from derive.primitives import PRIMITIVES
from derive.schedule.levels import ONCE, SEQUENCE, STEP, levels_of

__all__ = ["Stepwise", "is_fused"]


def is_fused(gradients: Gradients) -> bool:
    """Whether the faster form can say the cell.

    It computes what stands past a sequence's end and multiplies it by zero, so that no function of
    the cell or of its slopes may be infinite at a finite argument.
    """
    cell, level = gradients.cell, levels_of(gradients)
    if any(len(state.shape) == 2 for state in cell.states):
        return False
    values = [a.value for a in gradients.forward]
    if any(not coefficient(e)[0].is_Rational for v in values for e in v.atoms(MatAdd, MatMul)):
        return False
    if any(value.has(LogSumExp) for value in values):
        return False
    adjoints = (*gradients.backward, *gradients.parameters, *gradients.inputs, *gradients.states)
    used = {node.name for v in (*values, *(a.value for a in adjoints)) for node in v.atoms(Apply)}
    if not all(PRIMITIVES[name].is_finite for name in used):
        return False
    products = [p for v in values for p in v.atoms(MatMul) if p.args[0].is_Matrix]
    return all(_is_applied_parameter(product, level) for product in products)


def _is_applied_parameter(product: MatMul, level: dict[str, int]) -> bool:
    left, right = product.args
    matrix = left.args[0] if isinstance(left, Transpose) else left
    if not isinstance(matrix, MatrixSymbol) or not isinstance(right, MatrixSymbol):
        return False
    return level[matrix.name] == ONCE and is_column(right) and not is_column(matrix)


@dataclass
class Stepwise:
    """The names of one cell's emitted source, and its lines."""

    runtime = "runtime_stepwise"
    quiet = 'all="ignore"'  # what stands past a sequence's end may divide by zero

    gradients: Gradients
    made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        g, cell = self.gradients, self.gradients.cell
        variables = (*cell.inputs, *cell.states, *cell.parameters)
        self.level = levels_of(g)
        self.taken = {v.name for v in variables} | {str(d) for d in cell.dimensions}
        self.taken |= {a.name for a in g.forward} | EMITTED
        self.inputs = {x.name for x in cell.inputs}
        self.states = {s.name for s in cell.states}
        self.lagged = {s.before.name: s.name for s in cell.states}
        self.looped = self._looped()

    def make(self, hint: str) -> str:
        """The one emitted name for `hint`; none is a name of the cell."""
        if hint not in self.made:
            name, count = hint, 1
            while name in self.taken:
                count += 1
                name = f"{hint}_{count}"
            self.taken.add(name)
            self.made[hint] = name
        return self.made[hint]

    # Names.

    def _is_once(self, name: str) -> bool:
        inner = name[4:-1] if name.startswith("bar(") else name
        return self.level.get(inner) == ONCE

    def sequence(self, name: str) -> str:
        """A forward name or a cotangent at all t."""
        if name == "dy":
            return name
        if name.startswith("bar("):
            return self.make(f"d_{name[4:-1]}" + ("" if self._is_once(name) else "_seq"))
        if name in self.lagged:
            return f"{self.make(f'{self.lagged[name]}_seq')}[:-1]"
        if name in self.states:
            return f"{self.make(f'{name}_seq')}[1:]"
        if self._is_once(name) or name in self.inputs:
            return name
        return self.make(f"{name}_seq")

    def at_step(self, name: str) -> str:
        """The same inside of a loop over t."""
        if name.startswith("bar("):
            return self.make(f"d_{name[4:-1]}")
        if name.startswith("carry("):
            return self.make(f"carry_{name[6:-1]}")
        if name in self.lagged:
            return self.make(f"{self.lagged[name]}_prev")
        return self.make(f"{name}_t") if name in self.inputs or name == "dy" else name

    def stored(self, name: str) -> str:
        """The place of a forward name at step t in its sequence."""
        if name in self.lagged:
            return f"{self.make(f'{self.lagged[name]}_seq')}[t]"
        if name in self.states:
            return f"{self.make(f'{name}_seq')}[t + 1]"
        return f"{self.sequence(name)}[t]"

    @property
    def kept(self) -> list[str]:
        """Forward names that the backward pass reads, other than parameters."""
        g = self.gradients
        adjoints = (*g.backward, *g.states, *g.inputs, *g.parameters)
        read = {leaf.name for a in adjoints for leaf in a.value.atoms(MatrixSymbol)}
        known = [*self.inputs, *(a.name for a in g.forward), *self.lagged]
        own = {p.name for p in g.cell.parameters}
        return [n for n in known if n in read and n not in own]

    def tape(self) -> list[str]:
        """What `forward` hands to `backward`."""
        whole = (self.sequence(n).partition("[")[0] for n in self.kept)
        return list(dict.fromkeys([*whole, *(self.make(f"{s}_seq") for s in self.lagged.values())]))

    # Forward.

    def forward(self) -> Iterator[str]:
        """Lines from checked arguments to the states' sequences."""
        g, cell = self.gradients, self.gradients.cell
        whole = Arrays(self.sequence, self._is_once)
        for assignment in g.forward:
            if self.level[assignment.name] == ONCE:
                yield f"{assignment.name} = {whole.full(assignment.value)}"
        for assignment in g.forward:
            if self.level[assignment.name] == SEQUENCE:
                yield f"{self.sequence(assignment.name)} = {whole.full(assignment.value)}"
        for state in cell.states:
            place = self.make(f"{state.name}_seq")
            yield f"{place} = np.empty((steps + 1, batch, {shape_text(state.now)}), dtype)"
            yield f'{place}[0] = {_given(state, f"""state_0["{state.name}"]""")}'
        steps = [a for a in g.forward if self.level[a.name] == STEP]
        kept = [a for a in steps if a.name in self.kept and a.name not in self.states]
        for a in kept:
            shape = f"(steps, batch, {shape_text(a.symbol)})"
            yield f"{self.sequence(a.name)} = np.empty({shape}, dtype)"
        yield "for t in range(steps):"
        made = frozenset(a.name for a in steps)
        yield from (f"    {line}" for line in self._views([a.value for a in steps], made))
        rows, local = self.make("rows_t"), Arrays(self.at_step, self._is_once)
        yield f"    {rows} = {self.make('padding')}[t]"
        for a in steps:
            yield f"    {a.name} = {local.full(a.value)}"
            if a in kept:
                yield f"    {self.stored(a.name)} = _alive({a.name}, {rows})"
        for state in cell.states:
            held = f"{self.make(f'{state.name}_seq')}[t]"
            yield f"    {self.stored(state.name)} = _alive({state.name}, {rows}, {held})"

    def _views(self, values: list[Expr], skip: frozenset[str] = frozenset()) -> Iterator[str]:
        """What a loop reads of sequences, by name."""
        read = {leaf.name for value in values for leaf in value.atoms(MatrixSymbol)} - skip
        known = [*self.inputs, *self.lagged, *(a.name for a in self.gradients.forward)]
        for name in known:
            if name in read and not self._is_once(name):
                yield f"{self.at_step(name)} = {self.stored(name)}"

    def entry(self) -> list[str]:
        """Lines that make parameters of one column columns."""
        flattened = [p.name for p in self.gradients.cell.parameters if _is_flattened(p)]
        return [f"{name} = {name}[..., 0]" for name in flattened]

    def final(self, state: Variable) -> str:
        """A state after the last step, in the shape of the contract."""
        return _shown(state, f"{self.make(f'{state.name}_seq')}[-1]")

    # Backward.

    def _looped(self) -> list[Adjoint]:
        """Cotangents that the carries depend on, in the order of the sweep."""
        g = self.gradients
        values = {f"bar({a.of.name})": a.value for a in g.backward}
        # The cotangents of states are among them: their carries exist in the loop alone.
        found = {f"bar({s.name})" for s in g.cell.states}
        waiting = [a.value for a in g.states] + [values[name] for name in sorted(found)]
        while waiting:
            for leaf in waiting.pop().atoms(MatrixSymbol):
                if leaf.name in values and leaf.name not in found:
                    found.add(leaf.name)
                    waiting.append(values[leaf.name])
        return [
            a for a in g.backward if f"bar({a.of.name})" in found and self.level[a.of.name] != ONCE
        ]

    def backward(self) -> Iterator[str]:
        """Lines from the tape to the gradients."""
        g, cell = self.gradients, self.gradients.cell
        whole, local = (Arrays(f, self._is_once) for f in (self.sequence, self.at_step))
        for a in g.forward:
            if self.level[a.name] == ONCE:
                yield f"{a.name} = {whole.full(a.value)}"
        for state in cell.states:
            carry = self.make(f"carry_{state.name}")
            yield f'{carry} = {_given(state, f"""dstate_T["{state.name}"]""")}'
        inside = {f"bar({a.of.name})" for a in self.looped}
        after = [a for a in g.backward if a.terms and a not in self.looped]
        ends = (*after, *g.parameters, *g.inputs)
        later = {leaf.name for a in ends for leaf in a.value.atoms(MatrixSymbol)} & inside
        for a in self.looped:
            if f"bar({a.of.name})" in later:
                place = self.sequence(f"bar({a.of.name})")
                yield f"{place} = np.empty((steps, batch, {shape_text(a.of)}), dtype)"
        yield "for t in reversed(range(steps)):"
        values = [a.value for a in (*self.looped, *g.states)]
        yield from (f"    {line}" for line in self._views(values))
        rows = self.make("rows_t")
        yield f"    {rows} = {self.make('padding')}[t]"
        if any(v.has(MatrixSymbol("dy", *cell.output.now.shape)) for v in values):
            yield f"    {self.at_step('dy')} = dy[t]"
        for a in self.looped:
            name = self.at_step(f"bar({a.of.name})")
            yield f"    {name} = _alive({local.full(a.value)}, {rows})"
            if f"bar({a.of.name})" in later:
                yield f"    {self.sequence(f'bar({a.of.name})')}[t] = {name}"
        names = [self.make(f"carry_{s.name}") for s in cell.states]
        earlier = [
            f"_alive({self._carried(a, local)}, {rows}, {name})"
            for a, name in zip(g.states, names, strict=True)
        ]
        if len(names) == 1:
            yield f"    {names[0]} = {earlier[0]}"
        else:
            yield f"    {', '.join(names)} = ("
            yield from (f"        {text}," for text in earlier)
            yield "    )"
        beyond = self.make("beyond")
        padding = self.make("padding")
        yield f"{beyond} = {padding} if isinstance({padding}, np.ndarray) else None"
        for a in after:
            name = self.sequence(f"bar({a.of.name})")
            if self.level[a.of.name] == ONCE:
                yield f"{name} = {self._reduced(a, whole)}"
            else:
                yield f"{name} = _alive({whole.full(a.value)}, {beyond})"
        yield "return {"
        for a, parameter in zip(g.parameters, cell.parameters, strict=True):
            text = self._reduced(a, whole)
            yield f'    "{parameter.name}": {_shown(parameter, text)},'
        for a, x in zip(g.inputs, cell.inputs, strict=True):
            lead = f"steps, batch, {shape_text(x.now)}"
            if a.terms:
                yield f'    "{x.name}": _alive({whole.full(a.value)}, {beyond}),'
            else:
                yield f'    "{x.name}": np.zeros(({lead}), dtype),'
        for state in cell.states:
            yield f'    "{state.name}_0": {_shown(state, self.make(f"carry_{state.name}"))},'
        yield "}"

    def _carried(self, adjoint: Adjoint, local: Arrays) -> str:
        """The cotangent of a lagged state."""
        if adjoint.terms:
            return local.full(adjoint.value)
        return f"np.zeros((batch, {shape_text(adjoint.of)}), dtype)"

    def _reduced(self, adjoint: Adjoint, whole: Arrays) -> str:
        """The gradient of something that all steps share: summed over steps and batch."""
        value = adjoint.value
        terms = value.args if isinstance(value, MatAdd) else (value,)
        texts = [self._summed(term, whole) for term in terms] if adjoint.terms else []
        if not texts:
            return f"np.zeros(({shape_text(adjoint.of)},), dtype)"
        return " + ".join(texts)

    def _summed(self, term: Expr, whole: Arrays) -> str:
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


def _given(variable: Variable, text: str) -> str:
    """An argument as its array here: a matrix of one column is a column."""
    return f"{text}[..., 0]" if _is_flattened(variable) else text


def _shown(variable: Variable, text: str) -> str:
    """An array as its result."""
    text = f"({text})[..., None]" if _is_flattened(variable) else text
    return f"np.array({text})"


def _is_flattened(variable: Variable) -> bool:
    return len(variable.shape) == 2 and bool(variable.shape[1] == 1)
