"""Numbers for which a claimed identity is false, as few and as plain as can be found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from derive.cell import lag
from derive.errors import RuleError
from derive.evaluate import Array, Numbers, Sizes, evaluate, run_step, whole
from derive.expressions import Expr, MatrixSymbol, Name
from derive.gradients import Gradients
from derive.jacobians import Writer

if TYPE_CHECKING:
    from derive.theorems import Identity

__all__ = ["find"]

SEEDS = 8
DIFFERENT = 1e-6  # relative; rounding in float64 is some 1e-15


@dataclass(frozen=True)
class _Trial:
    sizes: Sizes
    values: Mapping[str, Array]

    def with_value(self, name: str, array: Array) -> "_Trial":
        return _Trial(self.sizes, {**self.values, name: array})


def find(gradients: Gradients, identity: "Identity") -> str:
    """Sizes and values for which left and right differ, with both values; '' if none was found.

    Raises:
        RuleError: the left side is not the derivative it stands for: a fault of this toolkit.
    """
    with np.errstate(all="ignore"):  # what is not finite differs from nothing
        for trial in _trials(gradients, identity):
            if _differs(gradients, identity, trial):
                return _shown(gradients, identity, _simplest(gradients, identity, trial))
    return ""


def _trials(gradients: Gradients, identity: "Identity") -> Iterator[_Trial]:
    dims = gradients.cell.dimensions
    names = _free(gradients, identity)
    for sizes in (dict.fromkeys(dims, 1), {d: 2 + k for k, d in enumerate(dims)}):
        for seed in range(SEEDS):
            random = np.random.default_rng(seed)
            yield _Trial(sizes, {n.name: _drawn(random, n, sizes) for n in names})


def _drawn(random: np.random.Generator, name: Name, sizes: Sizes) -> Array:
    shape = [whole(size, sizes) for size in name.shape]
    return np.asarray(random.integers(1, 5, shape) / 4 * random.choice([-1.0, 1.0], shape))


def _free(gradients: Gradients, identity: "Identity") -> list[Name]:
    """Names that the steps do not compute: they may have any value."""
    cell, steps = gradients.cell, identity.steps
    found = [p.now for p in cell.parameters]
    for back in range(steps):
        found += [_back(x.now, back) for x in cell.inputs]
    found += [_back(s.now, steps) for s in cell.states]
    assigned = {_back(a.symbol, back).name for a in gradients.forward for back in range(steps)}
    known = assigned | {n.name for n in found}
    used = _names(identity.left, identity.right)
    lagged = {_back(s.now, back).name for s in cell.states for back in range(1, steps + 1)}
    return found + [n for n in sorted(used, key=str) if n.name not in known | lagged]


def _names(*exprs: Expr) -> set[Name]:
    """The names in expressions; a part that they share is looked at once."""
    seen: set[sp.Basic] = set()
    waiting: list[sp.Basic] = list(exprs)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting.extend(() if isinstance(node, MatrixSymbol) else node.args)
    return {node for node in seen if isinstance(node, MatrixSymbol)}


def _back(name: Name, steps: int) -> Name:
    return name if steps == 0 else MatrixSymbol(lag(name.name, steps), *name.shape)


def _run(
    gradients: Gradients, trial: _Trial, steps: int, dtype: type = np.float64
) -> dict[str, Array]:
    """All names of all steps, from the states `steps` steps back."""
    cell, known = gradients.cell, dict(trial.values)
    arithmetic = Numbers(dtype)
    for back in reversed(range(steps)):
        given = {p.name: known[p.name] for p in cell.parameters}
        given |= {x.name: known[_back(x.now, back).name] for x in cell.inputs}
        given |= {s.before.name: known[_back(s.now, back + 1).name] for s in cell.states}
        done = run_step(gradients.forward, given, trial.sizes, arithmetic)
        known |= {_back(a.symbol, back).name: done[a.name] for a in gradients.forward}
    return known


def _sides(
    gradients: Gradients, identity: "Identity", trial: _Trial
) -> tuple[Array, Array, dict[str, Array]]:
    known = _run(gradients, trial, identity.steps)
    left, right = (
        np.asarray(evaluate(side, known, trial.sizes, Numbers()))
        for side in (identity.left, identity.right)
    )
    return left, right, known


def _differs(gradients: Gradients, identity: "Identity", trial: _Trial) -> bool:
    left, right, _ = _sides(gradients, identity, trial)
    scale = max(np.abs(left).max(), np.abs(right).max())
    return bool(np.abs(left - right).max() > max(DIFFERENT * scale, 1e-3 * DIFFERENT))


def _simplest(gradients: Gradients, identity: "Identity", trial: _Trial) -> _Trial:
    """The same with every array that may be zero set to zero, and others to one."""
    for name, array in trial.values.items():
        plain = [np.zeros_like(array), np.ones_like(array)]
        if identity.direction is not None and name == identity.direction.name:
            plain = plain[1:]
        for candidate in plain:
            simpler = trial.with_value(name, candidate)
            if _differs(gradients, identity, simpler):
                trial = simpler
                break
    return trial


def _shown(gradients: Gradients, identity: "Identity", trial: _Trial) -> str:
    left, right, known = _sides(gradients, identity, trial)
    writer = Writer(gradients)
    sizes = ", ".join(f"{d} = {size}" for d, size in trial.sizes.items())
    unit = identity.direction.name if identity.direction is not None else ""
    values = [
        f"{writer.name(n)} = {_number(a)}"
        for n, a in trial.values.items()
        if a.any() and not (n == unit and (a == 1).all())
    ]
    given = ", ".join([*values, "all else 0"])
    text = f"{sizes}; {given}: " if sizes else f"{given}: "
    digits = next((d for d in (4, 8, 12) if _number(left, d) != _number(right, d)), 16)
    text += f"left {_number(left, digits)}, right {_number(right, digits)}"
    if identity.moved:
        true = _by_complex_step(gradients, identity, trial, known)
        if np.abs(true - left).max() > DIFFERENT * max(1.0, np.abs(true).max()):
            raise RuleError(f"'{identity.text}': left is {left}, by a complex step it is {true}")
        text += f" (a complex step through the equations gives {_number(true, digits)})"
    return text


def _by_complex_step(
    gradients: Gradients, identity: "Identity", trial: _Trial, known: Mapping[str, Array]
) -> Array:
    """The left side from the cell's equations alone: no rule of differentiation is used."""
    step = 1e-30
    moved = {n.name: _value(e, known, trial.sizes) for n, e in identity.moved}
    steps = max(int(name.partition("[t-")[2][:-1]) for name in moved)
    states = {s.name for s in gradients.cell.states}
    start = {n: a.astype(complex) for n, a in known.items() if n in trial.values or _is(n, states)}
    for name, direction in moved.items():
        start[name] = start[name] + 1j * step * direction
    ran = _run(gradients, _Trial(trial.sizes, start), steps, np.complex128)
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
