"""The body of `backward`: factors for many steps at once, the loop over t, then the ends."""

from collections.abc import Callable, Iterator

import sympy as sp

from derive.backends.numpy.ends import after_lines, cotangent_whole, stored_roots
from derive.backends.numpy.factors import Factors
from derive.backends.numpy.forward import Workspace
from derive.backends.numpy.hoisted import at_level, once_text
from derive.backends.numpy.places import Places, Scope, stacked_text
from derive.schedule.levels import ONCE
from derive.schedule.plan import target
from derive.schedule.slots import runs
from derive.schedule.terms import Factor, Matrix, Sum, is_one

__all__ = ["backward_lines", "tape_names"]

Call = Callable[[str], str]


def tape_names(places: Places) -> list[str]:
    """What `forward` keeps for `backward`."""
    plan = places.plan
    names = [x.name for x in plan.gradients.cell.inputs]
    names += [places.make(f"{s.name}_seq") for s in plan.gradients.cell.states]
    names += [places.gates] if any(places.node_of(n) for n in plan.kept) else []
    return names + [places.whole(a.name) for a in plan.gradients.forward if places.stored(a.name)]


def backward_lines(places: Places) -> list[str]:
    """Statements of `backward` between its checks and its return."""
    loop = _Loop(places)
    body = loop.body()
    chunk = loop.factors.lines()
    note = ["# What needs no cotangent: for many steps at once."] if chunk else []
    inner = [
        *note,
        *chunk,
        "# The rest, step by step.",
        *loop.scope.header(),
        *(f"    {line}" for line in body),
    ]
    return [
        *(f"{a.name} = {once_text(places, a)}" for a in at_level(places, ONCE)),
        *loop.buffers(),
        *loop.work.lines,
        "for hi in range(steps, 0, -chunk):",
        "    lo = max(0, hi - chunk)",
        *(f"    {line}" for line in inner),
        "# What no earlier step needs: for all steps in one call.",
        *after_lines(places),
    ]


class _Loop:
    def __init__(self, places: Places) -> None:
        self.places, self.plan = places, places.plan
        self.work = Workspace(places)
        self.scope = Scope(self.direct, self.view)
        self.factors = Factors(places, self.scope)
        self.stored = stored_roots(places)

    # What names are called.

    def direct(self, name: str) -> str | None:
        return name if self.plan.levels[name] == ONCE else None

    def view(self, name: str) -> tuple[str, str]:
        return self.places.view_name(name), f"{self.places.whole(name, 'lo', 'hi')}[::-1]"

    def carry(self, state: str) -> str:
        return self.places.make(f"carry_{state}")

    def source(self, name: str) -> str:
        """A cotangent inside of the loop."""
        if name == "dy":
            self.scope.bound[self.places.make("dy_t")] = "dy[lo:hi][::-1]"
            return self.places.make("dy_t")
        return self.carry(name[6:-1]) if name.startswith("carry(") else self.place(target(name))

    def place(self, root: str) -> str:
        """Where the loop leaves the cotangent `root`."""
        places = self.places
        if root in self.plan.nodes:
            return self.deltas([root])
        name = places.make(f"d_{root}")
        if root not in self.stored:
            return self.work.named(name, self.plan.rows(root))
        self.scope.bound[name] = f"{cotangent_whole(places, f'bar({root})')}[lo:hi][::-1]"
        return name

    def deltas(self, nodes: list[str]) -> str:
        """The view of neighbouring columns of the deltas."""
        places = self.places
        name = places.buffer_view(places.deltas, nodes)
        self.scope.bound[name] = f"{places.of_buffer(places.deltas, nodes, 'lo:hi')}[::-1]"
        return name

    def side_by_side(self, nodes: list[str]) -> str:
        """The view (B, nodes, size) of neighbouring columns of one size."""
        places = self.places
        view = places.make(f"{places.buffer_view(places.deltas, nodes)}_each")
        shape = f"(hi - lo, batch, {len(nodes)}, {self.plan.rows(nodes[0])})"
        columns = places.of_buffer(places.deltas, nodes, "lo:hi")
        self.scope.bound[view] = f"{columns}.reshape({shape})[::-1]"
        return view

    # The statements.

    def buffers(self) -> list[str]:
        """Arrays over all t, the size of a chunk, and what a chunk needs."""
        plan, places, lines = self.plan, self.places, []
        if plan.nodes:
            lines.append(f"{places.deltas} = np.empty((steps, batch, {places.width()}), dtype)")
        for root in self.stored:
            whole = cotangent_whole(places, f"bar({root})")
            lines.append(f"{whole} = np.empty((steps, batch, {plan.rows(root)}), dtype)")
        width = places.width() if plan.nodes else plan.gradients.cell.output.shape[0]
        lines.append(f"chunk = _chunk({width}, batch, dtype)")
        return lines + self.factors.allocations()

    def body(self) -> list[str]:
        """One step back. A row that is past its end takes no part; its carry waits meanwhile."""
        places, names = self.places, [s.name for s in self.plan.gradients.cell.states]
        self.scope.bound["rows"] = f"{places.make('padding')}[lo:hi][::-1]"
        held = {name: places.make(f"held_{name}") for name in names}
        lines = ["if rows is not None:"]
        for name in names:
            lines.append(f"    {held[name]} = np.where(rows, {self.carry(name)}, 0)")
            lines.append(f"    np.copyto({self.carry(name)}, 0, where=rows)")
        for name, total in self.plan.roots.items():
            if name in self.plan.looped:
                lines += self.sum(total, self.place(name))
                lines += self.multiplied(name)
        for state in self.plan.gradients.cell.states:
            lines += self.sum(self.plan.roots[state.before.name], self.carry(state.name))
        lines.append("if rows is not None:")
        for name in names:
            carry = self.carry(name)
            lines.append(f"    np.add({carry}, {held[name]}, out={carry})")
        return lines

    def sum(self, total: Sum, out: str) -> list[str]:
        """Statements that leave a cotangent in `out`."""
        calls, plain = list(self.calls(total)), list(self.plain(total))
        lines: list[str] = []
        for place, call in enumerate(calls):
            if place == 0:
                lines.append(call(out))
            else:
                work = self.work.buffer(_rows_of(total), 0)
                lines += [call(work), f"np.add({out}, {work}, out={out})"]
        if not calls and len(plain) > 1:
            first, second, *plain = plain
            lines.append(f"np.add({first}, {second}, out={out})")
        elif not calls:
            first, plain = (plain or ["0"])[0], []
            lines.append(f"np.copyto({out}, {first})")
        return lines + [f"np.add({out}, {text}, out={out})" for text in plain]

    def calls(self, total: Sum) -> Iterator[Call]:
        """What needs a call, as a function of where it leaves its result."""
        for nodes, matrices in self.places.groups(total):
            yield self.product(list(nodes), matrices)
        for factor in total.factors:
            if not is_one(factor.factor):
                yield self.multiplication(factor)

    def multiplication(self, factor: Factor) -> Call:
        source, text = self.source(factor.source.name), self.factors.text(factor.factor)
        return lambda out: f"np.multiply({source}, {text}, out={out})"

    def plain(self, total: Sum) -> Iterator[str]:
        """What is there already."""
        for factor in total.factors:
            if is_one(factor.factor):
                yield self.source(factor.source.name)
        for piece in total.slices:
            yield f"{self.source(piece.source.name)}[:, {piece.start}:{piece.stop}]"

    def product(self, nodes: list[str], matrices: list[Matrix]) -> Call:
        """Deltas times stacked weights; in blocks if the result has a buffer of its own."""
        deltas, text = self.deltas(nodes), stacked_text(matrices, turned=True)

        def call(out: str) -> str:
            if out in self.scope.bound:
                return f"np.matmul({deltas}, {self.work.weights(text)}, out={out})"
            weights, place = self.work.blocks(text, out)
            return f"np.matmul({deltas}, {weights}, out={place})"

        return call

    def multiplied(self, root: str) -> list[str]:
        """Deltas that are a factor times `root`: one call for neighbours of one size."""
        plan, lines = self.plan, []
        roots = {n: target(f.source.name) for n, f in plan.inlined.items()}
        mine = [n for n in plan.nodes if n in plan.looped and roots.get(n) == root]
        for group in runs(plan.nodes, mine):
            alike = len({plan.rows(n) for n in group}) == 1
            for nodes in [list(group)] if alike else [[n] for n in group]:
                source = self.source(f"bar({root})")
                if len(nodes) == 1:
                    view = self.deltas(nodes)
                else:
                    view, source = self.side_by_side(nodes), f"{source}[:, None]"
                lines.append(f"np.multiply({view}, {source}, out={view})")
        return lines


def _rows_of(total: Sum) -> sp.Expr:
    """How many rows a cotangent has."""
    for factor in total.factors:
        return factor.source.shape[0]
    for piece in total.slices:
        return piece.stop - piece.start
    matrix = total.products[0].matrix
    axis = 1 if matrix.turned else 0
    if matrix.part is not None and matrix.part[0] == axis:
        return matrix.part[2] - matrix.part[1]
    return matrix.parameter.shape[axis]
