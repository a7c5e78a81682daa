"""A backward whose signature demands a cotangent gets zeros where the contract has None.

Whoever gives `dy` no default does not offer to take None; what None means is then not asked.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verify.adapters.limits import FULL, Limits

__all__ = ["filled"]

# Arguments of backward by place, behind parameters and tape.
COTANGENTS = ("dy", "dstate_T")


@dataclass(frozen=True)
class _Shaped:
    """A tape, and zeros for the cotangents."""

    tape: Any
    zeros: Mapping[str, Any]


class _Filled:
    def __init__(self, kernel: Any, demanded: tuple[str, ...]) -> None:
        self.kernel = kernel
        own: Limits = getattr(kernel, "limits", FULL)
        notes = {f"{n} = None": f"backward's {n} has no default" for n in demanded}
        self.limits = replace(own, demanded=demanded, notes={**own.notes, **notes})
        self.demanded = demanded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)

    def forward(self, *args: Any, **options: Any) -> Any:
        found = self.kernel.forward(*args, **options)
        if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[1], Mapping)):
            return found
        y, states, tape = found
        ends = {n: np.zeros_like(a) for n, a in states.items()}
        return y, states, _Shaped(tape, {"dy": np.zeros_like(y), "dstate_T": ends})

    def backward(self, params: Any, tape: Any, dy: Any = None, dstate_T: Any = None) -> Any:
        given = {"dy": dy, "dstate_T": dstate_T}
        if isinstance(tape, _Shaped):
            missing = [n for n in self.demanded if given[n] is None]
            given |= {n: tape.zeros[n] for n in missing}
            tape = tape.tape
        return self.kernel.backward(params, tape, given["dy"], given["dstate_T"])


def filled(kernel: Any) -> Any:
    """The kernel; where its backward demands cotangents, one that puts zeros for None."""
    backward = getattr(kernel, "backward", None)
    try:
        arguments = list(inspect.signature(backward).parameters.values()) if backward else []
    except (TypeError, ValueError):
        return kernel
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [a for a in arguments if a.kind in places][2:4]
    demanded = tuple(
        name
        for name, argument in zip(COTANGENTS, own, strict=False)
        if argument.default is inspect.Parameter.empty
    )
    return _Filled(kernel, demanded) if demanded else kernel
