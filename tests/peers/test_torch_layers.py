"""Emitted kernels against torch's stacked, bidirectional and projected layers, packed or not."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from agreement import flipped, relative_difference

from derive import zoo
from verify.conventions import CONVENTIONS, gradients_from_cell, to_cell

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'bptt[torch]'")

LAYERS = {  # by the cell's name: the layer and what it is made with
    "rnn": (torch.nn.RNN, {}),
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
    "lstm_projection": (torch.nn.LSTM, {"proj_size": 3}),
}
SIZES = {"m": 4, "n": 5, "p": 3}
DEPTHS = [(1, False), (2, False), (3, False), (1, True), (2, True), (3, True)]
LENGTHS = [[6, 6, 6], [2, 6, 3], [4, 1, 5]]
BY_LAYER = pytest.mark.parametrize("name", LAYERS)


@pytest.fixture(autouse=True)
def one_thread():
    """Small products are slower in many threads, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Problem:
    """A torch layer and arrays for it: states of all sub-layers are (layers · directions, B, n)."""

    name: str
    layer: torch.nn.Module
    x: np.ndarray
    state_0: dict
    dy: np.ndarray
    dstate_T: dict
    lengths: np.ndarray

    @property
    def convention(self):
        return CONVENTIONS[f"torch.{self.name}"]

    @property
    def places(self):
        """The suffix of each sub-layer's arrays, in torch's order: '_l0', '_l0_reverse', '_l1'."""
        turns = ("", "_reverse") if self.layer.bidirectional else ("",)
        return [f"_l{i}{turn}" for i, turn in product(range(self.layer.num_layers), turns)]

    def params(self, place):
        """The cell's parameters of one sub-layer."""
        arrays = {k: v.detach().numpy() for k, v in self.layer.named_parameters()}
        own = {k: arrays[k + place] for k in self.convention.arrays}
        return to_cell(self.convention, own)


def problem(name, layers, bidirectional, lengths, seed):
    made, options = LAYERS[name]
    torch.manual_seed(seed)
    layer = made(
        SIZES["m"],
        SIZES["n"],
        num_layers=layers,
        bidirectional=bidirectional,
        dtype=torch.float64,
        **options,
    )
    for value in layer.parameters():
        torch.nn.init.normal_(value)
    rng, ways, batch, steps = np.random.default_rng(seed), 1 + bidirectional, len(lengths), 6
    cell = zoo.load(name)
    rows = {s.name: SIZES[str(s.shape[0])] for s in cell.states}
    states = lambda: {s: rng.standard_normal((layers * ways, batch, k)) for s, k in rows.items()}
    return Problem(
        name=name,
        layer=layer,
        x=rng.standard_normal((steps, batch, SIZES["m"])),
        state_0=states(),
        dy=rng.standard_normal((steps, batch, ways * rows[cell.output.name])),
        dstate_T=states(),
        lengths=np.array(lengths),
    )


def by_torch(p):
    """Outputs, final states and gradients, by the names of `by_kernel`."""
    tensor = lambda a: torch.tensor(a, requires_grad=True)
    x, initial = tensor(p.x), {s: tensor(a) for s, a in p.state_0.items()}
    given, lengths = tuple(initial.values()), torch.tensor(p.lengths)
    sequence = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    full = bool(np.all(p.lengths == len(p.x)))
    y, last = p.layer(x if full else sequence, given if len(given) > 1 else given[0])
    if not full:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=len(p.x))
    last = last if isinstance(last, tuple) else (last,)
    loss = (y * torch.tensor(p.dy)).sum()
    for state, cotangent in zip(last, p.dstate_T.values(), strict=True):
        loss = loss + (state * torch.tensor(cotangent)).sum()
    loss.backward()
    found = {"y": y} | {f"{s}_T": a for s, a in zip(initial, last, strict=True)}
    found |= {f"d {k}": v.grad for k, v in p.layer.named_parameters()}
    found |= {"d x": x.grad} | {f"d {s}_0": a.grad for s, a in initial.items()}
    return {k: a.detach().numpy() for k, a in found.items()}


def by_kernel(p, kernel):
    """The same by the emitted kernel of one layer and one direction."""
    params = [p.params(place) for place in p.places]
    ways = 1 + p.layer.bidirectional
    y, state_T, grads, dx, dstate_0 = composed(
        kernel, params, ways, p.x, p.state_0, p.lengths, p.dy, p.dstate_T
    )
    found = {"y": y, "d x": dx}
    for s in p.state_0:
        found |= {f"{s}_T": state_T[s], f"d {s}_0": dstate_0[s]}
    for place, own in zip(p.places, grads, strict=True):
        arrays = gradients_from_cell(p.convention, own)
        found |= {f"d {k}{place}": a for k, a in arrays.items()}
    return found


def composed(kernel, params, ways, x, state_0, lengths, dy, dstate_T):
    """Sub-layers one on another, each in `ways` directions whose outputs stand side by side.

    Returns:
        y, final states, gradients of each sub-layer's parameters, of x, of initial states; states
        and their gradients are stacked over sub-layers.
    """
    at = lambda states, k: {s: a[k] for s, a in states.items()}
    turn = lambda k, a: flipped(a, lengths) if k % ways else a
    count, runs = len(params), []
    for layer in range(0, count, ways):
        for k in range(layer, layer + ways):
            runs.append(kernel.forward(params[k], turn(k, x), at(state_0, k), lengths=lengths))
        x = np.concatenate([turn(k, runs[k][0]) for k in range(layer, layer + ways)], axis=2)
    y, grads, dx = x, [None] * count, dy
    for layer in reversed(range(0, count, ways)):
        parts, dx = np.split(dx, ways, axis=2), 0
        for k, part in zip(range(layer, layer + ways), parts, strict=True):
            grads[k] = kernel.backward(params[k], runs[k][2], turn(k, part), at(dstate_T, k))
            dx = dx + turn(k, grads[k]["x"])
    state_T = {s: np.stack([last[s] for _, last, _ in runs]) for s in state_0}
    return y, state_T, grads, dx, {s: np.stack([g[f"{s}_0"] for g in grads]) for s in state_0}


@BY_LAYER
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("layers", "bidirectional"), DEPTHS)
def test_layers_agree_with_torch(name, layers, bidirectional, lengths, emitted, figure):
    p = problem(name, layers, bidirectional, lengths, seed=layers + sum(lengths))
    worst = relative_difference(by_kernel(p, emitted(name)), by_torch(p))
    shape = "stacked " * (layers > 1) + "bidirectional " * bidirectional
    figure(f"torch {shape}{name}, float64: largest relative difference", worst)
    assert worst < 1e-10


def test_directions_and_layers_are_told_apart(emitted):
    """What the agreement above is worth: torch's order of sub-layers is the only one."""
    p = problem("lstm", 2, True, [6, 6, 6], seed=0)
    theirs = by_torch(p)
    for order in ([1, 0, 2, 3], [0, 1, 3, 2]):
        params = [p.params(p.places[k]) for k in order]
        y, *_ = composed(emitted("lstm"), params, 2, p.x, p.state_0, p.lengths, p.dy, p.dstate_T)
        assert np.max(np.abs(y - theirs["y"])) > 1e-3
