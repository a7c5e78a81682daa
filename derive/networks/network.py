"""A network: layers of cells, each reading the outputs of the one before it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp

from derive.cell import Cell, Variable, dimensions_of, source_of, title_of
from derive.networks.layers import Layer
from derive.networks.wiring import Wiring, wired

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """Layers, first to last; the last one's output is the network's.

    It has what the contract of a kernel needs, as a cell has: inputs, states and parameters under
    the names that the emitted module gives them.

    Raises:
        CellError: there is no layer, or the sizes of two neighbours do not fit.
    """

    name: str = field(compare=False)
    layers: tuple[Layer, ...]
    doc: str = ""

    def __post_init__(self) -> None:
        self.wiring  # noqa: B018  # what does not fit is refused here

    @cached_property
    def wiring(self) -> Wiring:
        """The layers with the names and sizes that they have in the network."""
        return wired(self.layers)

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The first layer's input, masks, and what cells read beside their first input."""
        return self.wiring.inputs

    @property
    def states(self) -> tuple[Variable, ...]:
        """Every pass's states."""
        return self.wiring.states

    @property
    def parameters(self) -> tuple[Variable, ...]:
        """Every pass's parameters."""
        return self.wiring.parameters

    @property
    def output(self) -> Variable:
        """The last layer's output."""
        return self.wiring.output

    @property
    def causal(self) -> bool:
        """Whether y_t depends on nothing after step t: no pass is reversed."""
        return all(layer.direction == "forward" for layer in self.layers)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The different cells, in order of appearance, each under a name of its own."""
        return tuple(self._named().values())

    def cell_of(self, layer: Layer) -> Cell:
        """The one of `cells` that the layer runs."""
        return self._named()[layer.cell]

    def _named(self) -> dict[Cell, Cell]:
        found: dict[Cell, Cell] = {}
        taken: set[str] = set()
        for cell in (layer.cell for layer in self.layers):
            if cell not in found:
                name = next(n for n in _variants(cell.name) if n not in taken)
                taken.add(name)
                found[cell] = Cell(
                    name, cell.inputs, cell.states, cell.parameters, cell.equations, cell.doc
                )
        return found

    @property
    def dimensions(self) -> tuple[sp.Symbol, ...]:
        """The symbolic sizes, in order of appearance."""
        return dimensions_of((*self.states, *self.inputs, *self.parameters))

    @property
    def source(self) -> str:
        """Where it comes from: the part of `doc` after 'Source:'."""
        return source_of(self.doc)

    @property
    def title(self) -> str:
        """The first line of `doc`, up to its source."""
        return title_of(self.doc)

    def __str__(self) -> str:
        lines = [f'"""{self.doc}"""'] if self.doc else []
        return "\n".join([*lines, *map(str, self.layers)]) + "\n"


def _variants(name: str) -> Iterator[str]:
    yield name
    count = 2
    while True:
        yield f"{name}_{count}"
        count += 1
