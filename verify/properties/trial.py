"""One implementation on one example: calls that cannot hurt us, results by name, references.

Results are kept in two families, because a parameter may have any name: `values` has 'y' and, for
each state, its name with '_T'; `grads` has what the contract names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.cell import Cell
from derive.gradients import Gradients
from verify.adapters.limits import FULL, Limits
from verify.kernels import Array, Example, Kernel, shape_of, sizes_of
from verify.precisions import Lower, lower
from verify.properties.calling import BrokenError, Failure, array_of, called, kind_of
from verify.properties.changing import copied
from verify.references import Precision, Reference, reference

__all__ = ["Expected", "Result", "Trial"]


class Values(dict[str, Array]):
    """Results of forward; where one that is None there is asked for, nothing can be judged."""

    def __missing__(self, name: str) -> Array:
        absent = NotImplementedError(f"{name} is None")
        raise BrokenError(Failure(name, f"forward gave no {name}"), absent)


@dataclass(frozen=True)
class Result:
    """What forward and backward gave; `grads` is empty if backward was not asked."""

    values: dict[str, Array]
    grads: dict[str, Array] = field(default_factory=dict)
    tape: Any = None


@dataclass(frozen=True)
class Expected:
    """A reference in the two families of `Result`."""

    values: dict[str, Array]
    grads: dict[str, Array]
    value_bounds: dict[str, Array]
    grad_bounds: dict[str, Array]


class Trial:
    """An implementation on one example, with the other runs that properties ask for.

    Every call is given arrays of its own, so that an implementation that writes to its arguments
    spoils nothing but its own run.

    Attributes:
        derived: the cell's derived gradients, for references.
        offered: names of the gradients that the implementation gives; None: not known yet.
    """

    def __init__(
        self,
        kernel: Kernel,
        example: Example,
        derived: Gradients,
        offered: frozenset[str] | None = None,
    ) -> None:
        self.kernel = kernel
        self.example = example
        self.derived = derived
        self.offered = offered
        self._references: list[tuple[Example, Expected]] = []

    @property
    def cell(self) -> Cell:
        """The cell that the implementation should be."""
        return self.example.cell

    @cached_property
    def given(self) -> Example:
        """What the base run was given, after it: to be compared with the example."""
        return copied(self.example)

    @cached_property
    def base(self) -> Result:
        """Forward on the example as it is."""
        return self.forward(self.given, copy=False)

    @cached_property
    def base_grads(self) -> dict[str, Array]:
        """Backward on the example as it is, after `base`."""
        return self.backward(self.given, self.base.tape, copy=False)

    @cached_property
    def broken(self) -> BrokenError | None:
        """What is wrong with the base run of forward, if it cannot be judged further."""
        try:
            _ = self.base
        except BrokenError as error:
            return error
        return None

    @cached_property
    def broken_backward(self) -> BrokenError | None:
        """As `broken`, for backward."""
        if self.broken is not None:
            return self.broken
        try:
            _ = self.base_grads
        except BrokenError as error:
            return error
        return None

    def full(self, example: Example, *, copy: bool = True) -> Result:
        """Forward and backward on `example`."""
        example = copied(example) if copy else example
        result = self.forward(example, copy=False)
        return replace(result, grads=self.backward(example, result.tape, copy=False))

    def forward(self, example: Example, *, copy: bool = True) -> Result:
        """Forward on `example`.

        Raises:
            BrokenError: the call raised, or a result has a wrong type or shape.
        """
        e = copied(example) if copy else example
        got = called(
            "forward", lambda: self.kernel.forward(e.params, e.x, e.state_0, lengths=e.lengths)
        )
        if not isinstance(got, tuple) or len(got) != 3:
            message = f"forward gave {kind_of(got)}, expected (y, state_T, tape)"
            raise BrokenError(Failure("", message))
        y, state_T, tape = got
        shapes = _shapes(e)
        values = Values() if y is None else Values(y=array_of("y", y, shapes["y"]))
        for state in self.cell.states:
            name = f"{state.name}_T"
            if not isinstance(state_T, Mapping) or state.name not in state_T:
                raise BrokenError(Failure(name, f"forward gave state_T without '{state.name}'"))
            if state_T[state.name] is not None:
                values[name] = array_of(name, state_T[state.name], shapes[name])
        return Result(values, tape=tape)

    def backward(self, example: Example, tape: Any, *, copy: bool = True) -> dict[str, Array]:
        """Backward with the cotangents of `example`, on a tape of its forward run.

        Raises:
            BrokenError: the call raised, or a result has a wrong type or shape, or a gradient that
                is given elsewhere is missing here.
        """
        e = copied(example) if copy else example
        got = called("backward", lambda: self.kernel.backward(e.params, tape, e.dy, e.dstate_T))
        if not isinstance(got, Mapping):
            raise BrokenError(Failure("", f"backward gave {kind_of(got)}, expected a dict"))
        shapes = _shapes(e)
        names = [n for n in _gradient_names(self.cell) if got.get(n) is not None]
        for name in _gradient_names(self.cell):
            if self.offered is not None and name in self.offered and name not in names:
                message = f"no gradient of {name} here, though given elsewhere"
                raise BrokenError(Failure(name, message))
        return {n: array_of(n, got[n], shapes[f"grad {n}"]) for n in names}

    def reference(self, example: Example | None = None) -> Expected:
        """Values and gradients at `example`, with rounding bounds; kept."""
        example = self.example if example is None else example
        for known, expected in self._references:
            if known is example:
                return expected
        precision = self.precision(example.dtype)
        expected = _expected(reference(example, self.derived, precision))
        self._references.append((example, expected))
        return expected

    def precision(self, dtype: npt.DTypeLike) -> Precision:
        """What inputs of that dtype are computed in."""
        precision = replace(Precision.of(dtype), absolute=self.limits.absolute)
        row = self.lowered
        return row.precision.over(precision) if row else precision

    @property
    def lowered(self) -> Lower | None:
        """The lower precision that the implementation is judged in."""
        name = getattr(self.kernel, "computes_in", "") or self.limits.precision
        return lower(name) if name else None

    @property
    def own_bounds(self) -> dict[str, Array]:
        """How far a gradient may be from that of the implementation's own forward."""
        times = self.lowered.slopes if self.lowered else 1.0
        return {n: times * b for n, b in self.reference().grad_bounds.items()}

    @property
    def limits(self) -> Limits:
        """What the implementation takes."""
        return getattr(self.kernel, "limits", FULL)

    @cached_property
    def wide(self) -> bool:
        """Whether some result could be doubled, or zero, within its bounds wherever it is not zero.

        Then the example decides less than it should.
        """
        if self.broken is not None:
            return False
        right, backwards = self.reference(), callable(getattr(self.kernel, "backward", None))
        pairs = [(right.values[n], right.value_bounds[n]) for n in self.base.values]
        if backwards and self.broken_backward is None:
            pairs += [(right.grads[n], right.grad_bounds[n]) for n in self.base_grads]
        with np.errstate(all="ignore"):
            asked = [(np.abs(v), b) for v, b in pairs if np.any(v)]
            return any(not bool((2 * b <= v)[v > 0].any()) for v, b in asked)

    @cached_property
    def value_reach(self) -> dict[str, Array]:
        """How far two runs of forward on the same thing may be apart, by one run's rounding."""
        right = self.reference()
        return _reach(self.base.values, right.values, right.value_bounds, self._digits)

    @cached_property
    def grad_reach(self) -> dict[str, Array]:
        """As `value_reach`, for backward."""
        right = self.reference()
        return _reach(self.base_grads, right.grads, right.grad_bounds, self._digits)

    @property
    def _digits(self) -> float:
        """Half of the digits of what it is judged in."""
        p = self.precision(self.example.dtype)
        return float(np.sqrt(2 * max(p.unit, p.operands, p.functions)))

    @cached_property
    def dy_only(self) -> Example:
        """The example with cotangents on outputs alone."""
        return replace(self.example, dstate_T=None)

    @cached_property
    def dstate_only(self) -> Example:
        """The example with cotangents on final states alone."""
        return replace(self.example, dy=None)


def _reach(
    own: dict[str, Array], right: dict[str, Array], bounds: dict[str, Array], digits: float
) -> dict[str, Array]:
    """The bounds, if they cover the implementation's own results.

    Where it computes something else, its rounding is not known: only what changes half of the
    digits is then held against it, so that one mistake is not reported as many.
    """
    reach = dict(bounds)
    for name, value in own.items():
        with np.errstate(all="ignore"):
            inside = np.abs(value - right[name]) <= bounds[name]
        if not inside.all():
            largest = np.abs(value[np.isfinite(value)]).max(initial=0.0)
            reach[name] = np.maximum(bounds[name], digits * float(largest))
    return reach


def _expected(found: Reference) -> Expected:
    return Expected(
        values={"y": found.y} | {f"{n}_T": v for n, v in found.state_T.items()},
        grads=dict(found.grads),
        value_bounds={"y": found.y_bound} | {f"{n}_T": v for n, v in found.state_T_bound.items()},
        grad_bounds=dict(found.grads_bound),
    )


def _gradient_names(cell: Cell) -> tuple[str, ...]:
    variables = (*cell.parameters, *cell.inputs)
    return (*(v.name for v in variables), *(f"{s.name}_0" for s in cell.states))


def _shapes(example: Example) -> dict[str, tuple[int, ...]]:
    """The shape of each result."""
    cell, T, B = example.cell, example.steps, example.batch
    sizes = sizes_of(example)
    state = {s.name: (B, *shape_of(s, sizes)) for s in cell.states}
    shapes: dict[str, tuple[int, ...]] = {"y": (T, *state[cell.output.name])}
    for name, shape in state.items():
        shapes[f"{name}_T"] = shapes[f"grad {name}_0"] = shape
    shapes |= {f"grad {n}": a.shape for n, a in {**example.params, **example.inputs}.items()}
    return shapes
