"""Names of the stepwise form: where each value of a cell stands in the emitted source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from derive.backends.numpy.arrays import Arrays
from derive.cell import Variable
from derive.expressions import Expr, MatrixSymbol
from derive.gradients import Gradients
from derive.language.names import EMITTED
from derive.schedule.levels import ONCE, levels_of

__all__ = ["Stepping", "broken", "given", "is_flattened", "shown"]

WIDTH = 92  # a statement stands four columns further in


@dataclass
class Stepping:
    """The names of one cell's emitted source: none is one that the cell's author chose."""

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
        self.whole = Arrays(self.sequence, self.is_once)
        self.local = Arrays(self.at_step, self.is_once)

    def make(self, hint: str) -> str:
        """The one emitted name for `hint`."""
        if hint not in self.made:
            name, count = hint, 1
            while name in self.taken:
                count += 1
                name = f"{hint}_{count}"
            self.taken.add(name)
            self.made[hint] = name
        return self.made[hint]

    def is_once(self, name: str) -> bool:
        """Whether a forward name, or a cotangent's, is computed once for all steps."""
        inner = name[4:-1] if name.startswith("bar(") else name
        return self.level.get(inner) == ONCE

    def sequence(self, name: str) -> str:
        """A forward name or a cotangent at all t."""
        if name == "dy":
            return name
        if name.startswith("bar("):
            return self.make(f"d_{name[4:-1]}" + ("" if self.is_once(name) else "_seq"))
        if name in self.lagged:
            return f"{self.make(f'{self.lagged[name]}_seq')}[:-1]"
        if name in self.states:
            return f"{self.make(f'{name}_seq')}[1:]"
        if self.is_once(name) or name in self.inputs:
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

    def views(self, values: Iterable[Expr], skip: frozenset[str] = frozenset()) -> Iterator[str]:
        """What a loop reads of sequences, by name."""
        read = {leaf.name for value in values for leaf in value.atoms(MatrixSymbol)} - skip
        known = [*self.inputs, *self.lagged, *(a.name for a in self.gradients.forward)]
        for name in known:
            if name in read and not self.is_once(name):
                yield f"{self.at_step(name)} = {self.stored(name)}"

    @property
    def kept(self) -> list[str]:
        """Forward names that the backward pass reads, other than parameters."""
        g = self.gradients
        adjoints = (*g.backward, *g.states, *g.inputs, *g.parameters)
        read = {leaf.name for a in adjoints for leaf in a.value.atoms(MatrixSymbol)}
        known = [*sorted(self.inputs), *(a.name for a in g.forward), *self.lagged]
        own = {p.name for p in g.cell.parameters}
        return [n for n in known if n in read and n not in own]


def given(variable: Variable, text: str) -> str:
    """An argument as its array here: a matrix of one column is a column."""
    return f"{text}[..., 0]" if is_flattened(variable) else text


def shown(variable: Variable, text: str) -> str:
    """An array as its result."""
    return f"np.array(({text})[..., None])" if is_flattened(variable) else f"np.array({text})"


def is_flattened(variable: Variable) -> bool:
    """Whether a variable is declared as a matrix of one column."""
    return len(variable.shape) == 2 and bool(variable.shape[1] == 1)


def broken(line: str) -> list[str]:
    """A statement or an entry of a dict, on several lines if it is long."""
    if len(line) <= WIDTH:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    mark = ": " if line.lstrip().startswith('"') else " = "
    head, found, value = line.partition(mark)
    if not found:
        head, value = indent.rstrip("\n"), line.lstrip()
    end = "," if value.endswith(",") else ""
    rows = _filled(value.removesuffix(",") if end else value, WIDTH - len(indent) - 4)
    return [f"{head}{found}(", *(f"{indent}    {row}" for row in rows), f"{indent}){end}"]


def _filled(text: str, width: int) -> list[str]:
    """Text in rows, broken before summands: of the whole, or of what its first bracket holds."""
    pieces, depth = [""], 0
    for word in text.split(" "):
        if depth <= 1 and word in {"+", "-"} and pieces[-1]:
            pieces.append("")
        pieces[-1] = f"{pieces[-1]} {word}" if pieces[-1] else word
        depth += sum(word.count(c) for c in "([") - sum(word.count(c) for c in ")]")
    rows = [""]
    for piece in pieces:
        if rows[-1] and len(rows[-1]) + 1 + len(piece) > width:
            rows.append("")
        rows[-1] = f"{rows[-1]} {piece}" if rows[-1] else piece
    return rows
