"""What the schedule hoists, fuses and keeps."""

from itertools import pairwise, permutations

import pytest
from cells_strategy import cells
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import ZOO, derived_for

from derive.expressions import (
    Expr,
    MatrixSymbol,
    Transpose,
    add,
    matmul,
    part,
    scale,
    symbol,
    times,
    transpose,
)
from derive.gradients import gradients
from derive.language import parse
from derive.normal_form import equal
from derive.schedule import schedule
from derive.schedule.levels import ONCE, SEQUENCE, STEP, levels_of
from derive.schedule.slots import arranged, runs
from derive.schedule.terms import Matrix, Sum, read_sum, split_stacks

# The plan.


def test_levels_say_how_often_a_name_is_computed():
    levels = levels_of(derived_for("lstm"))
    assert {levels[p.name] for p in derived_for("lstm").cell.parameters} == {ONCE}
    assert (levels["x"], levels["h[t-1]"], levels["a_f"], levels["f"]) == (
        SEQUENCE,
        STEP,
        STEP,
        STEP,
    )
    levels = levels_of(derived_for("all_hoisted"))
    assert {levels[n] for n in ("a_f", "f", "a_g", "g")} == {SEQUENCE}
    assert levels["C"] == STEP
    derived = derived_for("product_of_parameters")
    levels = levels_of(derived)
    first = derived.forward[0]  # tanh(d)
    assert {s.name for s in first.value.atoms(MatrixSymbol)} == {"d"}
    assert levels[first.name] == ONCE
    assert sorted(set(levels.values())) == [ONCE, SEQUENCE, STEP]


def test_a_state_belongs_to_a_step_even_where_it_reads_nothing():
    assert levels_of(derived_for("output_is_the_input"))["h"] == STEP


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("lstm", {"a_f", "a_i", "a_o"}),
        ("gru", {"a_r", "a_z"}),
        ("gru_reset_before", {"a_r", "a_z"}),
    ],
)
def test_sigmoid_gates_stand_side_by_side(name, gates):
    nodes = schedule(derived_for(name)).nodes
    places = sorted(nodes.index(g) for g in gates)
    assert places == list(range(places[0], places[0] + len(gates)))


def test_the_lstm_keeps_what_its_slopes_need_and_activates_in_place():
    plan = schedule(derived_for("lstm"))
    assert plan.in_place == {"a_f": "f", "a_i": "i", "a_o": "o", "a_g": "g"}
    assert plan.kept == {"f", "i", "o", "g", "tanh_C", "C[t-1]", "h[t-1]", "x"}
    assert plan.looped == {"h", "C", "a_f", "a_i", "a_o", "a_g"}
    assert set(plan.roots) >= {"h", "C"}
    assert {n: str(f.source.name) for n, f in plan.inlined.items() if n in plan.nodes} == {
        "a_f": "bar(C)",
        "a_i": "bar(C)",
        "a_g": "bar(C)",
        "a_o": "bar(h)",
    }


@pytest.mark.parametrize("name", [*ZOO, "concatenated", "tied", "state_of_another_size"])
def test_summands_add_up_to_the_cotangent_that_they_were_read_from(name):
    derived = derived_for(name)
    adjoints = (*derived.backward, *derived.parameters, *derived.inputs, *derived.states)
    for adjoint in adjoints:
        total = read_sum(adjoint.value)
        assert equal(total_of(total, adjoint.value), adjoint.value), adjoint.of


def total_of(total: Sum, like: Expr) -> Expr:
    """The sum of all summands."""
    terms = [matmul(matrix_of(p.matrix), p.source) for p in total.products]
    terms += [scale(o.number, matmul(o.left, transpose(o.right))) for o in total.outers]
    terms += [times(f.factor, f.source) for f in total.factors]
    terms += [part(s.source, s.start, s.stop - s.start) for s in total.slices]
    terms += [total.rest] if total.rest is not None else []
    return add(*terms) if terms else like * 0


def matrix_of(matrix: Matrix) -> Expr:
    assert matrix.part is None
    plain = Transpose(matrix.parameter) if matrix.turned else matrix.parameter
    return scale(matrix.number, plain)


def test_a_product_with_a_stack_is_split_into_one_for_each_part():
    cell = parse("input x[m]\nstate h[n]\nh = tanh(W @ [h[t-1], x, h[t-1]])\n")
    plan = schedule(gradients(cell))
    (total,) = (s for s in plan.sums.values() if s.products)
    n, m = (
        symbol(k, (v.shape[0],)).shape[0] for k, v in (("n", cell.output), ("m", cell.inputs[0]))
    )
    assert [(p.source.name, p.matrix.part) for p in total.products] == [
        ("h[t-1]", (1, 0, n)),
        ("x", (1, n, n + m)),
        ("h[t-1]", (1, n + m, 2 * n + m)),
    ]
    assert split_stacks(total, plan.stacks) == total


@settings(max_examples=40, deadline=None)
@given(cells())
def test_a_plan_of_any_cell_keeps_what_is_read_and_reads_what_is_known(cell):
    plan = schedule(gradients(cell))
    known = {v.name for v in (*cell.inputs, *cell.parameters)} | {
        s.before.name for s in cell.states
    }
    for assignment in plan.gradients.forward:
        read = {s.name for s in assignment.value.atoms(MatrixSymbol)}
        assert read <= known
        assert plan.levels[assignment.name] >= max((plan.levels[n] for n in read), default=ONCE)
        known.add(assignment.name)
    assert plan.kept <= known
    assert not plan.kept & set(plan.in_place)  # what is overwritten is not there later
    assert set(plan.in_place) <= set(plan.nodes)
    assert set(plan.nodes) <= set(plan.sums)
    assert not set(plan.roots) & set(plan.inlined)
    for root in plan.looped:
        for source in plan.roots[root].sources if root in plan.roots else ():
            inner = source[4:-1]
            assert not source.startswith("bar(") or inner in plan.looped


# Columns.


def breaks(order: tuple[str, ...], traits: dict[str, tuple]) -> int:
    """How many runs of one value there are, over all traits."""
    total = 0
    for column in zip(*(traits[n] for n in order), strict=True):
        kept = [(a, b) for a, b in zip((None, *column), column, strict=False)]
        total += sum(b is not None and a != b for a, b in kept)
    return total


values = st.sampled_from([None, "p", "q"])


@given(st.lists(st.tuples(values, values), min_size=1, max_size=5))
def test_no_other_order_has_equal_traits_together_more_often(rows):
    traits = {f"g{k}": row for k, row in enumerate(rows)}
    found = arranged(traits)
    assert sorted(found) == sorted(traits)
    best = min(breaks(order, traits) for order in permutations(traits))
    assert breaks(tuple(found), traits) == best


def test_gates_are_arranged_by_what_they_share():
    traits = {"f": ("s", "C"), "g": ("t", "C"), "o": ("s", "h"), "i": ("s", "C")}
    found = arranged(traits)
    assert breaks(tuple(found), traits) == 4
    assert found in (["o", "f", "i", "g"], ["g", "f", "i", "o"])
    many = {f"k{j}": (j % 9,) for j in range(18)}
    assert breaks(tuple(arranged(many)), many) == 9
    assert arranged({}) == []


def test_runs_are_groups_that_stand_side_by_side():
    assert runs("abcdef", "fabd") == [("a", "b"), ("d",), ("f",)]
    assert runs("abc", "cba") == [("a", "b", "c")]
    assert runs("abc", "") == []


@given(st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")))
def test_runs_are_whole_and_as_long_as_they_can_be(order, chosen):
    found = runs(order, sorted(chosen))
    assert [n for group in found for n in group] == [n for n in order if n in chosen]
    text = "".join(order)
    assert all("".join(group) in text for group in found)
    for left, right in pairwise(found):
        assert order.index(right[0]) > order.index(left[-1]) + 1
