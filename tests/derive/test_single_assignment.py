"""Cells in single-assignment form: what each right side may be, and that nothing changes."""

from collections.abc import Sequence

import numpy as np
from cells_strategy import cells
from entries import Entries, entries, grid
from hypothesis import given, settings
from hypothesis import strategies as st
from polynomials import Generators, Polynomial

from derive.cell import Cell, Equation, lag
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    coefficient,
    spread_of,
)
from derive.language import parse
from derive.language.names import EMITTED
from derive.single_assignment import Assignment, single_assignment
from derive.zoo import load


def assigned(text: str) -> dict[str, str]:
    return {a.name: str(a.value) for a in single_assignment(parse(text))}


def is_name(expr: Expr) -> bool:
    return isinstance(expr, MatrixSymbol)


def is_one_operation(expr: Expr) -> bool:
    """A function of a name, a stack of names, or a sum of products with names."""
    if isinstance(expr, Apply | LogSumExp):
        return is_name(expr.argument)
    if isinstance(expr, BlockMatrix):
        return all(is_name(row[0]) for row in expr.blocks.tolist())
    terms = expr.args if isinstance(expr, MatAdd) else (expr,)
    return all(is_product(coefficient(term)[1]) for term in terms)


def is_product(expr: Expr) -> bool:
    if isinstance(expr, MatMul) and spread_of(expr) is None:
        return all(is_operand(side) for side in expr.args)
    return is_elementwise(expr)


def is_operand(expr: Expr) -> bool:
    """A side of a matrix product: a name, its transpose, or ones."""
    plain = expr.args[0] if isinstance(expr, Transpose) else expr
    return is_name(plain) or isinstance(expr, OneMatrix)


def is_elementwise(expr: Expr) -> bool:
    _, rest = coefficient(expr)
    if isinstance(rest, HadamardProduct | MatAdd):
        return all(is_elementwise(arg) for arg in rest.args)
    if isinstance(rest, HadamardPower):
        return is_elementwise(rest.args[0])
    scalar = spread_of(rest)
    return is_name(rest if scalar is None else scalar) or isinstance(rest, OneMatrix)


@settings(deadline=None)
@given(st.one_of(cells(depth=3), cells(depth=2, grown=True)))
def test_each_right_side_is_one_operation_on_names(cell: Cell) -> None:
    for assignment in single_assignment(cell):
        assert is_one_operation(assignment.value), assignment


@settings(deadline=None)
@given(st.one_of(cells(depth=3), cells(depth=2, grown=True)))
def test_each_name_is_assigned_once_and_before_it_is_read(cell: Cell) -> None:
    known = {v.name for v in (*cell.inputs, *cell.parameters)}
    known |= {lag(s.name) for s in cell.states}
    for assignment in single_assignment(cell):
        assert {s.name for s in assignment.value.atoms(MatrixSymbol)} <= known
        assert assignment.name not in known | EMITTED
        known.add(assignment.name)
    assert {e.name for e in cell.equations} <= known


@settings(deadline=None)
@given(cells(depth=3))
def test_every_equation_keeps_its_value(cell: Cell) -> None:
    """Exactly: entry by entry as polynomials, from the equations and from the assignments."""
    generators = Generators()
    sizes = dict.fromkeys(cell.dimensions, 2)
    number = lambda value: Polynomial({0: value}, 0)
    variables = [v.now for v in (*cell.inputs, *cell.parameters)] + [s.before for s in cell.states]
    leaves = {v.name: grid(v.name, v.shape, sizes, generators.leaf) for v in variables}
    short = np.vectorize(generators.named, otypes=[object])  # the same name for equal values
    written = {e.name for e in cell.equations}

    def run(steps: Sequence[Equation | Assignment]) -> dict[str, Entries]:
        known = dict(leaves)
        for step in steps:
            value = entries(step.value, known, sizes, number, generators.applied)
            known[step.name] = short(value) if step.name in written else value
        return known

    direct, singly = run(cell.equations), run(single_assignment(cell))
    for equation in cell.equations:
        assert (direct[equation.name] == singly[equation.name]).all()


@settings(deadline=None)
@given(st.one_of(cells(depth=3), cells(depth=2, grown=True)))
def test_no_two_assignments_that_were_introduced_have_the_same_value(cell: Cell) -> None:
    written = {e.name for e in cell.equations}
    introduced = [a.value for a in single_assignment(cell) if a.name not in written]
    assert len(set(introduced)) == len(introduced)


def test_the_lstm_gets_a_name_for_each_pre_activation() -> None:
    names = [a.name for a in single_assignment(load("lstm"))]
    assert names == ["a_f", "f", "a_i", "i", "a_o", "o", "a_g", "g", "C", "tanh_C", "h"]


def test_equal_values_share_one_name() -> None:
    found = assigned(
        "input x[m]\nstate h[n]\ng = tanh(U @ h[t-1]) * sigmoid(U @ h[t-1])\n"
        "h = g * (W @ x) * tanh(U @ h[t-1])"
    )
    assert sum(value == "U*h[t-1]" for value in found.values()) == 1
    assert sum(value.startswith("Apply(tanh") for value in found.values()) == 1


def test_a_name_that_the_author_took_is_not_used_again() -> None:
    cell = parse("input x[m]\nstate h[n]\na_h = W @ x\nh = tanh(U @ h[t-1] + a_h) * tanh(a_h)")
    names = [a.name for a in single_assignment(cell)]
    assert len(set(names)) == len(names)
    assert [a.value for a in single_assignment(cell) if a.name == "a_h"] == [
        cell.equations[0].value
    ]


def test_each_assignment_says_which_equation_it_comes_from() -> None:
    cell = load("gru_reset_before")
    for assignment in single_assignment(cell):
        assert assignment.equation in {e.name for e in cell.equations}
    order = [a.equation for a in single_assignment(cell)]
    assert order == sorted(order, key=[e.name for e in cell.equations].index)


def test_sums_of_names_stay_in_place() -> None:
    found = assigned("input x[n]\nstate h[n]\nz = sigmoid(x)\nh = (1 - z) * x + z * h[t-1]")
    assert list(found) == ["z", "h"]


def test_scalars_have_names_and_fill_what_they_meet() -> None:
    found = single_assignment(
        parse("input x[m]\nstate h[n]\nparameter s[1]\nh = s * dot(x, x) * (W @ x) / norm(x)")
    )
    square, *scalars, product, last = found
    assert str(square.value) == "HadamardProduct(x, x)"
    assert {a.value.shape for a in scalars} == {(1, 1)}
    assert [type(a.value).__name__ for a in scalars].count("MatMul") == 1, "x @ x is summed once"
    assert str(product.value) == "W*x"
    assert [a.name for a in found][-1] == last.name == "h"
    assert {s.name for s in last.value.atoms(MatrixSymbol)} == {scalars[-1].name, product.name}


def test_both_sides_of_an_outer_product_get_names() -> None:
    text = "input x[m]\nstate h[n], C[n, m]\nh = C[t-1] @ x\nC = outer(U @ h + b, W @ x + c)\n"
    found = {a.name: str(a.value) for a in single_assignment(parse(text))}
    assert found == {
        "h": "C[t-1]*x",
        "M_C": "U*h + b",
        "v_C": "W*x + c",
        "C": "M_C*v_C.T",
    }
