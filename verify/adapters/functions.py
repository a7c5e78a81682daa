"""A pair of functions with layouts of their own -> a kernel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from verify.adapters.arrangement import Given, arrangement, named
from verify.adapters.axes import check_axes, from_axes, to_axes
from verify.adapters.blocks import Vectors
from verify.adapters.limits import Limits
from verify.adapters.places import Arrangement
from verify.adapters.restricting import refuse
from verify.conventions import Convention
from verify.kernels import Array, Arrays, Example, shape_of, sizes_of

__all__ = ["Adapted", "adapt"]


@dataclass(frozen=True)
class Adapted:
    """The contract of `verify.kernels` around somebody's functions; `backward` may be None."""

    cell: Cell
    run: Callable[..., tuple[Any, Mapping[str, Any], Any]]
    back: Callable[[Arrays, Any, Array, Arrays], Mapping[str, Any]] | None
    params: Arrangement
    x: str
    y: str
    state: str
    limits: Limits

    def forward(
        self, params: Arrays, x: Any, state_0: Arrays | None = None, *, lengths: Any = None
    ) -> tuple[Any, dict[str, Any], Any]:
        """Outputs, final states and a tape; None for what is not given.

        Raises:
            NotGivenError: the arguments are not within the limits.
            ValueError: a result has other axes than were said.
        """
        inputs = x if isinstance(x, Mapping) else {self.cell.inputs[0].name: x}
        example = Example(self.cell, params, inputs, state_0, lengths)
        refuse(self.limits, example)
        states = self._states(example, state_0)
        xs = {n: to_axes(a, self.x, "TBF") for n, a in inputs.items()}
        last = {n: to_axes(a, self.state, "BF") for n, a in states.items()}
        given = xs if isinstance(x, Mapping) else next(iter(xs.values()))
        more = (lengths,) if self.limits.lengths else ()
        p = self.params.arrays(params)
        y, final, tape = self.run(p, given, last, *more)
        self.params.write_back(p, params)
        ends = {
            s.name: _back(final.get(s.name), self.state, "BF", f"final {s.name}")
            for s in self.cell.states
        }
        ends |= {n: a for n, a in final.items() if n not in ends}
        return _back(y, self.y, "TBF", "y"), ends, (tape, example)

    @property
    def backward(self) -> Any:
        """Gradients by the contract's names, None if there is no backward."""
        return None if self.back is None else self._backward

    def _backward(
        self, params: Arrays, tape: Any, dy: Array | None = None, dstate_T: Arrays | None = None
    ) -> dict[str, Array]:
        assert self.back is not None
        own, example = tape
        refuse(self.limits, replace(example, lengths=None, dy=dy, dstate_T=dstate_T))
        if dy is None:
            shape = shape_of(self.cell.output, self._known(example))
            dy = np.zeros((example.steps, example.batch, *shape), example.dtype)
        finals = {
            n: to_axes(a, self.state, "BF") for n, a in self._states(example, dstate_T).items()
        }
        p = self.params.arrays(params)
        found = self.back(p, own, to_axes(dy, self.y, "TBF"), finals)
        self.params.write_back(p, params)
        found = {n: a for n, a in found.items() if a is not None}
        grads = self.params.gradients(found, params)
        grads = {n: a for n, a in grads.items() if n not in self.limits.absent}
        for name in example.inputs:
            if name in found:
                grads[name] = _given(found[name], self.x, "TBF", f"the gradient of {name}")
        for state in self.cell.states:
            name = f"{state.name}_0"
            if name in found and self.limits.starts(state.name):
                grads[name] = _given(found[name], self.state, "BF", f"the gradient of {name}")
        known = {*p, *example.inputs, *(f"{s.name}_0" for s in self.cell.states)}
        return grads | {n: a for n, a in found.items() if n not in known}

    def _states(self, example: Example, given: Arrays | None) -> dict[str, Array]:
        """All states, zeros where they are not given."""
        if given is not None and all(s.name in given for s in self.cell.states):
            return dict(given)
        sizes, found = self._known(example), dict(given or {})
        for state in self.cell.states:
            shape = (example.batch, *shape_of(state, sizes))
            found.setdefault(state.name, np.zeros(shape, example.dtype))
        return found

    def _known(self, example: Example) -> dict[Any, int]:
        sizes = sizes_of(example)
        fixed = {d: self.limits.sizes[str(d)] for d in self.cell.dimensions if d not in sizes}
        return sizes | fixed


def _back(value: Any, axes: str, contract: str, what: str) -> Array | None:
    return None if value is None else _given(value, axes, contract, what)


def _given(value: Any, axes: str, contract: str, what: str) -> Array:
    return from_axes(np.asarray(value), axes, contract, what)


def adapt(
    forward: Callable[..., tuple[Any, Mapping[str, Any], Any]],
    backward: Callable[..., Mapping[str, Any]] | None = None,
    *,
    cell: str | Cell,
    arrays: Given = None,
    vectors: Vectors = "flat",
    x: str = "TBF",
    y: str | None = None,
    state: str = "BF",
    limits: Limits | None = None,
    **limited: Any,
) -> Adapted:
    """A kernel from functions with a layout of their own.

        y, states, tape = forward(p, x, states)      forward(p, x, states, lengths) with lengths
        gradients       = backward(p, tape, dy, dstates)

    `p` has somebody's arrays by name; `states` and `dstates` have all states by the cell's names
    and are never None; `gradients` has what there is: somebody's arrays and inputs by name, initial
    states as 'h_0'. What forward returns as None, or leaves out of its states, is not given.

    Args:
        arrays: how `p` is made of the cell's parameters: a row of `verify.conventions` or its
            name, expressions by array as in `verify.adapters.blocks`, or None: they are the cell's.
        vectors: whether vectors in expressions are (n,), (n, 1) or (1, n).
        x, y, state: axes of sequences and states, as in `verify.adapters.axes`; y is as x.
        limits: what is taken and given; None: by default no lengths, no empty sequences.
        limited: attributes of `Limits` to be set, as `initial=("h",)`.

    Raises:
        UsageError: axes, a convention or an expression that mean nothing.
    """
    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    kept = Limits(lengths=False, empty=False) if limits is None else limits
    kept = replace(kept, **limited)
    if "B" not in x or "B" not in state:
        kept = replace(kept, rows=1)
    if isinstance(arrays, str | Convention):
        missing = named(arrays, loaded).missing.keys()
        kept = replace(kept, absent=tuple(sorted({*kept.absent, *missing})))
    return Adapted(
        cell=loaded,
        run=forward,
        back=backward,
        params=arrangement(arrays, loaded, vectors),
        x=check_axes(x, "TBF", "x"),
        y=check_axes(y or x, "TBF", "y"),
        state=check_axes(state, "BF", "states"),
        limits=replace(kept, gradients=backward is not None),
    )
