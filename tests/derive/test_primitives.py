"""Every row of the table of primitives: slope, emitted statements, rounding, extremes."""

from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

from derive.primitives import PRIMITIVES, Primitive

Array = npt.NDArray[Any]
ROWS = [pytest.param(row, id=name) for name, row in PRIMITIVES.items()]
COMPLEX = [pytest.param(row, id=name) for name, row in PRIMITIVES.items() if row.complex_numpy]
NOT_COMPLEX = [p for p in ROWS if p not in COMPLEX]
REAL = [np.float32, np.float64]


def check_slope(row: Primitive) -> None:
    """The slope, with y written out, is SymPy's derivative of the value: exactly, in exp(z)."""
    z = sp.Symbol("z", real=True)
    value = row.value(z)
    slope = sp.sympify(row.slope(z, value)).replace(
        lambda node: isinstance(node, AppliedUndef),
        lambda node: PRIMITIVES[node.func.__name__].value(*node.args),
    )
    assert rational(slope - sp.diff(value, z), z) == 0, f"slope of {row.name}"


def rational(expr: sp.Expr, z: sp.Symbol) -> sp.Expr:
    """The expression as one reduced fraction in z, exp(z) and logarithms: zero looks like zero."""
    power = sp.Symbol("E", positive=True)
    in_powers = expr.rewrite(sp.exp).replace(
        lambda node: isinstance(node, sp.exp), lambda node: power ** sp.cancel(node.args[0] / z)
    )
    logarithms = {node: sp.Symbol(f"L{k}") for k, node in enumerate(in_powers.atoms(sp.log))}
    return sp.cancel(sp.together(in_powers.xreplace(logarithms)))


def computed(row: Primitive, z: Array, alias: bool = False) -> Array:
    """What the row's statements leave in {y}."""
    z = z.copy()
    y = z if alias else np.empty_like(z)
    for statement in row.numpy:
        exec(statement.format(z="z", y="y"), {"np": np, "z": z, "y": y})
    return y


def exact(row: Primitive, z: Array) -> list[Any]:
    """The row's value at these very numbers, to 60 digits."""
    symbol = sp.Symbol("z")
    value = sp.lambdify(symbol, row.value(symbol), "mpmath")
    lift = mpmath.mpc if np.iscomplexobj(z) else mpmath.mpf
    with mpmath.workdps(60):
        return [value(lift(number.item())) for number in z]


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


def points(row: Primitive, dtype: Any) -> Array:
    """Numbers up to the row's bound, most of them with all bits in use, and tiny ones."""
    rng = np.random.default_rng(20)
    tiny = [sign * 10.0**-k for k in range(1, 12) for sign in (-1, 1)]
    spread = rng.uniform(-row.bound, row.bound, 300)
    edges = [0.0, 1.0, -1.0, row.bound, -row.bound]
    return np.array([*tiny, *spread, *rng.uniform(-2, 2, 100), *edges], dtype)


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
    check_values(row, far)


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
    z = points(row, np.float64) + 0.3j
    np.testing.assert_array_equal(computed(row, z, alias=True), computed(row, z))


@pytest.mark.parametrize("row", COMPLEX)
def test_complex_numbers_go_through_the_statements(row: Primitive) -> None:
    z = points(row, np.float64) + 0.3j
    allowed = row.ulps * len(row.numpy)  # each statement may round as badly as the row
    for at, y, truth in zip(z, computed(row, z), exact(row, z), strict=True):
        error = abs(mpmath.mpc(y.item()) - truth)
        assert error <= allowed * np.spacing(max(abs(y), row.floor)).item(), f"{row.name}({at})"


@pytest.mark.parametrize("step", [1e-30, -1e-20, 1e-8])
@pytest.mark.parametrize("row", COMPLEX)
def test_a_complex_step_gives_the_slope_to_the_precision_of_the_row(
    row: Primitive, step: float
) -> None:
    z = points(row, np.float64) + 1j * step
    allowed = row.ulps * len(row.numpy)
    for at, y, truth in zip(z, computed(row, z), exact(row, z), strict=True):
        error = abs(mpmath.mpf(y.imag.item()) - truth.imag)
        scale = max(abs(y.imag), row.floor * abs(step))
        assert error <= allowed * np.spacing(scale).item(), f"{row.name}({at})"


@pytest.mark.parametrize("row", NOT_COMPLEX)
def test_a_row_that_is_not_for_complex_numbers_says_so(row: Primitive) -> None:
    with pytest.raises(TypeError):
        computed(row, points(row, np.float64) + 0.3j)


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("tanh", lambda z, y: sp.Rational(1001, 1000) * (1 - y**2)),
        ("tanh", lambda z, y: 1 - y),
        ("sigmoid", lambda z, y: y * (1 + y)),
        ("softplus", lambda z, y: sp.Function("tanh")(z)),
    ],
)
def test_a_wrong_slope_is_caught(name: str, slope: Any) -> None:
    with pytest.raises(AssertionError, match=f"slope of {name}"):
        check_slope(replace(PRIMITIVES[name], slope=slope))


@pytest.mark.parametrize(
    ("name", "statements"),
    [
        ("tanh", ("np.sin({z}, out={y})",)),
        ("sigmoid", ("np.tanh({z}, out={y})", "np.add({y}, 1, out={y})")),
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
