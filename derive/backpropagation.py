"""Gradients of a cell, or of the cells of a network.

A layer's cotangents are joined to its neighbour's by the chain rule alone: dL/dx of layer k, times
its mask, plus what a residual passes by, is dL/dy of layer k-1. So a network's gradients are its
cells', each derived once however many layers run it.
"""

from dataclasses import dataclass
from typing import overload

from derive.cell import Cell
from derive.gradients import Gradients, gradients
from derive.networks import Network

__all__ = ["NetworkGradients", "backpropagate"]


@dataclass(frozen=True)
class NetworkGradients:
    """A network with the gradients of its different cells, in the order of `network.cells`."""

    network: Network
    cells: tuple[Gradients, ...]


@overload
def backpropagate(model: Cell) -> Gradients: ...
@overload
def backpropagate(model: Network) -> NetworkGradients: ...
def backpropagate(model: Cell | Network) -> Gradients | NetworkGradients:
    """Derive back-propagation through time for a cell, or for each cell of a network."""
    if isinstance(model, Network):
        return NetworkGradients(model, tuple(gradients(cell) for cell in model.cells))
    return gradients(model)
