"""Emitted kernels against the sLSTM and mLSTM of the `xlstm` package, forward and backward.

The package is its authors' code: its plain torch functions, in float64, differentiated by torch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from agreement import relative_difference

from derive import parse, zoo

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'bptt[torch]'")
EXTRA = "xlstm is an extra: pip install 'bptt[xlstm]'"
vanilla = pytest.importorskip("xlstm.blocks.slstm.src.vanilla", reason=EXTRA)
module = pytest.importorskip("xlstm.blocks.mlstm.cell", reason=EXTRA)
backends = pytest.importorskip("xlstm.blocks.mlstm.backends", reason=EXTRA)

STEPS, BATCH, SIZES = 6, 3, {"n": 4, "m": 3}
N = SIZES["n"]
NOTHING_BEFORE = -1000.0  # a stabiliser so low that exp(M) is 0


@dataclass(frozen=True)
class Problem:
    """Arrays by the cell's names.

    Attributes:
        peer: (params, x, state_0) as tensors -> outputs and final states.
        dstate_T: for the final states to compare; the others are left out.
    """

    name: str
    peer: Callable
    params: dict
    x: np.ndarray
    state_0: dict
    dy: np.ndarray
    dstate_T: dict


def problem(name, peer, seed=0):
    cell, rng = zoo.load(name), np.random.default_rng(seed)
    size = lambda dim: int(dim.subs({s: SIZES[str(s)] for s in dim.free_symbols}))
    draw = lambda v, *leading: rng.standard_normal((*leading, *map(size, v.shape)))
    p = Problem(
        name=name,
        peer=peer,
        params={v.name: draw(v) for v in cell.parameters},
        x=draw(cell.inputs[0], STEPS, BATCH),
        state_0={v.name: draw(v, BATCH) for v in cell.states},
        dy=draw(cell.output, STEPS, BATCH),
        dstate_T={v.name: draw(v, BATCH) for v in cell.states},
    )
    normaliser = np.abs(p.state_0["N"]) + 0.5  # a sum of positive gates
    return replace(p, state_0={**p.state_0, "N": normaliser})


def from_zero(p, **states):
    """From zero states, or with some of them given; the final states are not compared."""
    zeros = {s: np.zeros_like(a) for s, a in p.state_0.items()}
    return replace(p, state_0=zeros | states, dstate_T={})


def by_peer(p):
    """Outputs, final states and gradients, by the names of `by_kernel`."""
    tensor = lambda a: torch.tensor(a, requires_grad=True)
    params, x = {k: tensor(a) for k, a in p.params.items()}, tensor(p.x)
    initial = {k: tensor(a) for k, a in p.state_0.items()}
    y, last = p.peer(params, x, initial)
    loss = (y * torch.tensor(p.dy)).sum()
    for s, cotangent in p.dstate_T.items():
        loss = loss + (last[s] * torch.tensor(cotangent)).sum()
    loss.backward()
    found = {"y": y} | {f"{s}_T": last[s] for s in p.dstate_T}
    leaves = params | {"x": x} | {f"{s}_0": a for s, a in initial.items()}
    for name, a in leaves.items():
        found[f"d {name}"] = torch.zeros_like(a) if a.grad is None else a.grad
    return {k: a.detach().numpy() for k, a in found.items()}


def by_kernel(p, kernel):
    y, last, tape = kernel.forward(p.params, p.x, p.state_0)
    grads = kernel.backward(p.params, tape, p.dy, p.dstate_T)
    found = {"y": y} | {f"{s}_T": last[s] for s in p.dstate_T}
    return found | {f"d {k}": a for k, a in grads.items()}


def slstm(params, x, state_0, heads=1):
    """The package's loop over steps; its gates are stacked as i, f, z, o.

    Each head has its own block of the recurrent matrix.
    """
    stacked = lambda stem: torch.cat([params[f"{stem}_{gate}"] for gate in "ifzo"])
    own = [slice(k * N // heads, (k + 1) * N // heads) for k in range(heads)]
    blocks = [torch.cat([params[f"R_{gate}"][k, k] for gate in "ifzo"]) for k in own]
    states, last, _ = vanilla.slstm_forward(
        x @ stacked("W").T,
        torch.stack([state_0[s] for s in ("h", "C", "N", "M")]),
        torch.stack(blocks),
        stacked("b"),
        vanilla.slstm_pointwise_function_registry["slstm"],
    )
    return states[0, 1:], dict(zip(("h", "C", "N", "M"), last, strict=True))


def mlstm_cell(params):
    """The package's module without the norm that follows the cell; one head."""
    sizes = module.mLSTMCellConfig(context_length=STEPS, embedding_dim=N, num_heads=1)
    cell = module.mLSTMCell(sizes)
    cell.outnorm = torch.nn.Identity()
    for gate, layer in (("i", "igate"), ("f", "fgate")):
        made = lambda z, gate=gate: z @ params[f"w_{gate}"][:, None] + params[f"b_{gate}"]
        delattr(cell, layer)
        setattr(cell, layer, made)
    q, k, v = (lambda x, s=s: x @ params[f"W_{s}"].T for s in "qkv")
    return cell, lambda x: (q(x), k(x), v(x))


def mlstm_by_steps(params, x, state_0):
    cell, read = mlstm_cell(params)
    state = (state_0["C"][:, None], state_0["N"][:, None, :, None], state_0["M"][:, None, :, None])
    y = []
    for step in x:
        h, state = cell.step(*(a[:, None] for a in read(step)), mlstm_state=state)
        y.append(h[:, 0])
    C, normaliser, M = (a[:, 0] for a in state)
    return torch.stack(y), {"h": y[-1], "C": C, "N": normaliser[..., 0], "M": M[..., 0]}


def mlstm_in_parallel(params, x, state_0):
    """All steps at once; there are no initial states, so it starts from nothing."""
    cell, read = mlstm_cell(params)
    y = cell(*(a.transpose(0, 1) for a in read(x))).transpose(0, 1)
    return y + 0 * sum(a.sum() for a in state_0.values()), {"h": y[-1]}


def mlstm_of_the_paper(params, x, state_0):
    """The package's step with the paper's gates around it; without its eps of 1e-6.

    The package divides k by the root of n after its bias is added, the paper before.
    """
    scale = {"k": N**0.5}
    linear = lambda s, z: z @ params[f"W_{s}"].T + params[f"b_{s}"] * scale.get(s, 1)
    gate = lambda s, z: (z @ params[f"w_{s}"][:, None] + params[f"b_{s}"])[:, None, :, None]
    C, normaliser = state_0["C"].transpose(1, 2)[:, None], state_0["N"][:, None, :, None]
    M = (
        state_0["M"][:, None, :, None]
        if "M" in state_0
        else torch.zeros_like(normaliser[..., :1, :])
    )
    y = []
    for z in x:
        q, k, v = (linear(s, z)[:, None, None] for s in "qkv")
        h, (C, normaliser, M) = backends.recurrent_step_stabilized_simple(
            C, normaliser, M, q, k, v, gate("i", z), gate("f", z), eps=0.0
        )
        y.append(torch.sigmoid(linear("o", z)) * h[:, 0, 0])
    last = {
        "h": y[-1],
        "C": C[:, 0].transpose(1, 2),
        "N": normaliser[:, 0, :, 0],
        "M": M[:, 0, :, 0],
    }
    return torch.stack(y), last


EVERYTHING = {  # cell -> its peer, where all states have the same meaning on both sides
    "slstm": slstm,
    "slstm_code": slstm,
    "mlstm_code": mlstm_by_steps,
    "mlstm_stabilised": mlstm_of_the_paper,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", EVERYTHING)
def test_a_cell_agrees_in_all_states_and_gradients(name, seed, emitted, figure):
    p = problem(name, EVERYTHING[name], seed)
    worst = relative_difference(by_kernel(p, emitted(name)), by_peer(p))
    figure(f"xlstm {name}, float64: largest relative difference", worst)
    assert worst < 1e-10


@pytest.mark.parametrize("name", [*EVERYTHING, "mlstm"])
def test_a_cell_agrees_from_zero_states(name, emitted, figure):
    """The cells differ in where the stabiliser starts, so in gradients of states, but not in h."""
    p = from_zero(problem(name, {**EVERYTHING, "mlstm": mlstm_of_the_paper}[name], seed=5))
    ours, theirs = by_kernel(p, emitted(name)), by_peer(p)
    compared = {k for k in theirs if not k.endswith("_0")}
    if name.startswith("slstm"):  # C and N grow alike with exp(b_i), which h = o * C / N cancels
        assert max(np.max(np.abs(found["d b_i"])) for found in (ours, theirs)) < 1e-12
        compared.remove("d b_i")
    worst = relative_difference({k: ours[k] for k in compared}, {k: theirs[k] for k in compared})
    figure(f"xlstm {name} from zero states, float64: largest relative difference", worst)
    assert worst < 1e-10


@pytest.mark.parametrize("seed", range(3))
def test_the_first_step_of_the_authors_slstm_agrees_in_every_state(seed, emitted, figure):
    """Where all normalisers are 0 the package takes the input gate as the stabiliser."""
    p = problem("slstm_code", slstm, seed)
    p = replace(p, state_0={s: np.zeros_like(a) for s, a in p.state_0.items()})
    worst = relative_difference(by_kernel(p, emitted("slstm_code")), by_peer(p))
    figure("xlstm slstm_code, first step, float64: largest relative difference", worst)
    assert worst < 1e-10


def test_heads_are_diagonal_blocks_of_the_recurrent_matrix(emitted, figure):
    heads = 2
    p = problem("slstm", lambda *given: slstm(*given, heads=heads), seed=4)
    mask = np.kron(np.eye(heads), np.ones((N // heads, N // heads)))
    blocks = {k: a * mask if k.startswith("R_") else a for k, a in p.params.items()}
    p = replace(p, params=blocks)
    ours = by_kernel(p, emitted("slstm"))
    ours = {k: a * mask if k.startswith("d R_") else a for k, a in ours.items()}
    worst = relative_difference(ours, by_peer(p))
    figure("xlstm slstm, two heads, float64: largest relative difference", worst)
    assert worst < 1e-10


def test_mlstm_agrees_with_the_parallel_form_from_nothing(emitted, figure):
    """Without a first state the stabiliser starts at minus infinity, and exp(-M) + eps feels it."""
    p = problem("mlstm_code", mlstm_in_parallel, seed=5)
    p = from_zero(p, M=np.full_like(p.state_0["M"], NOTHING_BEFORE))
    ours, theirs = by_kernel(p, emitted("mlstm_code")), by_peer(p)
    compared = [k for k in theirs if not k.endswith("_0")]
    worst = relative_difference({k: ours[k] for k in compared}, {k: theirs[k] for k in compared})
    figure("xlstm mlstm_code, parallel form, float64: largest relative difference", worst)
    assert worst < 1e-10


def test_the_package_adds_a_millionth_and_that_is_seen(kernel_of):
    """What 1e-10 is worth: the cell without it is told apart."""
    p, text = problem("mlstm_code", mlstm_by_steps, seed=6), str(zoo.load("mlstm_code"))
    assert text.count(" + 1e-06)") == 1
    kernel = kernel_of(parse(text.replace(" + 1e-06)", ")")))
    assert 1e-8 < relative_difference(by_kernel(p, kernel), by_peer(p)) < 1e-3
