"""A convention: how a library lays out the parameters of one cell, as one value."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import cache

from derive import zoo
from derive.expressions import Shape

__all__ = ["UNREAD", "Convention", "Stack", "blocks", "parameters_of", "stacked"]

UNREAD = "(unread)"  # a block that the library stores and does not read


@dataclass(frozen=True)
class Stack:
    """Blocks that lie in one array.

    A block is a parameter of the cell. Its own axes are r (rows: units) and c (columns: what the
    matrix is multiplied by). `axes` has a letter for each axis of the array; letters in brackets
    share one axis, and the last of them runs fastest. '(g r) c' is torch's weight_ih: gates end to
    end; 'c (g r)' is Keras's kernel: transposed, side by side; '(r g) c' interleaves the gates unit
    by unit; '(s c) (g r)' stands W over U; '(s g r c)' has everything end to end.

    Attributes:
        stems: what is stacked along s. 'W' stands for W_f, W_i, … over the gates along g; a stem
            that is a parameter's whole name has no gates; 'c|b' is c where the cell has such a
            parameter and b elsewhere; a gate with neither has no block.
        axes: letters r, c, g (gates), s (stems), d (directions), and 1 for an axis of length 1.
        gates: in place of the convention's.
    """

    stems: tuple[str, ...]
    axes: str
    gates: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Convention:
    """The parameter arrays of one layer of a library.

    Attributes:
        name: 'library.cell', the key in `CONVENTIONS`.
        cell: the cell of the zoo that the layer computes.
        gates: the suffixes of the cell's parameters in the library's order; none if there are no
            gates.
        arrays: by the library's name, the stacks that lie in it, end to end along its first axis.
        optional: arrays that may be missing; a missing array is zero.
        source: where the library says so.
        unread: gates whose blocks are stored but not read; they are zero on the way back.
        offsets: constants that the library adds to a parameter when it runs: its array holds less.
        missing: parameters for which it has no place, with the reason why no other place will do.
        spelled: how the library writes an array's name for each direction, as '{}_l0_reverse'.
        sequence: order of axes of x: time, batch, features; 'BF' is one step.
        library: what computes with these arrays.
        checked: what the row was compared with: 'run' the library itself, 'text' its source.
    """

    name: str
    cell: str
    gates: tuple[str, ...]
    arrays: Mapping[str, tuple[Stack, ...]]
    optional: frozenset[str]
    source: str
    library: str
    checked: str
    unread: tuple[str, ...] = ()
    offsets: Mapping[str, float] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    spelled: tuple[str, ...] = ()
    sequence: str = "TBF"

    @property
    def directions(self) -> bool:
        """Whether the arrays have an axis of directions: forward, then reverse."""
        return any("d" in stack.axes for stacks in self.arrays.values() for stack in stacks)

    def names(self, stack: Stack) -> tuple[tuple[str, ...], ...]:
        """For each stem of a stack, the cell's parameter in each of its blocks, or `UNREAD`."""
        known = parameters_of(self.cell).keys()
        rows = (tuple(self._blocks(stem.split("|"), stack, known)) for stem in stack.stems)
        return tuple(row for row in rows if row)

    def _blocks(self, options: list[str], stack: Stack, known: Set[str]) -> Iterator[str]:
        whole = [name for name in options if name in known]
        gates = self.gates if stack.gates is None else stack.gates
        for gate in () if whole else gates:
            names = [f"{s}_{gate}" for s in options if f"{s}_{gate}" in known]
            yield from [UNREAD] if gate in self.unread else names[:1]
        yield from whole[:1]


def parameters_of(cell: str) -> Mapping[str, Shape]:
    """The shape of each parameter of a cell of the zoo, or of a file."""
    return _read(cell) if {".", "/"} & set(cell) else _of_zoo(cell)


def _read(cell: str) -> Mapping[str, Shape]:
    return {p.name: p.shape for p in zoo.load(cell).parameters}


_of_zoo = cache(_read)


def stacked(**arrays: tuple[str, str]) -> dict[str, tuple[Stack, ...]]:
    """Arrays of one stack each, from 'stems' and axes."""
    return {name: (Stack(tuple(stems.split()), axes),) for name, (stems, axes) in arrays.items()}


def blocks(row: Convention) -> dict[str, tuple[str, ...]]:
    """For each array, the cell's parameters in its blocks, stem by stem and gate by gate."""
    return {
        array: tuple(n for stack in stacks for names in row.names(stack) for n in names)
        for array, stacks in row.arrays.items()
    }
