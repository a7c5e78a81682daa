"""The notation says what the expression says: nothing lost, nothing ambiguous, only ASCII."""

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from core import CORE
from hypothesis import given
from hypothesis import strategies as st
from tex_reader import FUNCTIONS, MATRICES, VECTORS, Exact, Reader, values_of

from derive.cell import Cell
from derive.errors import RuleError
from derive.evaluate import evaluate
from derive.expressions import (
    Expr,
    MatrixSymbol,
    add,
    apply,
    constant,
    log_sum_exp,
    matmul,
    part,
    power,
    reciprocal,
    scale,
    spread,
    stack,
    symbol,
    times,
    total,
    transpose,
)
from derive.gradients import gradients
from derive.language import parse
from derive.notation import Notation, notation_of
from derive.zoo import load, names

SIZE = sp.Integer(2)
n, m = sp.symbols("n m", integer=True, positive=True)
NOTATION = Notation(timeless=frozenset(("W_f", "A", "B", "p", "alpha_f", "W1", "W_1", "f_t")))


@pytest.mark.parametrize(
    ("name", "tex"),
    [
        ("f", r"f_{t}"),
        ("W_f", r"W_{f}"),
        ("h[t-1]", r"h_{t-1}"),
        ("o[t-2]", r"o_{t-2}"),
        ("h[T]", r"h_{T}"),
        ("a_f", r"a_{f,t}"),
        ("tanh_C", r"\mathrm{tanh}_{C,t}"),
        ("gate", r"\mathit{gate}_{t}"),
        ("gate_in", r"\mathit{gate}_{\mathrm{in},t}"),
        ("W1", r"\mathit{W1}"),
        ("W_1", r"W_{1}"),
        ("f_t", r"f_{\mathrm{t}}"),
        ("alpha", r"\alpha_{t}"),
        ("alpha_f", r"\alpha_{f}"),
        ("W_beta", r"W_{\beta,t}"),
        ("sigma_x", r"\sigma_{x,t}"),
        ("bar(f)", r"\bar{f}_{t}"),
        ("bar(W_f)", r"\bar{W}_{f}"),
        ("bar(a_f)", r"\bar{a}_{f,t}"),
        ("bar(alpha)", r"\bar{\alpha}_{t}"),
        ("bar(gate)", r"\overline{\mathit{gate}}_{t}"),
        ("bar(h[t-1])", r"\overleftarrow{h}_{t-1}"),
        ("carry(h)", r"\overleftarrow{h}_{t}"),
        ("dy", r"\delta^{\mathrm{out}}_{t}"),
        ("d(C[t-1])", r"\mathrm{d}C_{t-1}"),
    ],
)
def test_a_name_is_written_as_a_paper_writes_it(name: str, tex: str) -> None:
    assert NOTATION.name(name) == tex


SCALAR = symbol("k", (sp.S.One,))
ONES = constant(sp.S.One, (m, sp.S.One))


def vector(name: str) -> Expr:
    return symbol(name, (n,))


@pytest.mark.parametrize(
    ("expr", "tex"),
    [
        (power(vector("f"), 2), r"f_{t}^{\odot 2}"),
        (power(add(vector("f"), vector("p")), 3), r"(f_{t} + p)^{\odot 3}"),
        (power(apply("sigmoid", vector("f")), 2), r"(\sigma(f_{t}))^{\odot 2}"),
        (power(power(vector("f"), 2), 3), r"(f_{t}^{\odot 2})^{\odot 3}"),
        (power(symbol("dy", (n,)), 2), r"(\delta^{\mathrm{out}}_{t})^{\odot 2}"),
        (
            transpose(times(vector("f"), vector("p"))),
            r"(f_{t} \odot p)^{\top}",
        ),
        (
            times(
                add(constant(sp.S.One, (n, sp.S.One)), scale(sp.S(-1), vector("f"))), vector("p")
            ),
            r"(1 - f_{t}) \odot p",
        ),
        (add(vector("f"), scale(sp.Rational(-1, 2), vector("p"))), r"f_{t} - \tfrac{1}{2}\, p"),
        (matmul(symbol("A", (n, n)), times(vector("f"), vector("p"))), r"A\, (f_{t} \odot p)"),
        (times(vector("f"), matmul(symbol("A", (n, n)), vector("p"))), r"f_{t} \odot (A\, p)"),
        (reciprocal(vector("f")), r"\frac{1}{f_{t}}"),
        (
            times(vector("p"), reciprocal(add(vector("f"), vector("p")))),
            r"p \odot \frac{1}{f_{t} + p}",
        ),
        (power(reciprocal(vector("f")), 2), r"(\frac{1}{f_{t}})^{\odot 2}"),
        (apply("sqrt", add(vector("f"), vector("p"))), r"\sqrt{f_{t} + p}"),
        (power(apply("abs", vector("f")), 2), r"(\left|f_{t}\right|)^{\odot 2}"),
        (total(times(vector("f"), vector("p"))), r"\operatorname{sum}(f_{t} \odot p)"),
        (log_sum_exp(scale(2, vector("f"))), r"\operatorname{logsumexp}(2\, f_{t})"),
        (times(spread(SCALAR, (n, sp.S.One)), vector("f")), r"k_{t} \odot f_{t}"),
        (
            times(spread(add(SCALAR, SCALAR), (n, sp.S.One)), vector("f")),
            r"(k_{t} + k_{t}) \odot f_{t}",
        ),
        (
            add(vector("f"), scale(-1, spread(SCALAR, (n, sp.S.One)))),
            r"f_{t} - k_{t}",
        ),
        (matmul(vector("f"), transpose(vector("p"))), r"f_{t}\, p^{\top}"),
        (scale(1 / sp.sqrt(n), vector("f")), r"\frac{1}{\sqrt{n}}\, f_{t}"),
        (add(vector("p"), scale(-1 / n, vector("f"))), r"p - \frac{1}{n}\, f_{t}"),
        (scale(sp.Rational(1, 10**5), vector("f")), r"10^{-5}\, f_{t}"),
        (scale(sp.Rational(3, 10**12), vector("f")), r"3 \cdot 10^{-12}\, f_{t}"),
        (total(symbol("f", (n, m))), r"\operatorname{sum}(f_{t})"),
        (
            matmul(constant(sp.S.One, (1, n)), matmul(symbol("f", (n, m)), ONES)),
            r"\operatorname{sum}(f_{t})",
        ),
        (scale(n + m, vector("f")), r"(m + n)\, f_{t}"),
        (scale(n - m, vector("f")), r"(- m + n)\, f_{t}"),
        (add(vector("p"), scale(n - m, vector("f"))), r"p + (- m + n)\, f_{t}"),
        (add(vector("p"), constant(n - m, (n, sp.S.One))), r"p + (- m + n)"),
        (scale(-2 * n, vector("f")), r"-2 n\, f_{t}"),
        (part(vector("bar(f)"), sp.S.Zero, n), r"[\,\bar{f}_{t}\,]_{1:n}"),
        (
            stack((vector("h[t-1]"), symbol("x", (m,)))),
            r"\begin{pmatrix} h_{t-1} \\ x_{t} \end{pmatrix}",
        ),
    ],
)
def test_powers_and_brackets_stay(expr: Expr, tex: str) -> None:
    assert NOTATION.tex(expr) == tex


def test_a_size_beside_a_product_sign_is_bracketed() -> None:
    assert NOTATION.space((n, m + n)) == r"\mathbb{R}^{n \times (m + n)}"
    assert NOTATION.space((m + n,)) == r"\mathbb{R}^{m + n}"
    assert NOTATION.size(2 * n + 1) == r"2\,n + 1"
    assert NOTATION.size(n**2 + m * n) == r"m\,n + n^{2}"
    assert NOTATION.size((m + n) ** 2) == r"(m + n)^{2}"


def test_a_function_is_spelled_out_where_a_name_has_its_sign() -> None:
    cell = parse("input x[m]\nstate h[n]\nh = sigmoid(W @ x + sigma * h[t-1])", "clash")
    value = notation_of(cell).tex(cell.equations[0].value)
    assert value == r"\operatorname{sigmoid}(W\, x_{t} + \sigma \odot h_{t-1})"


def test_a_name_that_no_rule_of_names_allows_is_refused() -> None:
    with pytest.raises(RuleError, match=r"no written form for the name 'x\$'"):
        NOTATION.name("x$")


def every_name(cell: Cell) -> set[str]:
    g = gradients(cell)
    adjoints = (*g.backward, *g.parameters, *g.inputs, *g.states)
    found = {leaf.name for a in adjoints for leaf in (a.of, *a.value.atoms(MatrixSymbol))}
    found |= {leaf.name for a in g.forward for leaf in (a.symbol, *a.value.atoms(MatrixSymbol))}
    return found | {f"bar({a.of.name})" for a in adjoints}


@pytest.mark.parametrize("name", names())
def test_two_names_never_look_the_same(name: str) -> None:
    cell = load(name)
    notation = notation_of(cell)
    seen: dict[str, str] = {}
    for each in sorted(every_name(cell)):
        written = notation.name(each)
        assert seen.setdefault(written, each) == each
        assert written.isascii()


@pytest.mark.parametrize("name", [*CORE, "mlstm"])
def test_the_equations_of_the_core_are_written_as_reviewed(
    name: str, golden: Callable[[str, str], None]
) -> None:
    g = gradients(load(name))
    notation = notation_of(g.cell)
    lines = [f"{notation.name(a.name)} &= {notation.tex(a.value)}" for a in g.forward]
    for a in (*g.backward, *g.parameters, *g.inputs, *g.states):
        lines.append(f"{notation.name(f'bar({a.of.name})')} &= {notation.tex(a.value)}")
    golden(f"latex/notation_{name}.tex", " \\\\\n".join(lines) + "\n")


def expressions() -> st.SearchStrategy[Expr]:
    leaves = st.sampled_from([symbol(name, (SIZE,)) for name in VECTORS])
    factors = st.sampled_from([sp.S(-1), sp.S(2), sp.S(-3), sp.Rational(1, 2), sp.Rational(-2, 3)])
    square = st.sampled_from([symbol(name, (SIZE, SIZE)) for name in MATRICES])
    wide = symbol("B", (SIZE, 2 * SIZE))
    ones = constant(sp.S.One, (SIZE, sp.S.One))

    def grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            st.builds(add, inner, inner),
            st.builds(lambda a, b: add(a, scale(sp.S(-1), b)), inner, inner),
            st.builds(lambda c, a: add(scale(c, ones), a), factors, inner),
            st.builds(times, inner, inner),
            st.builds(power, inner, st.integers(2, 3)),
            st.builds(scale, factors, inner),
            st.builds(apply, st.sampled_from(sorted(FUNCTIONS)), inner),
            st.builds(matmul, square, inner),
            st.builds(lambda a, v: matmul(transpose(a), v), square, inner),
            st.builds(lambda a, b, v: matmul(matmul(a, transpose(b)), v), inner, inner, inner),
            st.builds(lambda a, b: matmul(wide, stack((a, b))), inner, inner),
            st.builds(lambda a, b: part(stack((a, b)), sp.S.One, SIZE), inner, inner),
        )

    return st.recursive(leaves, grown, max_leaves=8)


@given(expressions())
def test_what_is_written_reads_back_to_the_same_value(expr: Expr) -> None:
    values = values_of()
    expected = evaluate(expr, values, {}, Exact())
    tex = NOTATION.tex(expr)
    reader = Reader(tex, values)
    found = reader.sum()
    assert reader.rest == "", f"not read: {reader.rest}"
    assert np.array_equal(np.broadcast_to(found, expected.shape), expected), tex


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(r"f_{t}^{\odot 2}", r"f_{t}"), (r"(f_{t} + p) \odot p", r"f_{t} + p \odot p")],
)
def test_the_reader_sees_a_lost_exponent_and_a_lost_bracket(right: str, wrong: str) -> None:
    values = values_of()
    assert not np.array_equal(Reader(right, values).sum(), Reader(wrong, values).sum())
