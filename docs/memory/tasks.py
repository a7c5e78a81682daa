"""Two tasks that need memory: the adding and the temporal-order problem.

Source: Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735, sections 5.4 and 5.6.
Where these differ from the paper is said in docs/memory.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["TASKS", "Array", "Sequences", "Task"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sequences:
    """A batch: x (T, B, m), the rows' own lengths (B,), what to say at their ends (B, k)."""

    x: Array
    lengths: npt.NDArray[np.int64]
    target: Array

    def as_type(self, dtype: npt.DTypeLike) -> "Sequences":
        """The same numbers in another dtype."""
        return Sequences(self.x.astype(dtype), self.lengths, self.target.astype(dtype))


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        sizes: of the input, m, and of the target, k.
        readout: the cell of the zoo that reads the last state and has a state `loss`.
        draw: (random, lag, batch) -> Sequences of length lag to 1.1 lag.
        wrong: (z, target) -> for each row whether the answer z is wrong.
        guessing: target -> the least mean loss of an answer that does not read the input.
        first: lag -> the least and the most steps from the first input that matters to the end.
        shown: what the loss is called, and the number that it is multiplied by for that.
    """

    name: str
    sizes: tuple[int, int]
    readout: str
    draw: Callable[[np.random.Generator, int, int], Sequences]
    wrong: Callable[[Array, Array], npt.NDArray[np.bool_]]
    guessing: Callable[[Array], float]
    first: Callable[[int], tuple[int, int]]
    shown: tuple[str, float]


def adding(random: np.random.Generator, lag: int, batch: int) -> Sequences:
    """Pairs (value, marker); the answer is 0.5 + (X1 + X2) / 4 of the two marked values.

    The first of the marked pairs is one of the first ten, the second one of the first lag/2 - 1
    others. The marker is -1 at both ends; a marked value at the very beginning counts as 0.
    """
    lengths = random.integers(lag, lag + lag // 10 + 1, batch)
    rows = np.arange(batch)
    value = random.uniform(-1, 1, (lag + lag // 10, batch))
    first = random.integers(0, min(10, lag // 2), batch)
    second = random.integers(0, lag // 2 - 1, batch)
    second += second >= first  # any but the first
    value[0, (first == 0) | (second == 0)] = 0
    marker = np.zeros_like(value)
    marker[0] = marker[lengths - 1, rows] = -1
    marker[first, rows] = marker[second, rows] = 1
    target = 0.5 + (value[first, rows] + value[second, rows]) / 4
    return Sequences(np.stack([value, marker], axis=-1), lengths, target[:, None])


def temporal_order(random: np.random.Generator, lag: int, batch: int) -> Sequences:
    """Symbols a b c d X Y E B, one-hot; the answer is which of XX, XY, YX, YY was seen.

    E begins, B ends. The two that matter stand at lag/10 to lag/5 and at lag/2 to 6/10 lag; all
    others are drawn from a, b, c, d.
    """
    lengths = random.integers(lag, lag + lag // 10 + 1, batch)
    rows = np.arange(batch)
    symbol = random.integers(0, 4, (lag + lag // 10, batch))
    symbol[0], symbol[lengths - 1, rows] = 6, 7
    first, second = random.integers(0, 2, (2, batch))
    symbol[random.integers(lag // 10, lag // 5 + 1, batch), rows] = 4 + first
    symbol[random.integers(lag // 2, lag // 2 + lag // 10 + 1, batch), rows] = 4 + second
    return Sequences(np.eye(8)[symbol], lengths, np.eye(4)[2 * first + second])


TASKS = {
    task.name: task
    for task in (
        Task(
            name="adding",
            sizes=(2, 1),
            readout="squared_last_readout",
            draw=adding,
            wrong=lambda z, target: np.abs(z - target)[:, 0] > 0.04,
            guessing=lambda target: float(np.var(target)) / 2,
            first=lambda lag: (lag - min(10, lag // 2), lag + lag // 10 - 1),
            shown=("mean squared error", 2.0),
        ),
        Task(
            name="temporal order",
            sizes=(8, 4),
            readout="softmax_last_readout",
            draw=temporal_order,
            wrong=lambda z, target: z.argmax(-1) != target.argmax(-1),
            guessing=lambda target: float(np.log(target.shape[1])),
            first=lambda lag: (lag - lag // 5 - 1, lag - 1),
            shown=("cross-entropy", 1.0),
        ),
    )
}
