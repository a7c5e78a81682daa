"""Differentials of a step against complex steps through its assignments."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pytest
import sympy as sp
from core import CORE, GROWN_CORE
from entries import entries

from derive.differentials import (
    activated,
    additive,
    differential,
    earlier,
    is_zero,
    ones,
    tangent,
)
from derive.expressions import MatrixSymbol, OneMatrix, parts_of, stack, times, zero
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.zoo import load

FUNCTIONS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "exp": np.exp,
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "reciprocal": lambda z: 1 / z,
    "sqrt": np.sqrt,
    "relu": lambda z: z if z.real > 0 else 0 * z,
    "abs": lambda z: z if z.real > 0 else -z,
    "sign": lambda z: np.sign(z.real),
    "heaviside": lambda z: np.heaviside(z.real, 0),
}
CELLS = {name: load(name) for name in (*CORE, *GROWN_CORE)} | {
    "stacked": parse("input x[m]\nstate h[n]\nh = tanh(W @ [h[t-1], x, h[t-1]]) * h[t-1] ** 2"),
    "two sizes": parse(
        "input x[m]\nstate h[n], C[k]\nC = softplus(V @ h[t-1]) + 0.5 * C[t-1]\n"
        "h = exp(W @ x) * tanh(Q @ C + U.T @ h[t-1])"
    ),
}
n, m, k = sp.symbols("n m k", integer=True, positive=True)


def vector(name: str) -> Any:
    return MatrixSymbol(name, n, sp.S.One)


class Step:
    """One step at random numbers."""

    def __init__(self, derived: Gradients) -> None:
        self.g = derived
        sizes = {"n": 3, "m": 2, "k": 4, "d": 5, "r": 2}
        self.sizes = {d: sizes[d.name] for d in derived.cell.dimensions}
        random = np.random.default_rng(7)
        cell = derived.cell
        self.lagged = [s.before for s in cell.states]
        given = [*self.lagged, *(v.now for v in (*cell.inputs, *cell.parameters))]
        self.values = {name.name: self.drawn(random, name) for name in given}
        self.d = {name: self.drawn(random, name) for name in self.lagged}

    def drawn(self, random: np.random.Generator, name: Any) -> np.ndarray:
        shape = [int(size.subs(self.sizes)) for size in name.shape]
        return random.uniform(-1, 1, shape).astype(object)

    def value(self, expr: Any, values: Mapping[str, np.ndarray]) -> np.ndarray:
        return entries(expr, values, self.sizes, float, lambda name, z: FUNCTIONS[name](z))

    def run(self, moved: Collection[Any], held: Collection[str] = ()) -> dict[str, np.ndarray]:
        """All names, where some lagged states move along their tangents; some names are held."""
        still = self.run((), ()) if held else {}
        known = dict(self.values)
        for name in moved:
            known[name.name] = known[name.name] + 1e-30j * self.d[name]
        for a in self.g.forward:
            known[a.name] = still[a.name] if a.name in held else self.value(a.value, known)
        return known

    def true(self, of: str, moved: Collection[Any], held: Collection[str] = ()) -> np.ndarray:
        return self.run(moved, held)[of].astype(complex).imag / 1e-30

    def derived(self, expr: Any) -> np.ndarray:
        tangents = {tangent(name).name: d for name, d in self.d.items()}
        return self.value(expr, self.run(()) | tangents).astype(float)


@pytest.mark.parametrize("cell", CELLS)
def test_a_differential_along_all_paths_is_the_complex_step(cell: str) -> None:
    step = Step(gradients(CELLS[cell]))
    for state in step.g.cell.states:
        for moved in ([name] for name in step.lagged):
            expr = differential(step.g, state.now, {name: tangent(name) for name in moved})
            np.testing.assert_allclose(step.derived(expr), step.true(state.name, moved), atol=1e-14)
        expr = differential(step.g, state.now, {name: tangent(name) for name in step.lagged})
        np.testing.assert_allclose(
            step.derived(expr), step.true(state.name, step.lagged), atol=1e-14
        )


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm", "gru", "two sizes"])
def test_a_name_that_is_held_does_not_move(cell: str) -> None:
    step = Step(gradients(CELLS[cell]))
    moving = {name: tangent(name) for name in step.lagged}
    for held in step.g.forward[:-1]:
        last = step.g.forward[-1]
        through = lambda name, held=held: name != held.name
        expr = differential(step.g, last.symbol, moving, through)
        true = step.true(last.name, step.lagged, [held.name])
        np.testing.assert_allclose(step.derived(expr), true, atol=1e-14)


def test_a_name_of_the_step_may_move_by_itself() -> None:
    lstm = gradients(load("lstm"))
    states = {s.name: s.now for s in lstm.cell.states}
    d = tangent(states["C"])
    moved = differential(lstm, states["h"], {states["C"]: d})
    assert moved.atoms(MatrixSymbol) == {d, vector("o"), vector("tanh_C")}


def test_what_nothing_moves_is_zero_of_its_own_shape() -> None:
    g = gradients(CELLS["two sizes"])
    output, memory = (s.now for s in g.cell.states)
    assert differential(g, output, {}) == zero(output.shape)
    assert differential(g, memory, {}) == zero(memory.shape)
    x = g.cell.inputs[0].now
    assert is_zero(differential(g, memory, {x: tangent(x)}))


def test_a_stack_in_which_nothing_moves_does_not_move_what_reads_it() -> None:
    text = "input x[m]\nstate h[n], C[n]\nC = f * C[t-1]\nf = sigmoid(W @ [x, h[t-1]])\n"
    lines = text.splitlines()
    g = gradients(parse("\n".join([*lines[:2], lines[3], lines[2], "h = tanh(V @ [x, h[t-1]])"])))
    memory = g.cell.states[1]
    assert is_zero(differential(g, g.cell.output.now, {memory.now: tangent(memory.now)}))


@pytest.mark.parametrize(
    ("cell", "state", "factor"),
    [("lstm", 1, "f"), ("peephole_lstm", 1, "f"), ("gru", 0, "z"), ("gru_reset_before", 0, "z")],
)
def test_the_additive_part_is_the_gate_that_stands_before_the_lag(
    cell: str, state: int, factor: str
) -> None:
    g = gradients(load(cell))
    variable = g.cell.states[state]
    gate = MatrixSymbol(factor, *variable.now.shape)
    d = tangent(variable.before)
    assert additive(g, variable, d) in (times(gate, d), times(d, gate))
    assert additive(g, variable, ones(variable.before)) == gate


@pytest.mark.parametrize(("cell", "state"), [("rnn", 0), ("lstm", 0), ("peephole_lstm", 0)])
def test_a_state_whose_sum_does_not_name_its_lag_has_no_additive_part(
    cell: str, state: int
) -> None:
    g = gradients(load(cell))
    variable = g.cell.states[state]
    assert is_zero(additive(g, variable, tangent(variable.before)))


def test_earlier_shifts_time_and_leaves_parameters() -> None:
    W, h, lagged = MatrixSymbol("W", n, n), vector("h"), vector("h[t-1]")
    expr = W * lagged + times(h, tangent(lagged))
    once = earlier(expr, {"W"})
    assert once.atoms(MatrixSymbol) == {
        W,
        vector("h[t-1]"),
        vector("h[t-2]"),
        vector("d(h[t-2])"),
    }
    assert earlier(once, {"W"}) == earlier(expr, {"W"}, steps=2)
    assert earlier(expr, {"W"}, steps=3).atoms(MatrixSymbol) == {
        W,
        vector("h[t-3]"),
        vector("h[t-4]"),
        vector("d(h[t-4])"),
    }


def test_earlier_shifts_all_names_at_once() -> None:
    expr = times(vector("h"), vector("h[t-1]"))
    assert earlier(expr, ()) == times(vector("h[t-1]"), vector("h[t-2]"))


def test_a_differential_is_zero_where_no_tangent_is_in_it() -> None:
    nothing, d = zero((n, sp.S.One)), tangent(vector("h[t-1]"))
    for still in (nothing, stack((nothing, nothing)), vector("h")):
        assert is_zero(still)
    for moved in (d, stack((nothing, d)), times(vector("f"), d)):
        assert not is_zero(moved)


def test_a_turned_matrix_moves_nothing_by_itself() -> None:
    g = gradients(parse("input x[m]\nstate h[n]\nh = W.T @ x + U.T @ x"))
    output = g.cell.output
    assert is_zero(additive(g, output, tangent(output.before)))
    assert is_zero(differential(g, output.now, {output.before: tangent(output.before)}))


def test_parts_are_what_a_stack_is_made_of() -> None:
    pieces = (vector("a"), MatrixSymbol("b", m, sp.S.One))
    assert tuple(parts_of(stack(pieces))) == pieces
    assert ones(pieces[1]) == OneMatrix(m, 1)


def test_gates_and_candidates_are_what_a_primitive_gives() -> None:
    assert activated(gradients(load("lstm"))) == {"f", "i", "o", "g", "tanh_C"}
    assert activated(gradients(load("rnn"))) == {"h"}
