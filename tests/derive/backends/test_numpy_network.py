"""An emitted network is what its layers' kernels are when they are joined by hand."""

import ast
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from agreement import relative_difference
from emitted import executed, same
from network_cases import NETWORKS, by_hand, drawn, module_of, network, results, source_of

from derive.backends.numpy import numpy_source
from derive.backends.numpy.network import network_digest
from derive.backpropagation import backpropagate
from derive.networks import parse_network
from derive.zoo import load, load_network, network_names

EACH = pytest.mark.parametrize("name", NETWORKS)
LIMIT = 1e-10  # of two float64 programs that compute the same, as for peers

COMPLEX = [name for name in NETWORKS if name != "matrix_states"]  # abs takes real numbers alone
FEW = ["residual_of_both", "dropout", "classifier"]  # where every entry is checked
LOSSES = {"everything": "loss_4", "classifier": "loss_2"}


@pytest.mark.parametrize("lengths", [None, (5, 2, 4), (1, 5, 0), (3, 3, 3)])
@EACH
def test_it_is_its_layers_joined_by_hand(name, lengths):
    arguments = drawn(name, lengths=lengths)
    found = results(module_of(name), arguments)
    right = by_hand(name, arguments)
    assert set(found) == set(right)
    assert relative_difference({k: found[k] for k in right}, right) < LIMIT


@pytest.mark.parametrize("name", COMPLEX)
def test_gradients_are_the_complex_step_of_forward(name):
    a = drawn(name, seed=1)
    module, random = module_of(name), np.random.default_rng(2)
    assert np.complex128 in module._DTYPES
    _, _, tape = module.forward(a.params, a.x, a.state_0, lengths=a.lengths)
    grads = module.backward(a.params, tape, a.dy, a.dstate_T)
    groups = {"params": a.params, "inputs": a.inputs, "state_0": a.state_0}
    for group, arrays in groups.items():
        for key, array in arrays.items():
            way = random.uniform(-1, 1, array.shape)
            moved = {g: {k: v.astype(complex) for k, v in d.items()} for g, d in groups.items()}
            moved[group][key] += 1e-30j * way
            there = replace(a, **moved)
            y, state_T, _ = module.forward(
                there.params, there.x, there.state_0, lengths=there.lengths
            )
            inside = ~np.isnan(a.dy)
            loss = np.sum(a.dy[inside] * y[inside])
            loss += sum(np.sum(a.dstate_T[k] * v) for k, v in state_T.items())
            gradient = grads[f"{key}_0" if group == "state_0" else key]
            used = ~np.isnan(array)
            slope, size = loss.imag / 1e-30, np.sum(np.abs(gradient * way)[used])
            assert abs(np.sum((gradient * way)[used]) - slope) <= LIMIT * size, key


@EACH
def test_padding_contributes_exactly_zero(name):
    a, module = drawn(name), module_of(name)
    past = np.arange(5)[:, None] >= a.lengths
    found = results(module, a)
    assert all(np.isfinite(array).all() for array in found.values())
    assert not found["y"][past].any()
    for key in a.inputs:
        assert not found[f"d {key}"][past].any()
    other = replace(a, inputs={k: np.nan_to_num(v, nan=7.0) for k, v in a.inputs.items()})
    assert same(results(module, replace(other, dy=np.nan_to_num(a.dy, nan=-7.0))), found)


@EACH
def test_a_batch_is_its_rows(name):
    a, module = drawn(name), module_of(name)
    whole = results(module, a)
    row = lambda d, axis: {k: np.take(v, [1], axis) for k, v in d.items()}
    alone = replace(
        a,
        inputs=row(a.inputs, 1),
        state_0=row(a.state_0, 0),
        dstate_T=row(a.dstate_T, 0),
        dy=a.dy[:, [1]],
        lengths=a.lengths[[1]],
    )
    found = results(module, alone)
    shared = {f"d {k}" for k in a.params}
    rows = {k: v[:, [1]] for k, v in whole.items() if k == "y" or k[2:] in a.inputs}
    rows |= {k: v[[1]] for k, v in whole.items() if k not in shared | rows.keys()}
    assert relative_difference({k: found[k] for k in rows}, rows) < LIMIT


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (3, 0), (0, 0), (1, 1)])
@EACH
def test_empty_sequences_and_batches_work(name, steps, batch):
    module = module_of(name)
    for lengths in (None, (steps,) * batch):
        a = drawn(name, steps, batch, lengths)
        found = results(module, a)
        for key in a.params:
            assert found[f"d {key}"].shape == a.params[key].shape
        if steps == 0:
            for key, array in a.state_0.items():
                assert np.array_equal(found[f"{key} at T"], array)
                assert np.array_equal(found[f"d {key}_0"], a.dstate_T[key])


@EACH
def test_float32_stays_and_inputs_are_not_written_to(name):
    a = drawn(name, dtype=np.float32)
    groups = (a.params, a.inputs, a.state_0, a.dstate_T, {"dy": a.dy})
    for group in groups:
        for array in group.values():
            array.setflags(write=False)
    module = module_of(name)
    found = results(module, a)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    arrays = list(found.values())
    given = [array for group in groups for array in group.values()]
    for k, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in (*arrays[:k], *given))
    assert same(results(module, a), found)


@EACH
def test_backward_twice_on_a_tape_is_the_same_and_none_is_zeros(name):
    a, module = drawn(name), module_of(name)
    tape = module.forward(a.params, a.x, lengths=a.lengths)[2]
    first = {k: v.copy() for k, v in module.backward(a.params, tape, a.dy).items()}
    zeros = {k: np.zeros_like(v) for k, v in a.state_0.items()}
    assert same(module.backward(a.params, tape, a.dy, zeros), first)
    again = module.forward(a.params, a.x, zeros, lengths=a.lengths)[2]
    assert same(module.backward(a.params, again, a.dy), first)


@pytest.mark.parametrize("name", LOSSES)
def test_a_softmax_pulls_back_the_probability_minus_the_target(name):
    """The textbook's result, which nothing here was told: dL/dz = p - target, summed in b."""
    a, module = drawn(name), module_of(name)
    number = len(network(name).layers)
    a.inputs["target"] = np.where(np.isnan(a.inputs["target"]), np.nan, 0.0)
    a.inputs["target"][~np.isnan(a.inputs["target"][..., 0]), 0] = 1
    dstate_T = {LOSSES[name]: np.ones((3, 1))}
    tape = module.forward(a.params, a.x, a.state_0, lengths=a.lengths)[2]
    grads = module.backward(a.params, tape, None, dstate_T)
    expected = 0
    for b, end in enumerate(a.lengths):
        counted = range(end) if name == "everything" else [end - 1]
        z = logits(name, a, b, end)
        for t in counted:
            p = np.exp(z[t]) / np.exp(z[t]).sum()
            expected = expected + p - a.inputs["target"][t, b]
    assert np.allclose(grads[f"b_{number}"], expected, rtol=LIMIT, atol=1e-14)


def logits(name, a, b, end):
    """Z at every step of one sequence: the final z of each of its beginnings."""
    number, found = len(network(name).layers), []
    if name == "everything":  # not causal: z at every step is the output
        y = module_of(name).forward(a.params, a.x, a.state_0, lengths=a.lengths)[0]
        return y[:end, b]
    for stop in range(1, end + 1):
        part = {k: v[:stop, [b]] for k, v in a.inputs.items()}
        state_0 = {k: v[[b]] for k, v in a.state_0.items()}
        found.append(module_of(name).forward(a.params, part, state_0)[1][f"z_{number}"][0])
    return np.array(found)


# The module as a file.


@pytest.mark.parametrize("name", FEW)
def test_every_gradient_is_among_the_errors_of_the_check(name):
    errors = module_of(name).self_check()
    model = network(name)
    own = {v.name for v in (*model.parameters, *model.inputs)}
    assert set(errors) == own | {f"{s.name}_0" for s in model.states}
    assert max(errors.values()) < 1e-8


@pytest.mark.parametrize("name", network_names())
def test_the_zoos_networks_run_as_programs(name, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(numpy_source(backpropagate(load_network(name))))
    run = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert f"{name}: largest relative error" in run.stdout


@pytest.mark.parametrize("name", FEW)
def test_a_sign_changed_between_layers_is_found_by_the_check(name):
    source = source_of(name)
    change = {
        "dx = dx * tape": "dx = -dx * tape",
        "dy = dx + dy if": "dy = dx - dy if",
        'if layer["residual"] else dx\n': 'if layer["residual"] else -dx\n',
    }
    used = [
        "dropout" in NETWORKS[name],
        "residual" in NETWORKS[name],
        any(not layer.residual for layer in network(name).layers),
    ]
    for (old, new), wanted in zip(change.items(), used, strict=True):
        assert source.count(old) == 1
        if wanted:
            assert max(executed(source.replace(old, new)).self_check().values()) > 1e-8


@EACH
def test_each_function_stands_once_and_numpy_is_the_only_import(name):
    tree = ast.parse(source_of(name))
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert len(defined) == len(set(defined))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert sorted(map(ast.unparse, imports)) == ["import numpy as np", "import sys"]
    called = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id.startswith("_")}
    constants = {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets}
    assert called <= {*defined, *constants, "__name__", "_"}
    cores = [f for f in defined if f.endswith(("_forward", "_backward"))]
    assert len(cores) == 2 * len(network(name).cells)
    assert ("truncated" in defined) == network(name).causal


def test_the_same_layers_give_the_same_bytes_and_another_option_another_digest():
    source = source_of("stacked")
    assert numpy_source(backpropagate(network("stacked"))) == source
    texts = ["layer lstm", "layer lstm both", "layer lstm reverse", "layer gru", "layer lstm\n" * 2]
    digests = {network_digest(parse_network(text, load)) for text in texts}
    assert len(digests) == len(texts)
    assert network_digest(parse_network("layer lstm # a note", load, "other")) in digests


def test_the_docstring_names_layers_cells_and_shapes():
    doc = executed(source_of("everything")).__doc__
    assert "1. lstm, names end in _1 and _1r (time reversed); its input is multiplied by" in doc
    assert "2. gru, names end in _2; its input is multiplied by mask_2; its input" in doc
    assert "W_f_1, W_i_1" in doc
    assert "mask_2: (steps, batch, 2*n_1)" in doc
    assert "    state C_1r: (batch, n_1)" in doc
    for cell in network("everything").cells:
        assert f"  {cell.name}\n" in doc


def test_errors_name_the_networks_arguments():
    a, module = drawn("stacked"), module_of("stacked")
    wrong = a.params | {"U_r_2": a.params["U_r_2"][:, 1:]}
    with pytest.raises(ValueError, match=r"stacked.forward: params\['U_r_2'\] has shape"):
        module.forward(wrong, a.x)
    with pytest.raises(ValueError, match=r"state_0 has the key 'h', expected h_1, C_1, h_2, h_3"):
        module.forward(a.params, a.x, {"h": a.state_0["h_1"]})
    with pytest.raises(TypeError, match=r"tape is not what stacked\.forward returned"):
        module.backward(a.params, module_of("one").forward(*pair("one"))[2])
    with pytest.raises(ValueError, match=r"dy has shape .*, expected \(steps, batch, n_3\)"):
        module.backward(a.params, module.forward(a.params, a.x)[2], a.dy[..., :1])


def pair(name):
    a = drawn(name, lengths=None)
    return a.params, a.x
