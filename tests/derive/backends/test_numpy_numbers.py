"""Numbers that are hard on a kernel: one unit, saturated gates, complex ones."""

import ast
from collections.abc import Iterator

import numpy as np
import pytest
from emitted import SIZES, deviations, results, same
from kernel_cases import ALL, DTYPES, ZOO, derived_for, made

from derive.backends.numpy import numpy_source
from derive.expressions import Apply
from derive.primitives import PRIMITIVES
from derive.zoo import load
from verify.kernels import Example
from verify.strategies import REGIMES, Regime, make_example


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ZOO)
def test_one_unit_is_computed_like_many(name, dtype):
    # NumPy 2.4's negative errs in place where one column of four is taken.
    kernel, derived, example = made(name)
    for batch in (1, 2, 3, 5, 16):
        for m in (1, 2):
            case = example(3, batch, batch, {"n": 1, "m": m}, dtype=dtype)
            assert deviations(results(kernel, case), case, derived) == [], case.label


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "n"), [("rnn", 128), ("lstm", 64), ("gru", 96)])
def test_a_step_of_a_million_multiplications_is_right(name, n, dtype):
    kernel, derived, example = made(name)
    case = example(2, 66, 1, {"n": n, "m": 5}, dtype=dtype, with_lengths=True)
    assert deviations(results(kernel, case), case, derived) == []


@pytest.mark.parametrize("name", ALL)
def test_no_array_is_negated(name):
    tree = ast.parse(numpy_source(derived_for(name)))
    steps = [n for c in ast.walk(tree) if is_range(c) for n in ast.walk(c)]
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Attribute) and node.attr == "negative")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            assert isinstance(node.operand, ast.Constant) or node in steps


def is_range(node: ast.AST) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id == "range"


SATURATED = Regime("very saturated", weights=1e4, biases=1e4, inputs=2.0, states=2.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*ZOO, "all_hoisted", "concatenated", "two_inputs"])
def test_saturated_gates_give_finite_values_and_no_warning(name, dtype):
    kernel, _, example = made(name)
    for seed in range(4):
        case = example(3, 3, seed, regime=SATURATED, dtype=dtype, with_lengths=seed % 2 == 1)
        quiet = results(kernel, case)
        assert all(np.isfinite(a).all() for a in quiet.values()), case.label
        with np.errstate(all="raise"):
            assert same(results(kernel, case), quiet)


def test_the_saturated_examples_are_beyond_what_exp_can_hold():
    case = make_example(load("lstm"), steps=3, batch=3, sizes=SIZES, seed=0, regime=SATURATED)
    for gate in "fiog":
        a = case.inputs["x"] @ case.params[f"W_{gate}"].T + case.params[f"b_{gate}"]
        assert np.abs(a).max() > 10 * np.log(np.finfo(np.float64).max)
    assert max(r.weights for r in REGIMES.values()) < SATURATED.weights


# Far above underflow, far below what can be seen in the real part.
STEP = 2.0**-100


def is_real_only(name: str) -> bool:
    """Whether the cell or its slopes apply a primitive whose code takes no complex arrays."""
    derived = derived_for(name)
    adjoints = (*derived.backward, *derived.parameters, *derived.inputs, *derived.states)
    values = [a.value for a in (*derived.forward, *adjoints)]
    used = {node.name for v in values for node in v.atoms(Apply)}
    return not all(PRIMITIVES[p].complex_numpy for p in used)


COMPLEX = [name for name in ALL if not is_real_only(name)]
REAL_ONLY = [name for name in ALL if is_real_only(name)]


def as_complex(case: Example) -> Example:
    wide = lambda group: {n: a.astype(np.complex128) for n, a in group.items()}
    return Example(
        case.cell, wide(case.params), wide(case.inputs), wide(case.state_0), case.lengths
    )


def variables(case: Example) -> dict[str, np.ndarray]:
    """What the loss can be differentiated by, under the names of `grads`."""
    states = {f"{n}_0": a for n, a in case.state_0.items()}
    return {**case.params, **case.inputs, **states}


def complex_steps(kernel, case: Example) -> Iterator[tuple[str, np.ndarray]]:
    """Every gradient as Im loss(v + i s) / s, by the kernel's own forward."""
    wide = as_complex(case)
    for name, array in variables(wide).items():
        slopes = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + 1j * STEP
            y, finals, _ = kernel.forward(wide.params, wide.x, wide.state_0, lengths=wide.lengths)
            array[place] = kept
            assert {y.dtype, *(a.dtype for a in finals.values())} == {np.dtype(np.complex128)}
            loss = np.sum(case.dy * y) + sum(
                np.sum(case.dstate_T[s] * a) for s, a in finals.items()
            )
            slopes[place] = loss.imag / STEP
        yield name, slopes


@pytest.mark.parametrize("name", COMPLEX)
def test_a_complex_step_through_forward_gives_what_backward_gives(name):
    kernel, _, example = made(name)
    for with_lengths in (False, True):
        case = example(3, 2, with_lengths=with_lengths, sizes=SIZES | {"n": 2})
        found = results(kernel, case)
        for gradient, slopes in complex_steps(kernel, case):
            scale = np.abs(slopes).max()
            assert np.abs(found[f"d {gradient}"] - slopes).max() <= 1e-12 * scale, gradient


@pytest.mark.parametrize("name", COMPLEX)
def test_backward_refuses_a_complex_tape(name):
    kernel, _, example = made(name)
    wide = as_complex(example())
    tape = kernel.forward(wide.params, wide.x, wide.state_0)[2]
    said = rf"^{name}.backward: the tape is complex, expected float32 or float64$"
    with pytest.raises(TypeError, match=said):
        kernel.backward(wide.params, tape)


@pytest.mark.parametrize("name", REAL_ONLY)
def test_a_cell_with_a_function_of_real_numbers_alone_refuses_complex_ones(name):
    kernel, _, example = made(name)
    wide = as_complex(example())
    with pytest.raises(TypeError, match=r"has dtype complex128, expected float32 or float64$"):
        kernel.forward(wide.params, wide.x, wide.state_0)


def test_both_kinds_of_cells_are_among_the_tested():
    assert set(ZOO) <= set(COMPLEX)
    assert REAL_ONLY == ["softplus_of_parameters"]
