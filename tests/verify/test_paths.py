"""Which states reach their own next value entry by entry, and what the product along it is."""

from dataclasses import replace

import numpy as np
import pytest
from grown_cells import grown

from derive.gradients import gradients
from derive.language import parse
from verify.properties import PROPERTIES, Failure, Trial
from verify.properties.paths import path_product, paths_of, silenced
from verify.references import reference_kernel
from verify.strategies import make_example

STATE_PATH = next(row for row in PROPERTIES if row.name == "state path")


def cell_of(*lines):
    return parse("\n".join(["input x[m]", *lines]), "own")


@pytest.mark.parametrize(
    ("lines", "memories", "silent"),
    [
        (["state h[n]", "h = f * h[t-1] + U @ h[t-1] + W @ x"], {"h"}, {"U"}),
        (["state h[n]", "h = f * h[t-1] + U.T @ tanh(h[t-1]) + W @ x"], {"h"}, {"U"}),
        (["state h[n]", "h = f * h[t-1] + sum(h[t-1]) * (W @ x)"], set(), set()),
        (["state h[n]", "h = f * h[t-1] + softmax(h[t-1]) + W @ x"], set(), set()),
        (["state h[n]", "h = h[t-1] + (sigmoid(R) * U) @ h[t-1] + W @ x"], set(), set()),
        (["state h[n]", "h = h[t-1] / dot(w, h[t-1]) + W @ x"], set(), set()),
        (["state h[1]", "h = h[t-1] / (1 + sum(w * x) + h[t-1])"], {"h"}, set()),
        (
            ["state h[n], C[n, n]", "v = W @ x", "C = C[t-1] + outer(v, v)", "h = C @ v"],
            {"C"},
            set(),
        ),
        (
            ["state h[n], C[n, n]", "v = W @ x", "C = C[t-1].T + outer(v, v)", "h = C @ v"],
            set(),
            set(),
        ),
        (
            ["state h[n], C[n, n]", "v = W @ x", "C = C[t-1] + outer(h[t-1], v)", "h = C @ v"],
            set(),
            set(),
        ),
        (
            ["state h[n], s[1]", "s = s[t-1] * sigmoid(dot(w, x))", "h = s * h[t-1] + W @ x"],
            {"h", "s"},
            set(),
        ),
        (["state h[n], s[1]", "s = s[t-1] + sum(h[t-1])", "h = s * h[t-1] + W @ x"], set(), set()),
    ],
)
def test_states_that_reach_themselves_entry_by_entry_are_told_from_those_that_mix(
    lines, memories, silent
):
    paths = paths_of(cell_of(*lines))
    assert set(paths.memories) == memories
    assert paths.silent == silent


def test_a_state_is_not_followed_where_one_that_mixes_reaches_it():
    lines = ["state h[n], C[n]", "C = C[t-1] + h[t-1]", "h = softmax(h[t-1]) + W @ x"]
    paths = paths_of(cell_of(*lines))
    assert paths.followed == ()
    lines[1] = "C = C[t-1] + U @ h[t-1]"
    paths = paths_of(cell_of(*lines))
    assert (paths.followed, paths.memories, paths.silent) == (("C",), ("C",), {"U"})


def test_the_path_of_a_matrix_memory_is_the_product_of_its_scalar_gates():
    cell = grown("matrix_memory")
    example = make_example(
        cell, steps=4, batch=2, sizes=dict(zip(cell.dimensions, (3, 2, 4), strict=True)), seed=1
    )
    alone = silenced(example, paths_of(cell))
    assert not alone.dstate_T["h"].any()
    assert alone.dstate_T["C"].any()
    found = path_product(alone, paths_of(cell))
    p, z, keep = example.params, example.state_0["z"], np.ones((2, 1))
    for x in example.inputs["x"]:
        a = (x @ p["w_f"])[:, None] + p["b_f"]
        i = (x @ p["w_i"])[:, None] + p["b_i"]
        later = np.maximum(a + z, i)
        keep, z = keep * np.exp(a + z - later), later
    np.testing.assert_allclose(found["C_0"], keep[..., None] * example.dstate_T["C"], rtol=1e-13)
    np.testing.assert_allclose(found["v_0"], keep * example.dstate_T["v"], rtol=1e-13)
    assert found["z_0"].any()
    assert not found["h_0"].any()


@pytest.mark.parametrize("name", ["C_0", "v_0", "z_0"])
def test_a_wrong_gradient_of_an_initial_state_leaves_the_path(name):
    cell = grown("matrix_memory")
    right = reference_kernel(cell)

    class Wrong:
        forward = staticmethod(right.forward)

        def backward(self, *args):
            found = dict(right.backward(*args))
            return {**found, name: found[name] * (1 + 1e-9)}

    sizes = dict(zip(cell.dimensions, (3, 2, 4), strict=True))
    example = make_example(cell, steps=2, batch=2, sizes=sizes, seed=1)
    assert STATE_PATH.judge(Trial(right, example, gradients(cell))) is None
    found = STATE_PATH.judge(Trial(Wrong(), example, gradients(cell)))
    assert isinstance(found, Failure)
    assert found.parameter == name


def test_without_initial_states_the_path_starts_from_zeros():
    cell = grown("exponential_gates")
    example = make_example(cell, steps=2, batch=2, sizes={"n": 3, "m": 2}, seed=1)
    zeros = {n: 0 * a for n, a in example.state_0.items()}
    first, second = (
        path_product(silenced(replace(example, state_0=s), paths_of(cell)), paths_of(cell))
        for s in (None, zeros)
    )
    assert all((first[n] == second[n]).all() for n in second)
    assert first["c_0"].any()
