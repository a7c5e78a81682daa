"""Drawn cells with scalars, divisions, kinks, matrix states and lags: text, gradients, proofs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cells_strategy import cells
from hypothesis import HealthCheck, Phase, assume, find, given, settings

from derive.cell import Cell, Variable
from derive.evaluate import Numbers, evaluate, lagged, whole_shape
from derive.expressions import Apply, Expr, LogSumExp, spread_of
from derive.gradients import Gradients, bar, carry, gradients, upstream
from derive.language import parse
from derive.normal_form import TooLargeError, equal
from derive.primitives import PRIMITIVES
from derive.transposes import lost_term, reverse_sweep

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
REAL, COMPLEX = Numbers(np.longdouble), Numbers(np.clongdouble)
STEPS, STEP = 3, 1e-30
FAR = 1e-6  # how far from a kink an example stays
LARGEST = 2.0**8
# Long doubles are rounded by 2**-64 of themselves; numbers below LARGEST, a few thousand times in
# a row, lose less than half of these digits. A wrong rule shows in the first ones.
ALLOWED = 2.0**-32


@CALM
@given(cells(grown=True))
def test_a_drawn_cell_reads_back_from_its_text(cell: Cell) -> None:
    again = parse(str(cell))
    assert again == cell
    assert str(again) == str(cell)


def sizes_of(cell: Cell) -> dict[Any, int]:
    return {size: 2 + place for place, size in enumerate(cell.dimensions)}


def drawn(variables: Sequence[Variable], cell: Cell, seed: int) -> Arrays:
    rng, sizes = np.random.default_rng(seed), sizes_of(cell)
    return {v.name: rng.uniform(-1, 1, whole_shape(v.now, sizes)) for v in variables}


class Run:
    """A cell on random numbers over three steps: <dy, y> + <dstate, state> and what it is of."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.sizes = cell, sizes_of(cell)
        self.given = drawn(cell.parameters, cell, 1)
        self.given |= {f"{name} at 0": a for name, a in drawn(cell.states, cell, 2).items()}
        for t in range(STEPS):
            inputs = drawn(cell.inputs, cell, 3 + t)
            self.given |= {f"{name} at {t}": a for name, a in inputs.items()}
        self.dy = [drawn([cell.output], cell, 6 + t)[cell.output.name] for t in range(STEPS)]
        self.dstate = drawn(cell.states, cell, 9)

    def steps(self, equations: Sequence[Any], moved: Arrays, field: Numbers) -> Iterator[Arrays]:
        """Every name of each step."""
        given = {name: a.astype(field.dtype) for name, a in {**self.given, **moved}.items()}
        states = {s.name: given[f"{s.name} at 0"] for s in self.cell.states}
        for t in range(STEPS):
            known = {p.name: given[p.name] for p in self.cell.parameters} | lagged(states)
            known |= {x.name: given[f"{x.name} at {t}"] for x in self.cell.inputs}
            for equation in equations:
                value = evaluate(equation.value, known, self.sizes, field)
                known[equation.name] = value
            yield known
            states = {s.name: known[s.name] for s in self.cell.states}

    def loss(self, moved: Arrays) -> Any:
        known = list(self.steps(self.cell.equations, moved, COMPLEX))
        outputs = zip(self.dy, (k[self.cell.output.name] for k in known), strict=True)
        last = [(d, known[-1][name]) for name, d in self.dstate.items()]
        return sum(np.sum(d * value) for d, value in (*outputs, *last))

    def is_plain(self, derived: Gradients) -> bool:
        """Whether numbers stay moderate and no kink is near."""
        with np.errstate(all="ignore"):
            known = list(self.steps(derived.forward, {}, REAL))
        return all(
            bool(np.all(np.abs(value) < LARGEST)) for step in known for value in step.values()
        ) and all(
            bool(np.all(np.abs(step[a.value.argument.name] - kink) > FAR))
            for step in known
            for a in derived.forward
            if isinstance(a.value, Apply)
            for kink in PRIMITIVES[a.value.name].kinks
        )

    def derived(self, g: Gradients) -> Arrays:
        """The gradient of the loss with respect to everything given, by the recurrence."""
        known = list(self.steps(g.forward, {}, REAL))
        found = {name: np.zeros(a.shape, np.longdouble) for name, a in self.given.items()}
        carried = dict(self.dstate)
        for t in reversed(range(STEPS)):
            here = known[t] | {carry(s).name: carried[s.name] for s in self.cell.states}
            here[upstream(self.cell).name] = self.dy[t]
            for a in g.backward:
                here[bar(a.of).name] = evaluate(a.value, here, self.sizes, REAL)
            at = lambda a, here=here: evaluate(a.value, here, self.sizes, REAL)
            for a in g.parameters:
                found[a.of.name] = found[a.of.name] + at(a)
            found |= {f"{a.of.name} at {t}": at(a) for a in g.inputs}
            carried = {s.name: at(a) for s, a in zip(self.cell.states, g.states, strict=True)}
        return found | {f"{name} at 0": a for name, a in carried.items()}


def differing(cell: Cell, derived: Gradients, run: Run) -> list[str]:
    """What the derived gradient is wrong of, by a complex step along one random direction each."""
    found, wrong = run.derived(derived), []
    for place, (name, at) in enumerate(run.given.items()):
        direction = np.random.default_rng(100 + place).uniform(-1, 1, at.shape)
        stepped = run.loss({name: at + 1j * np.longdouble(STEP) * direction}).imag / STEP
        terms = found[name] * direction
        size = 1 + float(np.sum(np.abs(terms)))
        if abs(float(stepped - np.sum(terms))) > ALLOWED * size:
            wrong.append(name)
    return wrong


@settings(CALM, max_examples=60)
@given(cells(grown=True))
def test_the_derived_gradient_is_that_of_a_complex_step(cell: Cell) -> None:
    derived, run = gradients(cell), Run(cell)
    assume(run.is_plain(derived))
    assert differing(cell, derived, run) == []


SPOILT = """input x[m]
state h[n], M[n, m], z[1]
parameter s[1]
z = tanh(z[t-1] + s * dot(x, x))
h = max(M[t-1] @ x / (2 + tanh(b)), z) + mean(x[t-1]) * h[t-2]
M = M[t-1] / (1 + exp(s)) + outer(h, softmax(V @ h + x)) + z
"""


def test_the_complex_step_sees_a_lost_term_of_every_name() -> None:
    cell = parse(SPOILT)
    derived, run = gradients(cell), Run(cell)
    assert run.is_plain(derived)
    assert differing(cell, derived, run) == []
    assert differing(cell, lost_term(derived), run) != []
    for place, adjoint in enumerate(derived.parameters):
        kept = list(derived.parameters)
        kept[place] = replace(adjoint, terms=())
        broken = replace(derived, parameters=tuple(kept))
        assert differing(cell, broken, run) == [adjoint.of.name]


@settings(CALM, max_examples=60)
@given(cells(grown=True))
def test_the_reverse_sweep_is_proved_for_a_drawn_cell(cell: Cell) -> None:
    try:
        left, right = reverse_sweep(gradients(cell))
        assert equal(left, right)
    except TooLargeError:
        assume(False)


def test_a_lost_term_is_not_proved() -> None:
    left, right = reverse_sweep(lost_term(gradients(parse(SPOILT))))
    assert not equal(left, right)


def nodes(cell: Cell) -> list[Expr]:
    pending, found = [e.value for e in cell.equations], []
    while pending:
        found.append(pending.pop())
        pending.extend(arg for arg in found[-1].args if getattr(arg, "is_Matrix", False))
    return found


CONSTRUCTS = {
    **{
        name: lambda cell, name=name: any(
            isinstance(node, Apply) and node.name == name for node in nodes(cell)
        )
        for name in ("reciprocal", "relu", "abs", "sqrt", "log", "heaviside", "sign", "frac")
    },
    "log-sum-exp": lambda cell: any(isinstance(node, LogSumExp) for node in nodes(cell)),
    "a filled scalar": lambda cell: any(spread_of(node) is not None for node in nodes(cell)),
    "a scalar parameter": lambda cell: any(p.name == "s1" for p in cell.parameters),
    "a scalar state": lambda cell: any(s.name == "z" for s in cell.states),
    "a matrix state": lambda cell: any(s.name == "M" for s in cell.states),
    "a lag of an input": lambda cell: any(s.name.startswith("x_lag") for s in cell.states),
    "a deeper lag": lambda cell: any(s.name.startswith("h_lag") for s in cell.states),
    "a number of sizes": lambda cell: any("sqrt(n" in line for line in str(cell).splitlines()),
    "a transposed memory": lambda cell: "M[t-1].T @" in str(cell),
}


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_every_construct_is_drawn(construct: str) -> None:
    once = settings(
        deadline=None, database=None, phases=[Phase.generate], max_examples=1000, derandomize=True
    )
    find(cells(grown=True), CONSTRUCTS[construct], settings=once)
