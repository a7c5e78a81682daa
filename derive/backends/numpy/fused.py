"""The fused form of a kernel: gates in one buffer, as few calls in the loop as there can be."""

from collections.abc import Iterator

from derive.backends.numpy.backward import backward_lines, tape_names
from derive.backends.numpy.forward import forward_lines
from derive.backends.numpy.places import Places
from derive.cell import Variable
from derive.schedule import Schedule

__all__ = ["Fused"]


class Fused:
    """The names of one cell's emitted source, and its lines."""

    runtime = "runtime_fused"
    quiet = 'over="ignore", under="ignore"'

    def __init__(self, plan: Schedule) -> None:
        self.places = Places(plan)
        self.states = plan.gradients.cell.states

    def make(self, hint: str) -> str:
        """The one emitted name for `hint`."""
        return self.places.make(hint)

    def entry(self) -> list[str]:
        """Lines that bring arguments into this form's shapes: there are none."""
        return []

    def forward(self) -> list[str]:
        """Lines from checked arguments to the states' sequences."""
        for state in self.states:
            self.make(f"{state.name}_seq")
        return forward_lines(self.places)

    def final(self, state: Variable) -> str:
        """A state after the last step."""
        return f"np.array({self.make(f'{state.name}_seq')}[-1])"

    def tape(self) -> list[str]:
        """What `forward` hands to `backward`."""
        return tape_names(self.places)

    def backward(self) -> Iterator[str]:
        """Lines from the tape to the gradients."""
        for s in self.states:
            yield f'{self.make(f"carry_{s.name}")} = np.array(dstate_T["{s.name}"], order="C")'
        yield from backward_lines(self.places)
