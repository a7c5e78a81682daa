"""Right implementations that compute in a lower precision than their inputs, and wrong ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from derive.backends.numpy import numpy_source
from derive.cell import Cell
from derive.gradients import gradients
from verify.kernels import Example
from verify.loading import kernel_from_source
from verify.recurrence import Plain
from verify.references import run_in

__all__ = ["ARITHMETICS", "Computed", "Narrowed", "emitted"]


def emitted(cell: Cell):
    """Our own kernel."""
    return kernel_from_source(numpy_source(gradients(cell)))


def digits(array, count):
    """Rounded to so many binary digits."""
    fraction, exponent = np.frexp(array)
    return np.ldexp(np.rint(fraction * 2.0**count) / 2.0**count, exponent)


class Rounded(Plain):
    """float64 in which each result is rounded once more."""

    def round(self, array):
        return array

    def given(self, array):
        return self.round(super().given(array))

    def add(self, a, b):
        return self.round(super().add(a, b))

    def multiply(self, a, b):
        return self.round(super().multiply(a, b))

    def matmul(self, a, b):
        return self.round(super().matmul(a, b))

    def total(self, parts, batch):
        return self.round(super().total(parts, batch))

    def apply(self, name, z):
        return self.round(super().apply(name, z))


class Single(Rounded):
    def round(self, array):
        return np.asarray(array, np.float32).astype(self.dtype)


class Half(Rounded):
    def round(self, array):
        return np.asarray(array, np.float16).astype(self.dtype)


class Brain(Rounded):
    def round(self, array):
        return digits(array, 8)


class Products(Single):
    """float32, where what enters a product has so many digits."""

    count = 11

    def matmul(self, a, b):
        return super().matmul(digits(np.asarray(a), self.count), digits(np.asarray(b), self.count))


class BrainProducts(Products):
    count = 8


class SingleFunctions(Plain):
    def apply(self, name, z):
        narrow = np.asarray(super().apply(name, np.asarray(z, np.float32)), np.float32)
        return narrow.astype(self.dtype)


class Fast(Plain):
    """tanh and sigmoid that are off by a smooth function of their argument."""

    def apply(self, name, z):
        waves = {"tanh": 5e-5 * np.sin(2 * z), "sigmoid": 3e-5 * np.cos(z)}
        return np.asarray(super().apply(name, z) + waves[name], self.dtype)


# The name of the row, and an arithmetic that computes so.
ARITHMETICS: dict[str, Callable] = {
    "float32": Single,
    "float32-functions": SingleFunctions,
    "tf32": Products,
    "float16": Half,
    "bfloat16-products": BrainProducts,
    "bfloat16": Brain,
    "functions-1e-4": Fast,
}


class Computed:
    """The cell's own formulas in some arithmetic."""

    def __init__(self, cell: Cell, arithmetic) -> None:
        self.cell, self.derived, self.arithmetic = cell, gradients(cell), arithmetic

    def forward(self, params, x, state_0=None, *, lengths=None):
        example = Example(self.cell, params, {self.cell.inputs[0].name: x}, state_0, lengths)
        y, states, _ = run_in(example, self.derived, self.arithmetic(example.dtype))
        return y, states, example

    def backward(self, params, tape, dy=None, dstate_T=None):
        example = replace(tape, dy=dy, dstate_T=dstate_T)
        return run_in(example, self.derived, self.arithmetic(example.dtype))[2]


class Narrowed:
    """A kernel that is given float32, whose results are widened again."""

    def __init__(self, kernel) -> None:
        self.kernel = kernel

    def forward(self, params, x, state_0=None, *, lengths=None):
        y, states, tape = self.kernel.forward(
            narrow(params), narrow(x), narrow(state_0), lengths=lengths
        )
        return y.astype(x.dtype), wide(states, x.dtype), (tape, x.dtype)

    def backward(self, params, tape, dy=None, dstate_T=None):
        own, dtype = tape
        found = self.kernel.backward(narrow(params), own, narrow(dy), narrow(dstate_T))
        return wide(found, dtype)


def narrow(value):
    if isinstance(value, dict):
        return {n: narrow(a) for n, a in value.items()}
    return None if value is None else value.astype(np.float32)


def wide(arrays, dtype):
    return {n: a.astype(dtype) for n, a in arrays.items()}
