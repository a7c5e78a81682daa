"""The body of `backward`: factors for many steps at once, the loop over t, then the ends."""

from collections.abc import Iterator

import sympy as sp

from derive.backends.numpy.ends import after_lines, cotangent_whole, stored_roots
from derive.backends.numpy.forward import Workspace
from derive.backends.numpy.hoisted import at_level, level_of, once_text
from derive.backends.numpy.places import Places, Scope, stacked_text
from derive.backends.numpy.pointwise import Calls, infix, number_text
from derive.expressions import Expr, MatrixSymbol, OneMatrix, coefficient
from derive.schedule.levels import ONCE
from derive.schedule.plan import target
from derive.schedule.slots import runs
from derive.schedule.terms import Matrix, Sum, is_one

__all__ = ["backward_lines", "tape_names"]


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
    header = ["for hi in range(steps, 0, -chunk):", "    lo = max(0, hi - chunk)"]
    inner = [*loop.chunk_lines(), *loop.scope.header(), *(f"    {line}" for line in body)]
    once = [f"{a.name} = {once_text(places, a)}" for a in at_level(places, ONCE)]
    return [
        *once,
        *loop.buffers(),
        *loop.work.lines,
        *header,
        *(f"    {line}" for line in inner),
        *after_lines(places),
    ]


class _Loop:
    def __init__(self, places: Places) -> None:
        self.places, self.plan = places, places.plan
        self.work = Workspace(places)
        self.scope = Scope(self.direct, self.view)
        self.slabs: dict[Expr, str] = {}
        self.chunk_scope: dict[str, str] = {}
        self.chunk_work: dict[str, sp.Expr] = {}
        self.stored = stored_roots(places)

    # What names are called.

    def direct(self, name: str) -> str | None:
        return name if self.plan.levels[name] == ONCE else None

    def view(self, name: str) -> tuple[str, str]:
        return self.places.view_name(name), f"{self.places.whole(name, 'lo', 'hi')}[::-1]"

    def source(self, name: str) -> str:
        """A cotangent inside of the loop."""
        places = self.places
        if name == "dy":
            self.scope.bound[places.make("dy_t")] = "dy[lo:hi][::-1]"
            return places.make("dy_t")
        if name.startswith("carry("):
            return places.make(f"carry_{name[6:-1]}")
        return self.place(target(name))

    def place(self, root: str) -> str:
        """Where the loop leaves the cotangent `root`."""
        places = self.places
        if root in self.plan.nodes:
            return self.deltas([root])
        if root in self.stored:
            name = places.make(f"d_{root}")
            whole = cotangent_whole(places, f"bar({root})")
            self.scope.bound[name] = f"{whole}[lo:hi][::-1]"
            return name
        return self.work.named(places.make(f"d_{root}"), self.plan.rows(root))

    def deltas(self, nodes: list[str]) -> str:
        """The view of neighbouring columns of the deltas."""
        places = self.places
        name = places.buffer_view(places.deltas, nodes)
        self.scope.bound[name] = f"{places.of_buffer(places.deltas, nodes, 'lo:hi')}[::-1]"
        return name

    # The loop.

    def body(self) -> list[str]:
        places, states = self.places, self.plan.gradients.cell.states
        self.scope.bound["rows"] = f"{places.make('padding')}[lo:hi][::-1]"
        lines = ["if rows is not None:"]
        for state in states:
            carry, held = places.make(f"carry_{state.name}"), places.make(f"held_{state.name}")
            lines.append(f"    {held} = np.where(rows, {carry}, 0)")
            lines.append(f"    np.copyto({carry}, 0, where=rows)")
        for name, total in self.plan.roots.items():
            if name in self.plan.looped:
                lines += self.sum(total, self.place(name))
                lines += self.multiplied(name)
        for state in states:
            lines += self.sum(
                self.plan.roots[state.before.name], places.make(f"carry_{state.name}")
            )
        lines.append("if rows is not None:")
        for state in states:
            carry, held = places.make(f"carry_{state.name}"), places.make(f"held_{state.name}")
            lines.append(f"    np.add({carry}, {held}, out={carry})")
        return lines

    def sum(self, total: Sum, out: str) -> list[str]:
        """Statements that leave a cotangent in `out`."""
        lines: list[str] = []
        plain: list[str] = []
        done = False
        rows = self.rows_of(total)
        for text in self.composite(total, plain):
            place = out if not done else self.work.buffer(rows, 0)
            lines.append(text.format(out=place))
            if done:
                lines.append(f"np.add({out}, {place}, out={out})")
            done = True
        for first in plain if done else []:
            lines.append(f"np.add({out}, {first}, out={out})")
        if not done and len(plain) > 1:
            lines.append(f"np.add({plain[0]}, {plain[1]}, out={out})")
            lines += [f"np.add({out}, {text}, out={out})" for text in plain[2:]]
        elif not done:
            lines.append(f"np.copyto({out}, {plain[0] if plain else '0'})")
        return lines

    def rows_of(self, total: Sum) -> sp.Expr:
        for factor in total.factors:
            return factor.source.shape[0]
        for piece in total.slices:
            return piece.stop - piece.start
        for product in total.products:
            return _rows(product.matrix)
        return sp.S.One

    def composite(self, total: Sum, plain: list[str]) -> Iterator[str]:
        """Calls with `{out}` in them; sources that need no call go to `plain`."""
        for nodes, matrices in self.places.groups(total):
            yield f"np.matmul({self.deltas(list(nodes))}, {self.weights(matrices)}, out={{out}})"
        for factor in total.factors:
            source = self.source(factor.source.name)
            if is_one(factor.factor):
                plain.append(source)
            else:
                yield f"np.multiply({source}, {self.factor(factor.factor)}, out={{out}})"
        for piece in total.slices:
            plain.append(f"{self.source(piece.source.name)}[:, {piece.start}:{piece.stop}]")

    def weights(self, matrices: list[Matrix]) -> str:
        """Stacked weights, made once before the loop."""
        text = stacked_text(matrices, turned=True)
        if text.isidentifier():
            return text
        if text not in self.places.made:
            name = self.places.fresh("M_back")
            self.places.made[text] = name
            self.work.lines.append(f"{name} = np.ascontiguousarray({text})")
        return self.places.made[text]

    def factor(self, factor: Expr) -> str:
        """A factor inside of the loop: a number, a name, or a slab made for the whole chunk."""
        number, rest = coefficient(factor)
        if isinstance(rest, OneMatrix):
            return number_text(number)
        if isinstance(factor, MatrixSymbol):
            return self.scope(factor.name)
        if factor not in self.slabs:
            self.slabs[factor] = self.places.fresh("factor")
        name = self.slabs[factor]
        if level_of(self.places, factor) != ONCE:
            view = self.places.make(f"{name}_t")
            self.scope.bound[view] = f"{name}[:hi - lo][::-1]"
            return view
        return name

    def multiplied(self, root: str) -> list[str]:
        """Deltas that are a factor times `root`: one call for neighbours of one size."""
        plan = self.plan
        roots = {n: target(f.source.name) for n, f in plan.inlined.items()}
        mine = [n for n in plan.nodes if n in plan.looped and roots.get(n) == root]
        lines = []
        for group in runs(plan.nodes, mine):
            sizes = {plan.rows(n) for n in group}
            pieces = [list(group)] if len(sizes) == 1 else [[n] for n in group]
            for nodes in pieces:
                source = self.source(f"bar({root})")
                if len(nodes) == 1:
                    view = self.deltas(nodes)
                else:
                    view, source = self.side_by_side(nodes), f"{source}[:, None]"
                lines.append(f"np.multiply({view}, {source}, out={view})")
        return lines

    def side_by_side(self, nodes: list[str]) -> str:
        """The view (B, nodes, size) of neighbouring columns of one size."""
        places = self.places
        view = places.make(f"{places.buffer_view(places.deltas, nodes)}_each")
        shape = f"(hi - lo, batch, {len(nodes)}, {self.plan.rows(nodes[0])})"
        columns = places.of_buffer(places.deltas, nodes, "lo:hi")
        self.scope.bound[view] = f"{columns}.reshape({shape})[::-1]"
        return view

    # What is made for a chunk of steps at once.

    def chunk_name(self, name: str) -> str:
        if self.plan.levels[name] == ONCE:
            return name
        part = self.places.make(f"{self.places.view_name(name)}_part")
        self.chunk_scope[part] = self.places.whole(name, "lo", "hi")
        return part

    def chunk_buffer(self, rows: sp.Expr, place: int) -> str:
        name = self.work_name(rows, place)
        self.chunk_work[name] = rows
        return f"{name}[:hi - lo]"

    def work_name(self, rows: sp.Expr, place: int) -> str:
        word = "".join(c if c.isalnum() else "_" for c in str(rows).replace(" ", ""))
        return self.places.make(f"slab_{word}_{place}")

    def chunk_lines(self) -> list[str]:
        """Factors of deltas into the deltas' own columns, other factors into slabs."""
        plan, places = self.plan, self.places
        calls = Calls(self.chunk_name, self.chunk_buffer)
        for node in plan.nodes:
            if node in plan.looped and node in plan.inlined:
                out = places.of_buffer(places.deltas, [node], "lo:hi")
                calls.into(out, plan.inlined[node].factor)
                calls.depth = 0
        for factor, name in self.slabs.items():
            if level_of(places, factor) != ONCE:
                calls.into(f"{name}[:hi - lo]", factor)
                calls.depth = 0
        return [*(f"{part} = {text}" for part, text in self.chunk_scope.items()), *calls.lines]

    def buffers(self) -> list[str]:
        plan, places = self.plan, self.places
        lines = []
        if plan.nodes:
            lines.append(f"{places.deltas} = np.empty((steps, batch, {places.width()}), dtype)")
        for root in self.stored:
            whole = cotangent_whole(places, f"bar({root})")
            lines.append(f"{whole} = np.empty((steps, batch, {plan.rows(root)}), dtype)")
        width = places.width() if plan.nodes else plan.gradients.cell.output.shape[0]
        lines.append(f"chunk = _chunk({width}, batch, dtype)")
        self.chunk_lines()
        slabs = {n: f.shape[0] for f, n in self.slabs.items() if level_of(places, f) != ONCE}
        for name, rows in {**self.chunk_work, **slabs}.items():
            lines.append(f"{name} = np.empty((min(chunk, steps), batch, {rows}), dtype)")
        for factor, name in self.slabs.items():
            if level_of(places, factor) == ONCE:
                lines.append(f"{name} = {infix(factor, str)}")
        return lines


def _rows(matrix: Matrix) -> sp.Expr:
    """How many rows a matrix has as it stands."""
    axis = 1 if matrix.turned else 0
    if matrix.part is not None and matrix.part[0] == axis:
        return matrix.part[2] - matrix.part[1]
    return matrix.parameter.shape[axis]
