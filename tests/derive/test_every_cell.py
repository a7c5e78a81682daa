"""Everything that is claimed of a cell, for each cell of the zoo: a new file needs no new test.

Gradients are compared exactly, with functions as opaque generators: where a function has a kink,
this holds on every piece of it. Kernels are compared with numbers, on examples away from kinks and
poles.
"""

from functools import cache

import numpy as np
import pytest
import sympy as sp
from articles import check_balance, unbroken
from core import GROWN_CORE
from domains import judged, says_enough
from emitted import executed, kernel_of
from polynomials import SwellError
from spoilt_source import negated
from unrolled import Unrolled

from derive.backends.numpy import numpy_source
from derive.cell import Cell
from derive.claim import PROVED, REFUTED, VOID, Claim
from derive.expressions import MatrixSymbol
from derive.gradients import Gradients, gradients
from derive.language import parse
from derive.latex import latex
from derive.proofs import prove
from derive.reports import cell_row
from derive.zoo import load, names
from verify.differences import central_differences, complex_step_gradients, declared_slopes
from verify.kernels import Array, Arrays, Example, shape_of, sizes_of

NAMES = names()

# Terms of a polynomial: a third of a second or so for each gradient that has as many.
MOST = 30_000


@cache
def derived(name: str) -> Gradients:
    return gradients(load(name))


@cache
def claims(name: str) -> tuple[Claim, ...]:
    return prove(derived(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_text_parses_and_prints_back_to_an_equal_cell(name: str) -> None:
    cell = load(name)
    again = parse(str(cell), name)
    assert again == cell
    assert str(again) == str(cell)


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_has_a_title_and_a_source(name: str) -> None:
    cell = load(name)
    assert cell.title
    assert cell.source


# Gradients, exactly.


def sizes(cell: Cell, size: int) -> dict[sp.Symbol, int]:
    """All dimensions of that size, but for inputs alone: these are vectors of one entry."""
    states = {size for state in cell.states for size in state.shape}
    read = {d for v in cell.inputs for size in v.shape for d in size.free_symbols}
    return {d: 1 if d in read - states else size for d in cell.dimensions}


def differing(name: str, size: int, steps: int, most: int) -> list[str]:
    cell = load(name)
    return Unrolled(cell, sizes(cell, size), steps, most).differing(derived(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_gradients_are_sympys_derivative_of_the_unrolled_loss(name: str) -> None:
    """Two entries a vector, two steps; where that swells, one and two, and two and one."""
    try:
        wrong = differing(name, 2, 2, MOST)
    except SwellError:
        wrong = differing(name, 1, 2, MOST) + differing(name, 2, 1, MOST)
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_gradients_are_sympys_derivative_over_more_steps(name: str) -> None:
    """Three steps; where that swells, as many as do not."""
    for steps in (3, 2):
        try:
            assert differing(name, 1, steps, 10 * MOST) == []
            return
        except SwellError:
            continue
    assert differing(name, 1, 1, 10 * MOST) == []


# Kernels, in numbers.


def run(kernel, example: Example) -> tuple[Array, Arrays, Arrays]:
    y, state_T, tape = kernel.forward(
        example.params, example.x, example.state_0, lengths=example.lengths
    )
    return y, state_T, kernel.backward(example.params, tape, example.dy, example.dstate_T)


def shapes(example: Example) -> dict[str, tuple[int, ...]]:
    """The shapes of all gradients, as the contract has them."""
    cell, found = example.cell, sizes_of(example)
    expected = {p.name: shape_of(p, found) for p in cell.parameters}
    expected |= {x.name: (example.steps, example.batch, *shape_of(x, found)) for x in cell.inputs}
    return expected | {f"{s.name}_0": (example.batch, *shape_of(s, found)) for s in cell.states}


def outside(found: Arrays, value: Arrays, bound: Arrays) -> list[str]:
    """The arrays that have an entry further from its value than its bound."""
    assert found.keys() == value.keys() == bound.keys()
    return [k for k, a in found.items() if not (np.abs(a - value[k]) <= bound[k]).all()]


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_has_the_gradients_of_high_precision_differences(name: str) -> None:
    """Within the rounding error that the formulas allow for.

    Where no example has small bounds, as the cell always runs into the seam of two pieces, the
    kernel is held against differences of its own forward pass.
    """
    kernel = kernel_of(derived(name))
    example, reference = judged(derived(name))
    y, state_T, grads = run(kernel, example)
    assert {key: value.shape for key, value in grads.items()} == shapes(example)
    assert (np.abs(y - reference.y) <= reference.y_bound).all()
    assert outside(state_T, reference.state_T, reference.state_T_bound) == []
    if not says_enough(reference):
        own = central_differences(kernel.forward, example)
        for key, error in own.error.items():
            assert (error <= 1e-6).all(), f"differences by {key} say nothing"
        assert outside(grads, own.value, own.error) == []
    elif declared_slopes(example.cell):  # no difference can tell these
        assert outside(grads, reference.grads, reference.grads_bound) == []
    else:
        expected = complex_step_gradients(example)
        assert outside(grads, expected, reference.grads_bound) == []


@pytest.mark.parametrize("name", GROWN_CORE)
def test_a_kernel_with_a_wrong_sign_is_not_within_the_bounds(name: str) -> None:
    example, reference = judged(derived(name))
    right = numpy_source(derived(name))
    expected = complex_step_gradients(example)
    for key in (load(name).parameters[0].name, load(name).parameters[-1].name):
        _, _, grads = run(executed(negated(right, key)), example)
        assert outside(grads, expected, reference.grads_bound) == [key]


# Claims, reports and articles.

PATHS = ("path", "path over T steps", "output path", "recurrent Jacobian", "own lag")


@pytest.mark.parametrize("name", NAMES)
def test_the_gradients_are_proved_and_the_paths_are_settled(name: str) -> None:
    assert [c.verdict for c in claims(name) if c.theorem == "gradients"] == [PROVED]
    about = [c for c in claims(name) if c.theorem in PATHS and c.verdict != VOID]
    assert bool(about) == bool(cell_row(load(name))["path_jacobian"])
    for claim in about:
        assert claim.verdict in (PROVED, REFUTED), claim.statement
        assert bool(claim.example) == (claim.verdict == REFUTED), claim.statement


@pytest.mark.parametrize("name", NAMES)
def test_its_row_in_the_list_is_complete(name: str) -> None:
    cell = load(name)
    row = cell_row(cell)
    assert row["name"] == name
    assert row["title"] == cell.title
    assert row["source"] == cell.source
    assert row["states"] == [s.name for s in cell.states]
    assert row["parameters"] == [p.name for p in cell.parameters]
    assert set(row["gates"]) <= {e.name for e in cell.equations}
    numbers = dict(zip(cell.dimensions, (3, 2, 5, 7), strict=False))
    count = sum(int(np.prod(shape_of(p, numbers))) for p in cell.parameters)
    assert eval(row["parameter_count"], {d.name: size for d, size in numbers.items()}) == count
    read = {s for e in cell.equations for s in e.value.atoms(MatrixSymbol)}
    assert bool(row["path_jacobian"]) == bool(read & {s.before for s in cell.states})


@pytest.mark.parametrize("name", NAMES)
def test_its_article_is_balanced_and_has_every_claim(name: str) -> None:
    tex = latex(derived(name), claims(name))
    assert tex.isascii()
    check_balance(tex)
    flat = unbroken(tex)
    for claim in claims(name):  # the longest are shortened
        assert unbroken(claim.latex)[:200] in flat
