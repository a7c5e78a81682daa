"""Gradients -> Schedule: what is hoisted out of the loop, what is fused, what is kept.

The forward loop holds only what depends on lagged states; the backward loop only what the carries
depend on. Sums that contain matrix products are *nodes*: they live side by side in one buffer, so
that products with one operand are one product. A node's cotangent is its *delta*. Whatever in a
delta does not depend on cotangents is a *factor*, computed for many steps at once. A cotangent that
has several summands is a *root*; the others are a factor times a root.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from derive.expressions import Apply, BlockMatrix, Expr, MatrixSymbol, Name, times
from derive.gradients import Gradients
from derive.schedule.levels import ONCE, levels_of, stacks_of
from derive.schedule.slots import arranged
from derive.schedule.terms import Factor, Product, Sum, is_cotangent, joined, read_sum, split_stacks

__all__ = ["Schedule", "schedule"]


@dataclass(frozen=True)
class Schedule:
    """Everything a backend needs to write a kernel.

    Attributes:
        levels: how often each forward name is computed.
        stacks: forward names that only stack others.
        sums: right sides of forward assignments that are sums, stacks split.
        nodes: sums with products that get a column of the buffer, in the order of the columns.
        in_place: node -> the activation that overwrites it.
        cotangents: summands of the cotangent of every name (and lagged state), stacks split.
        roots: cotangents that are computed as they stand, factors inlined, in order.
        inlined: the other cotangents, each as factor * root.
        looped: names whose cotangents the carries depend on.
        ends: gradients of parameters, inputs and names computed once, in terms of deltas and roots.
        kept: forward names that the backward pass reads.
    """

    gradients: Gradients
    levels: Mapping[str, int]
    stacks: Mapping[str, BlockMatrix]
    sums: Mapping[str, Sum]
    nodes: tuple[str, ...]
    in_place: Mapping[str, str]
    cotangents: Mapping[str, Sum]
    roots: Mapping[str, Sum]
    inlined: Mapping[str, Factor]
    looped: frozenset[str]
    ends: Mapping[str, Sum]
    kept: frozenset[str]

    def symbol(self, name: str) -> Name:
        """A forward name with its shape."""
        return _symbols(self.gradients)[name]

    def rows(self, name: str) -> sp.Expr:
        """How many rows a forward name has."""
        return self.symbol(name).shape[0]


def schedule(gradients: Gradients) -> Schedule:
    """Plan the kernel of a cell."""
    levels, stacks = levels_of(gradients), stacks_of(gradients)
    sums = {
        a.name: split_stacks(read_sum(a.value), stacks)
        for a in gradients.forward
        if not isinstance(a.value, Apply | BlockMatrix)
    }
    nodes = [n for n, s in sums.items() if s.products and levels[n] != ONCE]
    cotangents = _cotangents(gradients)
    roots, inlined = _inlined(gradients, cotangents, levels)
    looped = _looped(gradients, roots, inlined)
    ends = _ends(gradients, cotangents, inlined, levels, frozenset(nodes))
    kept = _kept((*roots.values(), *ends.values()), inlined, stacks)
    activations = {a.value.argument.name: a for a in gradients.forward if _activates(a.value)}
    in_place = {
        n: activations[n].name
        for n in nodes
        if n in activations
        and n not in kept
        and levels[activations[n].name] == levels[n]
        and _reads(gradients, n) == 1
        and not {n, activations[n].name} & {s.name for s in gradients.cell.states}
    }
    traits = {
        n: (
            *(_uses(sums[n], source) for source in _sources(sums, nodes)),
            activations[n].value.name if n in in_place else None,
            inlined[n].source.name if n in inlined else None,
        )
        for n in nodes
    }
    return Schedule(
        gradients=gradients,
        levels=levels,
        stacks=stacks,
        sums=sums,
        nodes=tuple(arranged(traits)),
        in_place=in_place,
        cotangents=cotangents,
        roots=roots,
        inlined=inlined,
        looped=looped,
        ends=ends,
        kept=kept,
    )


def target(name: str) -> str:
    """The name that a cotangent belongs to: 'f' for 'bar(f)'; outside ones stay as they are."""
    return name[4:-1] if name.startswith("bar(") else name


def _symbols(gradients: Gradients) -> dict[str, Name]:
    cell = gradients.cell
    found = {a.name: a.symbol for a in gradients.forward}
    found.update({v.name: v.now for v in (*cell.inputs, *cell.parameters)})
    found.update({s.before.name: s.before for s in cell.states})
    return found


def _activates(value: Expr) -> bool:
    return isinstance(value, Apply) and isinstance(value.argument, MatrixSymbol)


def _reads(gradients: Gradients, name: str) -> int:
    return sum(leaf.name == name for a in gradients.forward for leaf in a.value.atoms(MatrixSymbol))


def _sources(sums: Mapping[str, Sum], nodes: list[str]) -> list[str]:
    return sorted({p.source.name for n in nodes for p in sums[n].products})


def _uses(total: Sum, source: str) -> bool | None:
    return True if any(p.source.name == source for p in total.products) else None


def _cotangents(gradients: Gradients) -> dict[str, Sum]:
    """Every cotangent's summands; slices of a stack's cotangent become products where they can."""
    found: dict[str, Sum] = {}
    g = gradients
    for adjoint in (*g.backward, *g.states, *g.inputs, *g.parameters):
        total = read_sum(adjoint.value)
        products, slices = list(total.products), []
        for piece in total.slices:
            whole = found[target(piece.source.name)]
            if whole.factors or whole.slices:
                slices.append(piece)
            else:
                products.extend(
                    Product(p.matrix.rows(piece.start, piece.stop), p.source)
                    for p in whole.products
                )
        found[adjoint.of.name] = replace(total, products=tuple(products), slices=tuple(slices))
    return found


def _inlined(
    gradients: Gradients, cotangents: Mapping[str, Sum], levels: Mapping[str, int]
) -> tuple[dict[str, Sum], dict[str, Factor]]:
    """Cotangents that stand for themselves, and those that are a factor times one of them."""
    states = {n for s in gradients.cell.states for n in (s.name, s.before.name)}
    roots: dict[str, Sum] = {}
    inlined: dict[str, Factor] = {}
    for adjoint in (*gradients.backward, *gradients.states):
        name = adjoint.of.name
        total = through(cotangents[name], inlined)
        single = len(total.factors) == 1 and not (total.products or total.slices)
        if single and name not in states and levels[name] != ONCE and adjoint.terms:
            inlined[name] = total.factors[0]
        else:
            roots[name] = total
    return roots, inlined


def through(total: Sum, inlined: Mapping[str, Factor], but: frozenset[str] = frozenset()) -> Sum:
    """A sum with inlined sources replaced by factor * root, except those in `but`."""
    gathered: dict[MatrixSymbol, list[Expr]] = {}
    for term in total.factors:
        name = target(term.source.name)
        if name in inlined and name not in but:
            inner = inlined[name]
            gathered.setdefault(inner.source, []).append(times(inner.factor, term.factor))
        else:
            gathered.setdefault(term.source, []).append(term.factor)
    return replace(total, factors=joined(gathered))


def _looped(
    gradients: Gradients, roots: Mapping[str, Sum], inlined: Mapping[str, Factor]
) -> frozenset[str]:
    """The states' cotangents, and everything that the carried ones depend on."""
    states = gradients.cell.states
    waiting = [n for s in states for n in (s.name, s.before.name)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or is_cotangent(MatrixSymbol(name, 1, 1)):
            continue
        found.add(name)
        sources = {inlined[name].source.name} if name in inlined else roots[name].sources
        waiting.extend(target(s) for s in sources)
    return frozenset(found - {s.before.name for s in states})


def _kept(
    sums: Sequence[Sum], inlined: Mapping[str, Factor], stacks: Mapping[str, BlockMatrix]
) -> frozenset[str]:
    """Forward names in factors and in outer products."""
    factors = [f.factor for s in sums for f in s.factors] + [f.factor for f in inlined.values()]
    names = {leaf.name for factor in factors for leaf in factor.atoms(MatrixSymbol)}
    in_factors = frozenset(names)
    waiting = [n for s in sums for n in _operands(s)]
    while waiting:
        name = waiting.pop()
        if name in stacks:
            waiting += [leaf.name for leaf in stacks[name].atoms(MatrixSymbol)]
        else:
            names.add(name)
    return in_factors | names


def _operands(total: Sum) -> list[str]:
    pairs = [n for o in total.outers for n in (o.left, o.right)]
    return [n.name for n in pairs if not is_cotangent(n)]


def _ends(
    gradients: Gradients,
    cotangents: Mapping[str, Sum],
    inlined: Mapping[str, Factor],
    levels: Mapping[str, int],
    nodes: frozenset[str],
) -> dict[str, Sum]:
    """What is left when the loop is done; nodes stand for themselves, as their deltas are kept."""
    once = [a for a in gradients.backward if levels[a.of.name] == ONCE]
    names = [a.of.name for a in (*once, *gradients.parameters, *gradients.inputs)]
    return {name: through(cotangents[name], inlined, but=nodes) for name in names}
