"""Causes that a blind trial asked for, each on a slip of its own and beside what is none."""

from functools import cache

import numpy as np
import pytest
from by_hand import GRU, LSTM, written

from derive.language import parse
from derive.zoo import load
from verify.diagnosis.answers import told
from verify.diagnosis.diagnose import Library, diagnose
from verify.strategies import make_example

DIAGONAL = """
import numpy as np

def forward(params, x, state_0=None, *, lengths=None):
    p = params
    h = np.array((state_0 or {}).get("h", np.zeros((x.shape[1], len(p["b"])), x.dtype)))
    ends = np.full(x.shape[1], len(x)) if lengths is None else np.asarray(lengths)
    steps, y = [], np.zeros((len(x), *h.shape), x.dtype)
    for t in range(len(x)):
        live = (t < ends)[:, None]
        now = np.where(live, x[t], 0)
        a = now @ p["W"].T + p["u"] * h + p["b"]
        new = np.maximum(a, 0)
        steps.append((live, now, h, a))
        y[t], h = np.where(live, new, 0), np.where(live, new, h)
    return y, {"h": h}, (x, steps)

def backward(params, tape, dy=None, dstate_T=None):
    p, (x, steps) = params, tape
    G, dx = {k: np.zeros_like(v) for k, v in p.items()}, np.zeros_like(x)
    dh = np.array((dstate_T or {}).get("h", np.zeros((x.shape[1], len(p["b"])), x.dtype)))
    for t in reversed(range(len(x))):
        live, now, h, a = steps[t]
        d = np.where(live, dh if dy is None else dh + dy[t], 0) * (a > 0)
        G["W"] += d.T @ now
        G["u"] += (d * h).sum(0)
        G["b"] += d.sum(0)
        dx[t] = d @ p["W"]
        dh = np.where(live, d * p["u"], dh)
    return {**G, "x": dx, "h_0": dh}
"""

CELLS = {
    "lstm": (load("lstm"), LSTM),
    "gru": (load("gru"), GRU),
    "diagonal": (
        parse("input x[m]\nstate h[n]\nh = relu(W @ x + u * h[t-1] + b)", "diagonal"),
        DIAGONAL,
    ),
}

TAPE = "steps.append((live, now, h, C, f, i, o, g, C_new, h_new))"
HALF = "half = lambda a: a.astype(np.float16).astype(a.dtype)\n        "
BACK = (
    '            dx[t] += delta[k] @ params["W_" + k]\n'
    '            dh = dh + delta[k] @ params["U_" + k]\n'
)
COLUMN = """        column = sum(
            np.concatenate([delta[k] @ params["U_" + k], delta[k] @ params["W_" + k]], axis=1)
            for k in "fiog"
        )
        m = x.shape[2]
        dx[t], dh = column[:, :m], dh + column[:, m:]
"""
STARTS = "    state_0 = state_0 or {}\n"
ONE = (
    "    state_0 = dict(state_0 or {})\n"
    '    if "h" in state_0:\n'
    '        state_0["h"] = np.repeat(state_0["h"][ROW], x.shape[1], axis=0)\n'
)
NOW = "now = np.where(live, x[t], 0)"
STEP = "live, now, h, C, f, i, o, g, C_new, h_new = steps[t]"
LOOP = "    for t in reversed(range(len(x))):\n        live, now"
SEGMENTS = """    ends = sum(s[0][:, 0].astype(int) for s in steps)
    again = []
    for s in range(0, len(x), 2):
        start = {"h": steps[s][2], "C": 0 * steps[s][3]}
        part = x[s : s + 2]
        again += forward(params, part, start, lengths=np.clip(ends - s, 0, len(part)))[2][1]
    steps = again
"""
JACOBIAN = (
    "back = dnew * z + (1 - z) * (1 - g * g) * r * (dnew @ p['U_g'].T)"
    " + (h - g) * z * (1 - z) * (dnew @ p['U_z'].T)"
    " + (1 - z) * (1 - g * g) * q * r * (1 - r) * (dnew @ p['U_r'].T)"
)

# The cell, what is edited, the row that must be first, and what its label must say.
BACKWARD = (
    ("gru", [("da_g * q * r", "da_g * (q - p['c_g']) * r")], "part of a value", "without c_g"),
    (
        "gru",
        [('back = dnew * z + dq @ p["U_g"] + da_z @ p["U_z"] + da_r @ p["U_r"]', JACOBIAN)],
        "Jacobian not transposed",
        "",
    ),
    (
        "lstm",
        [("kept_C + e * f", 'kept_C + e * f + (ends.get("C", 0) if t else 0)')],
        "final cotangent at every step",
        "C_T",
    ),
    (
        "lstm",
        [(STEP, f"first = dh\n        {STEP}"), ('"h_0": dh', '"h_0": first if len(x) else dh')],
        "initial gradient too early",
        "h_0",
    ),
    (
        "lstm",
        [("delta[k].T @ h\n", "delta[k].sum(0)[:, None] * h.sum(0)\n")],
        "all pairs",
        "rows of the batch, in U_f, U_i, U_o, U_g",
    ),
    (
        "lstm",
        [("delta[k].T @ now", "delta[k].T @ sum(s[1] for s in steps)")],
        "all pairs",
        "steps, in W_f, W_i, W_o, W_g",
    ),
    (
        "lstm",
        [(TAPE, HALF + TAPE.replace("f, i, o,", "half(f), half(i), half(o),"))],
        "kept in a coarser format",
        "gates in float16",
    ),
    ("lstm", [(BACK, COLUMN)], "column cut elsewhere", "h before x"),
    ("lstm", [(LOOP, SEGMENTS + LOOP)], "recomputed without a state", "C zero at the start"),
    (
        "diagonal",
        [("(d * h).sum(0)", "(d * h.sum(1, keepdims=True)).sum(0)")],
        "units mixed",
        "row sums for u",
    ),
)
FORWARD = (
    ("lstm", [(STARTS, ONE.replace("ROW", ":1"))], "rows leak", "the first row's h"),
    (
        "lstm",
        [("np.where(live, h_new, 0)", "np.where(live, C_new, 0)")],
        "another value as output",
        "y is C",
    ),
    (
        "lstm",
        [(NOW, NOW.replace("x[t]", "x[t].reshape(x.shape[2], -1).T"))],
        "axes exchanged by a reshape",
        "batch and features",
    ),
    (
        "lstm",
        [(NOW, NOW + "\n        C = np.where(live & (t % 4 == 0) & (t > 0), 0, C)")],
        "state reset",
        "C every 4 steps",
    ),
    (
        "lstm",
        [('np.tanh(a["g"])', '(a["g"] / (1 + abs(a["g"])))')],
        "approximate activation",
        "z / (1 + |z|) for tanh in g",
    ),
    ("diagonal", [("np.maximum(a, 0)", "np.where(a > 0, a, 0.2 * a)")], "leaky activation", "1/5"),
)

# Beside each of these: what looks alike, and must not be called so.
NEAR = (
    ("gru", [("da_g * q * r", "da_g * (q - 2 * p['c_g']) * r")]),
    ("lstm", [(STARTS, ONE.replace("ROW", "-1:"))]),
    ("lstm", [("np.where(live, h_new, 0)", "np.where(live, 0.7 * C_new, 0)")]),
    ("lstm", [(TAPE, TAPE.replace("f, i, o,", "f.round(3), i.round(3), o.round(3),"))]),
    ("lstm", [("delta[k].T @ h\n", "0.5 * delta[k].sum(0)[:, None] * h.sum(0)\n")]),
    ("diagonal", [("(d * h).sum(0)", "(d.sum(1, keepdims=True) * h).sum(0)")]),
    ("diagonal", [("np.maximum(a, 0)", "np.where(a > 0, a, np.exp(a) - 1)")]),
)
ROWS = {row for *_, row, _ in (*BACKWARD, *FORWARD)}


@cache
def library(name):
    return Library.of(CELLS[name][0])


def found(name, edits, backwards=True):
    cell, text = CELLS[name]
    return diagnose(cell, written(*edits, text=text), backwards=backwards, library=library(name))


@pytest.mark.parametrize("name", CELLS)
def test_what_is_edited_is_right(name):
    seen = found(name, [])
    assert (seen.is_cell, seen.own_gradient, seen.causes) == ("yes", "yes", ())


@pytest.mark.parametrize(
    ("name", "edits", "row", "label", "backwards"),
    [(*slip, True) for slip in BACKWARD] + [(*slip, False) for slip in FORWARD],
)
def test_a_slip_is_named(name, edits, row, label, backwards):
    seen = found(name, edits, backwards)
    assert seen.explained, told(seen, name)
    assert (seen.causes[0].deviation, label in seen.causes[0].variant) == (row, True), told(
        seen, name
    )


@pytest.mark.parametrize(("name", "edits"), NEAR)
def test_what_looks_alike_is_not_called_so(name, edits):
    seen = found(name, edits)
    assert seen.wrong
    assert not {c.deviation for c in seen.causes} & ROWS, told(seen, name)


def test_truncation_after_many_steps_is_named_on_a_longer_example():
    cell = CELLS["gru"][0]
    sizes = dict(zip(cell.dimensions, (3, 2), strict=True))
    long = make_example(cell, steps=40, batch=1, sizes=sizes, seed=3, regime="remembering")
    back = "dh = np.where(m, back, dh)"
    cut = written((back, back + " * (t % 20 > 0)"), text=GRU)
    seen = diagnose(cell, cut, library=Library.of(cell, [long]))
    assert seen.causes[0].deviation == "truncated"
    assert "20" in seen.causes[0].variant
    assert seen.causes[0].by_design


def test_a_module_that_keeps_the_parameters_of_a_call_before_is_named():
    inner, kept = written(), {}

    class Keeps:
        def forward(self, params, x, state_0=None, *, lengths=None):
            first = kept.setdefault((params["W_f"].shape, str(x.dtype)), dict(params))
            y, ends, tape = inner.forward(first, x, state_0, lengths=lengths)
            return y, ends, (first, tape)

        def backward(self, params, tape, dy=None, dstate_T=None):
            return inner.backward(tape[0], tape[1], dy, dstate_T)

    kernel, lib = Keeps(), library("lstm")
    kernel.forward({n: a * 2 for n, a in lib.examples[0].params.items()}, lib.examples[0].x)
    seen = diagnose(CELLS["lstm"][0], kernel, library=lib, failed={"values": lib.examples[0]})
    assert seen.causes[0].deviation == "parameters not read"
    plain = diagnose(
        CELLS["lstm"][0],
        written(('np.tanh(a["g"])', 'np.sin(a["g"])')),
        library=lib,
        failed={"values": lib.examples[0]},
    )
    assert plain.causes == ()
    assert np.any(lib.examples[0].params["W_f"])
