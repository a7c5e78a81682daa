"""Whatever the text, the parser gives a cell or one clear line, and soon; cells read back."""

import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from derive import zoo
from derive.cell import Cell
from derive.errors import CellError
from derive.language import parse
from tests.derive.language.hostile import ROWS

WALL = 2.0
TEXTS = tuple(str(zoo.load(name)) for name in zoo.names())
HOSTILE = tuple(row.text for row in ROWS if isinstance(row.text, str) and len(row.text) < 5_000)
TOKEN = re.compile(r"\w+|\*\*|\s+|.", re.DOTALL)
ALPHABET = "hCxtWUbnm01239.eE+-*/@=()[]{},:;#'\"\\_ \t\n\r\0\x1b\u03c3\u200b\ud800"
CALM = settings(deadline=None, max_examples=150)


def check(text: str | bytes) -> Cell | None:
    """The cell, whose text is a fixed point, or None where the text was refused in one line."""
    start = time.perf_counter()
    try:
        cell = parse(text)
    except CellError as error:
        message = str(error)
        assert re.match(r"line \d+: ", message), message
        assert message.isascii()
        assert message.isprintable()
        assert len(message) <= 400
        cell = None
    assert time.perf_counter() - start < WALL
    if cell is not None:
        again = parse(str(cell))
        assert again == cell
        assert str(again) == str(cell)
    return cell


@CALM
@given(st.text())
def test_any_text_is_a_cell_or_one_clear_line(text: str) -> None:
    check(text)


@CALM
@given(st.text(alphabet=ALPHABET, max_size=300))
def test_any_text_of_the_language_s_characters_is_too(text: str) -> None:
    check(text)
    check(f"input x[m]\nstate h[n]\nh = {text}")


@CALM
@given(st.binary())
def test_any_bytes_are_too(raw: bytes) -> None:
    check(raw)
    check(TEXTS[0].encode() + raw)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """A cell of the zoo with tokens or characters deleted, doubled, replaced or swapped."""
    pattern = draw(st.sampled_from((TOKEN, re.compile(".", re.DOTALL))))
    parts = pattern.findall(draw(st.sampled_from(TEXTS)))
    others = sorted(set(parts)) + list(ALPHABET)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(parts) - 1))
        kind = draw(st.sampled_from(("delete", "double", "replace", "insert", "swap")))
        other = draw(st.sampled_from(others))
        match kind:
            case "delete":
                parts[place : place + 1] = [""]
            case "double":
                parts.insert(place, parts[place])
            case "replace":
                parts[place] = other
            case "insert":
                parts.insert(place, other)
            case "swap":
                mate = draw(st.integers(0, len(parts) - 1))
                parts[place], parts[mate] = parts[mate], parts[place]
    return "".join(parts)


@settings(CALM, max_examples=300)
@given(mutations())
def test_a_mutated_cell_is_a_cell_or_one_clear_line(text: str) -> None:
    check(text)


@CALM
@given(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE), st.integers(0), st.integers(0))
def test_two_hostile_texts_joined_anywhere_are_too(a: str, b: str, left: int, right: int) -> None:
    check(a[: left % (len(a) + 1)] + b[right % (len(b) + 1) :])


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_of_the_zoo_cut_anywhere_is_too(text: str) -> None:
    for place in range(0, len(text), 7):
        check(text[:place])
        check(text[place:])


ONE_SIZE = """input x[n]
state h[n]
parameter p[n], q[n], W[n, n], V[n, n], U[n, 2*n]
k = {} + p
h = k + x * p * q + (W + V) @ x + U @ [x, x]
"""
NUMBERS = st.one_of(
    st.integers(1, 10**6).map(str),
    st.floats(1e-9, 1e9).map(repr),
    st.sampled_from(("0", "0.0", "1e30", "1e-30", "7 / 3", "-1 / 3", "2 ** 5")),
)
LEAVES = st.sampled_from(("x", "p", "q", "h[t-1]", "h[t - 1]", "x[t]"))


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.map(" + ".join),
        pair.map(" - ".join),
        pair.map("({0[0]}) - ({0[1]})".format),
        pair.map("({0[0]}) * ({0[1]})".format),
        pair.map("{0[0]} * {0[1]}".format),
        inner.map("-({})".format),
        inner.map("-{}".format),
        inner.map("(+{})".format),
        inner.map("tanh({})".format),
        inner.map("W @ ({})".format),
        inner.map("W @ W.T @ ({})".format),
        inner.map("(W - 2 * V) @ ({})".format),
        inner.map("U @ [p, {}]".format),
        st.tuples(inner, NUMBERS).map("({0[0]}) / {0[1]}".format),
        st.tuples(NUMBERS, inner).map("{0[0]} * ({0[1]})".format),
        st.tuples(NUMBERS, inner).map("{0[0]} - {0[1]}".format),
        st.tuples(inner, NUMBERS).map("({0[0]}) + {0[1]}".format),
        st.tuples(NUMBERS, NUMBERS, inner).map("({0[0]} - {0[1]}) * {0[2]}".format),
        st.tuples(inner, st.integers(1, 17)).map("({0[0]}) ** {0[1]}".format),
    )


# Scalars, vectors and matrices of one size, in an order that no rule of shapes stands behind.
MIXED = """input x[n]
state h[n], k[1], C[n, n]
parameter p[n], s[1], V[n, n]
k = tanh(k[t-1] * s) + sum(V @ x + p)
C = {} + V + C[t-1]
h = {} + k * p
"""
MIXED_LEAVES = st.sampled_from(
    ("x", "p", "s", "k", "k[t-1]", "h[t-1]", "x[t-1]", "V", "C[t-1]", "n", "2", "p.T", "V.T")
)


def _mixed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    forms = (
        *("{0[0]} + {0[1]}", "{0[0]} - ({0[1]})", "({0[0]}) * ({0[1]})", "{0[0]} * {0[1]}"),
        *("({0[0]}) / ({0[1]})", "{0[0]} / {0[1]}", "({0[0]}) @ ({0[1]})", "{0[0]} @ {0[1]}"),
        *("max({0[0]}, {0[1]})", "dot({0[0]}, {0[1]})", "outer({0[0]}, {0[1]})"),
    )
    names = ("sum", "mean", "norm", "logsumexp", "softmax", "relu", "sqrt", "column", "-")
    return st.one_of(
        *(pair.map(form.format) for form in forms),
        *(inner.map(f"{name}({{}})".format) for name in names),
        inner.map("({}) ** 2".format),
    )


@settings(CALM, max_examples=400)
@given(
    st.recursive(MIXED_LEAVES, _mixed, max_leaves=6),
    st.recursive(MIXED_LEAVES, _mixed, max_leaves=6),
)
def test_whatever_mixes_shapes_is_a_cell_that_reads_back_or_one_clear_line(C: str, h: str) -> None:
    check(MIXED.format(C, "0"))
    check(MIXED.format("0", h))


@settings(CALM, max_examples=400)
@given(st.recursive(LEAVES, _grown, max_leaves=12))
def test_whatever_the_grammar_builds_prints_and_reads_back(right_side: str) -> None:
    """All vectors have one size, so that most texts are cells; the others are left out."""
    assume(check(ONE_SIZE.format(right_side)) is not None)


@pytest.mark.parametrize(
    "right_side", ["(W - 2 * V) @ x", "U @ [p, 2 * x]", "W @ W.T @ (x)", "x / 7", "(-(x)) ** 3"]
)
def test_the_grammar_reaches_cells(right_side: str) -> None:
    assert check(ONE_SIZE.format(right_side)) is not None
