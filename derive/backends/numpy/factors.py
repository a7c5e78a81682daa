"""What in the backward loop does not depend on cotangents: made for a chunk of steps at once."""

from dataclasses import dataclass, field

import sympy as sp

from derive.backends.numpy.hoisted import level_of
from derive.backends.numpy.places import Places, Scope, size_word
from derive.backends.numpy.pointwise import Calls, infix, number_text
from derive.expressions import Expr, MatrixSymbol, OneMatrix, coefficient
from derive.schedule.levels import ONCE

__all__ = ["Factors"]


@dataclass
class Factors:
    """Factors of deltas, which stand in the deltas' own columns, and other factors in slabs.

    Attributes:
        scope: the loop that reads them.
        slabs: the factors that have a slab, with its name.
        reads: what the chunk reads, by the name it has there.
        buffers: temporaries of the chunk, with their sizes.
    """

    places: Places
    scope: Scope
    slabs: dict[Expr, str] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)
    buffers: dict[str, sp.Expr] = field(default_factory=dict)

    def text(self, factor: Expr) -> str:
        """A factor inside of the loop: a number, a name, or a view of its slab."""
        number, rest = coefficient(factor)
        if isinstance(rest, OneMatrix):
            return number_text(number)
        if isinstance(factor, MatrixSymbol):
            return self.scope(factor.name)
        if factor not in self.slabs:
            self.slabs[factor] = self.places.fresh("factor")
        name = self.slabs[factor]
        if level_of(self.places, factor) == ONCE:
            return name
        view = self.places.make(f"{name}_t")
        self.scope.bound[view] = f"{name}[:hi - lo][::-1]"
        return view

    def lines(self) -> list[str]:
        """Statements for the steps lo ... hi."""
        plan, places = self.places.plan, self.places
        calls = Calls(self._read, self._buffer)
        for node in plan.nodes:
            if node in plan.looped and node in plan.inlined:
                out = places.of_buffer(places.deltas, [node], "lo:hi")
                calls.into(out, plan.inlined[node].factor)
                calls.depth = 0
        for factor, name in self.slabs.items():
            if level_of(places, factor) != ONCE:
                calls.into(f"{name}[:hi - lo]", factor)
                calls.depth = 0
        return [
            *(f"{part} = {text}" for part, text in self.reads.items()),
            *calls.lines,
            *self._without_padding(),
        ]

    def _without_padding(self) -> list[str]:
        """A step that does not count may have infinite factors; its cotangents are zero."""
        plan, places = self.places.plan, self.places
        padding = places.make("padding")
        filled = [f"{n}[:hi - lo]" for f, n in self.slabs.items() if level_of(places, f) != ONCE]
        if any(n in plan.looped and n in plan.inlined for n in plan.nodes):
            filled.append(f"{places.deltas}[lo:hi]")
        copies = [f"    np.copyto({array}, 0, where={padding}[lo:hi])" for array in filled]
        return [f"if {padding}[0] is not None:", *copies] if copies else []

    def allocations(self) -> list[str]:
        """Statements before the loop; call it after `lines`."""
        once = {f: n for f, n in self.slabs.items() if level_of(self.places, f) == ONCE}
        sizes = {n: f.shape[0] for f, n in self.slabs.items() if f not in once}
        lines = [f"{name} = {infix(factor, str)}" for factor, name in once.items()]
        for name, rows in {**self.buffers, **sizes}.items():
            lines.append(f"{name} = np.empty((min(chunk, steps), batch, {rows}), dtype)")
        return lines

    def _read(self, name: str) -> str:
        places = self.places
        if places.plan.levels[name] == ONCE:
            return name
        part = places.make(f"{places.view_name(name)}_part")
        self.reads[part] = places.whole(name, "lo", "hi")
        return part

    def _buffer(self, rows: sp.Expr, place: int) -> str:
        name = self.places.make(f"slab_{size_word(rows)}_{place}")
        self.buffers[name] = rows
        return f"{name}[:hi - lo]"
