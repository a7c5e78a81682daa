"""The derived gradients against SymPy's own derivative of the unrolled loss."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from cells_strategy import cells
from core import CORE
from hypothesis import HealthCheck, given, reject, settings
from polynomials import SwellError
from unrolled import Unrolled

from derive.cell import Cell
from derive.expressions import MatMul, MatrixSymbol, Transpose
from derive.gradients import Adjoint, Gradients, Term, gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.zoo import load, names

SIZES = [(1, 1, 3), (2, 1, 2), (2, 2, 2)]  # n, m, T


def unrolled(cell: Cell, n: int, m: int, steps: int) -> Unrolled:
    given_sizes = {"n": n, "m": m}
    return Unrolled(cell, {dim: given_sizes.get(dim.name, 2) for dim in cell.dimensions}, steps)


def changed(
    derived: Gradients, of: str, change: Callable[[tuple[Term, ...]], tuple[Term, ...]]
) -> Gradients:
    """The derived gradients with the terms of one cotangent changed."""
    parts = {}
    for part in ("backward", "parameters", "inputs", "states"):
        parts[part] = tuple(
            Adjoint(a.of, change(a.terms)) if a.of.name == of else a for a in getattr(derived, part)
        )
    found = replace(derived, **parts)
    assert found != derived, f"nothing was changed in the cotangent of {of}"
    return found


def with_symbols(derived: Gradients, of: str, names: dict[str, str]) -> Gradients:
    """The derived gradients with symbols of one cotangent read as others."""

    def change(terms: tuple[Term, ...]) -> tuple[Term, ...]:
        swaps = {
            s: MatrixSymbol(names[s.name], *s.shape)
            for term in terms
            for s in term.value.atoms(MatrixSymbol)
            if s.name in names
        }
        return tuple(replace(term, value=term.value.xreplace(swaps)) for term in terms)

    return changed(derived, of, change)


@pytest.fixture(scope="module")
def lstm() -> Unrolled:
    return unrolled(load("lstm"), 2, 1, 2)


@pytest.mark.parametrize(("n", "m", "steps"), SIZES)
@pytest.mark.parametrize("name", CORE)
def test_a_cell_of_the_zoos_core_has_the_gradients_of_its_unrolled_loss(
    name: str, n: int, m: int, steps: int
) -> None:
    cell = load(name)
    assert unrolled(cell, n, m, steps).differing(gradients(cell)) == []


@pytest.mark.parametrize("name", names())
def test_no_step_gives_the_cotangents_of_the_final_states_back(name: str) -> None:
    cell = load(name)
    assert unrolled(cell, 2, 2, 0).differing(gradients(cell)) == []


def differing(cell: Cell) -> list[str]:
    """What is wrong for a drawn cell; one whose unrolled loss swells is passed over."""
    try:
        return unrolled(cell, 2, 1, 2).differing(gradients(cell))
    except SwellError:
        reject()


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(cells())
def test_a_drawn_cell_has_the_gradients_of_its_unrolled_loss(cell: Cell) -> None:
    assert differing(cell) == []


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(cells(depth=3))
def test_a_deeper_drawn_cell_has_the_gradients_of_its_unrolled_loss(cell: Cell) -> None:
    assert differing(cell) == []


CASES = {
    "a state that nothing reads back": "input x[m]\nstate h[n], C[n]\nC = W @ x\nh = tanh(C)",
    "two states that change places": "input x[m]\nstate h[n], C[n]\n"
    "h = C[t-1] + W @ x\nC = tanh(h[t-1])",
    "a parameter read plain, turned and in two equations": "input x[m]\nstate h[n]\n"
    "g = tanh(U @ h[t-1] + W @ x)\nh = U.T @ g * sigmoid(W @ x)",
    "the same product twice": "input x[m]\nstate h[n]\n"
    "h = tanh(U @ h[t-1]) * sigmoid(U @ h[t-1]) + W @ x",
    "a stack with one vector twice": "input x[m]\nstate h[n]\nh = W @ [h[t-1], x, h[t-1]]",
    "a product with an elementwise product": "input x[m]\nstate h[n]\n"
    "h = U @ (h[t-1] * tanh(h[t-1])) + W @ x",
    "a function of a parameter": "input x[m]\nstate h[n]\nh = exp(a) * h[t-1] + tanh(W) @ x",
    "a slope that is another function": "input x[m]\nstate h[n]\n"
    "h = softplus(softplus(U @ h[t-1]) + W @ x)",
    "powers": "input x[m]\nstate h[n]\nh = (U @ h[t-1] + b) ** 3 + (W @ x) ** 2 * h[t-1] ** 2",
    "an output that is a name": "input x[m]\nstate h[n], C[n]\nC = C[t-1] + W @ x\nh = C",
    "a cotangent that is only the input's": "input x[n]\nstate h[n]\nh = x",
    "a term that cancels": "input x[n]\nstate h[n]\nh = tanh(h[t-1] - h[t-1] + x)",
    "two inputs": "input x[m], u[n]\nstate h[n]\nh = tanh(W @ x) * u + h[t-1]",
    "states of two sizes": "input x[m]\nstate h[n], C[k]\nC = V @ h[t-1] + C[t-1]\n"
    "h = tanh(W @ x + U @ C)",
}


@pytest.mark.parametrize("case", CASES)
def test_a_hard_case_has_the_gradients_of_its_unrolled_loss(case: str) -> None:
    cell = parse(CASES[case])
    assert unrolled(cell, 2, 1, 3).differing(gradients(cell)) == []


@pytest.mark.parametrize(
    ("name", "primitive", "slope"),
    [
        ("lstm", "tanh", lambda z, y: sp.Rational(1001, 1000) * (1 - y**2)),
        ("lstm", "sigmoid", lambda z, y: y),
        ("gru", "sigmoid", lambda z, y: y * (1 + y)),
        ("rnn", "tanh", lambda z, y: 1 - y),
    ],
)
def test_a_broken_slope_is_caught(
    name: str, primitive: str, slope: Callable[[sp.Expr, sp.Expr], sp.Expr]
) -> None:
    broken = {**PRIMITIVES, primitive: replace(PRIMITIVES[primitive], slope=slope)}
    cell = load(name)
    assert unrolled(cell, 1, 1, 2).differing(gradients(cell, primitives=broken))


def test_any_dropped_term_is_caught(lstm: Unrolled) -> None:
    derived = gradients(lstm.cell)
    dropped = 0
    for adjoint in (*derived.backward, *derived.parameters, *derived.inputs, *derived.states):
        for place in range(len(adjoint.terms)):
            without = lambda terms, k=place: (*terms[:k], *terms[k + 1 :])
            assert lstm.differing(changed(derived, adjoint.of.name, without)), adjoint.of.name
            dropped += 1
    assert dropped > len(derived.backward)


def test_any_dropped_term_of_a_matrix_memory_is_caught() -> None:
    gla = unrolled(load("gla"), 2, 1, 2)
    derived = gradients(gla.cell)
    for adjoint in (*derived.backward, *derived.parameters, *derived.inputs, *derived.states):
        for place in range(len(adjoint.terms)):
            without = lambda terms, k=place: (*terms[:k], *terms[k + 1 :])
            assert gla.differing(changed(derived, adjoint.of.name, without)), adjoint.of.name


def test_a_recurrent_matrix_that_is_not_transposed_is_caught(lstm: Unrolled) -> None:
    derived = gradients(lstm.cell)
    for place in range(4):

        def straight(terms: tuple[Term, ...], place: int = place) -> tuple[Term, ...]:
            turned, cotangent = terms[place].value.args
            assert isinstance(turned, Transpose)
            plain = replace(terms[place], value=MatMul(turned.args[0], cotangent))
            return (*terms[:place], plain, *terms[place + 1 :])

        assert lstm.differing(changed(derived, "h[t-1]", straight))


@pytest.mark.parametrize(("one", "other"), [("f", "i"), ("i", "o"), ("f", "o"), ("i", "g")])
def test_two_swapped_gates_are_caught(lstm: Unrolled, one: str, other: str) -> None:
    derived = gradients(lstm.cell)
    swap = {one: other, other: one}
    caught = [
        lstm.differing(with_symbols(derived, adjoint.of.name, swap))
        for adjoint in derived.backward
        if {one, other} & {s.name for s in adjoint.value.atoms(MatrixSymbol)}
    ]
    assert caught
    assert all(caught)


@pytest.mark.parametrize(
    ("of", "read", "instead"),
    [
        ("U_f", "h[t-1]", "h"),
        ("U_o", "h[t-1]", "h"),
        ("f", "C[t-1]", "C"),
        ("C[t-1]", "f", "i"),
    ],
)
def test_a_shifted_index_is_caught(lstm: Unrolled, of: str, read: str, instead: str) -> None:
    assert lstm.differing(with_symbols(gradients(lstm.cell), of, {read: instead}))


@pytest.mark.parametrize("state", ["h", "C"])
def test_a_dropped_carry_is_caught(lstm: Unrolled, state: str) -> None:
    forget = lambda terms: tuple(t for t in terms if t.through != "carry")
    wrong = lstm.differing(changed(gradients(lstm.cell), state, forget))
    assert any(name.startswith("U_f") for name in wrong)


def test_a_dropped_upstream_cotangent_is_caught(lstm: Unrolled) -> None:
    forget = lambda terms: tuple(t for t in terms if t.through != "dy")
    assert lstm.differing(changed(gradients(lstm.cell), "h", forget))


def test_a_carry_that_is_another_states_is_caught(lstm: Unrolled) -> None:
    derived = gradients(lstm.cell)
    assert lstm.differing(with_symbols(derived, "h", {"carry(h)": "carry(C)"}))


def test_gradients_come_for_every_parameter_input_and_initial_state() -> None:
    cell = load("peephole_lstm")
    derived = gradients(cell)
    assert [a.of for a in derived.parameters] == [p.now for p in cell.parameters]
    assert [a.of for a in derived.inputs] == [x.now for x in cell.inputs]
    assert [a.of for a in derived.states] == [s.before for s in cell.states]
    assert [a.of for a in derived.backward] == [a.symbol for a in reversed(derived.forward)]


@pytest.mark.parametrize("name", names())
def test_a_cotangent_reads_only_what_was_computed_before_it(name: str) -> None:
    derived = gradients(load(name))
    cell = derived.cell
    known = {v.now for v in (*cell.inputs, *cell.parameters)} | {s.before for s in cell.states}
    known |= {a.symbol for a in derived.forward}
    names_of = {s.name for s in known} | {"dy"} | {f"carry({s.name})" for s in cell.states}
    for adjoint in derived.backward:
        assert {s.name for s in adjoint.value.atoms(MatrixSymbol)} <= names_of
        names_of.add(f"bar({adjoint.of.name})")
    for adjoint in (*derived.parameters, *derived.inputs, *derived.states):
        assert {s.name for s in adjoint.value.atoms(MatrixSymbol)} <= names_of
        assert adjoint.value.shape == adjoint.of.shape


def test_what_nothing_reads_has_the_gradient_zero() -> None:
    cell = parse(CASES["a state that nothing reads back"])
    truth = unrolled(cell, 2, 1, 2)
    assert truth.differing(gradients(cell)) == []
    assert all(not p.terms for p in np.ravel(truth.gradients["h_0"]))
