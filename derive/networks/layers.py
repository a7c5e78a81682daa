"""A layer: a cell, the directions it reads a sequence in, and what stands around it."""

from dataclasses import dataclass, field
from typing import Literal

from derive.cell import Cell

__all__ = ["Direction", "Layer", "Pass"]

Direction = Literal["forward", "reverse", "both"]


@dataclass(frozen=True)
class Pass:
    """One run of a layer's cell over the steps, with parameters and states of its own.

    Attributes:
        suffix: what their names end in: the layer's number, and 'r' if `reverse`.
        reverse: whether it reads each sequence from its own end.
    """

    suffix: str
    reverse: bool

    def named(self, name: str) -> str:
        """A name of the cell as the network has it: W_f is W_f_2 or W_f_2r."""
        return f"{name}_{self.suffix}"


@dataclass(frozen=True)
class Layer:
    """y = cell(x * mask) + x; the mask and the addition only if asked for.

    Attributes:
        cell: what each pass computes; its first input is the layer's input, its output the
            layer's output.
        direction: 'both' is two passes, whose outputs stand one behind the other.
        residual: the layer's input, without its mask, is added to the output.
        dropout: the input is multiplied, entry by entry, by a mask that is given.
        called: what a text calls the cell; its name, if empty.
        line: where the text says it, 0 if there is none.
    """

    cell: Cell
    direction: Direction = "forward"
    residual: bool = False
    dropout: bool = False
    called: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    def passes(self, number: int) -> tuple[Pass, ...]:
        """What the layer runs where it is the network's `number`-th, counted from 1."""
        found = {"forward": (False,), "reverse": (True,), "both": (False, True)}
        return tuple(Pass(f"{number}{'r' * back}", back) for back in found[self.direction])

    @property
    def options(self) -> tuple[str, ...]:
        """What stands behind the cell in the text."""
        asked = (("residual", self.residual), ("dropout", self.dropout))
        direction = () if self.direction == "forward" else (self.direction,)
        return (*direction, *(word for word, on in asked if on))

    def __str__(self) -> str:
        text = f"layer {self.called or self.cell.name}"
        return f"{text} {', '.join(self.options)}" if self.options else text
