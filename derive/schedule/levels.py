"""How often a name must be computed: once, for all t at once, or step by step."""

from collections.abc import Mapping

from derive.expressions import BlockMatrix, MatrixSymbol
from derive.gradients import Gradients

__all__ = ["ONCE", "SEQUENCE", "STEP", "levels_of", "stacks_of"]

ONCE, SEQUENCE, STEP = range(3)


def levels_of(gradients: Gradients) -> dict[str, int]:
    """The level of every name: the highest of what it reads.

    Parameters are computed ONCE; what depends on inputs can be computed for the whole SEQUENCE in
    one call; what depends on a lagged state needs the loop, STEP by step.
    """
    cell = gradients.cell
    level = {p.name: ONCE for p in cell.parameters}
    level.update({x.name: SEQUENCE for x in cell.inputs})
    level.update({s.before.name: STEP for s in cell.states})
    states = {s.name for s in cell.states}
    for assignment in gradients.forward:
        read = [level[leaf.name] for leaf in assignment.value.atoms(MatrixSymbol)]
        level[assignment.name] = STEP if assignment.name in states else max(read, default=ONCE)
    return level


def stacks_of(gradients: Gradients) -> Mapping[str, BlockMatrix]:
    """The assignments that only stack other names."""
    return {a.name: a.value for a in gradients.forward if isinstance(a.value, BlockMatrix)}
