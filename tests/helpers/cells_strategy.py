"""Cells drawn from the grammar of the language, always well formed.

Every drawn text has one or two states, up to three local equations, one or two inputs, and reads
every local and every input. Lags may be read or not, in any equation.
"""

from drawn_scope import Scope
from grown_scope import GrownScope
from hypothesis import reject
from hypothesis import strategies as st

from derive.cell import Cell
from derive.errors import CellError
from derive.language import parse

__all__ = ["cell_texts", "cells"]

# Some look like names that single assignment introduces, so that those have to give way.
_LOCALS = ("g", "f", "a_h", "v_h", "m_C", "tanh_C", "a_g")


@st.composite
def cell_texts(draw: st.DrawFn, depth: int = 2, grown: bool = False) -> str:
    """The text of a well-formed cell.

    Args:
        depth: bounds how deep its expressions nest.
        grown: whether it may have scalars, divisions, functions with kinks, sums over entries,
            matrices as states and lags of inputs, none of them near a pole.
    """
    inputs = {"x": draw(st.sampled_from(["m", "m", "m", "1", "2"]))}
    if draw(st.integers(0, 4)) == 0:
        inputs["u"] = draw(st.sampled_from(["n", "m"]))
    states = {"h": "n"}
    if draw(st.booleans()):
        states["C"] = draw(st.sampled_from(["n", "n", "k"]))
    memory = grown and draw(st.booleans())
    if grown and draw(st.booleans()):
        states["z"] = "1"
    locals_ = draw(st.lists(st.sampled_from(_LOCALS), max_size=3, unique=True))
    order = draw(st.permutations([*states, *locals_]))
    last = max(order.index(state) for state in states)
    order = [*order[:last], *order[last + 1 :], order[last]]
    vectors = {**inputs, **{f"{name}[t-1]": size for name, size in states.items()}}
    scope = GrownScope(draw, vectors) if grown else Scope(draw, vectors)
    if isinstance(scope, GrownScope):
        scope.sizes = sorted({"n", *inputs.values(), *states.values()} - {"1", "2"})
        scope.read_lags(inputs)
        if memory:
            wide = inputs["x"] if inputs["x"] != "1" else "2"  # of one column: an outer product
            scope.memories["M"] = draw(st.sampled_from([("n", "n"), ("n", wide)]))
    lines = []
    for name in order:
        size = states.get(name) or draw(st.sampled_from(sorted({*inputs.values(), "n"})))
        scope.open = name not in states
        value = scope.vector(size, depth)
        if name == order[-1]:
            for unread in [n for n in (*inputs, *locals_) if n not in scope.read]:
                value += f" + {scope.matrix(size, scope.vectors[unread])} @ {unread}"
        lines.append(f"{name} = {value}")
        scope.vectors[name] = size
    if isinstance(scope, GrownScope):
        scope.open = False
        lines += [f"{name} = {scope.memory(name, depth)}" for name in scope.memories]
    listed = lambda sizes: ", ".join(f"{name}[{size}]" for name, size in sizes.items())
    if isinstance(scope, GrownScope):
        states |= {name: ", ".join(sizes) for name, sizes in scope.memories.items()}
    head = [f"input {listed(inputs)}", f"state {listed(states)}", *scope.declarations()]
    return "\n".join([*head, *lines, ""])


def cells(depth: int = 2, grown: bool = False) -> st.SearchStrategy[Cell]:
    """Drawn texts, parsed; those that are too long when written out are drawn again."""
    return cell_texts(depth, grown).map(_parsed)


def _parsed(text: str) -> Cell:
    try:
        return parse(text)
    except CellError as error:
        if "written out" not in str(error):
            raise
        reject()
