"""Numbers for which a derived gradient is not the derivative of the loss, as plain as can be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from derive.concrete.entries import entry
from derive.concrete.recurrence import Grid, Named, loss, swept, upstreams, wanted
from derive.evaluate import Array, Numbers, Sizes, evaluate
from derive.expressions import Expr
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES

__all__ = ["Counterexample", "find"]

SEEDS = 8
DIFFERENT = 1e-6  # relative; rounding in float64 is some 1e-15
STEP = 1e-30
KINK = 1e-6  # nearer to a kink nothing is said: there a slope is declared
AT_ONCE = 64  # entries that are moved in one run
MANY = 40  # arrays


@dataclass(frozen=True)
class Counterexample:
    """Numbers, and an entry of a gradient about which the two sides disagree for them.

    Attributes:
        values: every array, by the names of `derive.concrete.recurrence`.
        gradient: what is differentiated by, and `place` its entry.
        left: the derivative of the loss, by a complex step through the equations.
        right: what the derived sweep gives.
    """

    sizes: Sizes
    steps: int
    values: Named
    gradient: str
    place: tuple[int, ...]
    left: float
    right: float

    def __str__(self) -> str:
        given = [f"{name} = {_shown(a)}" for name, a in self.values.items() if a.any()]
        sizes = ", ".join(f"{dim} = {size}" for dim, size in self.sizes.items())
        at = entry(self.gradient, self.place, self.values[self.gradient].shape)
        digits = next((d for d in (6, 10) if f"{self.left:.{d}g}" != f"{self.right:.{d}g}"), 17)
        return (
            f"{', '.join(filter(None, [sizes, f'T = {self.steps}']))}; "
            f"{', '.join([*given, 'all else 0'])}: dL/d{at} is left {self.left:.{digits}g} "
            f"(by a complex step through the equations), right {self.right:.{digits}g}"
        )


def find(derived: Gradients, sizes: Sizes, steps: int) -> Counterexample | None:
    """An example in which some entry differs; None if none was found."""
    with np.errstate(all="ignore"):  # what is not finite differs from nothing
        for values in _trials(derived, sizes, steps):
            trial = _Trial(derived, sizes, steps, values)
            found = _located(trial)
            if found is not None:
                return _simplest(trial, found)
    return None


@dataclass(frozen=True)
class _Trial:
    derived: Gradients
    sizes: Sizes
    steps: int
    values: Named

    def moved(self, direction: Named) -> Array:
        """The derivative of the loss along a direction, which may have a leading axis."""
        given: dict[str, Grid] = {k: a.astype(complex) for k, a in self.values.items()}
        for name, array in direction.items():
            given[name] = given[name] + 1j * STEP * array
        value = loss(self.derived.cell, given, self.steps, _Way(self.sizes, complex))
        return np.asarray(np.asarray(value).imag / STEP)

    def swept(self) -> dict[str, Array]:
        """The gradients as they are derived."""
        return swept(self.derived, self.values, self.steps, _Way(self.sizes, float))

    def at(self, gradient: str, place: tuple[int, ...]) -> Counterexample:
        """Both values of one entry."""
        one = np.zeros(self.values[gradient].shape)
        one[place] = 1
        left, right = self.moved({gradient: one}), self.swept()[gradient][place]
        return Counterexample(
            self.sizes, self.steps, self.values, gradient, place, float(left), float(right)
        )


class _Way:
    """How values are found as numbers; near kinks they are not numbers."""

    def __init__(self, sizes: Sizes, dtype: type) -> None:
        self.sizes, self.arithmetic = sizes, _Away(dtype)

    def value(self, expr: Expr, values: Mapping[str, Grid], t: int) -> Grid:
        return np.asarray(evaluate(expr, values, self.sizes, self.arithmetic))

    def named(self, name: str, value: Grid, t: int) -> Grid:
        return value

    def cotangent(self, name: str, value: Grid, t: int) -> Grid:
        return value


class _Away(Numbers):
    """Numbers away from kinks and inside domains; a declared slope is kept to."""

    def apply(self, name: str, z: Array) -> Array:
        row = PRIMITIVES[name]
        if row.declared:
            value = super().apply(name, z.real)
            return value + 1j * complex(row.slope(0, 0)) * z.imag if np.iscomplexobj(z) else value
        low, high = row.domain
        bad = (z.real <= low) | (z.real >= high)
        for kink in row.kinks:
            bad |= np.abs(z.real - kink) < KINK
        return np.where(bad, np.nan, super().apply(name, z))


def _trials(derived: Gradients, sizes: Sizes, steps: int) -> Iterator[Named]:
    """Numbers of both signs, and, for roots and logarithms, above zero alone."""
    cell = derived.cell
    shapes = {**wanted(cell, sizes, steps), **upstreams(cell, sizes, steps)}
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        signs = [1.0] if seed % 2 else [-1.0, 1.0]
        yield {
            name: random.integers(1, 8, shape) / 8 * random.choice(signs, shape)
            for name, shape in shapes.items()
        }


def _apart(left: Array, right: Array, size: Array) -> Array:
    return np.abs(left - right) > DIFFERENT * np.maximum(size, DIFFERENT)


def _wrong(trial: _Trial, found: Named, directions: Named) -> bool:
    """Whether the derivative along a direction is another one."""
    summands = np.concatenate([(found[name] * d).ravel() for name, d in directions.items()])
    left = trial.moved(directions)
    return bool(_apart(left, summands.sum(), np.abs(left) + np.abs(summands).sum()))


def _located(trial: _Trial) -> Counterexample | None:
    """The entry of this trial that is furthest from what it should be."""
    random, found = np.random.default_rng(0), trial.swept()
    directions = {name: random.uniform(0.5, 2, g.shape) for name, g in found.items()}
    if not _wrong(trial, found, directions):
        return None
    for name, gradient in found.items():
        if not _wrong(trial, found, {name: directions[name]}):
            continue
        unit = np.eye(gradient.size).reshape(-1, *gradient.shape)
        parts = [trial.moved({name: unit[k : k + AT_ONCE]}) for k in range(0, len(unit), AT_ONCE)]
        entries, right = np.concatenate([np.atleast_1d(p) for p in parts]), gradient.ravel()
        apart = _apart(entries, right, np.maximum(np.abs(entries), np.abs(right)))
        if apart.any():
            furthest = int(np.argmax(np.where(apart, np.abs(entries - right), -1)))
            return trial.at(name, tuple(map(int, np.unravel_index(furthest, gradient.shape))))
    return None


def _simplest(trial: _Trial, found: Counterexample) -> Counterexample:
    """The same with every array that may be zero set to zero, and others to one."""
    for names in _groups(trial.values):
        for fill in (0.0, 1.0):
            plain = {name: np.full_like(trial.values[name], fill) for name in names}
            simpler = replace(trial, values={**trial.values, **plain})
            again = simpler.at(found.gradient, found.place)
            left, right = np.asarray(again.left), np.asarray(again.right)
            if _apart(left, right, np.maximum(np.abs(left), np.abs(right))):
                trial, found = simpler, again
                break
    return found


def _groups(names: Iterable[str]) -> list[list[str]]:
    """What is made plain together: of many steps, all."""
    groups: dict[str, list[str]] = {}
    every = list(names)
    for name in every:
        groups.setdefault(name if len(every) <= MANY else name.partition("@")[0], []).append(name)
    return list(groups.values())


def _shown(array: Array) -> str:
    first = array.flat[0]
    if (array == first).all():
        return f"{first:g}"
    return np.array2string(array[:, 0] if array.shape[1] == 1 else array, separator=", ").replace(
        "\n", ""
    )
