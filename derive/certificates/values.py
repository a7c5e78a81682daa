"""Steps of a cell in complex numbers, with a name moved by 1e-30 i.

The imaginary part of what comes out, divided by 1e-30, is the derivative along that move. No rule
of differentiation enters.
"""

import cmath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import floor, prod
from typing import TypeAlias

from derive.certificates.algebra import Algebra
from derive.certificates.declarations import RefusedError, Shape
from derive.certificates.indices import Factor, Poly, Size, UncheckedError

__all__ = ["DIFFERENT", "Array", "Run", "far", "near"]

Array: TypeAlias = list[list[complex]]

STEP = 1e-30
WRITTEN = 1e-4
DIFFERENT = 1e-7
NOWHERE = complex("nan")
LOOP = 5  # a term with numbers, in the work of a term with names
MAX_ENTRIES = 10_000
FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sigmoid": lambda z: 1 / (1 + cmath.exp(-z)) if z.real > -300 else cmath.exp(z),
    "tanh": cmath.tanh,
    "exp": cmath.exp,
    "softplus": lambda z: z + cmath.log(1 + cmath.exp(-z)) if z.real > 0 else _log1(cmath.exp(z)),
    "log": cmath.log,
    "sqrt": cmath.sqrt,
    "reciprocal": lambda z: 1 / z,
    "relu": lambda z: z if z.real > 0 else 0j,
    "abs": lambda z: z if z.real > 0 else -z if z.real < 0 else 0j,
    "heaviside": lambda z: complex(z.real > 0),
    "sign": lambda z: complex((z.real > 0) - (z.real < 0)),
    "sin": cmath.sin,
    "cos": cmath.cos,
    "frac": lambda z: z - floor(z.real),
    "stop_gradient": lambda z: complex(z.real),
}


def _log1(z: complex) -> complex:
    return cmath.log(1 + z)


@dataclass
class Run:
    """Steps of a cell in numbers; `values` by name, as 'C[t-1]'."""

    algebra: Algebra
    shapes: Mapping[str, Shape]
    equations: Mapping[str, Poly]
    sizes: Mapping[str, int]
    values: dict[str, Array] = field(default_factory=dict)
    held: bool = False  # functions stand still: what they give is real

    def steps(self, count: int, earlier: Callable[..., str], moved: dict[str, Array]) -> None:
        """Run `count` steps, the last is step t; where a name gets its value it is moved."""
        for name in moved.keys() & self.values.keys():
            self._move(name, moved)
        for back in reversed(range(count)):
            called = partial(earlier, back=back)
            for name, poly in self.equations.items():
                at = called(name)
                self.values[at] = self.array(poly, self.shapes[name], called)
                if at in moved:
                    self._move(at, moved)

    def _move(self, name: str, moved: dict[str, Array]) -> None:
        pairs = zip(self.values[name], moved[name], strict=True)
        self.values[name] = [
            [v + 1j * STEP * d for v, d in zip(row, ds, strict=True)] for row, ds in pairs
        ]

    def derivative(self, name: str) -> Array:
        """How far a name moved."""
        return [[complex(v.imag / STEP) for v in row] for row in self.values[name]]

    def size(self, size: Size) -> int:
        """A size as a number."""
        try:
            return sum(count * (self.sizes[name] if name else 1) for name, count in size)
        except KeyError as error:
            raise RefusedError(f"the counterexample does not say the size {error}") from None

    def zeros(self, shape: Shape, fill: complex = 0j) -> Array:
        """An array of one number."""
        rows, columns = self.size(shape[0]), self.size(shape[1])
        if not 1 <= rows * columns <= MAX_ENTRIES:
            raise UncheckedError("a counterexample that is too large")
        return [[fill] * columns for _ in range(rows)]

    def array(self, poly: Poly, shape: Shape, called: Callable[[str], str]) -> Array:
        """Every entry of a polynomial; `called` says which value a name has."""
        rows, columns = len(self.zeros(shape)), len(self.zeros(shape)[0])
        try:
            return [
                [self._entry(poly, {"i": i, "j": j, "0": 0}, called) for j in range(columns)]
                for i in range(rows)
            ]
        except (OverflowError, IndexError):
            raise RefusedError("the counterexample's numbers are too large, or too few") from None

    def _entry(self, poly: Poly, at: dict[str, int], called: Callable[[str], str]) -> complex:
        total = 0j
        for (powers, factors, bounds), value in poly.items():
            scale = complex(value)
            for name, exponent in powers:
                scale *= self.size(((name, 1),)) ** float(exponent)
            for chosen in product(*(range(self.size(size)) for size in bounds)):
                self.algebra.worked(LOOP)
                here = {**at, **{f"#{k}": v for k, v in enumerate(chosen)}}
                if not all(self._factor(f, here, called) for f in factors if f[0][:5] == "rows#"):
                    continue  # what stands there is not read
                total += prod((self._factor(f, here, called) for f in factors), start=scale)
        return total

    def _factor(
        self,
        factor: Factor,
        at: dict[str, int],
        called: Callable[[str], str],
    ) -> complex:
        atom, axes = factor
        i, j = (at[label] + self.size(offset) for label, offset in axes)
        if "#" not in atom:
            return self.values[called(atom)][i][j]
        function = atom.partition("#")[0]
        if function == "rows":
            lo, hi = map(self.size, self.algebra.meaning[atom])
            return complex(lo <= i < hi)
        key, size = self.algebra.meaning[atom]
        argument = dict(key)
        if function == "logsumexp":
            terms = [
                self._entry(argument, {"i": k, "j": j, "0": 0}, called)
                for k in range(self.size(size))
            ]
            return cmath.log(sum(map(cmath.exp, terms)))
        inner = self._entry(argument, {"i": i, "j": j, "0": 0}, called)
        try:
            found = FUNCTIONS[function](inner)
        except (ZeroDivisionError, OverflowError, ValueError):
            found = NOWHERE  # what does not read it is a number all the same
        return complex(found.real) if self.held else found


def near(written: Array, found: Array) -> bool:
    """Whether an array is the one that is written with some digits."""
    pairs = _pairs(written, found)
    return bool(pairs) and all(abs(v - w) <= WRITTEN * (1 + abs(w)) for v, w in pairs)


def far(a: Array, b: Array) -> bool:
    """Whether two arrays of numbers differ by more than rounding."""
    pairs = _pairs(a, b)
    largest = max((abs(v) for pair in pairs for v in pair), default=0.0)
    return any(abs(v - w) > max(DIFFERENT * largest, DIFFERENT**2) for v, w in pairs)


def _pairs(a: Array, b: Array) -> list[tuple[complex, complex]]:
    if [len(row) for row in a] != [len(row) for row in b]:
        return []
    return [
        (v, w) for row, other in zip(a, b, strict=True) for v, w in zip(row, other, strict=True)
    ]
