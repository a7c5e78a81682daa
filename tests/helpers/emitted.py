"""Emitted kernels as tests use them: executed, run on examples, held against references."""

from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from derive.backends.numpy import numpy_source
from derive.cell import Cell
from derive.gradients import Gradients, gradients
from verify.kernels import Array, Example
from verify.references import Reference, reference

__all__ = ["SIZES", "Results", "deviations", "executed", "kernel_of", "results", "same"]

# Pairwise different, and different from the sizes that cells of the tests declare.
SIZES = {"n": 3, "m": 2, "k": 4, "q": 5}

Results = dict[str, Array]


def executed(source: str, name: str = "kernel") -> ModuleType:
    """Source as a module that nothing else can import."""
    module = ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def kernel_of(given: Cell | Gradients) -> ModuleType:
    """The emitted kernel of a cell or of its gradients; what it does not write to is NaN."""
    derived = gradients(given) if isinstance(given, Cell) else given
    module = executed(_source(derived, derived.cell.name), derived.cell.name)
    module.np = Poisoned()
    return module


class Poisoned:
    """NumPy, but new memory is full of NaN, where it would often be zero."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(shape: Any, dtype: Any = float) -> Array:
        return np.full(shape, np.nan, dtype)

    @staticmethod
    def empty_like(array: Array) -> Array:
        return np.full_like(array, np.nan)


@cache
def _source(derived: Gradients, name: str) -> str:
    # Equal cells may have different names.
    return numpy_source(derived)


def results(kernel: Any, example: Example) -> Results:
    """All that a kernel computes: 'y', 'h at T' for states, 'd W' for gradients."""
    y, state_T, tape = kernel.forward(
        example.params, example.x, example.state_0, lengths=example.lengths
    )
    grads = kernel.backward(example.params, tape, example.dy, example.dstate_T)
    return named(y, state_T, grads)


def named(y: Array, state_T: Mapping[str, Array], grads: Mapping[str, Array]) -> Results:
    """Results in one dict."""
    finals = {f"{name} at T": array for name, array in state_T.items()}
    return {"y": y, **finals, **{f"d {name}": array for name, array in grads.items()}}


def deviations(found: Results, example: Example, derived: Gradients) -> list[str]:
    """What lies outside of the reference's bounds, one line for each array; [] for all right."""
    return list(_deviations(found, reference(example, derived), example.dtype))


def _deviations(found: Results, right: Reference, dtype: np.dtype) -> Iterator[str]:
    values = named(right.y, right.state_T, right.grads)
    bounds = named(right.y_bound, right.state_T_bound, right.grads_bound)
    if set(found) != set(values):
        yield f"names differ: {sorted(set(found) ^ set(values))}"
    for name in sorted(set(found) & set(values)):
        got, value, bound = found[name], values[name], bounds[name]
        if (got.shape, got.dtype) != (value.shape, dtype):
            yield f"{name} has {got.shape} {got.dtype}, expected {value.shape} {dtype}"
            continue
        assert np.isfinite(bound).all(), f"the bound of {name} says nothing"
        error = np.abs(got.astype(np.longdouble) - value)
        if not (error <= bound).all():
            worst = np.unravel_index(np.argmax(error - bound), error.shape)
            yield f"{name}[{worst}] is {got[worst]}, expected {value[worst]} +- {bound[worst]}"


def same(left: Results, right: Results) -> bool:
    """Whether two runs gave the same bytes (and +0 for -0)."""
    return left.keys() == right.keys() and all(
        a.dtype == right[name].dtype and np.array_equal(a, right[name]) for name, a in left.items()
    )
