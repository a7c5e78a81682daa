"""Spoilt derivations are refuted at given sizes, by numbers that other programs come to as well."""

from functools import cache
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from core import CORE
from emitted import kernel_of
from spoilt import SPOILT, Spoilt
from unrolled import leaves, loss

from derive.cell import Cell
from derive.claim import Claim
from derive.concrete import Decision, claim_of, decide, sizes_of
from derive.concrete.counterexamples import Counterexample
from derive.gradients import Gradients, gradients
from derive.primitives import PRIMITIVES
from derive.zoo import load

DIGITS, STEP = 50, mpmath.mpf(10) ** -20
NEAR = 1e-9  # float64 at numbers that are eighths, and some hundred roundings


@cache
def derived(name: str) -> Gradients:
    return gradients(load(name))


# With kinks, and with logarithms, of which numbers must keep clear.
NAMES = (*CORE, "lstm_relu_gates", "irnn", "mingru_log")
QUICK = ("a gradient doubled", "no dy")

CASES = [
    pytest.param(
        name,
        row,
        id=f"{name}: {row.what}",
        marks=pytest.mark.slow if name != "lstm" and row.what not in QUICK else (),
    )
    for name in NAMES
    for row in SPOILT
    # No kernel is emitted where the cotangents of a logarithm's parts change places.
    if row.spoil(gradients(load(name))) is not None
    and (name != "mingru_log" or "swapped" not in row.what)
]


@pytest.mark.parametrize(("name", "row"), CASES)
def test_a_spoilt_derivation_is_refuted_with_both_values(name: str, row: Spoilt) -> None:
    wrong = row.spoil(derived(name))
    assert wrong is not None
    found = decide(wrong, sizes_of(wrong.cell, {}))
    claim, example = claim_of(found), found.example
    assert (claim.verdict, claim.level, claim.fails) == ("refuted", "decided", True)
    assert example is not None
    assert str(example) == claim.example
    assert example.left == pytest.approx(differences(wrong.cell, example), NEAR, NEAR)
    assert example.right == pytest.approx(by_the_kernel(wrong, example), NEAR, NEAR)
    assert example.left != pytest.approx(example.right, 1e-7, 1e-7)
    assert in_what_differs(found, example)
    assert claim.remainder


@pytest.mark.parametrize("row", SPOILT, ids=lambda row: row.what)
def test_the_entries_that_differ_are_those_that_are_spoilt(row: Spoilt) -> None:
    wrong = row.spoil(derived("lstm"))
    assert wrong is not None
    found = decide(wrong, sizes_of(wrong.cell, {}))
    named = {entry.partition("[")[0].partition("@")[0] for entry in found.differing}
    assert named == {name.removesuffix("_0") for name in row.lstm.split()}


def in_what_differs(found: Decision, example: Counterexample) -> bool:
    """Numbers differ nowhere else than forms do."""
    column = example.values[example.gradient].shape[1] == 1
    place = example.place[:1] if column else example.place
    return f"{example.gradient}[{', '.join(map(str, place))}]" in found.differing


def differences(cell: Cell, example: Counterexample) -> float:
    """The derivative of the unrolled loss by central differences of many digits."""
    z = sp.Symbol("z")
    functions = {k: sp.lambdify(z, row.value(z), "mpmath") for k, row in PRIMITIVES.items()}
    i, j = example.place
    moved = f"{example.gradient}[{i},{j}]"

    def at(step: Any) -> Any:
        def number(name: str) -> Any:
            base, _, place = name.rpartition("[")
            row, column = map(int, place[:-1].split(","))
            value = mpmath.mpf(float(example.values[base][row, column]))
            return value + step if name == moved else value

        given = leaves(cell, example.sizes, example.steps, number)
        return loss(
            cell,
            example.sizes,
            given,
            lambda name, x: functions[name](x),
            number=lambda value: mpmath.mpmathify(value.evalf(DIGITS)),
        )

    with mpmath.workdps(DIGITS):
        return float((at(STEP) - at(-STEP)) / (2 * STEP))


def by_the_kernel(wrong: Gradients, example: Counterexample) -> float:
    """What the kernel that is emitted from this derivation gives, for a batch of one."""
    cell, values = wrong.cell, example.values
    times = range(1, example.steps + 1)
    kernel = kernel_of(wrong)

    def stacked(name: str) -> Any:
        return np.stack([values[f"{name}@{t}"].T for t in times])

    params = {
        p.name: values[p.name].reshape([example.sizes.get(d, d) for d in p.shape])
        for p in cell.parameters
    }
    (read,) = cell.inputs
    states = {s.name: values[f"{s.name}@0"].T for s in cell.states}
    finals = {s.name: values[f"dstate({s.name})"].T for s in cell.states}
    _, _, tape = kernel.forward(params, stacked(read.name), states)
    grads = kernel.backward(params, tape, stacked("dy"), finals)
    name, _, time = example.gradient.partition("@")
    if not time:
        return float(grads[name].reshape(values[name].shape)[example.place])
    if time == "0":
        return float(grads[f"{name}_0"][0, example.place[0]])
    return float(grads[name][int(time) - 1, 0, example.place[0]])


def test_the_first_wrong_cotangent_of_the_sweep_is_told() -> None:
    """No dy: it is wrong at the last output already, and lacks just that."""
    (row,) = [row for row in SPOILT if row.what == "no dy"]
    claim = said(row)
    assert claim.remainder == (
        "of dL/dh@2[0]; 58 entries of gradients differ:",
        "  dy@2[0]",
    )


def test_where_all_cotangents_are_right_a_gradient_is_told() -> None:
    (row,) = [row for row in SPOILT if row.what == "a gradient doubled"]
    assert said(row).remainder == (
        "of dL/dW_f[0, 0]; 6 entries of gradients differ:",
        "  x@1[0]*f@1[0]**2*dL/df@1[0]",
        "  -x@1[0]*f@1[0]*dL/df@1[0]",
        "  x@2[0]*f@2[0]**2*dL/df@2[0]",
        "  -x@2[0]*f@2[0]*dL/df@2[0]",
    )


def said(row: Spoilt) -> Claim:
    wrong = row.spoil(derived("lstm"))
    assert wrong is not None
    return claim_of(decide(wrong, sizes_of(wrong.cell, {})))
