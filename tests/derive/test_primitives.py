"""Every row of the table of primitives: slope, emitted statements, rounding, extremes."""

from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy as sp
from piecewise import difference, formula, pieces, written_out

from derive.primitives import PRIMITIVES, Primitive

Array = npt.NDArray[Any]
ROWS = [pytest.param(row, id=name) for name, row in PRIMITIVES.items()]
COMPLEX = [pytest.param(row, id=name) for name, row in PRIMITIVES.items() if row.complex_numpy]
NOT_COMPLEX = [p for p in ROWS if p not in COMPLEX]
REAL = [np.float32, np.float64]


def check_slope(row: Primitive) -> None:
    """The slope is SymPy's derivative, exactly, in exp(z); where it is declared, it is not."""
    for piece in pieces(row):
        assert (difference(row, piece) == 0) is not row.declared, f"slope of {row.name}"


def computed(row: Primitive, z: Array, alias: bool = False) -> Array:
    """What the row's statements leave in {y}."""
    z = z.copy()
    y = z if alias else np.empty_like(z)
    for statement in row.numpy:
        exec(statement.format(z="z", y="y"), {"np": np, "z": z, "y": y})
    return y


def exact(row: Primitive, z: Array) -> list[Any]:
    """The row's value at these very numbers, to 60 digits; complex ones on their piece."""
    symbol = sp.Symbol("z", real=True)
    compiled = lambda value: sp.lambdify(symbol, value, "mpmath")
    with mpmath.workdps(60):
        if not np.iscomplexobj(z):
            value = compiled(row.value(symbol))
            return [value(mpmath.mpf(number.item())) for number in z]
        on = {piece: compiled(formula(row, row.value, symbol, piece)) for piece in pieces(row)}
        around = lambda x: next(piece for piece in on if piece[0] <= x <= piece[1])
        return [on[around(number.real)](mpmath.mpc(number.item())) for number in z]


def check_values(row: Primitive, z: Array) -> None:
    """The statements' error is within the row's `ulps`, entry by entry."""
    with np.errstate(over="ignore"):
        found = computed(row, z)
    assert found.dtype == z.dtype
    for at, y, truth in zip(z, found, exact(row, z), strict=True):
        scale = max(abs(y), z.dtype.type(row.floor))
        if np.isinf(y):
            assert abs(truth) > np.finfo(z.dtype).max, f"{row.name}({at}) overflows"
            continue
        error = abs(mpmath.mpf(y.item()) - truth)
        assert error <= row.ulps * np.spacing(scale).item(), f"{row.name}({at}) is {y}"


def inside(row: Primitive, z: Array) -> Array:
    """What lies in the row's domain, and not at a pole."""
    symbol = sp.Symbol("z", real=True)
    poles = [kink for kink in row.kinks if not row.value(symbol).subs(symbol, kink).is_finite]
    return z[(z > row.domain[0]) & (z < row.domain[1]) & ~np.isin(z, poles)]


def points(row: Primitive, dtype: Any) -> Array:
    """Numbers up to the row's bound, most of them with all bits in use, and tiny ones."""
    rng = np.random.default_rng(20)
    tiny = [sign * 10.0**-k for k in range(1, 12) for sign in (-1, 1)]
    spread = rng.uniform(-row.bound, row.bound, 300)
    edges = [0.0, 1.0, -1.0, row.bound, -row.bound]
    return inside(row, np.array([*tiny, *spread, *rng.uniform(-2, 2, 100), *edges], dtype))


def off_kinks(row: Primitive) -> Array:
    """Points where the row has one formula, in float64."""
    z = points(row, np.float64)
    return z[~np.isin(z, row.kinks)]


@pytest.mark.parametrize("row", ROWS)
def test_the_slope_is_the_derivative_of_the_value(row: Primitive) -> None:
    check_slope(row)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("row", ROWS)
def test_the_statements_compute_the_value_within_the_rows_own_error(
    row: Primitive, dtype: Any
) -> None:
    check_values(row, points(row, dtype))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("row", ROWS)
def test_far_out_the_statements_overflow_into_nothing_wrong(row: Primitive, dtype: Any) -> None:
    far = np.array([1e4, 1e3, 100.0, 60.0, -60.0, -100.0, -1e3, -1e4], dtype)
    check_values(row, inside(row, far))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("row", ROWS)
def test_values_stay_in_the_rows_range(row: Primitive, dtype: Any) -> None:
    lowest, highest = row.range
    found = computed(row, points(row, dtype))
    assert np.all((found >= lowest) & (found <= highest))


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("row", ROWS)
def test_the_statements_may_overwrite_their_argument(row: Primitive, dtype: Any) -> None:
    z = points(row, dtype)
    np.testing.assert_array_equal(computed(row, z, alias=True), computed(row, z))


@pytest.mark.parametrize("row", COMPLEX)
def test_the_statements_may_overwrite_a_complex_argument(row: Primitive) -> None:
    z = off_kinks(row) + 0.3j
    np.testing.assert_array_equal(computed(row, z, alias=True), computed(row, z))


@pytest.mark.parametrize("row", COMPLEX)
def test_complex_numbers_go_through_the_statements(row: Primitive) -> None:
    z = off_kinks(row) + 0.3j
    allowed = row.ulps * len(row.numpy)  # each statement may round as badly as the row
    for at, y, truth in zip(z, computed(row, z), exact(row, z), strict=True):
        error = abs(mpmath.mpc(y.item()) - truth)
        assert error <= allowed * np.spacing(max(abs(y), row.floor)).item(), f"{row.name}({at})"


@pytest.mark.parametrize("step", [1e-30, -1e-20, 1e-8])
@pytest.mark.parametrize("row", COMPLEX)
def test_a_complex_step_gives_the_slope_to_the_precision_of_the_row(
    row: Primitive, step: float
) -> None:
    z = off_kinks(row) + 1j * step
    allowed = row.ulps * len(row.numpy)
    for at, y, truth in zip(z, computed(row, z), exact(row, z), strict=True):
        error = abs(mpmath.mpf(y.imag.item()) - truth.imag)
        scale = max(abs(y.imag), row.floor * abs(step))
        assert error <= allowed * np.spacing(scale).item(), f"{row.name}({at})"


@pytest.mark.parametrize("row", NOT_COMPLEX)
def test_a_row_that_is_not_for_complex_numbers_says_so(row: Primitive) -> None:
    with pytest.raises(TypeError):
        computed(row, points(row, np.float64) + 0.3j)


def check_ends(row: Primitive) -> None:
    """Around z, on its branch, no value is further from that of z than one at an end.

    Error bounds rest on it. It is not so beside a pole, or where a row jumps back.
    """
    symbol, z = sp.Symbol("z"), points(row, np.float64)
    value = sp.lambdify(symbol, row.value(symbol), "numpy")
    branch = sp.lambdify(symbol, row.branch(symbol) if row.branch else symbol * 0, "numpy")
    for reach in (1.0, 0.3, 1e-2, 1e-5):
        around = z + reach * np.linspace(-1, 1, 41)[:, np.newaxis]
        whole = (around.min(0) > row.domain[0]) & (around.max(0) < row.domain[1])
        whole &= np.broadcast_to(branch(around[0]) == branch(around[-1]), z.shape)
        with np.errstate(all="ignore"):  # where a pole is, and a branch is missing
            y = np.broadcast_to(value(around[:, whole]), around[:, whole].shape)
            moved = np.abs(y - value(z[whole]))
            rounded = 4 * row.ulps * np.spacing(np.maximum(np.abs(y).max(0), row.floor))
        assert np.all(moved.max(0) <= np.maximum(moved[0], moved[-1]) + rounded), (
            f"{row.name} moves further inside than at the ends"
        )


@pytest.mark.parametrize("row", ROWS)
def test_on_one_branch_a_value_moves_furthest_at_an_end(row: Primitive) -> None:
    check_ends(row)


@pytest.mark.parametrize("name", ["reciprocal", "frac"])
def test_a_branch_that_is_missing_is_caught(name: str) -> None:
    with pytest.raises(AssertionError, match="moves further inside"):
        check_ends(replace(PRIMITIVES[name], branch=None))


@pytest.mark.parametrize(
    ("name", "at", "slope"),
    [("relu", 0, 0), ("abs", 0, 0), ("heaviside", 0, 0), ("sign", 0, 0), ("frac", 2, 1)],
)
def test_the_slope_at_a_kink_is_the_one_that_is_declared(name: str, at: int, slope: int) -> None:
    row, z = PRIMITIVES[name], sp.Symbol("z", real=True)
    assert float(at) in row.kinks
    derivative = written_out(sp.sympify(row.slope(z, row.value(z))))
    assert derivative.subs(z, at) == slope


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("tanh", lambda z, y: sp.Rational(1001, 1000) * (1 - y**2)),
        ("tanh", lambda z, y: 1 - y),
        ("sigmoid", lambda z, y: y * (1 + y)),
        ("softplus", lambda z, y: sp.Function("tanh")(z)),
        ("relu", lambda z, y: sp.S.One),
        ("relu", lambda z, y: sp.Function("sign")(z)),
        ("abs", lambda z, y: sp.Function("heaviside")(z)),
        ("reciprocal", lambda z, y: y**2),
        ("sqrt", lambda z, y: sp.Function("reciprocal")(y)),
        ("log", lambda z, y: y),
        ("sin", lambda z, y: -sp.Function("cos")(z)),
        ("cos", lambda z, y: sp.Function("sin")(z)),
        ("frac", lambda z, y: sp.S.Zero),
        ("stop_gradient", lambda z, y: sp.S.One),  # what is declared is not the derivative
    ],
)
def test_a_wrong_slope_is_caught(name: str, slope: Any) -> None:
    with pytest.raises(AssertionError, match=f"slope of {name}"):
        check_slope(replace(PRIMITIVES[name], slope=slope))


@pytest.mark.parametrize(("name", "kinks"), [("relu", ()), ("abs", (1.0,)), ("frac", (0.0,))])
def test_a_missing_kink_is_caught(name: str, kinks: tuple[float, ...]) -> None:
    with pytest.raises(AssertionError, match=f"kinks of {name}: one between"):
        check_slope(replace(PRIMITIVES[name], kinks=kinks))


@pytest.mark.parametrize(
    ("name", "statements"),
    [
        ("tanh", ("np.sin({z}, out={y})",)),
        ("sigmoid", ("np.tanh({z}, out={y})", "np.add({y}, 1, out={y})")),
        ("relu", ("np.abs({z}, out={y})",)),
        ("frac", ("np.subtract({z}, np.trunc({z}), out={y})",)),
        ("reciprocal", ("np.reciprocal({z}, out={y})", "np.multiply({y}, 1 + 2e-15, out={y})")),
        ("exp", ("np.expm1({z}, out={y})", "np.add({y}, 1.00001, out={y})")),
    ],
)
def test_wrong_statements_are_caught(name: str, statements: tuple[str, ...]) -> None:
    row = replace(PRIMITIVES[name], numpy=statements)
    with pytest.raises(AssertionError, match=rf"{name}\(.*\) is"):
        check_values(row, points(row, np.float64))


def test_a_statement_that_overflows_into_a_wrong_value_is_caught() -> None:
    naive = ("np.exp({z}, out={y})", "np.add({y}, 1, out={y})", "np.log({y}, out={y})")
    row = replace(PRIMITIVES["softplus"], numpy=naive)
    with pytest.raises(AssertionError, match="overflows"):
        check_values(row, np.array([1e4]))


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_found_under_its_own_name(row: Primitive) -> None:
    assert PRIMITIVES[row.name] is row
    assert not any("{" in statement.format(z="z", y="y") for statement in row.numpy)
