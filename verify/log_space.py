"""Bounds for code that has sums over time in logarithms, or gradients of gates as differences.

A parallel scan of h_t = f_t * h_{t-1} + v_t works on logarithms: on partial sums of log(f_t), and
on log(sum(exp(...))) of what they are taken from. A logarithm that is as large as L is off by
u * L, and so is, relative to its value, what it is the logarithm of.

In the other direction the cotangent of log(f_t) is the sum over all later steps of dh * h - dv * v.
It is off by u times what is added up, however small it is itself. Kernels of linear attention take
gradients of gates in this way, whatever forward does.
Source: Heinsen (2023), arXiv:2311.06281; Feng et al. (2024), arXiv:2410.01201, appendix B; Yang et
al. (2024), arXiv:2312.06635, appendix C.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from derive.cell import lag
from derive.expressions import (
    Apply,
    Expr,
    HadamardPower,
    HadamardProduct,
    MatAdd,
    MatrixSymbol,
    coefficient,
)
from derive.gradients import Gradients
from derive.primitives import PRIMITIVES
from derive.ranges.reasoning import Ranges
from verify.kernels import Array, Example, as_value
from verify.recurrence import Forward
from verify.rounding import Bounded, Bounds, Precision

__all__ = ["LogSpace", "Telescoped", "has_logarithms", "over_time"]


class Telescoped(Bounded):
    """The arithmetic of `Bounds` where gradients of gates may be differences of sums over time.

    Args:
        flow: sum over time of |cotangent * value| of the outputs and final states, (B, 1, 1).
        times: how many units of it are lost.
    """

    def __init__(self, precision: Precision, flow: Array, times: float) -> None:
        super().__init__(precision)
        self.flow, self.lost = flow, self.unit * np.longdouble(times)

    def cotangent(self, bar: Bounds, of: Bounds) -> Bounds:
        """What reaches a value through its logarithm, if it has one."""
        if not (of.value > 0).all():
            return bar
        return replace(bar, inherited=bar.inherited + self.lost * self.flow / of.value)


class LogSpace(Telescoped):
    """The same where each product and sum, too, may be one of logarithms.

    Args:
        reach: how large logarithms may become, above 1.
    """

    def __init__(self, precision: Precision, flow: Array, reach: float) -> None:
        super().__init__(precision, flow, 1 + reach)

    def add(self, a: Bounds, b: Bounds) -> Bounds:
        return self._logged(super().add(a, b))

    def multiply(self, a: Bounds, b: Bounds) -> Bounds:
        found = super().multiply(a, b)
        return found if a.exact or b.exact else self._logged(found)

    def apply(self, name: str, z: Bounds) -> Bounds:
        return self._logged(super().apply(name, z))

    def _logged(self, found: Bounds) -> Bounds:
        return replace(found, inherited=found.inherited + self.lost * found.size)


def has_logarithms(derived: Gradients) -> bool:
    """Whether states that are not negative stay so, and the output is one of them."""
    states = {s.name for s in derived.cell.states}
    values = {a.name: a.value for a in derived.forward}
    lagged, ranges = {lag(name) for name in states}, Ranges(derived)

    def stays(expr: Expr) -> bool:
        """Whether no entry is negative where no lagged state is."""
        number, rest = coefficient(expr)
        match rest:
            case _ if not number.is_positive:
                found = False
            case MatrixSymbol():
                found = rest.name in lagged or (rest.name in values and stays(values[rest.name]))
            case Apply(name="reciprocal"):
                found = stays(rest.argument)
            case Apply():
                found = PRIMITIVES[rest.name].range[0] >= 0
            case MatAdd() | HadamardProduct():
                found = all(stays(part) for part in rest.args)
            case HadamardPower():
                found = stays(rest.args[0])
            case _:
                found = False
        return found or ranges.range(ranges.polynomial(expr)).low >= 0

    return derived.cell.output.name in states and all(stays(values[name]) for name in states)


def over_time(example: Example, derived: Gradients, run: Forward, precision: Precision) -> Bounded:
    """The arithmetic in which an example is bounded, by what a precision says of sums over time.

    Args:
        run: of the example in long double, with every name of each step.
    """
    cell = example.cell
    states = [known[s.name] for known in run.known for s in cell.states]
    if precision.logarithms:
        if not all((value > 0).all() for value in states) or not has_logarithms(derived):
            return Bounded(precision)
        reach = max(np.max(sum(logs)) for logs in _logarithms(derived, run))
        return LogSpace(precision, _flow(example, run), float(reach))
    size = max(value[0].size // max(example.batch, 1) for value in states) if states else 1
    return Telescoped(precision, _flow(example, run), example.steps + size)


def _flow(example: Example, run: Forward) -> Array:
    cell, last = example.cell, example.dstate_T or {}
    dy = () if example.dy is None else zip(example.dy, run.outputs, strict=True)
    pairs = [(as_value(given, cell.output), value) for given, value in dy]
    pairs += [
        (as_value(last[s.name], s), run.state_T[s.name]) for s in cell.states if s.name in last
    ]
    flow = np.zeros((example.batch, 1, 1), np.longdouble)
    for cotangent, value in pairs:
        flow = flow + np.sum(np.abs(cotangent * value), axis=(-2, -1), keepdims=True)
    return flow


def _logarithms(derived: Gradients, run: Forward) -> Iterator[list[Array]]:
    """How large the logarithms of a name are, step by step; of 1 - sigmoid(a) as well."""
    for assignment in derived.forward:
        steps = [np.asarray(known[assignment.name]) for known in run.known]
        if all((value > 0).all() for value in steps):
            yield [np.abs(np.log(value)) for value in steps]
        match assignment.value:
            case Apply(name="sigmoid" | "exp" | "softplus", argument=MatrixSymbol(name=a)):
                yield [np.abs(known[a]) for known in run.known]
