"""Node tests through a runtime: what agrees, what differs, what is refused, and the smallest case.

A runtime that refuses a node says so; that is a gap and no error. One that takes the node and
computes something else, within no reading of the operator's text, is wrong.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np

from derive.errors import UsageError
from verify.kernels import Array
from verify.properties.comparing import compare
from verify.vectors.node_files import model_of
from verify.vectors.node_rows import Case
from verify.vectors.node_values import NodeValues, Reading, node_values

__all__ = ["RUNTIMES", "Outcome", "Runtime", "outcome", "smallest"]

Verdict = Literal["agrees", "differs", "refused"]
Run = Callable[[Any, Mapping[str, Array]], Sequence[Array]]

# Steps and batch that `smallest` tries, in this order; x and h have one entry.
SMALL = ((1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2))


@dataclass(frozen=True)
class Runtime:
    """Something that runs ONNX models.

    Attributes:
        version: of the package; raises ImportError where it is not installed.
        run: (model, inputs by name) -> the graph's outputs.
    """

    name: str
    version: Callable[[], str]
    run: Run


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        said: the reading that it agrees with, the entry that is furthest out, or the refusal.
    """

    verdict: Verdict
    said: str = ""


def outcome(values: NodeValues, runtime: Runtime) -> Outcome:
    """Run a case; outputs of another shape or type count as different."""
    try:
        found = runtime.run(model_of(values), values.inputs)
    except Exception as error:  # whatever a runtime raises, it has refused
        return Outcome("refused", " ".join(str(error).split()))
    differences = []
    for reading in values.readings:
        difference = _difference(reading, found)
        if not difference:
            return Outcome("agrees", reading.name)
        differences.append(difference)
    return Outcome("differs", differences[0])


def _difference(reading: Reading, found: Sequence[Array]) -> str:
    if len(found) != len(reading.outputs):
        return f"{len(found)} outputs, expected {len(reading.outputs)}"
    for (name, expected), got in zip(reading.outputs.items(), found, strict=True):
        if (got.shape, got.dtype) != (expected.shape, expected.dtype):
            return f"{name} is {got.dtype} {got.shape}, not {expected.dtype} {expected.shape}"
    named = dict(zip(reading.outputs, found, strict=True))
    failure = compare(named, reading.outputs, reading.bounds, "")
    if failure is None:
        return ""
    return (
        f"{failure.parameter}{list(failure.index or ())} is {failure.got:.8g}, expected "
        f"{failure.expected:.8g} up to {failure.bound:.1g}"
    )


def smallest(case: Case, runtime: Runtime) -> tuple[NodeValues, Outcome] | None:
    """The smallest sizes at which a case differs; None if it does not at any of `SMALL`."""
    for values in _small(case):
        found = outcome(values, runtime)
        if found.verdict == "differs":
            return values, found
    return None


def _small(case: Case) -> Iterator[NodeValues]:
    for steps, batch in SMALL:
        small = replace(case, steps=steps, batch=batch, size=1, hidden=1)
        try:
            yield node_values(small)
        except UsageError:  # too small for what the case asks
            continue


def _by_onnxruntime(model: Any, inputs: Mapping[str, Array]) -> Sequence[Array]:
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what it has to say it raises
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(inputs)))


def _by_reference(model: Any, inputs: Mapping[str, Array]) -> Sequence[Array]:
    evaluator = import_module("onnx.reference").ReferenceEvaluator(model)
    with np.errstate(all="ignore"):
        return list(evaluator.run(None, dict(inputs)))


def _version(package: str) -> Callable[[], str]:
    return lambda: str(import_module(package).__version__)


RUNTIMES = (
    Runtime("onnxruntime", _version("onnxruntime"), _by_onnxruntime),
    Runtime("onnx.reference", _version("onnx"), _by_reference),
)
