"""Calling an implementation so that whatever it does becomes a value of ours."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from derive.errors import one_line
from verify.kernels import Array

__all__ = ["BrokenError", "Failure", "Skip", "array_of", "called", "kind_of"]


@dataclass(frozen=True)
class Failure:
    """How a property fails on an example.

    Attributes:
        parameter: which result: 'y', a final state ('C_T'), or a gradient under its contract name;
            '' if the failure is not about one of them.
        message: one line.
        index: the entry of that result that is shown; None if it is not about one entry.
        bound: how far `got` may be from `expected`.
        also: other results that fail in the same way.
    """

    parameter: str
    message: str
    index: tuple[int, ...] | None = None
    got: Any = None
    expected: Any = None
    bound: Any = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skip:
    """The property says nothing on this example; `reason` is for the report."""

    reason: str


class BrokenError(Exception):
    """A call raised, or its result is not what the contract says.

    Attributes:
        raised: what the call raised; None if a result has a wrong type or shape.
    """

    def __init__(self, failure: Failure, raised: BaseException | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.raised = raised


def array_of(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """A result as an array of floats of the shape that the contract says."""
    try:
        array = np.asarray(value)
    except Exception as error:
        text = one_line(str(error))
        raise BrokenError(Failure(name, f"{name} is not an array: {text}")) from None
    if array.dtype.kind != "f" or array.shape != shape:
        message = f"{name} is {array.dtype}{list(array.shape)}, expected float{list(shape)}"
        raise BrokenError(Failure(name, message))
    return array


def called(what: str, call: Callable[[], Any]) -> Any:
    """The call's value; whatever it raises becomes a finding."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call()
    except (Exception, SystemExit) as error:
        text = one_line(f"{type(error).__name__}: {error}", 200)
        said = getattr(error, "finding", "") or f"raised {text}{_place(error)}"
        message = f"{what} {said}"
        raise BrokenError(Failure("", message), error) from None


def _place(error: BaseException) -> str:
    """Where the implementation raised, if it was not in the call itself."""
    frame = error.__traceback__
    frame = None if frame is None else frame.tb_next
    last = None
    while frame is not None:
        last, frame = frame, frame.tb_next
    if last is None or Path(last.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
        return ""
    return f" ({Path(last.tb_frame.f_code.co_filename).name}, line {last.tb_lineno})"


def kind_of(value: Any) -> str:
    """What a result is, for a message."""
    size = f" of {len(value)}" if isinstance(value, tuple | list) else ""
    return f"{type(value).__name__}{size}"
