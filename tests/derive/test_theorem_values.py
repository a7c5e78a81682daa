"""Theorems against complex steps through cells that are written out in plain NumPy.

The toolkit's sides are evaluated by the tests' own evaluator of expressions.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from entries import entries
from plain_cells import MEMORIES, PLAIN, Lstm, Params, gate, rnn, sigmoid

from derive.gradients import Gradients, gradients
from derive.normal_form import equal
from derive.proofs import prove
from derive.theorems import THEOREMS, Identity
from derive.zoo import load

Array = np.ndarray

SIZES = {"n": 3, "m": 2}
# Some hundred roundings of numbers near 1 are below this; a lost term is above a thousandth.
ROUNDING = 1e-13


class Run:
    """Three steps of a cell from random numbers, as arrays of one column each."""

    def __init__(self, cell: str, seed: int) -> None:
        self.gradients: Gradients = gradients(load(cell))
        self.sizes = {d: SIZES[d.name] for d in self.gradients.cell.dimensions}
        random = np.random.default_rng(seed)
        self.p = {v.name: self.drawn(random, v.now) for v in self.gradients.cell.parameters}
        self.xs = [self.drawn(random, v.now) for v in self.gradients.cell.inputs * 3]
        self.start = {s.name: self.drawn(random, s.now) for s in self.gradients.cell.states}
        self.d = self.drawn(random, self.gradients.cell.output.now)
        self.so_far = self.drawn(random, self.gradients.cell.output.now)

    def drawn(self, random: np.random.Generator, name: Any) -> Array:
        return random.uniform(-1.5, 1.5, [int(size.subs(self.sizes)) for size in name.shape])

    def names(self, steps: int) -> dict[str, Array]:
        """Every name of the last `steps` steps as the toolkit calls it: C, f, C[t-1], f[t-1]."""
        found, states = dict(self.p), dict(self.start)
        for back in reversed(range(steps)):
            given = {**self.p, "x": self.xs[steps - 1 - back]}
            given |= {f"{name}[t-1]": value for name, value in states.items()}
            for assignment in self.gradients.forward:
                given[assignment.name] = self.value(assignment.value, given)
            for name, value in given.items():
                if name not in self.p:
                    found[earlier(name, back)] = value
            states = {name: given[name] for name in states}
        return found

    def value(self, expr: Any, values: Mapping[str, Array]) -> Array:
        functions = {"sigmoid": sigmoid, "tanh": np.tanh}
        apply = lambda name, z: functions[name](z)
        objects = {name: value.astype(object) for name, value in values.items()}
        return entries(expr, objects, self.sizes, float, apply).astype(float)

    def sides(self, identity: Identity) -> tuple[Array, Array]:
        values = self.names(identity.steps)
        values[identity.direction.name] = self.d
        values["P[t-1]"] = self.so_far
        return self.value(identity.left, values), self.value(identity.right, values)

    def identity(self, theorem: str) -> Identity:
        (row,) = [t for t in THEOREMS if t.name == theorem]
        (found,) = row.identities(self.gradients)
        return found


def earlier(name: str, back: int) -> str:
    if back == 0:
        return name
    return name.replace("[t-1]", f"[t-{back + 1}]") if "[" in name else f"{name}[t-{back}]"


def along(function: Callable[[Array], Array], at: Array, d: Array) -> Array:
    """The directional derivative by a complex step."""
    return np.imag(function(at + 1e-30j * d)) / 1e-30


# What the left side of each theorem means, for a cell with a memory.


def direct(cell: Lstm, run: Run, d: Array) -> Array:
    return along(lambda C: cell.keep(run.p, run.xs[0], run.start["h"], C), run.start["C"], d)


def total(cell: Lstm, p: Params, xs: list[Array], h: Array, C: Array, d: Array) -> Array:
    """How C_2 moves with C_1, which h_1 shows; h and C are the states before step 1."""
    later = lambda C1: cell.keep(p, xs[1], cell.show(p, xs[0], h, C1), C1)
    return along(later, cell.keep(p, xs[0], h, C), d)


def total_of_two(cell: Lstm, run: Run, d: Array) -> Array:
    p, xs, h = run.p, run.xs, run.start["h"]

    def third(C1: Array) -> Array:
        h1 = cell.show(p, xs[0], h, C1)
        C2 = cell.keep(p, xs[1], h1, C1)
        return cell.keep(p, xs[2], cell.show(p, xs[1], h1, C2), C2)

    return along(third, cell.keep(p, xs[0], h, run.start["C"]), d)


LEFT: dict[str, Callable[[Lstm, Run], Array]] = {
    "path": lambda cell, run: direct(cell, run, run.d),
    "path over T steps": lambda cell, run: direct(cell, run, run.so_far * run.d),
    "total derivative": lambda cell, run: total(cell, run.p, run.xs, *states(run), run.d),
    "total derivative is the path": lambda c, run: total(c, run.p, run.xs, *states(run), run.d),
    "total derivatives multiply": lambda cell, run: total_of_two(cell, run, run.d),
}


def states(run: Run) -> tuple[Array, Array]:
    return run.start["h"], run.start["C"]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("theorem", LEFT)
@pytest.mark.parametrize("cell", MEMORIES)
def test_a_claim_about_a_memory_has_the_values_of_the_plain_cell(
    cell: str, theorem: str, seed: int
) -> None:
    run = Run(cell, seed)
    identity = run.identity(theorem)
    left, right = run.sides(identity)
    true = LEFT[theorem](MEMORIES[cell], run)
    np.testing.assert_allclose(left, true, rtol=0, atol=ROUNDING)
    if equal(identity.left, identity.right):
        np.testing.assert_allclose(right, true, rtol=0, atol=ROUNDING)
    else:
        assert np.abs(right - true).max() > 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_the_elman_jacobian_has_the_values_of_the_plain_cell(seed: int) -> None:
    run = Run("rnn", seed)
    true = along(lambda h: rnn(run.p, run.xs[0], h), run.start["h"], run.d)
    by_hand = (1 - rnn(run.p, run.xs[0], run.start["h"]) ** 2) * (run.p["U"] @ run.d)
    for side in (*run.sides(run.identity("recurrent Jacobian")), by_hand):
        np.testing.assert_allclose(side, true, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("cell", PLAIN)
def test_derivatives_of_one_state_multiply_over_two_steps(cell: str) -> None:
    run = Run(cell, 1)
    step, (x1, x2, x3) = PLAIN[cell], run.xs
    h1 = step(run.p, x1, run.start["h"])
    true = along(lambda h: step(run.p, x3, step(run.p, x2, h)), h1, run.d)
    for side in run.sides(run.identity("total derivatives multiply")):
        np.testing.assert_allclose(side, true, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("cell", ["gru", "gru_reset_before"])
def test_the_output_keeps_its_lag_by_z_where_gates_and_candidates_are_held(cell: str) -> None:
    run = Run(cell, 2)
    h, z = run.start["h"], sigmoid(gate(run.p, "z", run.xs[0], run.start["h"]))
    new = PLAIN[cell](run.p, run.xs[0], h)
    candidate = (new - z * h) / (1 - z)
    held = along(lambda moved: (1 - z) * candidate + z * moved, h, run.d)
    for side in run.sides(run.identity("output path")):
        np.testing.assert_allclose(side, held, rtol=0, atol=ROUNDING)
    free = along(lambda moved: PLAIN[cell](run.p, run.xs[0], moved), h, run.d)
    assert np.abs(free - held).max() > 1e-3


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_the_product_of_forget_gates_is_the_derivative_with_the_hidden_trajectory_frozen(
    steps: int,
) -> None:
    run, cell = Run("lstm", 4), MEMORIES["lstm"]
    xs = [np.sin(run.xs[0] * (t + 1)) for t in range(steps)]
    (h, C), hidden, product = states(run), [], np.ones((3, 1))
    for x in xs:
        hidden.append(h)
        product = product * cell.forget(run.p, x, h, C)
        C = cell.keep(run.p, x, h, C)
        h = cell.show(run.p, x, h, C)

    def frozen(C: Array) -> Array:
        for x, h in zip(xs, hidden, strict=True):
            C = cell.keep(run.p, x, h, C)
        return C

    def followed(C: Array) -> Array:
        h = run.start["h"]
        for x in xs:
            C = cell.keep(run.p, x, h, C)
            h = cell.show(run.p, x, h, C)
        return C

    derivative = along(frozen, run.start["C"], run.d)
    np.testing.assert_allclose(product * run.d, derivative, rtol=0, atol=ROUNDING)
    apart = np.abs(along(followed, run.start["C"], run.d) - derivative).max()
    assert apart > 1e-3 if steps > 1 else apart < ROUNDING


def zeros(cell: str, **given: float) -> dict[str, Array]:
    params = {v.name: np.zeros((1, 1)) for v in load(cell).parameters}
    return params | {name: np.full((1, 1), value) for name, value in given.items()}


ONE, NIL = np.ones((1, 1)), np.zeros((1, 1))


def shown(cell: str, theorem: str) -> str:
    (found,) = [c for c in prove(gradients(load(cell))) if c.theorem == theorem]
    return found.example


def test_the_peepholes_counterexample_has_the_numbers_of_the_plain_cell() -> None:
    cell, p = MEMORIES["peephole_lstm"], zeros("peephole_lstm", p_i=1.0, b_g=1.0)
    left = along(lambda C: cell.keep(p, NIL, NIL, C), NIL, ONE).item()
    right = cell.forget(p, NIL, NIL, NIL).item()
    assert shown("peephole_lstm", "path") == (
        f"n = 1, m = 1; p_i = 1, b_g = 1, all else 0: left {left:.6g}, right {right:.6g} "
        f"(a complex step through the equations gives {left:.6g})"
    )


def test_the_misreadings_counterexample_has_the_numbers_of_the_plain_cell() -> None:
    cell, p = MEMORIES["lstm"], zeros("lstm", U_g=1.0)
    left = total(cell, p, [NIL, NIL], NIL, NIL, ONE).item()
    assert shown("lstm", "total derivative is the path").startswith(
        f"n = 1, m = 1; U_g = 1, all else 0: left {left:.6g}, right 0.5 "
    )


def test_one_step_totals_do_not_multiply_and_the_numbers_are_those_of_the_plain_cell() -> None:
    """The Jacobians of the pair (h, C) do multiply; those of C alone do not."""
    run = Run("lstm", 0)
    run.p, run.xs = zeros("lstm", U_g=1.0, U_o=1.0), [NIL] * 3
    run.start = {"h": NIL, "C": ONE}
    cell, p = MEMORIES["lstm"], run.p
    both = total_of_two(cell, run, ONE).item()
    first = total(cell, p, run.xs, NIL, ONE, ONE)
    C1 = cell.keep(p, NIL, NIL, ONE)
    second = total(cell, p, run.xs, cell.show(p, NIL, NIL, C1), C1, ONE)
    product, gates = (first * second).item(), 0.25
    assert len({round(v, 3) for v in (both, product, gates)}) == 3
    assert shown("lstm", "total derivatives multiply") == (
        f"n = 1, m = 1; U_o = 1, U_g = 1, C_{{t-3}} = 1, all else 0: left {both:.6g}, "
        f"right {product:.6g} (a complex step through the equations gives {both:.6g})"
    )


def test_the_plain_cells_are_the_zoos() -> None:
    for cell in (*MEMORIES, *PLAIN):
        run = Run(cell, 5)
        values = run.names(1)
        if cell in PLAIN:
            np.testing.assert_allclose(
                values["h"], PLAIN[cell](run.p, run.xs[0], run.start["h"]), atol=ROUNDING
            )
            continue
        C = MEMORIES[cell].keep(run.p, run.xs[0], *states(run))
        h = MEMORIES[cell].show(run.p, run.xs[0], run.start["h"], C)
        np.testing.assert_allclose(values["C"], C, atol=ROUNDING)
        np.testing.assert_allclose(values["h"], h, atol=ROUNDING)
