"""What `forward` computes before its loop: once, or for all t in one call."""

from collections.abc import Callable, Iterator

from derive.backends.numpy.places import Places, bracketed, matrix_text, stacked_text
from derive.backends.numpy.pointwise import infix
from derive.expressions import Apply, Expr, MatAdd, MatrixSymbol, add, parts_of
from derive.schedule.levels import ONCE, SEQUENCE, STEP
from derive.schedule.slots import runs
from derive.schedule.terms import Matrix, Product
from derive.single_assignment import Assignment

__all__ = ["at_level", "hoisted_lines", "level_of", "once_text", "terms_where"]


def hoisted_lines(places: Places) -> Iterator[str]:
    """Parameters' own values, buffers, input projections, and all else without a lagged state."""
    plan = places.plan
    for assignment in at_level(places, ONCE):
        yield f"{assignment.name} = {once_text(places, assignment)}"
    yield from _buffers(places)
    known = {n for n, level in plan.levels.items() if level == ONCE}
    known |= {x.name for x in plan.gradients.cell.inputs}
    first = [n for n in plan.nodes if _early_names(places, n) <= known]
    yield from _start(places, first)
    for assignment in at_level(places, SEQUENCE):
        yield from _sequence(places, assignment, assignment.name in first)
    late = [n for n in plan.nodes if n not in first and plan.levels[n] == STEP]
    yield from _start(places, late)


def at_level(places: Places, level: int) -> list[Assignment]:
    """The forward assignments of one level, in order."""
    return [a for a in places.plan.gradients.forward if places.plan.levels[a.name] == level]


def level_of(places: Places, expr: Expr) -> int:
    """The highest level of the names in an expression."""
    return max((places.plan.levels[s.name] for s in expr.atoms(MatrixSymbol)), default=ONCE)


def terms_where(rest: Expr | None, keep: Callable[[Expr], bool]) -> Expr | None:
    """The sum of the terms that satisfy `keep`; None if there are none."""
    if rest is None:
        return None
    kept = [t for t in (rest.args if isinstance(rest, MatAdd) else (rest,)) if keep(t)]
    return add(*kept) if kept else None


def once_text(places: Places, assignment: Assignment) -> str:
    """A value that depends on parameters alone: a vector without a batch axis."""
    plan = places.plan
    if assignment.name in plan.stacks:
        parts = [p.name for p in parts_of(assignment.value)]
        return f"np.concatenate(({', '.join(parts)}))"
    total = plan.sums.get(assignment.name)
    if total is None:
        return infix(assignment.value, str)
    terms = [f"{bracketed(matrix_text(p.matrix))} @ {p.source.name}" for p in total.products]
    if total.rest is not None:
        terms.append(infix(total.rest, str))
    return " + ".join(terms)


def _buffers(places: Places) -> Iterator[str]:
    plan = places.plan
    if plan.nodes:
        yield f"{places.gates} = np.empty((steps, batch, {places.width()}), dtype)"
    for state in plan.gradients.cell.states:
        sequence = places.make(f"{state.name}_seq")
        yield f"{sequence} = np.empty((steps + 1, batch, {state.shape[0]}), dtype)"
        yield f'{sequence}[0] = state_0["{state.name}"]'
    for assignment in at_level(places, STEP):
        if places.stored(assignment.name):
            rows = plan.rows(assignment.name)
            yield f"{places.whole(assignment.name)} = np.empty((steps, batch, {rows}), dtype)"


def _early_names(places: Places, node: str) -> set[str]:
    """What the part of a node that needs no lagged state reads."""
    total, level = places.plan.sums[node], places.plan.levels
    rest = terms_where(total.rest, lambda e: level_of(places, e) != STEP)
    names = {s.name for s in rest.atoms(MatrixSymbol)} if rest is not None else set()
    return names | {p.source.name for p in total.products if level[p.source.name] != STEP}


def _sequence(places: Places, assignment: Assignment, started: bool) -> Iterator[str]:
    plan, name, value = places.plan, assignment.name, assignment.value
    if name in plan.nodes:
        yield from () if started else _start(places, [name])
    elif name in plan.in_place.values() and isinstance(value, Apply):
        place = places.whole(name)
        yield f"_{value.name}({place}, {place})"
    elif name in plan.stacks:
        if places.stored(name):
            parts = [places.whole(p.name) for p in parts_of(value)]
            yield f"{places.whole(name)} = np.concatenate(({', '.join(parts)}), axis=-1)"
    else:
        yield f"{places.whole(name)} = {infix(value, places.whole)}"


def _start(places: Places, nodes: list[str]) -> Iterator[str]:
    """Give nodes the part of their sums that needs no lagged state, for all t."""
    plan = places.plan
    started: set[str] = set()
    early = {
        n: [p for p in plan.sums[n].products if plan.levels[p.source.name] == SEQUENCE]
        for n in nodes
    }
    for source in dict.fromkeys(p.source.name for ps in early.values() for p in ps):
        for rank in range(len(nodes) and max(_count(ps, source) for ps in early.values())):
            chosen = {n: _nth(ps, source, rank) for n, ps in early.items()}
            found = {n: matrix for n, matrix in chosen.items() if matrix is not None}
            fresh = [n for n in found if n not in started]
            groups = runs(plan.nodes, fresh) + runs(plan.nodes, [n for n in found if n in started])
            for group in groups:
                matrices = [found[n] for n in group]
                yield from _project(places, source, group, matrices, started)
    yield from _constants(places, nodes, started)
    for name in nodes:
        rest = terms_where(plan.sums[name].rest, lambda e: level_of(places, e) == SEQUENCE)
        if rest is not None:
            yield f"{places.of_buffer(places.gates, [name])} += {infix(rest, places.whole)}"


def _count(products: list[Product], source: str) -> int:
    return sum(p.source.name == source for p in products)


def _nth(products: list[Product], source: str, rank: int) -> Matrix | None:
    matrices = [p.matrix for p in products if p.source.name == source]
    return matrices[rank] if rank < len(matrices) else None


def _project(
    places: Places,
    source: str,
    group: tuple[str, ...],
    matrices: list[Matrix],
    started: set[str],
) -> Iterator[str]:
    """One product for neighbouring nodes and all t."""
    columns, whole = places.column_text(group), _flat(places.whole(source))
    weights = f"{bracketed(stacked_text(matrices))}.T"
    fresh = group[0] not in started
    started.update(group)
    if fresh and columns == ":":
        yield f"np.matmul({whole}, {weights}, out={_flat(places.gates)})"
    else:
        place = f"{_flat(places.gates)}[:, {columns}]"
        yield f"{place} {'=' if fresh else '+='} {whole} @ {weights}"


def _constants(places: Places, nodes: list[str], started: set[str]) -> Iterator[str]:
    """Biases, and products of parameters with parameters: one addition for neighbours."""
    texts = {n: _constant(places, n) for n in nodes}
    for fresh in (False, True):
        chosen = [n for n in nodes if (n not in started) == fresh and (fresh or texts[n])]
        for group in runs(places.plan.nodes, chosen):
            zeros = [f"np.zeros({places.plan.rows(n)}, dtype)" for n in group]
            parts = [texts[n] or zero for n, zero in zip(group, zeros, strict=True)]
            joined = parts[0] if len(parts) == 1 else f"np.concatenate(({', '.join(parts)}))"
            place = places.of_buffer(places.gates, group)
            place = f"{place}[:]" if fresh and place == places.gates else place
            yield f"{place} {'=' if fresh else '+='} {joined}"


def _constant(places: Places, name: str) -> str:
    plan = places.plan
    products = [p for p in plan.sums[name].products if plan.levels[p.source.name] == ONCE]
    texts = [f"{bracketed(matrix_text(p.matrix))} @ {p.source.name}" for p in products]
    rest = terms_where(plan.sums[name].rest, lambda e: level_of(places, e) == ONCE)
    if rest is not None:
        text = infix(rest, str)
        number = not rest.atoms(MatrixSymbol)
        texts.append(f"np.full({plan.rows(name)}, {text}, dtype)" if number else text)
    return " + ".join(texts)


def _flat(text: str) -> str:
    return f"_flat({text})"
