"""Results against vectors: which entries are outside of their bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import UsageError
from verify.kernels import Array, Arrays, Kernel
from verify.properties.comparing import compare
from verify.vectors.formats import Vector, Vectors, nested

__all__ = ["Judgement", "Outside", "judge", "judge_file", "judge_kernel", "judge_one", "run"]


@dataclass(frozen=True)
class Outside:
    """A result that is wrong.

    Attributes:
        example: its number.
        name: the result's flat name.
        cause: what is wrong with it, in a line.
        index, got, expected, bound: its worst entry; None if it is not about an entry.
    """

    example: int
    name: str
    cause: str
    index: tuple[int, ...] | None = None
    got: float | None = None
    expected: float | None = None
    bound: float | None = None

    def __str__(self) -> str:
        place = f"example {self.example}: {self.name}"
        if self.index is None:
            return f"{place} {self.cause}"
        return (
            f"{place}{list(self.index)} is {self.got:.17g}, expected {self.expected:.17g}, "
            f"may differ by {self.bound:.2g}"
        )


@dataclass(frozen=True)
class Judgement:
    """What is wrong, and what was not given and so not judged.

    Attributes:
        judged: how many arrays were compared.
        missing: (example, name) of each result that was not given.
    """

    outside: tuple[Outside, ...]
    judged: int
    missing: tuple[tuple[int, str], ...]

    @property
    def right(self) -> bool:
        """Whether something was judged, and nothing of it is wrong."""
        return self.judged > 0 and not self.outside


def judge(vectors: Vectors, results: Sequence[Arrays]) -> Judgement:
    """Judge results, for each example a dict by flat name; those not there are not judged.

    Raises:
        UsageError: a name that no result has, or results of another number of examples.
    """
    if len(results) != len(vectors.vectors):
        raise UsageError(f"results of {len(results)} examples, expected {len(vectors.vectors)}")
    outside: list[Outside] = []
    missing: list[tuple[int, str]] = []
    pairs = zip(vectors.vectors, results, strict=True)
    for number, (vector, given) in enumerate(pairs):
        outside += judge_one(vector, given, number)
        missing += [(number, name) for name in vector.expected if name not in given]
    judged = sum(len(v.expected) for v in vectors.vectors) - len(missing)
    return Judgement(tuple(outside), judged, tuple(missing))


def judge_one(vector: Vector, results: Arrays, number: int = 0) -> list[Outside]:
    """What is wrong with the results of one example."""
    unknown = sorted(results.keys() - {*vector.expected, *vector.left_out})
    if unknown:
        raise UsageError(f"no result is called {unknown[0]}; there are {sorted(vector.expected)}")
    found = []
    for name in (name for name in vector.expected if name in results):
        got, expected = np.asarray(results[name]), vector.expected[name]
        if got.shape != expected.shape:
            said = f"has shape {got.shape}, expected {expected.shape}"
            found.append(Outside(number, name, said))
        elif str(got.dtype) != vector.dtype:
            said = f"is of {got.dtype}, expected {vector.dtype}"
            found.append(Outside(number, name, said))
        else:
            said = "is outside of its bound"
            failure = compare({name: got}, {name: expected}, {name: vector.bound[name]}, said)
            if failure is not None:
                entry = (failure.index, failure.got, failure.expected, failure.bound)
                found.append(Outside(number, name, said, *entry))
    return found


def judge_kernel(vectors: Vectors, kernel: Kernel) -> Judgement:
    """Run an implementation of the kernel's contract on every example, and judge it."""
    return judge(vectors, [run(vector, kernel) for vector in vectors.vectors])


def run(vector: Vector, kernel: Kernel) -> dict[str, Array]:
    """All results of an implementation for one example, by flat name."""
    given: Mapping[str, Any] = nested(vector.given)
    inputs, params = given["inputs"], given.get("params", {})  # a cell may have none
    x = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    y, state_T, tape = kernel.forward(params, x, given["state_0"], lengths=given["lengths"])
    grads = kernel.backward(params, tape, given["dy"], given["dstate_T"])
    return {
        "y": y,
        **{f"state_T/{name}": array for name, array in state_T.items()},
        **{f"grads/{name}": array for name, array in grads.items()},
    }


def judge_file(vectors: Vectors, path: str | Path) -> Judgement:
    """Judge a `.npz` that holds results as `NUMBER/NAME`: `0/y`, `0/grads/W_f`, ….

    Raises:
        UsageError: the file does not open, or holds a name that no result has.
    """
    results: list[dict[str, Array]] = [{} for _ in vectors.vectors]
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no .npz of results: {error}") from None
    for key, array in arrays.items():
        number, _, name = key.partition("/")
        if not (number.isdecimal() and int(number) < len(results)):
            raise UsageError(f"{path}: {key} is of no example; there are {len(results)}")
        results[int(number)][name] = array
    return judge(vectors, results)
