"""Emitted kernels against Keras layers on its torch backend, forward and backward.

Distinct weights and biases, non-zero initial states, cotangents at every output and final state.
"""

import os
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from agreement import named, relative_difference, share_of_bound

from derive import zoo
from derive.gradients import gradients
from verify.conventions import CONVENTIONS, to_cell
from verify.kernels import Example
from verify.references import reference

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'bptt[torch]'")
os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it once, when it is imported
keras = pytest.importorskip("keras", reason="keras is an extra: pip install 'bptt[keras]'")
if keras.backend.backend() != "torch":
    pytest.skip("needs Keras on torch: set KERAS_BACKEND=torch", allow_module_level=True)

LAYERS = {  # by the cell's name: the layer and what it is made with
    "rnn": (keras.layers.SimpleRNN, {}),
    "lstm": (keras.layers.LSTM, {}),
    "gru": (keras.layers.GRU, {"reset_after": True}),
    "gru_reset_before": (keras.layers.GRU, {"reset_after": False}),
}
SHAPES = [(1, 1, 2, 3), (5, 3, 4, 4), (4, 5, 3, 7), (12, 3, 6, 5)]  # T, B, D, H
BY_LAYER = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def double_stays_double(monkeypatch):
    """Keras on torch makes float64 products in float32, but for two fused layers: #23704.

    Its table of result types is the only thing that is changed.
    """
    from keras.src.backend.common import dtypes

    monkeypatch.setitem(getattr(dtypes, "BIT64_TO_BIT32_DTYPE", {}), "float64", "float64")


@dataclass(frozen=True)
class Problem:
    """Arrays by Keras's names; time first, as the kernels have it."""

    name: str
    arrays: dict
    x: np.ndarray
    state_0: dict
    dy: np.ndarray
    dstate_T: dict
    lengths: np.ndarray | None = None
    bias: bool = True
    backwards: bool = False

    @property
    def convention(self):
        return CONVENTIONS[f"keras.{self.name}"]

    @property
    def params(self):
        """Sums of two biases in float64, so that they are not one more rounding."""
        wide = {k: a.astype(np.float64) for k, a in self.arrays.items()}
        return to_cell(self.convention, wide)


def layer_of(p):
    made, options = LAYERS[p.name]
    layer = made(
        p.dy.shape[2],
        return_sequences=True,
        return_state=True,
        dtype=str(p.x.dtype),
        use_bias=p.bias,
        go_backwards=p.backwards,
        zero_output_for_mask=True,
        **options,
    )
    layer.build((p.x.shape[1], p.x.shape[0], p.x.shape[2]))
    return layer


def problem(name, shape, seed, dtype=np.float64, lengths=None, **options):
    steps, batch, inputs, hidden = shape
    rng = np.random.default_rng(seed)
    draw = lambda *sizes: rng.standard_normal(sizes).astype(dtype)
    states = [s.name for s in zoo.load(name).states]
    p = Problem(
        name=name,
        arrays={},
        x=draw(steps, batch, inputs),
        state_0={s: draw(batch, hidden) for s in states},
        dy=draw(steps, batch, hidden),
        dstate_T={s: draw(batch, hidden) for s in states},
        lengths=None if lengths is None else np.array(lengths),
        **options,
    )
    return replace(p, arrays={w.name: draw(*w.shape) for w in layer_of(p).weights})


def by_keras(p):
    """Outputs, final states and gradients, by the names of `by_kernel`."""
    layer, tensor = layer_of(p), lambda a: torch.tensor(a, requires_grad=True)
    for weight in layer.weights:
        weight.assign(p.arrays[weight.name])
    x, initial = tensor(p.x), {s: tensor(a) for s, a in p.state_0.items()}
    mask = None
    if p.lengths is not None:
        mask = torch.tensor(np.arange(len(p.x)) < p.lengths[:, np.newaxis])
    y, *last = layer(x.transpose(0, 1), initial_state=list(initial.values()), mask=mask)
    y = y.transpose(0, 1)
    loss = (y * torch.tensor(p.dy)).sum()
    for state, cotangent in zip(last, p.dstate_T.values(), strict=True):
        loss = loss + (state * torch.tensor(cotangent)).sum()
    loss.backward()
    found = {"y": y} | {f"{s}_T": a for s, a in zip(initial, last, strict=True)}
    found |= {f"d {w.name}": w.value.grad for w in layer.weights}
    found |= {"d x": x.grad} | {f"d {s}_0": a.grad for s, a in initial.items()}
    return {k: a.detach().numpy() for k, a in found.items()}


def by_kernel(p, kernel, convention=None):
    """The same by the emitted kernel; gradients go back to Keras's arrays."""
    convention = convention or p.convention
    params = {k: a.astype(p.x.dtype) for k, a in to_cell(convention, p.arrays).items()}
    turn = (lambda a: a[::-1]) if p.backwards else (lambda a: a)
    y, last, tape = kernel.forward(params, turn(p.x), p.state_0, lengths=p.lengths)
    grads = kernel.backward(params, tape, p.dy, p.dstate_T)
    found = named(convention, y, last, grads | {"x": turn(grads["x"])})
    return {k: a for k, a in found.items() if p.bias or k != "d bias"}


@BY_LAYER
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float64_agrees_with_keras_in_outputs_and_in_every_gradient(name, shape, emitted, figure):
    p = problem(name, shape, seed=sum(shape))
    worst = relative_difference(by_kernel(p, emitted(name)), by_keras(p))
    figure(f"keras {name}, float64: largest relative difference", worst)
    assert worst < 1e-10


@BY_LAYER
@pytest.mark.parametrize("options", [{"bias": False}, {"backwards": True}], ids=str)
def test_a_layer_without_bias_or_read_backwards_agrees_with_keras(name, options, emitted, figure):
    p = problem(name, (5, 3, 4, 6), seed=1, **options)
    worst = relative_difference(by_kernel(p, emitted(name)), by_keras(p))
    figure(f"keras {name}, float64: largest relative difference", worst)
    assert worst < 1e-10


@BY_LAYER
@pytest.mark.parametrize("lengths", [[3, 7, 1, 5], [2, 2, 6, 1]], ids=str)
def test_masked_sequences_of_unequal_lengths_agree_with_keras(name, lengths, emitted, figure):
    p = problem(name, (7, len(lengths), 3, 5), seed=sum(lengths), lengths=lengths)
    worst = relative_difference(by_kernel(p, emitted(name)), by_keras(p))
    figure(f"keras {name}, float64, masked: largest relative difference", worst)
    assert worst < 1e-10


@BY_LAYER
def test_float32_agrees_with_keras_within_the_rounding_bound(name, emitted, figure):
    p = problem(name, (7, 4, 3, 5), 2, np.float32, [3, 7, 1, 5])
    example = Example(zoo.load(name), p.params, {"x": p.x}, p.state_0, p.lengths, p.dy, p.dstate_T)
    limit = reference(example, gradients(example.cell), np.float32)
    bounds = named(p.convention, limit.y_bound, limit.state_T_bound, limit.grads_bound)
    worst = share_of_bound(by_kernel(p, emitted(name)), by_keras(p), bounds)
    figure(f"keras {name}, float32: largest difference over its bound", worst)
    assert worst <= 1


@pytest.mark.parametrize("name", ["lstm", "gru", "gru_reset_before"])
def test_one_gate_order_agrees_with_keras(name, emitted):
    p = problem(name, (4, 3, 2, 5), seed=0)
    theirs, kernel = by_keras(p), emitted(name)
    rows = [replace(p.convention, gates=order) for order in permutations(p.convention.gates)]
    apart = {r.gates: relative_difference(by_kernel(p, kernel, r), theirs) for r in rows}
    agreeing = [order for order, worst in apart.items() if worst < 1e-10]
    assert agreeing == [p.convention.gates]


def test_the_two_gru_layers_of_keras_are_two_cells(emitted):
    """What the agreement above is worth: the other cell is told apart."""
    p = problem("gru_reset_before", (4, 3, 2, 5), seed=3)
    bias = np.stack([p.arrays["bias"], np.zeros_like(p.arrays["bias"])])
    other = replace(p, name="gru", arrays={**p.arrays, "bias": bias})
    assert np.max(np.abs(by_kernel(other, emitted("gru"))["y"] - by_keras(p)["y"])) > 1e-3
