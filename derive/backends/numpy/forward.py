"""The body of `forward`: what is hoisted, then the loop over t."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import sympy as sp

from derive.backends.numpy.hoisted import at_level, hoisted_lines, level_of, terms_where
from derive.backends.numpy.places import Places, Scope, bracketed, size_word, stacked_text
from derive.backends.numpy.pointwise import Calls
from derive.expressions import MatAdd, MatrixSymbol, parts_of
from derive.schedule.levels import ONCE, STEP
from derive.schedule.slots import runs
from derive.schedule.terms import Matrix, Sum
from derive.single_assignment import Assignment

__all__ = ["Workspace", "forward_lines"]


def forward_lines(places: Places) -> list[str]:
    """Statements of `forward` between its checks and its return."""
    work = Workspace(places)
    loop = _Loop(places, work)
    lines = list(hoisted_lines(places))
    body = loop.body()
    return [
        "# What needs no lagged state: for all steps in one call.",
        *lines,
        "# The rest, step by step.",
        *work.lines,
        *loop.scope.header(),
        *(f"    {line}" for line in body),
    ]


@dataclass
class Workspace:
    """Buffers of one step, allocated before the loop."""

    places: Places
    lines: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    matrices: dict[str, str] = field(default_factory=dict)
    cut: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def named(self, name: str, rows: sp.Expr) -> str:
        """The buffer (B, rows) called `name`."""
        if name not in self.known:
            self.known.add(name)
            self.lines.append(f"{name} = np.empty((batch, {rows}), dtype)")
        return name

    def buffer(self, rows: sp.Expr, place: int) -> str:
        """The place-th temporary with that many rows."""
        return self.named(self.places.make(f"work_{size_word(rows)}_{place}"), rows)

    def weights(self, text: str) -> str:
        """The name of a matrix that every step multiplies by."""
        if text.isidentifier():
            return text
        if text not in self.matrices:
            self.matrices[text] = self.places.fresh("weights")
            self.lines.append(f"{self.matrices[text]} = np.ascontiguousarray({text})")
        return self.matrices[text]

    def blocks(self, text: str, out: str) -> tuple[str, str]:
        """A matrix cut into blocks that BLAS multiplies best, and the view of `out` for it."""
        if (text, out) not in self.cut:
            weights, view = self.places.fresh("blocks"), self.places.fresh(f"{out}_blocks")
            self.lines.append(f"{weights} = _blocks({text}, batch)")
            self.lines.append(f"{view} = _in_blocks({out}, {weights})")
            self.cut[text, out] = weights, view
        return self.cut[text, out]


class _Loop:
    def __init__(self, places: Places, work: Workspace) -> None:
        self.places, self.plan, self.work = places, places.plan, work
        self.todo = {a.name: a for a in at_level(places, STEP)}
        self.scope = Scope(self.direct, self.view)

    def direct(self, name: str) -> str | None:
        places = self.places
        if self.plan.levels[name] == ONCE:
            return name
        if self.plan.levels[name] != STEP or places.stored(name):
            return None
        if places.state_of(name) or places.node_of(name):
            return None
        return self.work.named(name, self.plan.rows(name))

    def view(self, name: str) -> tuple[str, str]:
        return self.places.view_name(name), self.places.whole(name)

    def columns(self, nodes: list[str]) -> str:
        """The view of neighbouring columns of the gate buffer."""
        name = self.places.buffer_view(self.places.gates, nodes)
        self.scope.bound[name] = self.places.of_buffer(self.places.gates, nodes)
        return name

    def body(self) -> list[str]:
        lines = [line for step in self.order() for line in step]
        scope = self.scope
        padding = self.places.make("padding")
        scope.bound["rows"] = padding
        lines.append("if rows is not None:")
        for state in self.plan.gradients.cell.states:
            now, before = scope(state.name), scope(state.before.name)
            lines.append(f"    np.copyto({now}, {before}, where=rows)")
        # A step that does not count may overflow; what backward multiplies by zero is finite.
        if any(self.places.node_of(n) in self.todo for n in self.plan.kept):
            lines.append(f"    np.copyto({self.columns(list(self.plan.nodes))}, 0, where=rows)")
        for name in self.todo:
            if self.places.stored(name):
                lines.append(f"    np.copyto({scope(name)}, 0, where=rows)")
        return lines

    def order(self) -> Iterator[list[str]]:
        """A product as soon as its operand is known, then all that it completes."""
        plan, todo = self.plan, dict(self.todo)
        known = {n for n, level in plan.levels.items() if level != STEP}
        known |= {s.before.name for s in plan.gradients.cell.states}
        late = {n: self.late(n) for n in plan.nodes if n in todo}
        multiplied: set[str] = set()
        while todo:
            for source in dict.fromkeys(s for found in late.values() for s, _ in found):
                if source in known and source not in multiplied:
                    multiplied.add(source)
                    yield from self.multiply(source, late)
            ready = [
                name
                for name, assignment in todo.items()
                if self.operands(assignment) <= known
                and all(s in multiplied for s, _ in late.get(name, ()))
            ]
            yield from self.activate([n for n in ready if n in plan.in_place.values()])
            for name in ready:
                if name not in plan.in_place.values():
                    yield self.assign(todo[name])
            known.update(ready)
            todo = {n: a for n, a in todo.items() if n not in known}

    def late(self, node: str) -> list[tuple[str, Matrix]]:
        """The products of a node whose operand is known only inside of the loop."""
        products = self.plan.sums[node].products
        return [
            (p.source.name, p.matrix) for p in products if self.plan.levels[p.source.name] == STEP
        ]

    def operands(self, assignment: Assignment) -> set[str]:
        """Names that must be known, products apart."""
        total = self.plan.sums.get(assignment.name)
        expr = assignment.value if total is None else total.rest
        return set() if expr is None else {s.name for s in expr.atoms(MatrixSymbol)}

    def multiply(
        self, source: str, late: dict[str, list[tuple[str, Matrix]]]
    ) -> Iterator[list[str]]:
        """One product for each group of neighbouring nodes that `source` enters."""
        mine = {n: [m for s, m in found if s == source] for n, found in late.items()}
        once = [n for n, matrices in mine.items() if len(matrices) == 1]
        again = [(n, m) for n, matrices in mine.items() if len(matrices) > 1 for m in matrices]
        for group in runs(self.plan.nodes, once):
            yield self.product(source, list(group), [mine[n][0] for n in group])
        for node, matrix in again:
            yield self.product(source, [node], [matrix])

    def product(self, source: str, nodes: list[str], matrices: list[Matrix]) -> list[str]:
        start, stop = self.places.columns(nodes)
        size = stop - start
        out = self.work.named(self.places.make(f"product_{size_word(size)}"), size)
        text = f"{bracketed(stacked_text(matrices))}.T"
        weights, place = self.work.blocks(text, out)
        gates = self.columns(nodes)
        return [
            f"np.matmul({self.scope(source)}, {weights}, out={place})",
            f"np.add({gates}, {out}, out={gates})",
        ]

    def activate(self, names: list[str]) -> Iterator[list[str]]:
        """One call for neighbouring nodes with the same activation."""
        kinds: dict[str, list[str]] = {}
        for name in names:
            kinds.setdefault(self.todo[name].value.name, []).append(str(self.places.node_of(name)))
        for kind, nodes in kinds.items():
            for group in runs(self.plan.nodes, nodes):
                gates = self.columns(list(group))
                yield [f"_{kind}({gates}, {gates})"]

    def assign(self, assignment: Assignment) -> list[str]:
        name, value = assignment.name, assignment.value
        calls = Calls(self.scope, self.work.buffer)
        if name in self.plan.nodes:
            self.finish(calls, name)
        elif name not in self.plan.stacks:
            calls.into(self.scope(name), value)
        elif self.places.stored(name):
            parts = ", ".join(self.scope(p.name) for p in parts_of(value))
            calls.lines.append(f"np.concatenate(({parts}), axis=-1, out={self.scope(name)})")
        return calls.lines

    def finish(self, calls: Calls, name: str) -> None:
        """The elementwise terms of a node, once its products are in the buffer."""
        total: Sum = self.plan.sums[name]
        late = terms_where(total.rest, lambda e: level_of(self.places, e) == STEP)
        if late is not None:
            gates = self.columns([name])
            for term in late.args if isinstance(late, MatAdd) else (late,):
                calls.lines.append(f"np.add({gates}, {calls.value(term)}, out={gates})")
                calls.depth = 0
        if self.places.state_of(name):
            calls.lines.append(f"np.copyto({self.scope(name)}, {self.columns([name])})")
