"""A recurrent cell and a readout of its last state, run by the kernels emitted for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tasks import Array, Sequences

import derive
from derive.cell import Cell
from verify.kernels import Kernel
from verify.loading import kernel_from_source

__all__ = ["Model", "Params", "emit", "norm"]

Params = Mapping[str, Mapping[str, Any]]  # of the "cell" and of the "readout", by name


@dataclass(frozen=True)
class Model:
    """Two cells and their kernels; the output of the first is the input of the second."""

    cell: Cell
    readout: Cell
    body: Kernel
    head: Kernel

    def shapes(
        self, units: int, inputs: int, outputs: int
    ) -> dict[str, dict[str, tuple[int, ...]]]:
        """The shape of each parameter."""
        sizes = {"cell": {"n": units, "m": inputs}, "readout": {"k": outputs, "m": units}}
        return {
            part: {p.name: tuple(sizes[part][str(s)] for s in p.shape) for p in cell.parameters}
            for part, cell in (("cell", self.cell), ("readout", self.readout))
        }

    def losses(self, params: Params, data: Sequences) -> tuple[Array, Array, Any]:
        """Each sequence's loss (B,) and answer (B, k), and tapes for `gradients`."""
        _, state_T, tape = self.body.forward(params["cell"], data.x, lengths=data.lengths)
        loss, z, read = self._read(params, state_T, data)
        return loss, z, (tape, read)

    def gradients(self, params: Params, tapes: Any) -> Params:
        """Gradients of the mean loss."""
        tape, read = tapes
        d_state, of_readout = self._end(params, read)
        return {"cell": self.body.backward(params["cell"], tape, None, d_state), **of_readout}

    def by_lag(self, params: Params, data: Sequences, lag: int) -> Array:
        """|dL/dstate| at 0 to `lag` steps before the end of each sequence, (lag + 1, B).

        L is the sequence's own loss. One step is run at a time: the gradient of a step's initial
        state is the cotangent of the step before. All states count: of the LSTM, h and C.
        """
        state, tapes = None, []
        for t, x_t in enumerate(data.x):
            inside = (t < data.lengths).astype(int)
            _, state, tape = self.body.forward(params["cell"], x_t[None], state, lengths=inside)
            tapes.append(tape)
        d_state, _ = self._end(params, self._read(params, state, data)[2])
        norms = [norm(d_state.values(), axis=-1)]
        for tape in reversed(tapes):
            grads = self.body.backward(params["cell"], tape, None, d_state)
            d_state = {s.name: grads[f"{s.name}_0"] for s in self.cell.states}
            norms.append(norm(d_state.values(), axis=-1))
        steps = data.lengths - np.arange(lag + 1)[:, None]
        rows = np.arange(len(data.lengths))
        return len(rows) * np.stack(norms[::-1])[steps, rows]

    def _read(self, params: Params, state: Any, data: Sequences) -> tuple[Array, Array, Any]:
        once = {"x": state[self.cell.output.name][None], "target": data.target[None]}
        z, end, tape = self.head.forward(params["readout"], once)  # a sequence of one step
        return end["loss"][:, 0], z[0], tape

    def _end(self, params: Params, tape: Any) -> tuple[dict[str, Array], Params]:
        """Of the mean loss: dL/dstate_T by name, and the gradients of the readout."""
        batch = tape["sizes"]["batch"]
        weight = np.full((batch, 1), 1 / batch, tape["dtype"])
        grads = self.head.backward(params["readout"], tape, None, {"loss": weight})
        return {self.cell.output.name: grads["x"][0]}, {"readout": grads}


def emit(cell: str, readout: str) -> Model:
    """Two cells of the zoo, derived and emitted."""
    first, last = derive.load(cell), derive.load(readout)
    body, head = (
        kernel_from_source(derive.numpy_source(derive.backpropagate(one))) for one in (first, last)
    )
    return Model(first, last, body, head)


def norm(arrays: Iterable[Array], axis: int | None = None) -> Array:
    """The norm of all entries together, or of those along an axis."""
    return np.sqrt(sum(np.sum(np.square(array), axis) for array in arrays))
