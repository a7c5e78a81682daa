"""Emitted networks against torch's stacked, bidirectional and projected layers, packed or not."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from agreement import relative_difference

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
    def text(self):
        """The same layers as a network."""
        option = " both" if self.layer.bidirectional else ""
        return f"layer {self.name}{option}\n" * self.layer.num_layers

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


def endings(p):
    """How names of each sub-layer end in the network, in torch's order: '_1', '_1r', '_2'."""
    turns = ("", "r") if p.layer.bidirectional else ("",)
    return [f"_{i}{turn}" for i, turn in product(range(1, p.layer.num_layers + 1), turns)]


def by_network(p, network, order=None):
    """The same by an emitted network; `order` puts sub-layers' parameters elsewhere."""
    ends = endings(p)
    places = [p.places[k] for k in order] if order else p.places
    params = {
        f"{name}{end}": array
        for place, end in zip(places, ends, strict=True)
        for name, array in p.params(place).items()
    }
    named = lambda states: {
        f"{s}{end}": array[k] for s, array in states.items() for k, end in enumerate(ends)
    }
    y, state_T, tape = network.forward(params, p.x, named(p.state_0), lengths=p.lengths)
    grads = network.backward(params, tape, p.dy, named(p.dstate_T))
    found = {"y": y, "d x": grads["x"]}
    for s in p.state_0:
        found[f"{s}_T"] = np.stack([state_T[f"{s}{end}"] for end in ends])
        found[f"d {s}_0"] = np.stack([grads[f"{s}{end}_0"] for end in ends])
    for place, end in zip(places, ends, strict=True):
        own = {name: grads[f"{name}{end}"] for name in p.params(place)}
        found |= {f"d {k}{place}": a for k, a in gradients_from_cell(p.convention, own).items()}
    return found


@BY_LAYER
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize(("layers", "bidirectional"), DEPTHS)
def test_layers_agree_with_torch(name, layers, bidirectional, lengths, network_of, figure):
    p = problem(name, layers, bidirectional, lengths, seed=layers + sum(lengths))
    worst = relative_difference(by_network(p, network_of(p.text)), by_torch(p))
    shape = "stacked " * (layers > 1) + "bidirectional " * bidirectional
    figure(f"torch {shape}{name}, float64: largest relative difference", worst)
    assert worst < 1e-10


def test_directions_and_layers_are_told_apart(network_of):
    """What the agreement above is worth: torch's order of sub-layers is the only one."""
    p = problem("lstm", 2, True, [6, 6, 6], seed=0)
    theirs = by_torch(p)
    for order in ([1, 0, 2, 3], [0, 1, 3, 2]):
        y = by_network(p, network_of(p.text), order)["y"]
        assert np.max(np.abs(y - theirs["y"])) > 1e-3
