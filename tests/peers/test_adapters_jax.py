"""Functions of JAX arrays and a cell of Flax through their adapter."""

import os

import numpy as np
import pytest

from derive import zoo
from verify.runner import run
from verify.strategies import make_example

os.environ.setdefault("JAX_ENABLE_X64", "1")  # read when JAX is imported
jax = pytest.importorskip("jax", reason="JAX is not among the extras: pip install jax flax")

from verify.adapters.jax_function import jax_call  # noqa: E402

SIZES = {"n": 3, "m": 2}  # JAX compiles once for sizes


def rnn(p, x, s, factor=1.0):
    def step(h, x_t):
        z = x_t @ p["W"].T + h @ p["U"].T + p["b"]
        h = factor * jax.numpy.tanh(z) + (1 - factor) * jax.lax.stop_gradient(jax.numpy.tanh(z))
        return h, h

    h, y = jax.lax.scan(step, s["h"], x)
    return y, {"h": h}


def test_a_function_of_arrays_is_right_in_all_that_it_gives():
    report = run(zoo.load("rnn"), jax_call(rnn, cell="rnn", sizes=SIZES), examples=7)
    assert report.findings == ()
    assert {"gradients", "differences"} <= dict(report.judged).keys()


def test_a_function_that_is_not_compiled_gives_the_same():
    given = make_example(zoo.load("rnn"), steps=3, batch=2, sizes=SIZES, seed=1)
    found = []
    for jit in (True, False):
        kernel = jax_call(rnn, cell="rnn", jit=jit)
        y, _, tape = kernel.forward(given.params, given.x, given.state_0)
        found.append({"y": y, **kernel.backward(given.params, tape, given.dy, given.dstate_T)})
    assert all(np.allclose(found[0][n], found[1][n], rtol=1e-12) for n in found[0])


def test_a_gradient_that_is_stopped_in_part_is_found():
    wrong = lambda p, x, s: rnn(p, x, s, 1 - 1e-6)
    report = run(zoo.load("rnn"), jax_call(wrong, cell="rnn", sizes=SIZES), examples=3)
    assert {f.property for f in report.findings} >= {"gradients"}
    assert "values" not in {f.property for f in report.findings}


def test_a_cell_of_flax_is_right_in_all_that_it_gives():
    linen = pytest.importorskip("flax.linen", reason="Flax is not among the extras")
    arrays = {f"i{k}.kernel": f"W_{k}.T" for k in "ifgo"}
    arrays |= {f"h{k}.kernel": f"U_{k}.T" for k in "ifgo"} | {
        f"h{k}.bias": f"b_{k}" for k in "ifgo"
    }

    def call(p, x, s):
        cell = linen.OptimizedLSTMCell(s["h"].shape[-1], dtype=x.dtype, param_dtype=x.dtype)
        step = lambda carry, x_t: cell.apply({"params": p}, carry, x_t)
        (C, h), y = jax.lax.scan(step, (s["C"], s["h"]), x)
        return y, {"h": h, "C": C}

    kernel = jax_call(call, cell="lstm", arrays=arrays, sizes=SIZES)
    report = run(zoo.load("lstm"), kernel, examples=7)
    assert report.findings == ()
    assert np.dtype(np.float64).name in kernel.limits.dtypes
