"""What is left of `backward` when the loop is done: cotangents that no carry needs, and gradients
of inputs and parameters, each as one product or one sum over all steps and the whole batch.
"""

from collections.abc import Iterator

import sympy as sp

from derive.backends.numpy.hoisted import level_of
from derive.backends.numpy.places import Places, bracketed, stacked_text, variable
from derive.backends.numpy.pointwise import infix, number_text
from derive.expressions import Expr, Name, OneMatrix, coefficient, parts_of
from derive.schedule.levels import ONCE
from derive.schedule.plan import target
from derive.schedule.slots import runs
from derive.schedule.terms import Factor, Outer, Sum, is_cotangent, is_one

__all__ = ["after_lines", "cotangent_whole", "stored_roots"]


def after_lines(places: Places) -> list[str]:
    """Statements after the loop, up to and with the gradients."""
    return list(_Ends(places).lines())


def stored_roots(places: Places) -> list[str]:
    """Roots of the loop that are needed afterwards and have no column of their own."""
    plan = places.plan
    later = [*plan.ends.values()]
    later += [plan.roots[n] for n in plan.roots if _is_later(places, n)]
    names = {target(s) for total in later for s in total.sources}
    names |= {
        target(f.source.name)
        for n, f in plan.inlined.items()
        if n in plan.nodes and n not in plan.looped
    }
    return [n for n in plan.roots if n in plan.looped and n in names and n not in plan.nodes]


def cotangent_whole(places: Places, name: str) -> str:
    """A cotangent at all t."""
    if name == "dy":
        return name
    owner = target(name)
    if owner in places.plan.nodes:
        return places.of_buffer(places.deltas, [owner])
    return places.make(f"d_{owner}" if places.plan.levels[owner] == ONCE else f"d_{owner}_seq")


def _is_later(places: Places, name: str) -> bool:
    """Whether a root is computed after the loop, for all t at once."""
    plan = places.plan
    lagged = {s.before.name for s in plan.gradients.cell.states}
    if name in plan.looped or name in lagged or plan.levels[name] == ONCE:
        return False
    return name not in plan.stacks or any(
        target(piece.source.name) == name
        for total in (*plan.roots.values(), *plan.ends.values())
        for piece in total.slices
    )


class _Ends:
    def __init__(self, places: Places) -> None:
        self.places, self.plan = places, places.plan
        self.packed: dict[tuple[str, str], str] = {}

    def lines(self) -> Iterator[str]:
        plan, cell = self.plan, self.plan.gradients.cell
        for adjoint in plan.gradients.backward:
            yield from self.later(adjoint.of.name)
        yield from self.packs()
        inputs = {x.name for x in cell.inputs}
        if any(self.reads_sums(total) for n, total in plan.ends.items() if n not in inputs):
            deltas = self.places.deltas
            sums = self.places.make("delta_sums")
            yield f"{sums} = np.ones(steps * batch, dtype) @ _flat({deltas})"
        for name, total in plan.ends.items():
            if plan.levels[name] == ONCE and name not in {p.name for p in cell.parameters}:
                yield f"{cotangent_whole(self.places, f'bar({name})')} = {self.reduced(total)}"
        given: set[str] = set()  # two results are never one array
        yield "return {"
        for parameter in cell.parameters:
            text = self.reduced(plan.ends[parameter.name])
            if not text:
                sizes = ", ".join(map(str, parameter.shape))
                text = f"np.zeros(({sizes},), dtype)"
            elif text in given:
                text = f"np.array({text})"
            given.add(text)
            yield f'    "{parameter.name}": {text},'
        for x in cell.inputs:
            text = self.whole(plan.ends[x.name], x.shape[0])
            yield f'    "{x.name}": {text},'
        for state in cell.states:
            yield f'    "{state.name}_0": {self.places.make(f"carry_{state.name}")},'
        yield "}"

    # For all t at once.

    def later(self, name: str) -> Iterator[str]:
        """A cotangent that no carry depends on."""
        plan, places = self.plan, self.places
        if name in plan.inlined and name in plan.nodes and name not in plan.looped:
            inner = plan.inlined[name]
            total = Sum(factors=(Factor(inner.factor, inner.source),))
        elif name in plan.roots and _is_later(places, name):
            total = plan.roots[name]
        else:
            return
        place = cotangent_whole(places, f"bar({name})")
        place = f"{place}[:]" if place == places.deltas else place
        yield f"{place} = {self.whole(total, plan.rows(name))}"

    def whole(self, total: Sum, rows: sp.Expr) -> str:
        """A sum as an array (T, B, rows)."""
        places = self.places
        texts: list[str] = []
        for nodes, matrices in places.groups(total):
            deltas = f"_flat({places.of_buffer(places.deltas, nodes)})"
            weights = bracketed(stacked_text(matrices, turned=True))
            texts.append(f"({deltas} @ {weights}).reshape(steps, batch, {rows})")
        for factor in total.factors:
            source = cotangent_whole(places, factor.source.name)
            one = is_one(factor.factor)
            texts.append(source if one else f"{source} * {infix(factor.factor, places.whole, 1)}")
        for piece in total.slices:
            source = cotangent_whole(places, piece.source.name)
            texts.append(f"{source}[:, :, {piece.start}:{piece.stop}]")
        return " + ".join(texts) if texts else f"np.zeros((steps, batch, {rows}), dtype)"

    # Summed over t and the batch.

    def reduced(self, total: Sum) -> str:
        """The gradient of something that all steps share."""
        texts = [self.outer(outer) for outer in total.outers]
        texts += [self.summed(f.factor, f.source) for f in total.factors]
        for product in total.products:
            weights = bracketed(stacked_text([product.matrix], turned=True))
            texts.append(f"{self.sum_of(product.source)} @ {weights}")
        for piece in total.slices:
            texts.append(f"{self.sum_of(piece.source)}[{piece.start}:{piece.stop}]")
        return " + ".join(texts)

    def sum_of(self, source: Name) -> str:
        """A cotangent, summed unless it belongs to something computed once."""
        places, owner = self.places, target(source.name)
        whole = cotangent_whole(places, source.name)
        if owner in self.plan.nodes:
            start, stop = places.columns([owner])
            return f"{places.make('delta_sums')}[{start}:{stop}]"
        if owner in self.plan.levels and self.plan.levels[owner] == ONCE:
            return whole
        return f"{whole}.sum((0, 1))"

    def summed(self, factor: Expr, source: Name) -> str:
        number, rest = coefficient(factor)
        if isinstance(rest, OneMatrix):
            text = self.sum_of(source)
            return text if number == 1 else f"{number_text(number)} * {text}"
        owner = target(source.name)
        once = owner in self.plan.levels and self.plan.levels[owner] == ONCE
        if once or level_of(self.places, factor) == ONCE:
            return f"{self.sum_of(source)} * {infix(factor, str, 1)}"
        whole = cotangent_whole(self.places, source.name)
        return f'np.einsum("tbi,tbi->i", {whole}, {infix(factor, self.places.whole)})'

    def reads_sums(self, total: Sum) -> bool:
        plain = [f.source for f in total.factors if level_of(self.places, f.factor) == ONCE]
        plain += [p.source for p in total.products] + [s.source for s in total.slices]
        plain += [o.left for o in total.outers if self.is_once(o.right)]
        plain += [o.right for o in total.outers if self.is_once(o.left)]
        return any(target(n.name) in self.plan.nodes for n in plain)

    def is_once(self, name: Name) -> bool:
        return not is_cotangent(name) and self.plan.levels[name.name] == ONCE

    # Outer products, packed.

    def packs(self) -> Iterator[str]:
        """For each operand one product with all deltas that need it."""
        plan, places = self.plan, self.places
        wanted: dict[str, dict[str, None]] = {}
        for total in plan.ends.values():
            for outer in total.outers:
                node, operand, _ = _ends_of(outer)
                for name in self.parts(operand.name):
                    if plan.levels[name] != ONCE and target(node.name) in plan.nodes:
                        wanted.setdefault(name, {})[target(node.name)] = None
        for operand, nodes in wanted.items():
            for group in runs(plan.nodes, list(nodes)):
                name = places.fresh(f"outer_{variable(operand)}")
                deltas = f"_flat({places.of_buffer(places.deltas, group)})"
                yield f"{name} = {deltas}.T @ _flat({places.whole(operand)})"
                begin, _ = places.columns(group)
                for node in group:
                    start, stop = places.columns([node])
                    self.packed[node, operand] = f"{name}[{start - begin}:{stop - begin}]"

    def parts(self, operand: str) -> list[str]:
        stack = self.plan.stacks.get(operand)
        if stack is None:
            return [operand]
        return [name for part in parts_of(stack) for name in self.parts(part.name)]

    def outer(self, outer: Outer) -> str:
        node, operand, turned = _ends_of(outer)
        pieces = [self.piece(node, name) for name in self.parts(operand.name)]
        text = pieces[0] if len(pieces) == 1 else f"np.concatenate(({', '.join(pieces)}), axis=1)"
        if turned:
            text = f"{bracketed(text)}.T"
        return text if outer.number == 1 else f"{number_text(outer.number)} * {text}"

    def piece(self, node: Name, operand: str) -> str:
        packed = self.packed.get((target(node.name), operand))
        return packed if packed is not None else f"np.outer({self.sum_of(node)}, {operand})"


def _ends_of(outer: Outer) -> tuple[Name, Name, bool]:
    """(the cotangent, the other operand, whether the cotangent stands on the right)."""
    if is_cotangent(outer.left):
        return outer.left, outer.right, False
    return outer.right, outer.left, True
