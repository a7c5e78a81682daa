"""Cells drawn from the grammar: well formed, varied, and equal to what their text says."""

from cells_strategy import cell_texts, cells
from hypothesis import Phase, find, given, settings

from derive.cell import Cell, lag
from derive.expressions import (
    BlockMatrix,
    HadamardPower,
    HadamardProduct,
    MatMul,
    MatrixSymbol,
    Transpose,
)
from derive.language import parse


@settings(deadline=None)
@given(cell_texts())
def test_a_drawn_text_parses_and_comes_back_equal(text: str) -> None:
    cell = parse(text)
    again = parse(str(cell))
    assert again == cell
    assert str(again) == str(cell)


@settings(deadline=None)
@given(cells())
def test_a_drawn_cell_reads_every_local_and_every_input(cell: Cell) -> None:
    read = {s.name for e in cell.equations for s in e.value.atoms(MatrixSymbol)}
    states = {s.name for s in cell.states}
    assert {x.name for x in cell.inputs} <= read
    assert {e.name for e in cell.equations} - states <= read


@settings(deadline=None)
@given(cells())
def test_a_drawn_cell_has_one_or_two_states_and_few_locals(cell: Cell) -> None:
    assert 1 <= len(cell.states) <= 2
    assert len(cell.equations) - len(cell.states) <= 3


def test_every_construct_is_drawn() -> None:
    once = settings(deadline=None, database=None, phases=[Phase.generate], max_examples=300)
    nodes = lambda cell: [n for e in cell.equations for n in subtrees(e.value)]
    for kind in (BlockMatrix, HadamardPower, HadamardProduct, MatMul, Transpose):
        find(
            cells(),
            lambda cell, kind=kind: any(isinstance(n, kind) for n in nodes(cell)),
            settings=once,
        )
    unread = lambda cell: (
        {lag(s.name) for s in cell.states}
        - {n.name for n in nodes(cell) if isinstance(n, MatrixSymbol)}
    )
    find(cells(), lambda cell: bool(unread(cell)), settings=once)
    find(cells(), lambda cell: len(cell.states) == 2 and not unread(cell), settings=once)
    find(cells(), lambda cell: len(cell.inputs) == 2, settings=once)


def subtrees(expr: object) -> list[object]:
    return [expr, *(n for arg in getattr(expr, "args", ()) for n in subtrees(arg))]
