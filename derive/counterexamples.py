"""Numbers for which a claimed identity is false, as few and as plain as can be found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from derive.cell import lag
from derive.errors import RuleError
from derive.evaluate import Array, Numbers, Sizes, evaluate, whole
from derive.expressions import Expr, MatrixSymbol, Name
from derive.gradients import Gradients
from derive.jacobians import writer_of
from derive.programs import Program, Step, names_in, program, step_program

if TYPE_CHECKING:
    from derive.theorems import Bound, Identity

__all__ = ["find", "find_violation"]

SEEDS = 8
DIFFERENT = 1e-6  # relative; rounding in float64 is some 1e-15
SCALES = (1, 2, 4, 16)  # how far from zero the numbers are that a bound is tried with


@dataclass(frozen=True)
class _Trial:
    sizes: Sizes
    values: Mapping[str, Array]

    def with_value(self, name: str, array: Array) -> "_Trial":
        return _Trial(self.sizes, {**self.values, name: array})


@dataclass(frozen=True)
class _Question:
    """Two sides over the names of some steps, and when they are apart.

    `positive`: for a bound, what its hypotheses hold at or above zero; None for an identity.
    """

    gradients: Gradients
    left: Expr
    right: Expr
    steps: int
    unit: str = ""
    positive: tuple[Expr, ...] | None = None
    compiled: dict[tuple[int, ...], tuple[Step, Program]] = field(default_factory=dict)

    def programs(self, sizes: Sizes) -> tuple[Step, Program]:
        """What runs a step, and what evaluates both sides and the hypotheses."""
        key = tuple(sizes.values())
        if key not in self.compiled:
            sides = (self.left, self.right, *(self.positive or ()))
            self.compiled[key] = (
                step_program(self.gradients.forward, sizes),
                program(sides, sizes),
            )
        return self.compiled[key]

    def apart(self, trial: _Trial) -> bool:
        """Whether these numbers answer the question with no."""
        left, right, *positive = _values(self, trial)
        scale = max(np.abs(left).max(), np.abs(right).max())
        least = max(DIFFERENT * scale, 1e-3 * DIFFERENT)
        if self.positive is None:
            return bool(np.abs(left - right).max() > least)
        return bool((left - right).max() > least and all((p >= 0).all() for p in positive))


def find(gradients: Gradients, identity: "Identity") -> str:
    """Sizes and values for which left and right differ, with both values; '' if none was found.

    Raises:
        RuleError: the left side is not the derivative it stands for: a fault of this toolkit.
    """
    unit = identity.direction.name if identity.direction is not None else ""
    question = _Question(gradients, identity.left, identity.right, identity.steps, unit)
    with np.errstate(all="ignore"):  # what is not finite differs from nothing
        trial = _found(question, (1,))
        return "" if trial is None else _shown(question, trial, identity)


def find_violation(gradients: Gradients, bound: "Bound") -> str:
    """Sizes and values for which a bound is exceeded, with both values; '' if none was found."""
    with np.errstate(all="ignore"):
        for left, right in bound.sides:
            question = _Question(gradients, left, right, bound.steps, positive=bound.positive)
            trial = _found(question, SCALES, 3 * SEEDS)
            if trial is not None:
                return _shown(question, trial)
    return ""


def _found(question: _Question, scales: tuple[int, ...], seeds: int = SEEDS) -> _Trial | None:
    for trial in _trials(question, scales, seeds):
        if question.apart(trial):
            return _simplest(question, trial)
    return None


def _trials(question: _Question, scales: tuple[int, ...], seeds: int) -> Iterator[_Trial]:
    dims = question.gradients.cell.dimensions
    names = _free(question)
    for sizes in (dict.fromkeys(dims, 1), {d: 2 + k for k, d in enumerate(dims)}):
        for scale in scales:
            for seed in range(seeds):
                random = np.random.default_rng(seed)
                yield _Trial(sizes, {n.name: scale * _drawn(random, n, sizes) for n in names})


def _drawn(random: np.random.Generator, name: Name, sizes: Sizes) -> Array:
    shape = [whole(size, sizes) for size in name.shape]
    return np.asarray(random.integers(1, 5, shape) / 4 * random.choice([-1.0, 1.0], shape))


def _free(question: _Question) -> list[Name]:
    """Names that the steps do not compute: they may have any value."""
    cell, steps = question.gradients.cell, question.steps
    found = [p.now for p in cell.parameters]
    for back in range(steps):
        found += [_back(x.now, back) for x in cell.inputs]
    found += [_back(s.now, steps) for s in cell.states]
    forward = question.gradients.forward
    assigned = {_back(a.symbol, back).name for a in forward for back in range(steps)}
    known = assigned | {n.name for n in found}
    used = names_in((question.left, question.right, *(question.positive or ())))
    lagged = {_back(s.now, back).name for s in cell.states for back in range(1, steps + 1)}
    return found + [n for n in sorted(used, key=str) if n.name not in known | lagged]


def _back(name: Name, steps: int) -> Name:
    return name if steps == 0 else MatrixSymbol(lag(name.name, steps), *name.shape)


def _run(
    question: _Question, trial: _Trial, steps: int, dtype: type = np.float64
) -> dict[str, Array]:
    """All names of all steps, from the states `steps` steps back."""
    cell, known = question.gradients.cell, dict(trial.values)
    step, _ = question.programs(trial.sizes)
    for back in reversed(range(steps)):
        given = {p.name: known[p.name] for p in cell.parameters}
        given |= {x.name: known[lag(x.name, back) if back else x.name] for x in cell.inputs}
        given |= {lag(s.name): known[lag(s.name, back + 1)] for s in cell.states}
        done = step.run(given, dtype)
        known |= {(lag(n, back) if back else n): value for n, value in done.items()}
    return known


def _values(question: _Question, trial: _Trial) -> list[Array]:
    """Both sides, and what the hypotheses are about."""
    _, sides = question.programs(trial.sizes)
    return sides.run(_run(question, trial, question.steps))


def _simplest(question: _Question, trial: _Trial) -> _Trial:
    """The same with every array that may be zero set to zero, and others to one."""
    for name, array in trial.values.items():
        plain = [np.zeros_like(array), np.ones_like(array)]
        if name == question.unit:
            plain = plain[1:]
        for candidate in plain:
            simpler = trial.with_value(name, candidate)
            if question.apart(simpler):
                trial = simpler
                break
    return trial


def _shown(question: _Question, trial: _Trial, identity: "Identity | None" = None) -> str:
    left, right, *_ = _values(question, trial)
    known = _run(question, trial, question.steps)
    writer = writer_of(question.gradients)
    sizes = ", ".join(f"{d} = {size}" for d, size in trial.sizes.items())
    values = [
        f"{writer.name(n)} = {_number(a)}"
        for n, a in trial.values.items()
        if a.any() and not (n == question.unit and (a == 1).all())
    ]
    given = ", ".join([*values, "all else 0"])
    text = f"{sizes}; {given}: " if sizes else f"{given}: "
    digits = next((d for d in (4, 8, 12) if _number(left, d) != _number(right, d)), 16)
    text += f"left {_number(left, digits)}, right {_number(right, digits)}"
    if identity is not None and identity.moved:
        true = _by_complex_step(question, identity, trial, known)
        if np.abs(true - left).max() > DIFFERENT * max(1.0, np.abs(true).max()):
            raise RuleError(f"'{identity.text}': left is {left}, by a complex step it is {true}")
        text += f" (a complex step through the equations gives {_number(true, digits)})"
    return text


def _by_complex_step(
    question: _Question, identity: "Identity", trial: _Trial, known: Mapping[str, Array]
) -> Array:
    """The left side from the cell's equations alone: no rule of differentiation is used."""
    step = 1e-30
    moved = {n.name: _value(e, known, trial.sizes) for n, e in identity.moved}
    steps = max(int(name.partition("[t-")[2][:-1]) for name in moved)
    states = {s.name for s in question.gradients.cell.states}
    start = {n: a.astype(complex) for n, a in known.items() if n in trial.values or _is(n, states)}
    for name, direction in moved.items():
        start[name] = start[name] + 1j * step * direction
    ran = _run(question, _Trial(trial.sizes, start), steps, np.complex128)
    return np.asarray(ran[identity.of].imag / step)


def _is(name: str, states: set[str]) -> bool:
    return name.partition("[")[0] in states and "[" in name


def _value(expr: Expr, known: Mapping[str, Array], sizes: Sizes) -> Array:
    return np.asarray(evaluate(expr, known, sizes, Numbers()))


def _number(array: Array, digits: int = 4) -> str:
    if array.size == 1:
        return f"{float(array.ravel()[0]):.{digits + 2}g}"
    if array.shape[-1] == 1:
        array = array[..., 0]
    return np.array2string(array, precision=digits, separator=", ").replace("\n", "")
