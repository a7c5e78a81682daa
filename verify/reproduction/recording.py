"""Which calls of an implementation a failure was seen in, with their arguments and results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from verify.adapters.limits import FULL, Limits
from verify.kernels import Array, Example, Kernel

__all__ = ["Call", "Recorder", "calls_on"]

# Differences take thousands of runs; what they are compared with is the first.
KEPT = 64


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        arguments: by the contract's names, in order: None, an array, or arrays by name.
        results: what came back: 'y' and final states as 'h_T', or gradients by name.
        tape_of: for backward, the number of the forward call whose tape it is given.
        strided: whether the arrays are not contiguous.
        raised: whether it raised.
        adapted: whether there is an adapter between the contract and the implementation.
    """

    kind: Literal["forward", "backward"]
    arguments: Mapping[str, Any]
    results: Mapping[str, Array] = field(default_factory=dict)
    tape_of: int = -1
    strided: bool = False
    raised: bool = False
    adapted: bool = False


@dataclass(frozen=True)
class _Tape:
    """A tape, and which call it is of."""

    number: int
    own: Any


class Recorder:
    """An implementation whose calls are kept, the first ones, in `calls`."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.limits: Limits = getattr(kernel, "limits", FULL)
        self.computes_in: str = getattr(kernel, "computes_in", "")
        self.calls: list[Call] = []

    def forward(self, params: Any, x: Any, state_0: Any = None, *, lengths: Any = None) -> Any:
        """The implementation's forward, with a tape of ours."""
        given = {"params": params, "x": x, "state_0": state_0, "lengths": lengths}
        number = self._begin("forward", given)
        got = self.kernel.forward(params, x, state_0, lengths=lengths)
        if not isinstance(got, tuple) or len(got) != 3:
            self._end(number, {})
            return got
        y, states, tape = got
        finals = states.items() if isinstance(states, Mapping) else ()
        self._end(number, {"y": y} | {f"{n}_T": a for n, a in finals})
        return y, states, _Tape(number, tape)

    @property
    def backward(self) -> Any:
        """The implementation's backward on such a tape, None if it has none."""
        return self._backward if callable(getattr(self.kernel, "backward", None)) else None

    def _backward(self, params: Any, tape: _Tape, dy: Any = None, dstate_T: Any = None) -> Any:
        given = {"params": params, "dy": dy, "dstate_T": dstate_T}
        number = self._begin("backward", given, tape.number)
        got = self.kernel.backward(params, tape.own, dy, dstate_T)
        self._end(number, got if isinstance(got, Mapping) else {})
        return got

    def _begin(self, kind: Any, given: Mapping[str, Any], tape_of: int = -1) -> int:
        """The call's number; it counts as one that raises until it ends."""
        number = len(self.calls)
        if number < KEPT:
            held = {n: _kept(v) for n, v in given.items()}
            strided = any(_strided(v) for v in given.values())
            adapted = self.limits != FULL
            self.calls.append(Call(kind, held, {}, tape_of, strided, True, adapted))
        return number

    def _end(self, number: int, results: Mapping[str, Any]) -> None:
        if number < KEPT:
            c = self.calls[number]
            held = {n: np.array(a) for n, a in results.items() if a is not None}
            self.calls[number] = Call(
                c.kind, c.arguments, held, c.tape_of, c.strided, False, c.adapted
            )


def calls_on(example: Example, *, backward: bool, adapted: bool = False) -> tuple[Call, ...]:
    """The calls that run an example, whatever comes of them."""
    e = example
    given = {"params": e.params, "x": e.x, "state_0": e.state_0, "lengths": e.lengths}
    first = Call("forward", {n: _kept(v) for n, v in given.items()}, adapted=adapted)
    if not backward:
        return (first,)
    more = {"params": e.params, "dy": e.dy, "dstate_T": e.dstate_T}
    return (first, Call("backward", {n: _kept(v) for n, v in more.items()}, tape_of=0))


def _kept(value: Any) -> Any:
    """An argument as it is before the call."""
    if isinstance(value, Mapping):
        return {n: _kept(a) for n, a in value.items()}
    return None if value is None else np.array(value, order="C")


def _strided(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_strided(a) for a in value.values())
    if not isinstance(value, np.ndarray):
        return False
    return not (value.flags.c_contiguous or value.flags.f_contiguous)
