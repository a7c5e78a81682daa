"""Examples that pin what the language means: shapes, forms, messages, and text that reads back."""

import re

import pytest
import sympy as sp

from derive import zoo
from derive.cell import Cell, lag
from derive.errors import CellError
from derive.language import build, parse
from derive.primitives import PRIMITIVES

HEAD = "input x[m]\nstate h[n]\n"
n, m = sp.Symbol("n", integer=True, positive=True), sp.Symbol("m", integer=True, positive=True)


def shapes(cell: Cell) -> dict[str, tuple[sp.Expr, ...]]:
    return {v.name: v.shape for v in cell.parameters}


def refused(text: str) -> str:
    with pytest.raises(CellError) as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize("name", zoo.names())
def test_every_cell_of_the_zoo_reads_back(name: str) -> None:
    cell = zoo.load(name)
    assert cell.name == name
    assert parse(str(cell), name) == cell
    assert str(parse(str(cell))) == str(cell)
    assert cell.title
    assert cell.source


def test_the_shapes_of_the_lstm_follow_from_its_equations() -> None:
    cell = zoo.load("lstm")
    expected = {f"W_{g}": (n, m) for g in "fiog"}
    expected |= {f"U_{g}": (n, n) for g in "fiog"}
    expected |= {f"b_{g}": (n,) for g in "fiog"}
    assert shapes(cell) == expected
    assert list(shapes(cell))[:4] == ["W_f", "U_f", "b_f", "W_i"], "in order of appearance"
    assert [(v.name, v.shape) for v in cell.states] == [("h", (n,)), ("C", (n,))]
    assert [(v.name, v.shape) for v in cell.inputs] == [("x", (m,))]
    assert cell.dimensions == (n, m)
    assert [e.name for e in cell.equations] == ["f", "i", "o", "g", "C", "h"]


def test_the_concatenated_form_has_one_weight_for_both() -> None:
    cell = parse(HEAD + "h = tanh(W_f @ [h[t-1], x] + b_f)\n")
    assert shapes(cell) == {"W_f": (n, n + m), "b_f": (n,)}
    stacked = sp.BlockMatrix([[cell.states[0].before], [cell.inputs[0].now]])
    assert cell.equations[0].value.argument.args[0] == cell.parameters[0].now * stacked
    assert parse(str(cell)) == cell


def test_a_list_in_a_list_is_the_longer_list() -> None:
    assert parse(HEAD + "h = W @ [[h[t-1], x], x]") == parse(HEAD + "h = W @ [h[t-1], x, x]")
    assert shapes(parse(HEAD + "h = W @ [h[t-1], x, x]")) == {"W": (n, n + 2 * m)}


def test_sums_of_sizes_can_be_declared() -> None:
    declared = HEAD + "parameter W[n, {}]\nh = W @ [x, h[t-1], x]\n"
    for size in ("2*m + n", "n + m + m", " m+ n + 1 * m "):
        assert shapes(parse(declared.format(size))) == {"W": (n, n + 2 * m)}
    assert "shapes [n, m + n] (declared in line 3)" in refused(declared.format("n + m"))
    whole = parse("input x[2]\nstate h[3]\nh = W @ [x, h[t-1], 2 * x]\n")
    assert shapes(whole) == {"W": (3, 7)}


def test_declared_shapes_are_kept_and_fill_in_what_use_leaves_open() -> None:
    open_text = HEAD + "{}h = tanh(A @ B @ x)\n"
    assert "the shape of 'A' does not follow from its use, found [n, ?]" in refused(
        open_text.format("")
    )
    cell = parse(open_text.format("parameter A[n, r]\n"))
    r = sp.Symbol("r", integer=True, positive=True)
    assert shapes(cell) == {"A": (n, r), "B": (r, m)}


def test_sizes_may_be_whole_numbers() -> None:
    cell = parse("input x[3]\nstate h[1]\nh = 1 - W @ x - (1 - U @ h[t-1])\n")
    assert shapes(cell) == {"W": (1, 3), "U": (1, 1)}
    assert cell.dimensions == ()
    assert parse(str(cell)) == cell


def test_a_contradiction_shows_the_equation_both_shapes_and_where_each_came_from() -> None:
    assert refused(HEAD + "g = W @ x + b\nk = V @ (b * x)\nh = g + k\n") == (
        "line 5: shapes [n] (declared in line 2) and [m] (`W @ x` in line 3, declared in line 1) "
        "do not fit, in `h = g + k`"
    )
    assert refused(HEAD + "h = W @ x + W @ h[t-1]\n") == (
        "line 3: `W @ h[t-1]`: shapes [?, m] (`W @ x` in line 3, declared in line 1) and "
        "[n] (declared in line 2) do not fit, in `h = W @ x + W @ h[t-1]`"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h = tanh(W @ x[t] + h[t - 1])", "h = tanh(W @ x + h[t-1])"),
        ("g = W @ x\nh = g[t]", "g = W @ x\nh = g"),
        ("h = (W @ x\n  + U @ h[t-1]  # again\n\n  + b)", "h = W @ x + U @ h[t-1] + b"),
        ("h = W @ [\n  h[t-1],\n  x,\n]", "h = W @ [h[t-1], x]"),
        ("# first\nh = W @ x # last", "h = W @ x"),
        ("\n\n\th   =W@x\t", "h = W @ x"),
        ("h = A @ B @ C @ x + D", "h = (A @ B) @ C @ x + D"),
        ("h = A @ B @ C @ x + D", "h = A @ (B @ (C @ x)) + D"),
        ("h = a * b * c + W @ x", "h = a * (b * c) + W @ x"),
        ("h = W @ x - b + c", "h = (W @ x - b) + c"),
        ("h = W @ x / 4", "h = 0.25 * (W @ x)"),
        ("h = W @ x / 3", "h = 1 / 3 * (W @ x)"),
        ("h = -(2 * b) * c + W @ x", "h = -2 * b * c + W @ x"),
        ("h = W @ x + 2 ** 3 * b", "h = W @ x + 8 * b"),
        ("h = W @ (2 * x)", "h = 2 * W @ x"),
        ("h = -W @ x", "h = -(W @ x)"),
        ("h = 1 + W @ x + 2", "h = 3 + W @ x"),
        ("h = W @ x + 1 - 1", "h = W @ x"),
        ("h = +(W @ x)", "h = W @ x"),
        ("h = - - (W @ x)", "h = W @ x"),
        ("h = 1e-3 * (W @ x)", "h = 0.001 * (W @ x)"),
    ],
)
def test_two_ways_of_writing_one_equation_are_equal(one: str, other: str) -> None:
    declared = "parameter A[n, r], B[r, s]\n" if "A @" in one else ""
    left, right = parse(f"{HEAD}{declared}{one}\n"), parse(f"{HEAD}{declared}{other}\n")
    assert left == right
    assert str(left) == str(right)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("h = b - (c - W @ x)", "h = b - c - W @ x"),
        ("h = b - (c - W @ x)", "h = b - c + W @ x"),
        ("h = b * (c + W @ x)", "h = b * c + W @ x"),
        ("h = -b ** 2 + W @ x", "h = (-b) ** 2 + W @ x"),
        ("h = U @ (b * (W @ x))", "h = b * (U @ (W @ x))"),
        ("h = U @ h[t-1] + W @ x", "h = U.T @ h[t-1] + W @ x"),
        ("h = W @ x + b / 3", "h = W @ x + 0.3333333333333333 * b"),
    ],
)
def test_two_different_equations_are_not_equal(one: str, other: str) -> None:
    declared = "".join(f"parameter {p}\n" for p in ("b[n]", "U[n, n]") if f"{p[0]} " in one)
    assert parse(f"{HEAD}{declared}{one}\n") != parse(f"{HEAD}{declared}{other}\n")


def test_line_ends_of_every_system_and_a_byte_order_mark_are_read() -> None:
    text = str(zoo.load("gru"))
    for end in ("\r\n", "\r"):
        assert parse(text.replace("\n", end)) == parse(text)
        assert parse(b"\xef\xbb\xbf" + text.replace("\n", end).encode()) == parse(text)


def test_equations_remember_their_line_which_does_not_count_for_equality() -> None:
    cell = parse(f"# why\n\n{HEAD}\nh = (W @ x\n + b)\n")
    assert [e.line for e in cell.equations] == [6]
    assert cell == parse(HEAD + "h = W @ x + b\n")


def test_powers_and_transposes_are_what_they_say() -> None:
    W, x = sp.MatrixSymbol("W", n, m), sp.MatrixSymbol("x", m, 1)
    V, k = sp.MatrixSymbol("V", n, n), sp.MatrixSymbol("k", n, 1)
    cell = parse(HEAD + "parameter V[n, n]\nk = V.T @ h[t-1]\nh = (W @ x) ** 3 + V @ k\n")
    assert cell.equations[0].value == sp.MatMul(V.T, sp.MatrixSymbol("h[t-1]", n, 1))
    assert cell.equations[1].value == sp.MatAdd(sp.HadamardPower(sp.MatMul(W, x), 3), V * k)


def test_documentation_is_kept_with_its_source() -> None:
    cell = parse(f'"""A cell.\nSource: Nobody\n(1999)."""\n{HEAD}h = W @ x\n')
    assert (cell.title, cell.source) == ("A cell", "Nobody (1999).")
    assert parse(str(cell)).doc == cell.doc
    assert parse(f'# licence\n"One line."\n{HEAD}h = W @ x\n').doc == "One line."


def test_a_cell_s_name_is_a_word_whatever_the_file_is_called() -> None:
    names = ('"""\nimport os', "../../etc", "mine 2", "\u03c3", "gru_reset_before")
    parsed = [parse(HEAD + "h = W @ x\n", name).name for name in names]
    assert parsed == ["import_os", "etc", "mine_2", "cell", "gru_reset_before"]


def test_long_declarations_are_printed_over_several_lines() -> None:
    sums = " + ".join(f"W_{k} @ x" for k in range(120))
    text = str(parse(f"{HEAD}h = {sums}\n"))
    assert parse(text) == parse(f"{HEAD}h = {sums}\n")
    declared = [line for line in text.splitlines() if line.startswith("parameter ")]
    assert len(declared) > 1
    assert max(map(len, declared)) <= 100


W, U, b = sp.MatrixSymbol("W", n, m), sp.MatrixSymbol("U", n, n), sp.MatrixSymbol("b", n, 1)
X, LAST = sp.MatrixSymbol("x", m, 1), sp.MatrixSymbol(lag("h"), n, 1)
SIGMOID = PRIMITIVES["sigmoid"].value


def built(equations: dict[str, sp.MatrixExpr], doc: str = "") -> Cell:
    return build("mine", {"x": (m,)}, {"h": (n,)}, equations, doc)


@pytest.mark.parametrize(
    ("value", "right_side"),
    [
        (sp.MatAdd(W * X, U * LAST, b).applyfunc(sp.tanh), "tanh(W @ x + U @ h[t-1] + b)"),
        ((W * X).applyfunc(SIGMOID), "sigmoid(W @ x)"),
        ((W * X).applyfunc(sp.Function("softplus")), "softplus(W @ x)"),
        (sp.HadamardProduct(W * X, b), "(W @ x) * b"),
        (sp.HadamardPower(W * X, 3), "(W @ x) ** 3"),
        (sp.MatAdd(sp.OneMatrix(n, 1), -W * X), "1 - W @ x"),
        (sp.MatAdd(sp.Float("0.5") * (W * X), LAST / 3), "0.5 * W @ x + 1 / 3 * h[t-1]"),
        (U.T * W * X, "U.T @ W @ x"),
        ((U * W) * X, "U @ W @ x"),
        ((W.T * U).T * X, "U.T @ W @ x"),
        (sp.MatrixSymbol("W", n, n + m) * sp.BlockMatrix([[LAST], [X]]), "W @ [h[t-1], x]"),
    ],
)
def test_a_cell_built_from_sympy_is_the_cell_read_from_text(
    value: sp.MatrixExpr, right_side: str
) -> None:
    square = "parameter U[n, n]\n" if "U.T @ W" in right_side or "U @ W" in right_side else ""
    assert built({"h": value}) == parse(f"{HEAD}{square}h = {right_side}\n")


def test_a_built_cell_has_intermediates_documentation_and_any_size_symbols() -> None:
    k = sp.Symbol("n")  # without our assumptions: only its name matters
    h, g = sp.MatrixSymbol(lag("h"), k, 1), sp.MatrixSymbol("g", k, 1)
    w = sp.MatrixSymbol("W", k, 3)
    cell = build(
        "mine",
        {"x": (3,)},
        {"h": (k,)},
        {"g": (w * sp.MatrixSymbol("x", 3, 1)).applyfunc(SIGMOID), "h": sp.HadamardProduct(g, h)},
        "Mine.",
    )
    assert cell == parse('"Mine."\ninput x[3]\nstate h[n]\ng = sigmoid(W @ x)\nh = g * h[t-1]\n')
    assert cell.name == "mine"


def test_a_matrix_with_one_column_is_a_matrix_where_it_multiplies() -> None:
    column, one = sp.MatrixSymbol("w", n, 1), sp.MatrixSymbol("x", 1, 1)
    cell = build("mine", {"x": (1,)}, {"h": (n,)}, {"h": sp.MatAdd(sp.MatMul(column, one), b)})
    assert shapes(cell) == {"w": (n, 1), "b": (n,)}


@pytest.mark.parametrize(
    ("equations", "says"),
    [
        ({"h": (W * X).applyfunc(sp.asin)}, "function asin(_d"),
        ({"h": sp.Symbol("a") * W * X}, "symbol 'a', no matrix; a*(W*x) is not in the language"),
        ({"h": sp.Symbol("n") ** 17 * W * X}, "a number without a text"),
        ({"h": sp.pi * W * X}, "a number without a text"),
        ({"h": U.I * W * X}, "(Inverse) is not in the language"),
        ({"h": U**2 * W * X}, "(MatPow) is not in the language"),
        ({"h": sp.BlockMatrix([[W, U]]) * sp.BlockMatrix([[X], [LAST]])}, "blocks side by side"),
        ({"h": W * sp.MatrixSymbol("x", m + 1, 1)}, "symbol 'x' has shape (m + 1, 1), expected"),
        ({"h": W * X + sp.MatrixSymbol("C[t-1]", n, 1)}, "'C[t-1]' is not a name here"),
        ({"h": W * X + sp.MatrixSymbol("b[n]\nstate C", n, 1)}, "is not a name here"),
        ({"h": W * X, "h = 1 #": W * X}, "'h = 1 #' is not a name here"),
        ({"h": sp.HadamardPower(W * X, -1)}, "(HadamardPower) is not in the language"),
        ({"h": sp.HadamardPower(W * X, 99)}, "a power must be a whole number from 2 to 16"),
        ({"k": W * X}, "state 'h' has no equation"),
        ({}, "state 'h' has no equation"),
    ],
)
def test_a_built_cell_goes_through_the_same_checks(
    equations: dict[str, sp.MatrixExpr], says: str
) -> None:
    with pytest.raises(CellError, match=re.escape(says)) as caught:
        built(equations)
    assert str(caught.value).startswith("line ")
    assert str(caught.value).isprintable()


def test_documentation_cannot_end_early_in_a_built_cell() -> None:
    for doc in ('a"""\nstate C[n]\n"""', 'a"'):
        with pytest.raises(CellError, match="quotes in the documentation"):
            built({"h": W * X}, doc)
