"""A cell is a frozen value with the parts that its text says."""

from dataclasses import FrozenInstanceError, replace

import pytest
import sympy as sp

from derive import zoo
from derive.cell import Equation, Variable, lag
from derive.language import parse

TEXT = '''"""Two states.

Source: nobody,
2001. """
input u[k], x[m]
state h[n], c[m]
parameter A[n, 3 + r]
c = x * c[t-1] + D @ u
h = A @ B @ c
'''


def test_a_lag_is_written_as_in_the_language() -> None:
    assert lag("h") == "h[t-1]"
    assert lag("h", 2) == "h[t-2]"


def test_a_variable_is_a_symbol_now_and_one_step_back() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    vector, matrix = Variable("h", (n,)), Variable("W", (n, m))
    assert vector.now == sp.MatrixSymbol("h", n, 1)
    assert vector.before == sp.MatrixSymbol("h[t-1]", n, 1)
    assert matrix.now == sp.MatrixSymbol("W", n, m)


def test_the_first_state_is_the_output_and_sizes_come_states_first() -> None:
    cell = parse(TEXT)
    assert cell.output == cell.states[0]
    assert cell.output.name == "h"
    assert [str(size) for size in cell.dimensions] == ["n", "m", "k", "r"]
    assert [p.name for p in cell.parameters] == ["D", "A", "B"]


def test_title_and_source_are_parts_of_the_documentation() -> None:
    cell = parse(TEXT)
    assert cell.title == "Two states"
    assert cell.source == "nobody, 2001."
    bare = replace(cell, doc="")
    assert (bare.title, bare.source) == ("", "")
    assert parse(str(bare)) == bare


def test_a_cell_is_frozen_hashable_and_equal_by_what_it_says() -> None:
    cell = parse(TEXT, "one")
    assert cell == parse(TEXT, "two")
    assert hash(cell) == hash(parse(TEXT, "two"))
    assert cell != replace(cell, states=cell.states[::-1])
    assert cell != replace(cell, doc="Another.")
    with pytest.raises(FrozenInstanceError):
        cell.name = "three"  # type: ignore[misc]


def test_an_equation_s_line_does_not_count_for_equality() -> None:
    value = zoo.load("rnn").equations[0].value
    assert Equation("h", value, 3) == Equation("h", value)
    assert Equation("h", value) != Equation("g", value)
