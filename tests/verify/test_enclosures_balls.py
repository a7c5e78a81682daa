"""Balls: against mpmath, exact fractions, and each other at more bits."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy as sp
from ball_cases import LEAKY, fraction, leaky, trial_of

from derive import zoo
from derive.errors import RuleError
from derive.gradients import gradients
from derive.primitives import PRIMITIVES
from verify.enclosing import functions
from verify.enclosing.balls import Balls, as_balls, exact_results, precision
from verify.enclosing.functions import FUNCTIONS, defined, function_of

flint = pytest.importorskip(
    "flint", reason="no python-flint: pip install 'python-flint>=0.6' runs these tests"
)


Z = sp.Symbol("z")


def point(number):
    """A number of mpmath's with the digits that it has."""
    sign, mantissa, exponent, _ = mpmath.mpf(number)._mpf_
    with precision(500):
        middle = flint.arb((int(-mantissa if sign else mantissa), int(exponent)))
        return middle + abs(middle) * flint.arb(0, 1) / flint.arb(10) ** 95


def test_every_row_is_of_a_primitive_and_every_primitive_is_enclosed():
    assert FUNCTIONS.keys() <= PRIMITIVES.keys()
    assert all(function_of(name)(flint.arb(2)).is_finite() for name in PRIMITIVES)


SMOOTH = [n for n, row in PRIMITIVES.items() if not row.kinks or n == "reciprocal"]
NEW = {
    "logsigmoid": -sp.log(1 + sp.exp(-Z)),
    "third": sp.tanh(Z / 3) ** 2 - sp.Rational(1, 7) * sp.cosh(Z) ** -3,
    "root": (Z**2 + 1) ** sp.Rational(-3, 2) + sp.atan(Z) - sp.erf(Z),
}


@pytest.mark.parametrize("name", [*SMOOTH, *NEW])
def test_a_smooth_function_without_a_row_is_enclosed_by_its_definition(name):
    expr = NEW[name] if name in NEW else PRIMITIVES[name].value(Z)
    low = 0 if name in ("log", "sqrt") else -20
    function, definition = defined(expr, Z, name), sp.lambdify(Z, expr, "mpmath")
    with mpmath.workdps(150), precision(200):
        for x in map(float, np.random.default_rng(2).uniform(low, 20, 30)):
            ball = function(flint.arb(x))
            assert ball.overlaps(point(definition(mpmath.mpf(x)))), x
            assert ball.rad() < 1e-30 * (1 + abs(ball.mid()))


def test_a_function_that_jumps_must_have_a_row(monkeypatch):
    rows = {n: f for n, f in FUNCTIONS.items() if n not in ("heaviside", "tanh")}
    monkeypatch.setattr(functions, "FUNCTIONS", rows)
    with precision(53):
        assert function_of("tanh")(flint.arb(1)).overlaps(flint.arb(1).tanh())
    with pytest.raises(RuleError, match="'heaviside' has no enclosure: add a row to verify/encl"):
        function_of("heaviside")(flint.arb(1))


@pytest.mark.parametrize("bits", [53, 300])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_row_holds_the_value_that_mpmath_computes_of_the_definition(name, bits):
    row, rng = PRIMITIVES[name], np.random.default_rng(5)
    definition = sp.lambdify(Z, row.value(Z), "mpmath")
    places = rng.uniform(-row.bound, row.bound, 60)
    places = [float(x) for x in places if row.domain[0] < x < row.domain[1]]
    widths = [0.0, 1e-9, 0.7]
    assert len(places) > 20
    with mpmath.workdps(150):
        for x in places:
            for width in widths:
                with precision(bits):
                    ball = function_of(name)(flint.arb(x, width))
                for y in {x, x - 0.9 * width, x + 0.9 * width}:
                    assert not ball.is_finite() or ball.overlaps(
                        point(definition(mpmath.mpf(y)))
                    ), (x, width)
                if width == 0:
                    assert ball.rad() <= abs(ball.mid()) * flint.arb(2) ** (8 - bits), x


@pytest.mark.parametrize(
    ("name", "at", "low", "high"),
    [("heaviside", 0, 0, 1), ("sign", 0, -1, 1), ("frac", 3, 0, 1), ("relu", 0, 0, 1e-6)],
)
def test_on_a_jump_a_ball_holds_both_sides(name, at, low, high):
    found = function_of(name)(flint.arb(at, 1e-6))
    assert found.overlaps(flint.arb(low, 1e-6))
    assert found.overlaps(flint.arb(high, 1e-6))


def test_at_an_exact_kink_the_value_is_the_declared_one():
    values = {n: fraction(function_of(n)(flint.arb(0))) for n in ("heaviside", "sign", "relu")}
    assert values == {"heaviside": 0, "sign": 0, "relu": 0}
    assert fraction(function_of("frac")(flint.arb(3))) == 0


@pytest.mark.parametrize("name", ["reciprocal", "log", "sqrt"])
def test_a_ball_across_a_pole_or_the_edge_of_a_domain_is_no_number(name):
    assert not function_of(name)(flint.arb(0, 1e-9)).is_finite()


@pytest.mark.parametrize("name", ["heaviside", "sign", "frac", "relu"])
def test_of_what_is_no_number_a_value_is_none(name):
    assert not function_of(name)(flint.arb("nan")).is_finite()


def test_floats_of_any_format_are_taken_as_they_are():
    rng = np.random.default_rng(0)
    for dtype in (np.float16, np.float32, np.float64, np.longdouble):
        tiny = np.finfo(dtype).smallest_subnormal
        values = np.array([*rng.normal(size=20), 0.0, -0.0, tiny, np.finfo(dtype).max], dtype)
        values[:3] /= np.asarray(3, dtype)
        with precision(53):
            assert [fraction(b) for b in as_balls(values)] == [
                Fraction(*v.as_integer_ratio()) for v in values
            ]
    assert [b.is_finite() for b in as_balls(np.array([np.nan, np.inf]))] == [False, False]


def test_numbers_of_the_formula_are_enclosed_also_where_they_are_roots_cut_off_at_30_digits():
    root = sp.Rational(str(sp.sqrt(3).evalf(30)))
    with precision(400):
        ball = Balls().constant(root, (1, 1))[0, 0]
        assert ball.overlaps(flint.arb(3).sqrt())
        assert ball.rad() < flint.arb(10) ** -27
        small = Balls().constant(sp.Rational(1, 10**12), (1, 1))[0, 0]
        assert small.overlaps(1 / flint.arb(10) ** 12)
        assert small.rad() < flint.arb(2) ** -400


def test_log_sum_exp_holds_what_mpmath_computes():
    values = np.random.default_rng(3).uniform(-9, 9, (2, 5, 1))
    with precision(120):
        found = Balls().log_sum_exp(as_balls(values))
    assert found.shape == (2, 1, 1)
    with mpmath.workdps(100):
        for row, ball in zip(values, found.ravel(), strict=True):
            expected = mpmath.log(sum(mpmath.exp(float(v)) for v in row.ravel()))
            assert ball.overlaps(point(expected))
            assert ball.rad() < 1e-30


def test_a_linear_cell_has_the_results_of_its_closed_form_exactly():
    a, h, x = Fraction(1, 2), 3, (1, -2, 4)
    with precision(53):
        values, grads = exact_results(leaky(None).example, gradients(LEAKY))
    assert fraction(values["h_T"][0, 0]) == a**3 * h + a**2 * x[0] + a * x[1] + x[2]
    assert fraction(grads["a"][0]) == 3 * a**2 * h + 2 * a * x[0] + x[1]
    assert fraction(grads["h_0"][0, 0]) == a**3


@pytest.mark.parametrize("name", ["lstm", "gru_reset_before", "slstm", "lstm_layer_norm"])
def test_balls_of_fewer_bits_hold_those_of_more(name):
    trial, found = trial_of(zoo.load(name)), {}
    for bits in (30, 53, 400):
        with precision(bits):
            values, grads = exact_results(trial.example, trial.derived)
        found[bits] = [b for a in (*values.values(), *grads.values()) for b in a.flat]
    with precision(1000):
        for rough, fine, exact in zip(found[30], found[53], found[400], strict=True):
            assert rough.overlaps(exact)
            assert fine.overlaps(exact)
            assert exact.rad() <= fine.rad() * 1e-90
            assert rough.rad() >= fine.rad()
