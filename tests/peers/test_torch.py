"""Emitted kernels against torch.nn.LSTM, GRU and RNN, forward and backward, distinct weights."""

from dataclasses import dataclass, replace
from functools import cache
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

LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
SHAPES = [  # T, B, D, H
    (1, 1, 2, 3),
    (1, 4, 3, 2),
    (9, 1, 2, 5),
    (5, 3, 4, 4),
    (4, 5, 3, 7),
    (30, 3, 6, 5),
]
BY_LAYER = pytest.mark.parametrize("name", LAYERS)


@dataclass(frozen=True)
class Problem:
    """Arrays by torch's names; states and cotangents by the cell's names, (B, H) each."""

    name: str
    arrays: dict
    x: np.ndarray
    state_0: dict
    dy: np.ndarray
    dstate_T: dict
    lengths: list | None = None

    @property
    def cell(self):
        return zoo.load(self.name)


def problem(name, shape, seed, dtype=np.float64, lengths=None):
    steps, batch, inputs, hidden = shape
    rng = np.random.default_rng(seed)
    draw = lambda *sizes: rng.standard_normal(sizes).astype(dtype)
    shapes = {k: tuple(p.shape) for k, p in LAYERS[name](inputs, hidden).named_parameters()}
    states = [s.name for s in zoo.load(name).states]
    return Problem(
        name=name,
        arrays={k.removesuffix("_l0"): draw(*s) for k, s in shapes.items()},
        x=draw(steps, batch, inputs),
        state_0={s: draw(batch, hidden) for s in states},
        dy=draw(steps, batch, hidden),
        dstate_T={s: draw(batch, hidden) for s in states},
        lengths=lengths,
    )


def by_torch(p):
    """Outputs, final states and gradients, by the names of `by_kernel`."""
    tensor = lambda a: torch.tensor(a, requires_grad=True)
    hidden = p.dy.shape[2]
    layer = LAYERS[p.name](p.x.shape[2], hidden, dtype=torch.tensor(p.x).dtype)
    with torch.no_grad():
        for key, value in layer.named_parameters():
            value.copy_(torch.tensor(p.arrays[key.removesuffix("_l0")]))
    x, initial = tensor(p.x), {s: tensor(a) for s, a in p.state_0.items()}
    given = tuple(a[None] for a in initial.values())
    sequence = x
    if p.lengths:
        pack = torch.nn.utils.rnn.pack_padded_sequence
        sequence = pack(x, torch.tensor(p.lengths), enforce_sorted=False)
    y, last = layer(sequence, given if len(given) > 1 else given[0])
    if p.lengths:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=len(p.x))
    last = last if isinstance(last, tuple) else (last,)
    loss = (y * torch.tensor(p.dy)).sum()
    for state, cotangent in zip(last, p.dstate_T.values(), strict=True):
        loss = loss + (state[0] * torch.tensor(cotangent)).sum()
    loss.backward()
    found = {"y": y.detach()}
    found |= {f"{s}_T": a[0].detach() for s, a in zip(p.state_0, last, strict=True)}
    found |= {f"d {k.removesuffix('_l0')}": v.grad for k, v in layer.named_parameters()}
    found |= {"d x": x.grad} | {f"d {s}_0": a.grad for s, a in initial.items()}
    return {k: np.asarray(v) for k, v in found.items()}


def by_kernel(p, kernel, convention=None):
    """The same by the emitted kernel; gradients go back to torch's arrays."""
    convention = convention or CONVENTIONS[f"torch.{p.name}"]
    lengths = p.lengths and np.array(p.lengths)
    params = to_cell(convention, p.arrays)
    y, last, tape = kernel.forward(params, p.x, p.state_0, lengths=lengths)
    grads = kernel.backward(params, tape, p.dy, p.dstate_T)
    return named(convention, y, last, grads)


@BY_LAYER
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float64_agrees_with_torch_in_outputs_and_in_every_gradient(name, shape, emitted, figure):
    p = problem(name, shape, seed=sum(shape))
    worst = relative_difference(by_kernel(p, emitted(name)), by_torch(p))
    figure(f"torch {name}, float64: largest relative difference", worst)
    assert worst < 1e-12


@BY_LAYER
@pytest.mark.parametrize("lengths", [[3, 7, 1, 5], [2, 2, 6, 1], [4]], ids=str)
def test_packed_sequences_of_unequal_lengths_agree_with_torch(name, lengths, emitted, figure):
    p = problem(name, (7, len(lengths), 3, 5), seed=sum(lengths), lengths=lengths)
    worst = relative_difference(by_kernel(p, emitted(name)), by_torch(p))
    figure(f"torch {name}, float64, packed: largest relative difference", worst)
    assert worst < 1e-12


@cache
def derived(name):
    return gradients(zoo.load(name))


@BY_LAYER
@pytest.mark.parametrize("lengths", [None, [3, 7, 1, 5]], ids=["full", "packed"])
def test_float32_agrees_with_torch_within_the_rounding_bound(name, lengths, emitted, figure):
    p = problem(name, (7, 4, 3, 5), 1, np.float32, lengths)
    convention = CONVENTIONS[f"torch.{name}"]
    wide = {k: a.astype(np.float64) for k, a in p.arrays.items()}
    example = Example(
        cell=p.cell,
        params=to_cell(convention, wide),  # the sum of two biases is not one more rounding
        inputs={"x": p.x},
        state_0=p.state_0,
        lengths=lengths and np.array(lengths),
        dy=p.dy,
        dstate_T=p.dstate_T,
    )
    limit = reference(example, derived(name), np.float32)
    bounds = named(convention, limit.y_bound, limit.state_T_bound, limit.grads_bound)
    worst = share_of_bound(by_kernel(p, emitted(name)), by_torch(p), bounds)
    figure(f"torch {name}, float32: largest difference over its bound", worst)
    assert worst <= 1


def test_one_gate_order_of_24_agrees_with_torch(emitted):
    """ONNX's own LSTM cases pass in all 24: see tests/peers/test_onnx.py."""
    p, row = problem("lstm", (4, 3, 2, 5), seed=0), CONVENTIONS["torch.lstm"]
    theirs = by_torch(p)
    rows = [replace(row, gates=order) for order in permutations("ifgo")]
    apart = {r.gates: relative_difference(by_kernel(p, emitted("lstm"), r), theirs) for r in rows}
    assert [order for order, worst in apart.items() if worst < 1e-12] == [("i", "f", "g", "o")]
