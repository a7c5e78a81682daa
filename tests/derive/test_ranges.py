"""Ranges: every value of a cell lies in the interval that is claimed; ends are open where said."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.evaluate import Numbers, run_step, whole
from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.ranges import EVERYTHING, MONOTONE, Interval, Ranges, cases, linear_in
from derive.zoo import load, names

ROUNDING = 1e-9  # a range is exact, a value in float64 is not


def interval_of(name: str, text: str) -> Interval:
    return Ranges(gradients(parse(text))).of(name)


HEAD = "input x[m]\nstate h[n]\n"


@pytest.mark.parametrize(
    ("equations", "shown"),
    [
        ("h = sigmoid(W @ x)", "(0, 1)"),
        ("h = 2 * tanh(W @ x) - 1", "(-3, 1)"),
        ("f = sigmoid(W @ x)\nh = f * tanh(U @ x) + (1 - f) * tanh(V @ x)", "(-1, 1)"),
        ("f = sigmoid(W @ x)\ni = sigmoid(U @ x)\nh = f * tanh(V @ x) + i", "(-1, 2)"),
        ("f = sigmoid(W @ x)\nh = f * (1 - f)", "(0, 1/4]"),
        ("f = sigmoid(W @ x)\ni = sigmoid(U @ x)\nh = f / (f + i)", "(0, 1)"),
        ("a = W @ x\nb = U @ x\nh = exp(a - max(a, b))", "(0, 1]"),
        ("h = relu(W @ x)", "[0, oo)"),
        ("a = tanh(W @ x)\nh = a ** 2", "[0, 1)"),
        ("h = W @ x", "(-oo, oo)"),
        ("a = relu(W @ x)\nb = sigmoid(U @ x)\nh = a / (a + b)", "[0, 1)"),
        ("a = heaviside(W @ x) - 2\nh = a ** 2", "[1, 4]"),
        ("a = sigmoid(W @ x) - 2\nh = a ** 2 * 1", "(1, 4)"),
    ],
)
def test_an_interval_is_the_one_found_by_hand(equations: str, shown: str) -> None:
    assert str(interval_of("h", HEAD + equations)) == shown


@pytest.mark.parametrize("cell", names())
def test_every_value_of_a_cell_lies_in_its_interval(cell: str) -> None:
    derived = gradients(load(cell))
    ranges = Ranges(derived)
    model = derived.cell
    sizes = {d: 2 + k for k, d in enumerate(model.dimensions)}
    given_names = [v.now for v in (*model.inputs, *model.parameters)]
    given_names += [s.before for s in model.states]
    for seed, spread in enumerate((0.3, 1.0, 5.0, 40.0)):
        random = np.random.default_rng(seed)
        given = {
            n.name: random.normal(0, spread, [whole(k, sizes) for k in n.shape])
            for n in given_names
        }
        with np.errstate(all="ignore"):
            done = run_step(derived.forward, given, sizes, Numbers())
        for assignment in derived.forward:
            value, interval = done[assignment.name], ranges.of(assignment.name)
            value = value[np.isfinite(value)]
            if value.size:
                scale = ROUNDING * max(1.0, float(np.abs(value).max()))
                assert value.min() >= float(interval.low) - scale, assignment.name
                assert value.max() <= float(interval.high) + scale, assignment.name


@pytest.mark.parametrize("name", MONOTONE)
def test_what_is_called_monotone_has_no_negative_slope(name: str) -> None:
    z, row = sp.Symbol("z"), PRIMITIVES[name]
    for point in np.linspace(max(row.domain[0], -6) + 0.1, 6, 25):
        value = row.value(z)
        below, above = (float(value.subs(z, point + step)) for step in (-1e-3, 1e-3))
        assert above >= below


def test_an_open_end_is_not_said_where_a_value_attains_it() -> None:
    """At f = 1/2 the slope f (1 - f) is 1/4; the gate's own ends are never attained."""
    found = interval_of("h", HEAD + "f = sigmoid(W @ x)\nh = f * (1 - f)")
    assert (found.high, found.open_high, found.open_low) == (Fraction(1, 4), False, True)


def test_a_factor_with_itself_is_not_two_independent_values() -> None:
    text = HEAD + "state_of = tanh(W @ x)\nh = state_of - state_of"
    assert str(interval_of("h", text)) == "[0, 0]"


def test_an_entry_of_an_outer_product_is_no_square() -> None:
    """v_i v_j may be negative, though v_i v_i is not."""
    text = "input x[m]\nstate h[n], C[n, n]\nv = tanh(W @ x)\nC = v @ v.T\nh = C @ v"
    assert interval_of("C", text).low == -1


def test_signs_of_max_are_cases_that_together_are_all() -> None:
    derived = gradients(load("slstm_code"))
    later = {"N[t-1]": Interval(Fraction(1), inf, False)}
    assert Ranges(derived, later).of("N").low == 0
    assert min(r.of("N").low for r in cases(derived, later)) == 1


def test_a_polynomial_linear_in_an_atom_is_split() -> None:
    ranges = Ranges(gradients(load("lstm")))
    slope, rest = linear_in(ranges.polynomial_of("C"), "C[t-1]")
    assert (slope, rest) == ({("f",): 1}, {("g", "i"): 1})
    assert linear_in({("a", "a"): Fraction(1)}, "a") is None


ends = st.fractions(-3, 3, max_denominator=4)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.lists(st.sampled_from("abc"), max_size=3, unique=True).map(lambda m: tuple(sorted(m))),
        ends,
        min_size=1,
    ),
    st.lists(st.tuples(ends, ends), min_size=3, max_size=3),
    st.lists(st.fractions(0, 1), min_size=3, max_size=3),
)
def test_a_polynomial_at_any_point_of_a_box_lies_in_its_interval(poly, pairs, weights) -> None:
    box = {
        name: Interval(min(p), max(p), False, False) for name, p in zip("abc", pairs, strict=True)
    }
    ranges = Ranges(None, box)
    for name in "abc":
        ranges.of(name)
    point = {
        n: i.low + w * (i.high - i.low) for (n, i), w in zip(box.items(), weights, strict=True)
    }
    fixed = {m: n for m, n in poly.items() if all(a in ranges.atoms for a in m) and n}
    value = sum((n * np.prod([point[a] for a in m] or [1]) for m, n in fixed.items()), Fraction(0))
    found = ranges.range(fixed)
    assert found.low <= value <= found.high


def test_everything_is_not_bounded() -> None:
    assert not EVERYTHING.is_bounded
    assert not EVERYTHING.within(0, 1)
