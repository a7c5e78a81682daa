"""The error bounds of single operations, against operations done in float32 and float16."""

import numpy as np
import pytest
import sympy as sp

from derive.evaluate import compiled
from derive.primitives import PRIMITIVES
from verify.rounding import Bounded, Bounds, Precision

SINGLE = Bounded(np.float32)


def drawn(seed, *shape, spread=20.0):
    """float32 values over many magnitudes and both signs."""
    rng = np.random.default_rng(seed)
    values = rng.choice([-1.0, 1.0], shape) * np.exp(rng.uniform(-spread, spread, shape))
    return values.astype(np.float32)


def inside(computed, bounded, field=SINGLE):
    return np.abs(computed.astype(np.longdouble) - bounded.value) <= field.error(bounded)


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_in_any_order_and_any_bracketing_stays_inside_the_bound(seed):
    rng = np.random.default_rng(seed)
    terms = list(drawn(seed, 7, 50, 1))
    terms += [-term for term in terms[:4]]  # so that much of it cancels
    bounded = SINGLE.given(terms[0])
    for term in terms[1:]:
        bounded = SINGLE.add(bounded, SINGLE.given(term))
    while len(terms) > 1:
        first, second = rng.choice(len(terms), 2, replace=False)
        joined = terms[first] + terms[second]
        terms = [t for k, t in enumerate(terms) if k not in (first, second)] + [joined]
    assert inside(terms[0], bounded).all()


def test_the_bound_of_a_sum_knows_what_cancelled():
    big, small = np.full((1, 1), 1e8, np.float32), np.full((1, 1), 1.0, np.float32)
    total = SINGLE.add(SINGLE.add(SINGLE.given(big), SINGLE.given(-big)), SINGLE.given(small))
    other_order = small + big - big
    assert other_order != 1
    assert inside(other_order, total).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_matrix_product_summed_in_any_order_stays_inside_the_bound(seed):
    rng = np.random.default_rng(seed)
    a, b = drawn(seed, 6, 9, spread=4), drawn(seed + 100, 3, 9, 1, spread=4)
    bounded = SINGLE.matmul(SINGLE.given(a), SINGLE.given(b))
    order = rng.permutation(9)
    computed = np.zeros((3, 6, 1), np.float32)
    for k in order:
        computed = computed + a[:, k : k + 1] * b[:, k : k + 1, :]
    assert inside(computed, bounded).all()
    assert inside(a @ b, bounded).all()


def test_a_chain_of_products_of_sums_stays_inside_the_bound():
    values = [drawn(seed, 400, 1, spread=3) for seed in range(9)]
    bounded, computed = SINGLE.given(values[0]), values[0]
    for left, right in zip(values[1::2], values[2::2], strict=True):
        bounded = SINGLE.multiply(SINGLE.add(bounded, SINGLE.given(left)), SINGLE.given(right))
        computed = (computed + left) * right
    assert inside(computed, bounded).all()


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_at_an_uncertain_argument_stays_inside_the_bound(name):
    rng, row = np.random.default_rng(0), PRIMITIVES[name]
    z = rng.uniform(*np.clip(row.domain, -row.bound, row.bound), (3000, 1))
    exact = SINGLE.given(z)
    assert SINGLE.error(exact).all(), "float64 arguments are rounded on the way in"
    rounded = z.astype(np.float32)
    with np.errstate(over="ignore"):
        computed = np.asarray(compiled(name)(rounded))
    assert computed.dtype == np.float32 or np.isin(computed, (-1, 0, 1)).all()
    bounded = SINGLE.apply(name, exact)
    assert inside(computed, bounded).all()
    assert np.isfinite(SINGLE.error(bounded)).mean() > 0.99


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_bound_holds_for_every_argument_within_the_error_or_is_infinite(name):
    rng, row = np.random.default_rng(1), PRIMITIVES[name]
    z = rng.uniform(*np.clip(row.domain, -row.bound, row.bound), (400, 1)).astype(np.longdouble)
    error = 10.0 ** rng.uniform(-6, 1, z.shape).astype(np.longdouble)
    with np.errstate(all="ignore"):
        bounded = SINGLE.apply(name, Bounds(z, error, np.abs(z)))
    for share in np.linspace(-1, 1, 41):
        with np.errstate(all="ignore"):
            other = np.asarray(compiled(name)(z + share * error))
            assert (inside(other, bounded) | np.isinf(SINGLE.error(bounded))).all()
    assert np.isfinite(SINGLE.error(bounded)).any()


@pytest.mark.parametrize(
    ("name", "z", "error", "bound"),
    [
        ("heaviside", 1e-9, 1e-8, 1.0),
        ("sign", 1e-9, 1e-8, 2.0),
        ("relu", 1e-9, 1e-8, 1e-8),
        ("frac", 3.0, 1e-8, np.inf),
        ("frac", 3.5, 1e-8, 1e-8),
        ("reciprocal", 1e-9, 1e-8, np.inf),
        ("log", 1e-9, 1e-8, np.inf),
        ("sqrt", -1.0, 0.0, np.inf),
    ],
)
def test_near_kinks_jumps_and_poles_the_bound_says_what_can_be_said(name, z, error, bound):
    at = lambda number: np.full((1, 1), number, np.longdouble)
    with np.errstate(all="ignore"):
        found = SINGLE.error(SINGLE.apply(name, Bounds(at(z), at(error), abs(at(z)))))
    assert bound <= found <= 1.01 * bound + 1e-6


@pytest.mark.parametrize("seed", range(10))
def test_log_sum_exp_shifted_or_not_or_entry_by_entry_stays_inside_the_bound(seed):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-2, 1.5)
    column = (scale * rng.standard_normal((30, 1 + 3 * seed, 1))).astype(np.float32)
    bounded = SINGLE.log_sum_exp(SINGLE.given(column))
    assert bounded.value.shape == (30, 1, 1)
    assert (SINGLE.error(bounded) < 1e-4 * (1 + np.abs(bounded.value))).all()
    total = lambda a: np.log(np.sum(np.exp(a), axis=1, keepdims=True))
    for shift in (0, column.max(axis=1, keepdims=True), column[:, :1]):
        with np.errstate(over="ignore"):
            computed = total(column - shift) + shift
        fits = np.abs(column - shift).max(axis=1, keepdims=True) < 80
        assert (inside(computed, bounded) | ~fits).all()
    folded = np.logaddexp.reduce(column[:, rng.permutation(column.shape[1])], axis=1, keepdims=True)
    assert inside(folded, bounded).all()


def test_log_sum_exp_carries_the_error_of_its_entries():
    z = np.array([[0.0], [-1.0], [-40.0]], np.longdouble)
    error = np.array([[1e-4], [2e-4], [1.0]], np.longdouble)
    bounded = SINGLE.log_sum_exp(Bounds(z, error, np.abs(z)))
    right = np.log(np.sum(np.exp(z)))
    for signs in np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T[:, :, None]:
        assert abs(np.log(np.sum(np.exp(z + signs * error))) - right) <= SINGLE.error(bounded)
    assert SINGLE.error(bounded) < 2e-4


def test_sums_over_entries_are_open_to_any_order_and_copies_are_exact():
    parts = drawn(5, 4, 6, 3, spread=8)
    one = SINGLE.constant(sp.S.One, (1, 6))
    bounded = SINGLE.given(parts[0])
    for part in parts[1:]:
        bounded = SINGLE.add(bounded, SINGLE.given(part))
    total = SINGLE.matmul(one, bounded)
    by_part = [np.sum(part, axis=0, dtype=np.float32) for part in parts]
    computed = by_part[3] + by_part[1] + by_part[2] + by_part[0]
    assert inside(computed[None], total).all()
    scalar = SINGLE.given(parts[0][:1, :1])
    copied = SINGLE.matmul(SINGLE.constant(sp.S.One, (5, 1)), scalar)
    assert (copied.value == scalar.value).all()
    assert not SINGLE.error(copied).any()


def test_underflow_to_zero_is_inside_the_bound():
    tiny = np.full((1, 1), 1e-30, np.float32)
    product = SINGLE.multiply(SINGLE.given(tiny), SINGLE.given(tiny))
    assert product.value > 0
    assert inside(np.zeros((1, 1), np.float32), product).all()


def test_where_the_format_overflows_nothing_can_be_said():
    huge = np.full((1, 1), 1e30, np.float32)
    product = SINGLE.multiply(SINGLE.given(huge), SINGLE.given(huge))
    assert np.isfinite(product.value).all()
    assert np.isinf(SINGLE.error(product)).all()


def test_more_terms_than_the_format_can_count_leave_an_infinite_bound():
    half = Bounded(np.float16)
    one = np.ones((1, 1), np.longdouble)
    assert np.isinf(half.error(Bounds(one, 0 * one, one, terms=4096))).all()
    assert np.isfinite(half.error(Bounds(one, 0 * one, one, terms=64))).all()


def test_signs_are_exact_and_other_numbers_may_have_been_computed():
    assert not SINGLE.error(SINGLE.constant(sp.S.NegativeOne, (2, 1))).any()
    for size in (3, 10, 49, 1000):
        one = np.float32(1)
        thrice = SINGLE.constant(sp.Integer(3), (1, 1))
        assert inside(np.float32(3 * size) * (one / np.float32(size)), thrice).all()
        root = SINGLE.constant(sp.Rational(str(sp.sqrt(size).evalf(30))), (1, 1))
        assert inside(one / (one / np.sqrt(np.float32(size))), root).all()
    tenth = SINGLE.constant(sp.Rational(1, 10), (1, 1))
    assert inside(np.full((1, 1), 0.1, np.float32), tenth).all()
    assert SINGLE.error(tenth).all()


def test_one_minus_a_sum_keeps_the_sum_open_to_any_order():
    parts = drawn(3, 5, 40, 1, spread=10)
    total = SINGLE.given(parts[0])
    for part in parts[1:]:
        total = SINGLE.add(total, SINGLE.given(part))
    minus = SINGLE.constant(sp.S.NegativeOne, (1, 1))
    one = SINGLE.constant(sp.S.One, (1, 1))
    bounded = SINGLE.add(one, SINGLE.multiply(minus, total))
    computed = np.ones((40, 1), np.float32)
    for part in parts[::-1]:
        computed = computed - part
    assert inside(computed, bounded).all()
    assert bounded.terms == 6


def test_a_precision_can_be_given_that_numpy_has_no_dtype_for():
    bfloat16 = Precision(unit=2.0**-8, smallest=2.0**-126, largest=3.38e38)
    field = Bounded(bfloat16)
    given = field.given(np.ones((1, 1), np.float32))
    assert 2.0**-8 <= field.error(given).item() <= 2.0**-6
