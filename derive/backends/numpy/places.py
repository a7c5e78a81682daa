"""Where every value lives in the emitted module, and what it is called there."""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import sympy as sp

from derive.backends.numpy.pointwise import number_text
from derive.language.names import EMITTED
from derive.schedule import Schedule
from derive.schedule.levels import ONCE, SEQUENCE
from derive.schedule.plan import target
from derive.schedule.slots import runs
from derive.schedule.terms import Matrix, Sum

__all__ = ["Places", "Scope", "bracketed", "matrix_text", "stacked_text", "variable"]


def stacked_text(matrices: Sequence[Matrix], turned: bool = False) -> str:
    """Matrices (their transposes if `turned`) one above the other, as NumPy text."""
    texts = [matrix_text(m, turned) for m in matrices]
    return texts[0] if len(texts) == 1 else f"np.concatenate(({', '.join(texts)}))"


def bracketed(text: str) -> str:
    """`text` so that an attribute or a product can follow."""
    return f"({text})" if text.endswith(".T") else text


def matrix_text(matrix: Matrix, turned: bool = False) -> str:
    """A matrix of a product (its transpose if `turned`) as NumPy text."""
    text = matrix.parameter.name
    if matrix.part is not None:
        axis, start, stop = matrix.part
        inner = f"{'' if start == 0 else start}:{stop}"
        text = f"{text}[{inner}]" if axis == 0 else f"{text}[:, {inner}]"
    if matrix.turned != turned:
        text += ".T"
    return text if matrix.number == 1 else f"({number_text(matrix.number)} * {text})"


@dataclass
class Places:
    """Names in the emitted source: no two the same, none of them one that the cell's author chose.

    Attributes:
        plan: the schedule.
        taken: all names in use.
    """

    plan: Schedule
    taken: set[str] = field(default_factory=set)
    made: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cell = self.plan.gradients.cell
        variables = (*cell.inputs, *cell.states, *cell.parameters)
        self.taken |= {v.name for v in variables} | {str(d) for d in cell.dimensions}
        self.taken |= {a.name for a in self.plan.gradients.forward} | EMITTED

    def fresh(self, hint: str) -> str:
        """A name like `hint` that is free."""
        name, count = hint, 1
        while name in self.taken:
            count += 1
            name = f"{hint}_{count}"
        self.taken.add(name)
        return name

    def make(self, hint: str) -> str:
        """The one emitted name for `hint`."""
        if hint not in self.made:
            self.made[hint] = self.fresh(hint)
        return self.made[hint]

    @property
    def gates(self) -> str:
        """The buffer of all nodes, (T, B, sum of their sizes)."""
        return self.make("gates")

    @property
    def deltas(self) -> str:
        """The buffer of the nodes' cotangents, of the same layout."""
        return self.make("deltas")

    def columns(self, names: Iterable[str]) -> tuple[sp.Expr, sp.Expr]:
        """The columns start ... stop of neighbouring nodes."""
        chosen = list(names)
        sizes = [self.plan.rows(n) for n in self.plan.nodes]
        first = self.plan.nodes.index(chosen[0])
        start = sum(sizes[:first], sp.S.Zero)
        return start, start + sum((self.plan.rows(n) for n in chosen), sp.S.Zero)

    def width(self) -> sp.Expr:
        """How many columns the buffers have."""
        return sum((self.plan.rows(n) for n in self.plan.nodes), sp.S.Zero)

    def column_text(self, names: Iterable[str]) -> str:
        """The columns of neighbouring nodes as the last index; ':' for all."""
        start, stop = self.columns(names)
        if start == 0 and stop == self.width():
            return ":"
        return f"{'' if start == 0 else start}:{'' if stop == self.width() else stop}"

    def of_buffer(self, buffer: str, nodes: Iterable[str], where: str = "") -> str:
        """Neighbouring columns of a buffer (T, B, columns), at all t or at lo:hi."""
        columns = self.column_text(nodes)
        if columns == ":":
            return f"{buffer}[{where}]" if where else buffer
        return f"{buffer}[{where or ':'}, :, {columns}]"

    def buffer_view(self, buffer: str, nodes: Iterable[str]) -> str:
        """What neighbouring columns of a buffer are called inside of a loop."""
        chosen = list(nodes)
        every = len(chosen) == len(self.plan.nodes)
        shown = [self.plan.in_place.get(n, n) for n in chosen]
        return self.make(f"{buffer}_t" if every else f"{buffer}_{'_'.join(shown)}")

    def groups(self, total: Sum) -> list[tuple[tuple[str, ...], list[Matrix]]]:
        """The products of a cotangent: neighbouring nodes whose deltas one product can take."""
        found: dict[str, list[Matrix]] = {}
        for product in total.products:
            found.setdefault(target(product.source.name), []).append(product.matrix)
        once = [n for n, matrices in found.items() if len(matrices) == 1]
        groups = [(g, [found[n][0] for n in g]) for g in runs(self.plan.nodes, once)]
        return groups + [((n,), [m]) for n, ms in found.items() if len(ms) > 1 for m in ms]

    def node_of(self, name: str) -> str | None:
        """The node whose column holds the forward name, or None."""
        if name in self.plan.nodes:
            return name
        for node, activation in self.plan.in_place.items():
            if activation == name:
                return node
        return None

    def state_of(self, name: str) -> tuple[str, bool] | None:
        """(state, whether it is the lagged one) if the name is a state's."""
        for state in self.plan.gradients.cell.states:
            if name in (state.name, state.before.name):
                return state.name, name != state.name
        return None

    def whole(self, name: str, lo: str = "", hi: str = "") -> str:
        """A forward name at all t, or at lo ... hi: an array (T, B, rows)."""
        state = self.state_of(name)
        if state is not None:
            sequence = self.make(f"{state[0]}_seq")
            if not lo:
                return f"{sequence}[:-1]" if state[1] else f"{sequence}[1:]"
            return f"{sequence}[{lo}:{hi}]" if state[1] else f"{sequence}[{lo} + 1:{hi} + 1]"
        node = self.node_of(name)
        if node is not None:
            return self.of_buffer(self.gates, [node], f"{lo}:{hi}" if lo else "")
        if self.plan.levels[name] == ONCE:
            return name
        inputs = {x.name for x in self.plan.gradients.cell.inputs}
        sequence = name if name in inputs else self.make(f"{name}_seq")
        return f"{sequence}[{lo}:{hi}]" if lo else sequence

    def stored(self, name: str) -> bool:
        """Whether a forward name has an array of its own over all t."""
        if self.state_of(name) or self.node_of(name) or self.plan.levels[name] == ONCE:
            return False
        if name in self.plan.stacks:
            return name in self.plan.kept or _read_pointwise(self.plan, name)
        return name in self.plan.kept or self.plan.levels[name] == SEQUENCE

    def view_name(self, name: str) -> str:
        """What a forward name is called inside of a loop: itself, or h_prev for h[t-1]."""
        shown = variable(name)
        inputs = {x.name for x in self.plan.gradients.cell.inputs}
        if name in inputs:
            return self.make(f"{shown}_t")
        return name if shown == name else self.make(shown)


def _read_pointwise(plan: Schedule, name: str) -> bool:
    rests = [s.rest for s in plan.sums.values() if s.rest is not None]
    values = [a.value for a in plan.gradients.forward if a.name not in plan.sums]
    used = [e for e in (*rests, *values) if e.has(plan.symbol(name))]
    return bool(used)


@dataclass
class Scope:
    """Names that the body of a loop reads: views that its header makes, or plain names.

    Attributes:
        direct: the text of a name that needs no view, else None.
        view: (variable, the sequence whose elements it takes).
        bound: the views so far: what the header must give.
    """

    direct: Callable[[str], str | None]
    view: Callable[[str], tuple[str, str]]
    bound: dict[str, str] = field(default_factory=dict)

    def __call__(self, name: str) -> str:
        """The variable that holds the value of `name` inside of the loop."""
        direct = self.direct(name)
        if direct is not None:
            return direct
        variable, sequence = self.view(name)
        self.bound[variable] = sequence
        return variable

    def header(self) -> list[str]:
        """`for` over all views at once: taking them in C is cheaper than slicing in the body."""
        head = f"for {', '.join(self.bound)} in zip("
        lines = [head]
        if len(head) > 84:
            names = textwrap.wrap(f"{', '.join(self.bound)},", 80)
            lines = ["for (", *(f"    {row}" for row in names), ") in zip("]
        lines += [f"    {sequence}," for sequence in self.bound.values()]
        return [*lines, "    strict=True,", "):"]


def size_word(size: sp.Expr) -> str:
    """A size as part of a name."""
    return "".join(c if c.isalnum() else "_" for c in str(size).replace(" ", ""))


def variable(name: str) -> str:
    """What a forward name is called inside of a loop: 'h_prev' for h[t-1]."""
    return name.replace("[t-1]", "_prev")
