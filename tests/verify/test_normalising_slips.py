"""Slips in a layer that normalises, written by hand: constants, counts, slopes and gains."""

from functools import cache

import pytest
from by_hand import written

from derive.language import parse
from verify.diagnosis.answers import told
from verify.diagnosis.diagnose import Library, diagnose

CELL = parse(
    "input x[m]\nstate h[n]\nz = W @ x + U @ h[t-1]\nd = z - mean(z)\n"
    "h = tanh(a * d / sqrt(mean(d ** 2) + 1e-5) + b)",
    "normalised",
)

LAYER = """
import numpy as np

def forward(params, x, state_0=None, *, lengths=None):
    p, n = params, len(params["b"])
    h = np.array((state_0 or {}).get("h", np.zeros((x.shape[1], n), x.dtype)))
    ends = np.full(x.shape[1], len(x)) if lengths is None else np.asarray(lengths)
    steps, y = [], np.zeros((len(x), *h.shape), x.dtype)
    for t in range(len(x)):
        live = (t < ends)[:, None]
        now = np.where(live, x[t], 0)
        z = now @ p["W"].T + h @ p["U"].T
        d = z - z.mean(axis=1, keepdims=True)
        s = np.sqrt((d * d).mean(axis=1, keepdims=True) + x.dtype.type(1e-5))
        new = np.tanh(p["a"] * d / s + p["b"])
        steps.append((live, now, h, d, s, new))
        y[t], h = np.where(live, new, 0), np.where(live, new, h)
    return y, {"h": h}, (x, steps)

def backward(params, tape, dy=None, dstate_T=None):
    p, (x, steps) = params, tape
    G, dx, n = {k: np.zeros_like(v) for k, v in p.items()}, np.zeros_like(x), len(p["b"])
    dh = np.array((dstate_T or {}).get("h", np.zeros((x.shape[1], n), x.dtype)))
    for t in reversed(range(len(x))):
        live, now, h, d, s, new = steps[t]
        dn = np.where(live, dh if dy is None else dh + dy[t], 0)
        da = dn * (1 - new * new)
        G["a"] += (da * d / s).sum(0)
        G["b"] += da.sum(0)
        q = da * p["a"]
        ds = -(q * d).sum(axis=1, keepdims=True) / s ** 2
        dd = q / s + ds / s * d / n
        dz = dd - dd.mean(axis=1, keepdims=True)
        G["W"] += dz.T @ now
        G["U"] += dz.T @ h
        dx[t] = dz @ p["W"]
        dh = np.where(live, dz @ p["U"], dh)
    return {**G, "x": dx, "h_0": dh}
"""

# What is edited, the row that must be first, and what its label must say.
SLIPS = (
    (("/ s ** 2", "/ s"), "slope formula", "slope -y"),
    (("* d / n", "* d"), "sum for a mean", "times n"),
    (("- dd.mean(", "- dd.sum("), "sum for a mean", "times n"),
    (("-(q * d).sum(", "-(q * d).mean("), "sum for a mean", "divided by n"),
    (('q = da * p["a"]', "q = da"), "gain missing", "a in all that comes back"),
    (("dz = dd - dd.mean(axis=1, keepdims=True)", "dz = dd"), "value held constant", "s_d"),
    (("dd = q / s + ds / s * d / n", "dd = q / s"), "normaliser held constant", ""),
    (("(1 - new * new)", "(1 - new * new) ** 2"), "slope formula", "the slope twice"),
)
FORWARD = (
    (("1e-5", "1e-6"), "epsilon", "-9e-06 added in a root"),
    (
        ("d * d).mean(axis=1, keepdims=True)", "d * d).sum(axis=1, keepdims=True) / (n - 1)"),
        "N - 1 for N",
        "",
    ),
    (('p["a"] * d / s', "d / s"), "factor missing forward", "a in h"),
)


@cache
def library():
    return Library.of(CELL)


def first(edit, backwards=True):
    found = diagnose(CELL, written(edit, text=LAYER), backwards=backwards, library=library())
    assert found.explained, told(found, CELL.name)
    return found.causes[0]


def test_what_is_edited_is_right():
    found = diagnose(CELL, written(text=LAYER), library=library())
    assert (found.is_cell, found.own_gradient, found.causes) == ("yes", "yes", ())


@pytest.mark.parametrize(("edit", "row", "label"), SLIPS)
def test_a_slip_in_the_gradient_of_a_normalisation_is_named(edit, row, label):
    cause = first(edit)
    assert (cause.deviation, label in cause.variant) == (row, True), cause.text


@pytest.mark.parametrize(("edit", "row", "label"), FORWARD)
def test_a_slip_in_a_normalisation_is_named(edit, row, label):
    cause = first(edit, backwards=False)
    assert (cause.deviation, label in cause.variant) == (row, True), cause.text


def test_a_factor_that_is_no_count_is_not_said_to_be_one():
    cause = first(("* d / n", "* d / 5"))
    assert cause.deviation != "sum for a mean"
    assert "3/5" in cause.variant
