"""Paths of differentials: they add up to the whole, and are written as a person writes them."""

from typing import Any

import pytest
import sympy as sp

from derive.differentials import differential, tangent
from derive.expressions import (
    Expr,
    HadamardProduct,
    MatrixSymbol,
    add,
    apply,
    constant,
    matmul,
    scale,
    stack,
    times,
    transpose,
    zero,
)
from derive.gradients import gradients
from derive.jacobians import Writer, is_diagonal, operators
from derive.language import parse
from derive.normal_form import equal
from derive.zoo import load, names

n, m = sp.symbols("n m", integer=True, positive=True)
WRITER = Writer(gradients(load("lstm")))


def vector(name: str, size: Any = n) -> Any:
    return MatrixSymbol(name, size, sp.S.One)


U, V, W = MatrixSymbol("U_f", n, n), MatrixSymbol("U_i", n, n), MatrixSymbol("W_f", n, n + m)
f, i, C, D = vector("f"), vector("i"), vector("C[t-1]"), vector("d(h[t-1])")
NOTHING = zero((m, sp.S.One))


@pytest.mark.parametrize("cell", names())
def test_the_paths_of_a_differential_add_up_to_it(cell: str) -> None:
    g = gradients(load(cell))
    for state in g.cell.states:
        for lagged in (s.before for s in g.cell.states):
            whole = differential(g, state.now, {lagged: tangent(lagged)})
            paths = list(operators(whole, tangent(lagged)))
            values = [p.value for p in paths] or [zero(whole.shape)]
            assert equal(whole, add(*values))
            assert len({p.value for p in paths}) == len(paths)


WRITTEN: list[tuple[Expr, str, str]] = [
    (D, "I", "I"),
    (scale(sp.Integer(-1), D), "-I", "-I"),
    (times(f, D), "diag(f_t)", r"\operatorname{diag}(f_{t})"),
    (
        times(f, i, D, C),
        "diag(f_t * i_t * C_{t-1})",
        r"\operatorname{diag}(f_{t} \odot i_{t} \odot C_{t-1})",
    ),
    (matmul(U, D), "U_f", "U_{f}"),
    (matmul(transpose(U), D), "U_f.T", r"U_{f}^{\top}"),
    (
        times(f, matmul(U, times(i, D))),
        "diag(f_t) U_f diag(i_t)",
        r"\operatorname{diag}(f_{t})\,U_{f}\,\operatorname{diag}(i_{t})",
    ),
    (
        times(f, matmul(U, matmul(V, D))),
        "diag(f_t) U_f U_i",
        r"\operatorname{diag}(f_{t})\,U_{f}\,U_{i}",
    ),
    (
        add(times(f, D), scale(sp.Integer(-2), matmul(U, D))),
        "diag(f_t) - 2 U_f",
        r"\operatorname{diag}(f_{t}) - 2 U_{f}",
    ),
    (
        times(f, add(D, matmul(U, D))),
        "diag(f_t) + diag(f_t) U_f",
        r"\operatorname{diag}(f_{t}) + \operatorname{diag}(f_{t})\,U_{f}",
    ),
    (
        matmul(W, stack((D, NOTHING))),
        "W_f [I, 0]",
        r"W_{f}\,\begin{pmatrix} I \\ 0 \end{pmatrix}",
    ),
    (
        matmul(W, stack((NOTHING, times(f, D)))),
        "W_f [0, I] diag(f_t)",
        r"W_{f}\,\begin{pmatrix} 0 \\ I \end{pmatrix}\,\operatorname{diag}(f_{t})",
    ),
    (
        times(add(constant(sp.S.One, f.shape), scale(sp.Integer(-1), f)), D),
        "diag(1 - f_t)",
        r"\operatorname{diag}(1 - f_{t})",
    ),
    (zero(D.shape), "0", "0"),
    (
        scale(-2 / n**2, times(f, D)),
        "-2/n**2 diag(f_t)",
        r"-\frac{2}{n^{2}} \operatorname{diag}(f_{t})",
    ),
    (scale(n + m, D), "(m + n) I", r"(m + n) I"),
    (scale(sp.Rational(1, 2), D), "1/2 I", r"\tfrac{1}{2} I"),
]


@pytest.mark.parametrize(("expr", "text", "tex"), WRITTEN, ids=[w[1] for w in WRITTEN])
def test_a_jacobian_is_written_as_a_sum_of_paths(expr: Expr, text: str, tex: str) -> None:
    assert WRITER.jacobian(expr, D) == text
    assert WRITER.jacobian_tex(expr, D) == tex


def test_a_sum_or_a_negative_beside_a_factor_is_bracketed() -> None:
    two = add(D, times(f, D))
    assert WRITER.jacobian(two, D, factor=True) == "(I + diag(f_t))"
    assert WRITER.jacobian_tex(two, D, factor=True) == r"(I + \operatorname{diag}(f_{t}))"
    assert WRITER.jacobian(scale(sp.Integer(-1), D), D, factor=True) == "(-I)"
    assert WRITER.jacobian(times(f, D), D, factor=True) == "diag(f_t)"
    assert WRITER.jacobian(zero(D.shape), D, factor=True) == "0"


def test_a_part_of_a_path_that_does_not_move_gives_no_path() -> None:
    still = times(matmul(W, stack((zero(D.shape), NOTHING))), f)
    assert [p.value for p in operators(add(still, times(f, D)), D)] == [times(f, D)]


def test_each_path_of_a_stack_keeps_the_stack() -> None:
    both = MatrixSymbol("W", n, 2 * n)
    expr = matmul(both, stack((D, times(f, D))))
    first, second = (p.value for p in operators(expr, D))
    assert first == matmul(both, stack((D, zero(D.shape))))
    assert second == matmul(both, stack((zero(D.shape), times(f, D))))
    assert equal(expr, add(first, second))


@pytest.mark.parametrize(
    ("expr", "diagonal"),
    [
        (D, True),
        (times(f, D), True),
        (add(D, scale(sp.Integer(3), times(f, i, D))), True),
        (matmul(U, D), False),
        (add(times(f, D), matmul(U, D)), False),
        (times(f, matmul(U, D)), False),
    ],
)
def test_a_jacobian_is_diagonal_where_every_path_is(expr: Expr, diagonal: bool) -> None:
    assert is_diagonal(expr, D) is diagonal


def test_a_matrix_of_one_column_is_no_diagonal() -> None:
    one = MatrixSymbol("d(s[t-1])", 1, 1)
    column = MatrixSymbol("V", n, 1)
    assert not is_diagonal(matmul(column, one), one)
    assert WRITER.jacobian(matmul(column, one), one) == "V_t"  # V is no parameter of the LSTM


def test_names_carry_time_and_parameters_do_not() -> None:
    shown = {"f": "f_t", "C[t-1]": "C_{t-1}", "U_f": "U_f", "d(C[t-1])": "dC_{t-1}"}
    assert {name: WRITER.name(name) for name in shown} == shown
    assert WRITER.name("C[t-3]") == "C_{t-3}"


def test_names_that_single_assignment_introduced_are_spelled_out_at_every_step() -> None:
    g = gradients(load("lstm"))
    names_of_cell = {e.name for e in g.cell.equations}
    introduced = [a for a in g.forward if a.name not in names_of_cell]
    assert {a.name for a in introduced} >= {"tanh_C", "a_f"}
    assert Writer(g).text(vector("tanh_C")) == "tanh(C_t)"
    assert Writer(g).text(vector("tanh_C[t-2]")) == "tanh(C_{t-2})"
    assert Writer(g).text(times(f, vector("tanh_C[t-1]"))) == "f_t * tanh(C_{t-1})"
    assert Writer(g).text(vector("a_f")) == "W_f @ x_t + U_f @ h_{t-1} + b_f"


def test_introduced_names_that_stand_in_each_other_are_spelled_out_to_the_end() -> None:
    g = gradients(parse("input x[m]\nstate h[n]\nh = tanh(U @ tanh(U @ tanh(W @ x + h[t-1])))"))
    inner = "tanh(W @ x_t + h_{t-1})"
    (argument,) = [a.value.argument for a in g.forward if a.name == "h"]
    assert Writer(g).text(apply("tanh", argument)) == f"tanh(U @ tanh(U @ {inner}))"


def test_the_differential_of_a_product_is_no_product_of_tangents() -> None:
    g = gradients(parse("input x[n]\nstate h[n]\nh = h[t-1] * h[t-1] * x"))
    d = tangent(g.cell.output.before)
    whole = differential(g, g.cell.output.now, {g.cell.output.before: d})
    assert all(
        sum(a == d for a in p.value.args) == 1
        for p in operators(whole, d)
        if isinstance(p.value, HadamardProduct)
    )
    assert Writer(g).jacobian(whole, d) == "diag(h_{t-1} * x_t) + diag(h_{t-1} * x_t)"
