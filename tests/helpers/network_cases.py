"""Networks that tests emit, arguments for them, and the same computed by hand.

By hand means: each sequence on its own and without padding, each layer by the kernel of its cell,
time reversed by `[::-1]`, gradients from layer to layer by the chain rule as written here.
"""

from dataclasses import dataclass
from functools import cache
from types import ModuleType

import numpy as np
from emitted import Poisoned, executed, kernel_of

from derive import zoo
from derive.backends.numpy import numpy_source
from derive.backpropagation import backpropagate
from derive.networks import Network, parse_network

__all__ = ["NETWORKS", "Arguments", "by_hand", "drawn", "module_of", "network", "results"]

NETWORKS = {
    "one": "layer lstm",
    "stacked": "layer lstm\nlayer gru\nlayer rnn",
    "both": "layer lstm both",
    "reverse": "layer gru reverse",
    "deep_both": "layer gru both\nlayer lstm both",
    "residual": "layer rnn\nlayer lstm residual\nlayer gru residual",
    "residual_of_both": "layer lstm both, residual\nlayer rnn reverse, residual",
    "dropout": "layer lstm dropout\nlayer rnn dropout",
    "everything": (
        "layer lstm both, dropout\nlayer gru residual, dropout\nlayer rnn both, residual\n"
        "layer softmax_readout dropout"
    ),
    "summed_error": "layer gru\nlayer squared_readout",
    "classifier": "layer lstm\nlayer softmax_last_readout",
    "losses": "layer rnn\nlayer softmax_step_readout",
    "two_targets": "layer squared_readout\nlayer rnn\nlayer squared_last_readout both",
    "matrix_states": "layer mlstm\nlayer slstm residual",
    "lagged_input": "layer qrnn both\nlayer peephole_lstm reverse",
}


@cache
def load(name):
    """A cell of the zoo, read once."""
    return zoo.load(name)


@cache
def network(name: str) -> Network:
    """The network of that name."""
    return parse_network(NETWORKS[name], load, name)


@cache
def source_of(name: str) -> str:
    """What is emitted for it."""
    return numpy_source(backpropagate(network(name)))


def module_of(name: str) -> ModuleType:
    """Its module; what it does not write to is NaN."""
    module = executed(source_of(name), name)
    module.np = Poisoned()
    return module


@cache
def kernel(name: str) -> ModuleType:
    """The kernel of a cell of the zoo."""
    return kernel_of(load(name))


@dataclass
class Arguments:
    """Everything that `forward` and `backward` take; `x` is a dict where there are several."""

    params: dict
    inputs: dict
    state_0: dict
    lengths: np.ndarray | None
    dy: np.ndarray
    dstate_T: dict

    @property
    def x(self):
        return self.inputs if len(self.inputs) > 1 else next(iter(self.inputs.values()))


def drawn(name, steps=5, batch=3, lengths=(5, 2, 4), seed=0, dtype=float) -> Arguments:
    """Distinct random arguments, sizes all different; NaN where there is padding."""
    model, random = network(name), np.random.default_rng(seed)
    sizes = {dim: 2 + k for k, dim in enumerate(reversed(model.dimensions))}
    draw = lambda lead, v: random.uniform(-0.9, 0.9, (*lead, *(s.subs(sizes) for s in v.shape)))
    made = lambda lead, vs: {v.name: draw(lead, v).astype(dtype) for v in vs}
    state_0, dstate_T = (made((batch,), model.states) for _ in range(2))
    found = Arguments(
        params=made((), model.parameters),
        inputs=made((steps, batch), model.inputs),
        state_0=state_0,
        lengths=None if lengths is None else np.array(lengths),
        dy=draw((steps, batch), model.output).astype(dtype),
        dstate_T=dstate_T,
    )
    if lengths is not None:
        past = np.arange(steps)[:, None] >= found.lengths
        for array in (*found.inputs.values(), found.dy):
            array[past] = np.nan
    return found


def results(module, a: Arguments) -> dict:
    """Everything that the module computes, by name."""
    y, state_T, tape = module.forward(a.params, a.x, a.state_0, lengths=a.lengths)
    grads = module.backward(a.params, tape, a.dy, a.dstate_T)
    return joined(y, state_T, grads)


def joined(y, state_T, grads) -> dict:
    return (
        {"y": y}
        | {f"{k} at T": v for k, v in state_T.items()}
        | {f"d {k}": grads[k] for k in grads}
    )


def by_hand(name: str, a: Arguments) -> dict:
    """The same, one sequence after the other."""
    steps, batch = next(iter(a.inputs.values())).shape[:2]
    y, state_T = np.zeros_like(a.dy), {k: np.zeros_like(v) for k, v in a.state_0.items()}
    grads = {k: np.zeros_like(v) for k, v in (a.params | a.inputs).items()}
    grads |= {f"{k}_0": np.zeros_like(v) for k, v in a.state_0.items()}
    for b in range(batch):
        end = steps if a.lengths is None else a.lengths[b]
        _add_sequence(_layers(NETWORKS[name]), a, b, end, y, state_T, grads)
    return joined(y, state_T, grads)


def _layers(text: str) -> list[tuple]:
    """[(number, cell, [(suffix, whether reversed)], options)], read from the text anew."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        _, cell, *words = line.replace(",", " ").split()
        turns = [False, True] if "both" in words else ["reverse" in words]
        found.append((number, cell, [(f"{number}{'r' * t}", t) for t in turns], words))
    return found


def _add_sequence(layers, a, b, end, y, state_T, grads) -> None:
    """One sequence of the batch: its outputs, states, and its part of the gradients."""
    flow, tapes = a.inputs[next(iter(a.inputs))][:end, b : b + 1], []
    for number, cell, passes, words in layers:
        entering, outs = flow, []
        flow = flow * a.inputs[f"mask_{number}"][:end, b : b + 1] if "dropout" in words else flow
        for suffix, turned in passes:
            own = _given(a, cell, number, flow, b, end, turned)
            state = {s.name: a.state_0[f"{s.name}_{suffix}"][b : b + 1] for s in load(cell).states}
            out, final, tape = kernel(cell).forward(_own(a, cell, suffix), own, state)
            for k, array in final.items():
                state_T[f"{k}_{suffix}"][b] = array[0]
            outs.append(out[::-1] if turned else out)
            tapes.append((number, cell, suffix, turned, words, tape, entering, len(passes)))
        flow = np.concatenate(outs, axis=2)
        flow = flow + entering if "residual" in words else flow
    y[:end, b] = flow[:, 0]
    _pull_sequence(tapes, a, b, end, grads)


def _given(a, cell, number, flow, b, end, turned):
    first, *others = [x.name for x in load(cell).inputs]
    given = {first: flow}
    for name in others:
        place = name if name in a.inputs else f"{name}_{number}"
        given[name] = a.inputs[place][:end, b : b + 1]
    given = {k: v[::-1] if turned else v for k, v in given.items()}
    return given if others else given[first]


def _own(a, cell, suffix):
    return {p.name: a.params[f"{p.name}_{suffix}"] for p in load(cell).parameters}


def _pull_sequence(tapes, a, b, end, grads) -> None:
    dy = a.dy[:end, b : b + 1]
    while tapes:
        count = tapes[-1][-1]
        layer, tapes = tapes[-count:], tapes[:-count]
        number, words, entering = layer[0][0], layer[0][4], layer[0][6]
        width, dx = dy.shape[2] // count, 0
        for k, (_, cell, suffix, turned, _, tape, _, _) in enumerate(layer):
            part = dy[:, :, k * width : (k + 1) * width]
            final = {s.name: a.dstate_T[f"{s.name}_{suffix}"][b : b + 1] for s in load(cell).states}
            got = kernel(cell).backward(
                _own(a, cell, suffix), tape, part[::-1] if turned else part, final
            )
            for p in load(cell).parameters:
                grads[f"{p.name}_{suffix}"] += got[p.name]
            for s in load(cell).states:
                grads[f"{s.name}_{suffix}_0"][b] = got[f"{s.name}_0"][0]
            first, *others = [x.name for x in load(cell).inputs]
            for name in others:
                place = name if name in a.inputs else f"{name}_{number}"
                grads[place][:end, b] += (got[name][::-1] if turned else got[name])[:, 0]
            dx = dx + (got[first][::-1] if turned else got[first])
        if "dropout" in words:
            grads[f"mask_{number}"][:end, b] = (dx * entering)[:, 0]
            dx = dx * a.inputs[f"mask_{number}"][:end, b : b + 1]
        dy = dx + dy if "residual" in words else dx
    grads[next(iter(a.inputs))][:end, b] = dy[:, 0]
