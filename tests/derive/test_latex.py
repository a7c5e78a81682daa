"""The article: complete, pure ASCII, the same bytes every time, terms with their reasons."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from articles import CELLS, CLAIMS, check_balance, unbroken
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.errors import CellError, RuleError
from derive.expressions import MatMul, transpose
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.language.names import check_name
from derive.latex import latex
from derive.latex.typesetting import broken, escape, table, width
from derive.notation import notation_of
from derive.zoo import load, names


@pytest.mark.parametrize("name", CELLS)
def test_the_article_is_balanced_ascii_and_every_reference_has_its_label(name: str) -> None:
    tex = latex(gradients(CELLS[name]), CLAIMS)
    assert tex.isascii()
    assert tex.endswith("\\end{document}\n")
    check_balance(tex)
    labels = re.findall(r"\\label\{([^}]*)\}", tex)
    assert len(labels) == len(set(labels))
    assert set(re.findall(r"\\ref\*\{([^}]*)\}", tex)) <= set(labels)


@pytest.mark.parametrize("broken_tex", ["{", "}{", r"\begin{a}", r"\begin{a}\end{b}", "$"])
def test_the_check_of_balance_sees_what_is_open(broken_tex: str) -> None:
    with pytest.raises(AssertionError):
        check_balance(broken_tex)


def test_the_article_of_the_lstm_is_as_reviewed(golden: Callable[[str, str], None]) -> None:
    golden("latex/article_lstm.tex", latex(gradients(CELLS["lstm"]), CLAIMS))


@pytest.mark.parametrize("name", CELLS)
def test_same_cell_same_bytes(name: str) -> None:
    text = str(CELLS[name])
    first = latex(gradients(parse(text, name)), CLAIMS)
    assert first == latex(gradients(parse(text, name)), CLAIMS)


@pytest.mark.parametrize("name", names())
def test_every_term_of_every_cotangent_stands_in_the_article(name: str) -> None:
    g = gradients(load(name))
    tex = latex(g, ())
    terms, whole = unbroken(tex, notes=False), unbroken(tex)
    notation = notation_of(g.cell)
    for adjoint in (*g.backward, *g.parameters, *g.inputs, *g.states):
        for term in adjoint.terms:
            assert unbroken(notation.tex(term.value)) in terms
            assert ",".join(re.sub(r"\s", "", rule) for rule in term.rules) in whole


def without_last_state_term(g: Gradients) -> Gradients:
    first, *rest = g.states
    return replace(g, states=(replace(first, terms=first.terms[:-1]), *rest))


def test_a_dropped_term_is_missing_from_the_article() -> None:
    g = gradients(CELLS["lstm"])
    assert latex(g, ()).count(r"U_{f}^{\top}") == 1
    assert latex(without_last_state_term(g), ()).count(r"U_{f}^{\top}") == 0


def test_a_gradient_of_the_wrong_shape_is_not_written_down() -> None:
    g = gradients(CELLS["lstm"])
    first, *rest = g.parameters
    (term,) = first.terms
    assert isinstance(term.value, MatMul)
    turned = replace(first, terms=(replace(term, value=transpose(term.value)),))
    with pytest.raises(RuleError, match=r"bar\(W_f\) has shape"):
        latex(replace(g, parameters=(turned, *rest)), ())


def test_boundary_steps_are_named_apart_from_the_recurrence() -> None:
    tex = latex(gradients(CELLS["lstm"]), ())
    places = [tex.index(s) for s in ("The last step, $t=T$", "The recurrence", "The first step")]
    assert places == sorted(places)
    assert r"\frac{\partial\mathcal{L}}{\partial C_{0}} &= \overleftarrow{C}_{0}" in tex


def test_the_last_step_has_another_sign_where_a_state_is_called_T() -> None:
    tex = latex(gradients(CELLS["stacked"]), ())
    assert r"t=\mathcal{T}" in tex
    assert "$t=T$" not in tex


def test_a_claim_carries_its_verdict_level_remainder_and_example() -> None:
    tex = latex(gradients(CELLS["lstm"]), CLAIMS)
    assert r"\textbf{[proved, decided]}" in tex
    assert r"\textbf{[refuted, decided]}" in tex
    assert CLAIMS[1].remainder_latex[0] in tex
    assert r"n = 1, p\_f = 1: 0.41 is not 0.38." in tex
    assert r"path of h\textasciicircum{}2 (not for \{this\} cell)" in tex


def test_a_number_is_no_vector_and_a_matrix_is_one_for_each_example() -> None:
    tex = latex(gradients(load("mlstm")), ())
    assert r"$b_{i}$ & $\mathbb{R}^{1}$ & parameter, a number" in tex
    assert "where a vector or a matrix is meant, it stands in every entry" in tex
    assert "such as $m_{C,t}$, is another one for each example" in tex
    for said in ("is a number;", "is another one for each example"):
        assert said not in latex(gradients(load("lstm")), ())


def test_an_output_that_is_called_y_is_not_said_twice() -> None:
    tex = latex(gradients(load("gla")), ())
    assert "state; it is the output \\" in tex
    assert "in the output $y_{t}$: all later" in tex
    assert "in the output $y_{t}=h_{t}$: all later" in latex(gradients(load("lstm")), ())


def test_a_claim_that_nobody_would_read_to_its_end_says_how_much_is_left() -> None:
    formula = " + ".join(rf"\operatorname{{diag}}(f_{{{k},t}} \odot C_{{t-1}})" for k in range(400))
    long = replace(CLAIMS[0], statement="a + " * 500 + "b", latex=formula)
    tex = latex(gradients(CELLS["lstm"]), (long,))
    assert "has all of its 2001 letters" in " ".join(tex.split())
    assert tex.count(r"\operatorname{diag}(f_{") < 150
    left = re.search(r"\\cdots\\quad\\text\{\((\d+) more lines\)\}", tex)
    assert left
    assert int(left[1]) > 10
    check_balance(tex)


def test_plain_text_cannot_become_tex() -> None:
    assert escape(r"\input{x} a_b^c 5% & #1 ~") == (
        r"\textbackslash{}input\{x\} a\_b\textasciicircum{}c 5\% \& \#1 \textasciitilde{}"
    )
    assert escape("$x$") == r"\ensuremath{\mathdollar}x\ensuremath{\mathdollar}"
    assert escape("\u03c3 \u00e9 \u4e2d\u2013") == (r"\ensuremath{\sigma} \'{e} \texttt{U+4E2D}--")
    assert r"\allowbreak" in escape("x" * 40)


@given(st.text())
def test_any_text_escapes_to_balanced_ascii(text: str) -> None:
    shown = escape(text)
    assert shown.isascii()
    check_balance(shown)


def test_a_long_formula_breaks_outside_brackets_first_and_loses_nothing() -> None:
    tex = r"a \odot (b + c + d) + e \odot (f - g) - \begin{pmatrix} a + b \\ c \end{pmatrix}"
    lines = broken(tex, 90)
    assert lines[0] == r"a \odot (b + c + d)"
    assert " ".join(lines) == tex
    assert all(width(line) <= 90 for line in lines)


def test_a_wide_table_breaks_its_last_column_and_a_long_one_may_go_over_pages() -> None:
    assert r"p{" in table(("a", "b"), [("x", "word " * 100)])
    assert r"p{" not in table(("a", "b"), [("x", "word")])
    assert "longtable" in table(("a", "b"), [("x", "word")] * 13)


TEMPLATES = (
    "input {x}[m]\nstate {h}[n]\n{h} = tanh({W} @ {x} + {U} @ {h}[t-1] + {b})",
    "input {x}[m]\nstate {h}[n]\n{g} = sigmoid({W} @ [{h}[t-1], {x}])\n"
    "{h} = {g} * {h}[t-1] - (1 - {g}) ** 3 * tanh({U} @ {x} + {b} * {h}[t-1])",
    "input {x}[n]\nstate {h}[n], {g}[n]\n{g} = exp({U}.T @ {h}[t-1]) / 3 + {x}\n"
    "{h} = 0.5 * {g} * {g}[t-1] + {b} - 2",
)


def allowed(name: str) -> bool:
    try:
        check_name(name)
    except CellError:
        return False
    return name not in ("n", "m") and not name.endswith("_0")


words = st.one_of(
    st.sampled_from(("alpha", "sigma_x", "sigma", "T", "B", "L", "W_f_t", "tanh_C", "bar_x", "e1")),
    st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,4}(_[A-Za-z0-9]{1,5}){0,2}", fullmatch=True),
).filter(allowed)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(TEMPLATES), st.lists(words, min_size=6, max_size=6, unique=True))
def test_any_cell_gives_balanced_ascii(template: str, chosen: list[str]) -> None:
    text = template.format(**dict(zip("xhgWUb", chosen, strict=True)))
    tex = latex(gradients(parse(text)), CLAIMS)
    assert tex.isascii()
    check_balance(tex)
