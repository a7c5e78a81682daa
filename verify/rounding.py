"""Numbers that know how wrong a floating-point evaluation of them may be: running error analysis.

The value is a long double. The error bounds what any sensible evaluation of the same formula at
the given precision may deviate by: each operation rounds, sums may be taken in any order, and
primitives have the error their row declares. So the bound belongs to the formula and the inputs,
not to one program.
Source: Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1
(gamma_k), 3.3 (running error analysis) and 4.2 (sums in any order).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import sympy as sp

from derive.evaluate import compiled
from derive.primitives import PRIMITIVES, Primitive
from verify.kernels import Array

__all__ = ["Bounded", "Bounds", "Precision", "piece"]

Change = Callable[[Array], Array]
Join = Callable[[Sequence[Array]], Array]
Summed = Callable[[Array], Array]

# An implementation may spend two roundings where the formula has one operation:
# g + z*(h - g) for (1 - z)*g + z*h, or y - y*y for y*(1 - y).
ROUNDINGS = 2

# A number such as m / (2 * sqrt(n)) is a root, a product and a quotient; it may be a reciprocal.
NUMBER = 2


@dataclass(frozen=True)
class Precision:
    """What a floating-point format can hold.

    Attributes:
        unit: unit roundoff, half the distance from 1 to the next number.
        smallest: the smallest normal number; anything below may be flushed to zero.
        largest: the largest finite number; beyond it nothing can be said.
        absolute: functions that are accurate in absolute terms only, as tanh(z) is where it is
            2*sigmoid(2*z) - 1.
        operands: unit to which what enters a matrix product is rounded first, and what is given.
        functions: unit to which the argument and the value of a function are rounded.
        off: how far a function may be from its value, where that is below one; else its share.
        logarithms: whether products and sums over time may be those of logarithms.
        telescoped: whether gradients of gates may be differences of sums over later steps.
    """

    unit: float
    smallest: float
    largest: float
    absolute: tuple[str, ...] = ()
    operands: float = 0.0
    functions: float = 0.0
    off: float = 0.0
    logarithms: bool = False
    telescoped: bool = False

    @classmethod
    def of(cls, dtype: npt.DTypeLike) -> "Precision":
        """The precision of a NumPy dtype, real or complex."""
        limits = np.finfo(np.dtype(dtype))
        return cls(float(limits.eps) / 2, float(limits.tiny), float(limits.max))

    def over(self, other: "Precision") -> "Precision":
        """What an evaluation has that is subject to both."""
        return Precision(
            max(self.unit, other.unit),
            max(self.smallest, other.smallest),
            min(self.largest, other.largest),
            tuple(sorted({*self.absolute, *other.absolute})),
            max(self.operands, other.operands),
            max(self.functions, other.functions),
            max(self.off, other.off),
            self.logarithms or other.logarithms,
            self.telescoped or other.telescoped,
        )


@dataclass(frozen=True)
class Bounds:
    """A value with what its error is made of; arrays of one shape.

    Attributes:
        value: the value, in long double.
        inherited: bound of the error that its terms bring along.
        size: sum of the absolute values of its terms.
        terms: how many terms were added up; any order of adding them is allowed for.
        exact: whether it is a constant of the formula.
    """

    value: Array
    inherited: Array
    size: Array
    terms: int = 1
    exact: bool = False


class Bounded:
    """The arithmetic of `Bounds`, for `derive.evaluate`.

    Args:
        precision: of the evaluation that is bounded, as a `Precision` or a dtype.
    """

    def __init__(self, precision: Precision | npt.DTypeLike) -> None:
        kind = precision if isinstance(precision, Precision) else Precision.of(precision)
        own = Precision.of(np.longdouble)
        self.precision = kind
        # The long double reference rounds as well, by the same formula.
        self.unit = np.longdouble(ROUNDINGS * (kind.unit + own.unit))
        self.smallest = np.longdouble(ROUNDINGS * kind.smallest)
        self.operands = np.longdouble(ROUNDINGS * kind.operands)
        # What a function's argument is rounded to, and a unit in its last place.
        self.narrow = np.longdouble(ROUNDINGS * kind.functions)
        self.last = max(self.unit, self.narrow)

    def error(self, a: Bounds) -> Array:
        """A bound of |computed - value|."""
        if a.terms <= 1:
            return a.inherited
        return np.asarray(a.inherited + self._gamma(a.terms - 1) * (a.size + a.inherited))

    def given(self, array: npt.ArrayLike) -> Bounds:
        """An input; it is rounded first if the precision is coarser than its dtype."""
        array = np.asarray(array)
        value = array.astype(np.longdouble)
        coarser = Precision.of(array.dtype).unit < self.precision.unit
        error = self.unit * np.abs(value) + self.smallest if coarser else np.zeros_like(value)
        error = error + self.operands * np.abs(value)
        return Bounds(value, np.asarray(error), np.abs(value))

    def zeros(self, shape: tuple[int, ...]) -> Bounds:
        nothing = np.zeros(shape, np.longdouble)
        return Bounds(nothing, nothing, nothing)

    def constant(self, number: sp.Rational, shape: tuple[int, int]) -> Bounds:
        """A number of the formula, which an implementation may have to compute: m / sqrt(n).

        Whether it was written or computed is not seen here, so even a whole number may be off;
        one that is no more than a sign is not.
        """
        value = np.full(shape, np.longdouble(int(number.p)) / np.longdouble(int(number.q)))
        size = np.abs(value)
        sign = number in (-1, 0, 1)
        return Bounds(value, size * (0 if sign else NUMBER * self.unit), size, exact=True)

    def add(self, a: Bounds, b: Bounds) -> Bounds:
        terms = a.terms + b.terms
        return self._made(a.value + b.value, a.inherited + b.inherited, a.size + b.size, terms)

    def multiply(self, a: Bounds, b: Bounds) -> Bounds:
        if a.exact or b.exact:
            number, other = (a, b) if a.exact else (b, a)
            factor = np.abs(number.value)
            inherited = other.inherited * (factor + number.inherited)
            inherited = inherited + other.size * (number.inherited + factor * self.unit)
            value, size = number.value * other.value, factor * other.size
            return self._made(value, inherited + self.smallest, size, other.terms)
        (x, dx), (y, dy) = self._closed(a), self._closed(b)
        inherited = x * dy + dx * y + dx * dy + self.unit * (x + dx) * (y + dy) + self.smallest
        return self._made(a.value * b.value, inherited, x * y, 1)

    def matmul(self, a: Bounds, b: Bounds) -> Bounds:
        count = a.value.shape[-1]
        if _ones(a):
            return self._summed(b, count, lambda part: np.asarray(a.value @ part))
        if _ones(b):
            return self._summed(a, count, lambda part: np.asarray(part @ b.value))
        (x, dx), (y, dy) = self._operand(a), self._operand(b)
        inherited = x @ dy + dx @ (y + dy) + self.unit * ((x + dx) @ (y + dy))
        inherited = inherited + count * self.smallest
        return self._made(a.value @ b.value, inherited, x @ y, count)

    def apply(self, name: str, z: Bounds) -> Bounds:
        """A primitive: between z - e and z + e it is furthest from y at an end.

        That holds on each piece where it is monotone or has one extremum, and for sines while e is
        below one; above, their whole range is allowed for. Where z - e and z + e may lie on
        different pieces, or outside of where it is defined, nothing can be said.
        """
        row, f = PRIMITIVES[name], compiled(name)
        error = self.error(z) + self.narrow * np.abs(z.value)
        y = np.asarray(f(z.value), np.longdouble)
        low, high = z.value - error, z.value + error
        moved = np.maximum(np.abs(f(high) - y), np.abs(f(low) - y))
        moved = np.where(error > 1, np.maximum(moved, _span(row)), moved)
        moved = np.where(_apart(row, low, high), np.inf, moved)
        floor = max(row.floor, float(name in self.precision.absolute))
        unit = row.ulps * self.last * np.maximum(np.abs(y), floor)
        unit = unit + self.precision.off * np.maximum(np.abs(y), 1)
        return self._made(y, moved + unit + self.smallest, np.abs(y), 1)

    def log_sum_exp(self, a: Bounds) -> Bounds:
        """log(sum(exp(a - c))) + c for any c, or one entry after the other.

        An entry at a time rounds each logarithm on the way; where that is the k-th of n entries,
        it is as much of the result as its weight, so that n units of |result| + 1 cover it.
        """
        top = np.max(a.value, axis=-2, keepdims=True)
        nothing = np.zeros_like(top)
        weights = self.apply("exp", self.add(a, Bounds(-top, nothing, np.abs(top))))
        count = a.value.shape[-2]
        total = self._summed(
            weights, count, lambda part: np.asarray(np.sum(part, axis=-2, keepdims=True))
        )
        found = self.add(self.apply("log", total), Bounds(top, nothing, np.abs(top)))
        reach = self.unit * (count + PRIMITIVES["log"].ulps) * (np.abs(found.value) + 1)
        return self._made(found.value, self.error(found) + reach, np.abs(found.value), 1)

    def transpose(self, a: Bounds) -> Bounds:
        swap: Change = lambda part: np.swapaxes(part, -1, -2)
        return replace(a, value=swap(a.value), inherited=swap(a.inherited), size=swap(a.size))

    def rows(self, a: Bounds, start: int, stop: int) -> Bounds:
        cut: Change = lambda part: part[..., start:stop, :]
        return replace(a, value=cut(a.value), inherited=cut(a.inherited), size=cut(a.size))

    def stack(self, parts: Sequence[Bounds]) -> Bounds:
        leading = np.broadcast_shapes(*(p.value.shape[:-2] for p in parts))
        join: Join = lambda arrays: np.concatenate(
            [np.broadcast_to(a, (*leading, *a.shape[-2:])) for a in arrays], -2
        )
        return Bounds(
            join([p.value for p in parts]),
            join([p.inherited for p in parts]),
            join([p.size for p in parts]),
            max(p.terms for p in parts),
        )

    def cotangent(self, bar: Bounds, of: Bounds) -> Bounds:
        """The cotangent of a value, as it was found from later ones."""
        return bar

    def where(self, mask: Array, a: Bounds, b: Bounds) -> Bounds:
        return Bounds(
            np.where(mask, a.value, b.value),
            np.where(mask, a.inherited, b.inherited),
            np.where(mask, a.size, b.size),
            max(a.terms, b.terms),
        )

    def total(self, parts: Sequence[Bounds], batch: int) -> Bounds:
        """The sum of the parts and over their batch axis, in any order."""
        join: Join = lambda arrays: np.asarray(sum(np.sum(a, axis=0) for a in arrays))
        return self._made(
            join([p.value for p in parts]),
            join([p.inherited for p in parts]),
            join([p.size for p in parts]),
            sum(p.terms for p in parts) * max(batch, 1),
        )

    def _summed(self, a: Bounds, count: int, sums: Summed) -> Bounds:
        """Sums over `count` entries, in any order; one is a copy."""
        parts = (sums(a.value), sums(a.inherited), sums(a.size))
        return self._made(*parts, a.terms * count)

    def _gamma(self, count: int) -> np.longdouble:
        left = 1 - count * self.unit
        return count * self.unit / left if left > 0 else np.longdouble(np.inf)

    def _closed(self, a: Bounds) -> tuple[Array, Array]:
        return np.abs(a.value), self.error(a)

    def _operand(self, a: Bounds) -> tuple[Array, Array]:
        """As `_closed`, of what a matrix product may round first."""
        size, error = self._closed(a)
        return size, error + self.operands * (size + error) if self.operands else error

    def _made(self, value: Array, inherited: Array, size: Array, terms: int) -> Bounds:
        reach = size + inherited
        lost = ~(reach <= self.precision.largest)  # also where it is not a number
        if lost.any():
            inherited = np.where(lost, np.inf, inherited)
        return Bounds(value, inherited, size, terms)


def _ones(a: Bounds) -> bool:
    """Whether it is a matrix of ones of the formula: products with it are sums and copies."""
    return a.exact and bool((a.value == 1).all())


def _span(row: Primitive) -> float:
    """How far two values of a primitive can be apart, where its range says so; else zero."""
    low, high = row.range
    return high - low if np.isfinite(high - low) else 0.0


def _apart(row: Primitive, low: Array, high: Array) -> Array:
    """Where a primitive is not defined on all of [low, high], or jumps or has a pole in it."""
    outside = ~((low >= row.domain[0]) & (high <= row.domain[1]))
    return outside | ~(piece(row.name, low) == piece(row.name, high))


def piece(name: str, z: Array) -> Array:
    """A number for the piece between jumps and poles of a primitive that each argument lies on."""
    return np.broadcast_to(_branch(name)(z), np.shape(z))


@cache
def _branch(name: str) -> Callable[[Array], Array]:
    z, row = sp.Symbol("z"), PRIMITIVES[name]
    return sp.lambdify(z, sp.S.Zero if row.branch is None else row.branch(z), modules="numpy")
