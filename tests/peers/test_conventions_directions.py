"""Two directions of one layer, from one library to another that runs them."""

import numpy as np
import pytest
from library_runs import imported

from verify.conventions import convert

STEPS, BATCH, N, M = 6, 3, 4, 5
OF_32_BITS = 1e-5  # far above rounding, far below what a wrong place of one number makes


@pytest.fixture
def drawn():
    """(torch's bidirectional layer, its arrays by name, x, initial states of both directions)."""
    torch = imported("torch")
    if torch is None:
        pytest.skip("torch is an extra: pip install 'bptt[torch]'")
    rng = np.random.default_rng(0)
    layer = torch.nn.LSTM(M, N, bidirectional=True)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    arrays = {k: draw(*a.shape) for k, a in layer.state_dict().items()}
    layer.load_state_dict({k: torch.tensor(a) for k, a in arrays.items()})
    return layer, arrays, draw(STEPS, BATCH, M), draw(2, BATCH, N), draw(2, BATCH, N)


@pytest.fixture
def theirs(drawn):
    torch, (layer, _, x, h, c) = imported("torch"), drawn
    with torch.no_grad():
        y, _ = layer(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    return y.numpy()


def test_onnxruntime_computes_what_torch_does(drawn, theirs):
    onnxruntime, onnx = imported("onnxruntime"), imported("onnx")
    if onnxruntime is None:
        pytest.skip("onnxruntime is an extra: pip install 'bptt[onnxruntime]'")
    _, arrays, x, h, c = drawn
    feed = {"X": x, "initial_h": h, "initial_c": c} | convert(arrays, "torch.lstm", "onnx.lstm")
    real = onnx.TensorProto.FLOAT
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node(
        "LSTM",
        ["X", "W", "R", "B", "", "initial_h", "initial_c"],
        ["Y"],
        hidden_size=N,
        direction="bidirectional",
    )
    graph = onnx.helper.make_graph(
        [node], "one", [value(k, real, a.shape) for k, a in feed.items()], [value("Y", real, None)]
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(["Y"], feed)
    assert np.max(np.abs(np.concatenate([y[:, 0], y[:, 1]], axis=2) - theirs)) < OF_32_BITS


def test_torch_reads_what_comes_back(drawn, theirs):
    torch, (layer, arrays, x, h, c) = imported("torch"), drawn
    there = convert(arrays, "torch.lstm", "onnx.lstm")
    back = convert(there, "onnx.lstm", "torch.lstm")
    layer.load_state_dict({k: torch.tensor(a) for k, a in back.items()})
    with torch.no_grad():
        y, _ = layer(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    assert np.max(np.abs(y.numpy() - theirs)) < OF_32_BITS


def test_a_flat_array_is_taken_apart_by_jax_as_it_was_put_together():
    """Both directions: all matrices stand before all biases."""
    rnn = imported("jax.experimental.rnn")
    if rnn is None:
        pytest.skip("jax is an extra: pip install 'bptt[jax]'")
    rng = np.random.default_rng(1)
    draw = lambda *shape: rng.integers(-99, 99, shape).astype(np.float32)
    arrays = {}
    for end in ("", "_reverse"):
        arrays |= {f"weight_ih_l0{end}": draw(4 * N, M), f"weight_hh_l0{end}": draw(4 * N, N)}
        arrays |= {f"bias_ih_l0{end}": draw(4 * N)}
    flat = convert(arrays, "torch.lstm", "jax.lstm")["weights"]
    parts = rnn.unpack_lstm_weights(flat, M, N, 1, True)
    kinds = ("weight_ih", "weight_hh", "bias_ih")
    for kind, part in zip(kinds, parts, strict=False):
        for place, end in enumerate(("", "_reverse")):
            np.testing.assert_array_equal(part[place], arrays[f"{kind}_l0{end}"])
    assert not any(np.any(part) for part in parts[3].values())
