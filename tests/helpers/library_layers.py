"""Layers of libraries that read whole sequences, on arrays as their conventions lay them out.

Each function takes (arrays, x (T, B, m), state_0) and gives (y (T, B, n), final states), all by the
names of the cell. Libraries are imported inside.
"""

import numpy as np

__all__ = [
    "flashrnn",
    "keras_layer",
    "mlx_layer",
    "mxnet_layer",
    "onnx_node",
    "torch_layer",
    "xlstm_cell",
]


def torch_layer(layer, arrays, x, state_0, **options):
    import torch

    hidden = state_0["C" if "C" in state_0 else "h"].shape[1]
    made = getattr(torch.nn, layer)(x.shape[2], hidden, dtype=torch.float64, **options)
    made.load_state_dict({f"{k}_l0": torch.tensor(a) for k, a in arrays.items()})
    given = tuple(torch.tensor(a[None]) for a in state_0.values())
    with torch.no_grad():
        y, last = made(torch.tensor(x), given if len(given) > 1 else given[0])
    last = last if isinstance(last, tuple) else (last,)
    return y.numpy(), {s: a[0].numpy() for s, a in zip(state_0, last, strict=True)}


def keras_layer(layer, arrays, x, state_0, **options):
    import keras

    made = getattr(keras.layers, layer)(
        state_0["h"].shape[1], return_sequences=True, return_state=True, **options
    )
    made.build((x.shape[1], x.shape[0], x.shape[2]))
    for weight in made.weights:
        weight.assign(arrays[weight.name])
    y, *last = made(x.swapaxes(0, 1), initial_state=list(state_0.values()))
    shown = keras.ops.convert_to_numpy
    return shown(y).swapaxes(0, 1), {s: shown(a) for s, a in zip(state_0, last, strict=True)}


def onnx_node(op, arrays, x, state_0, **attributes):
    import onnx
    import onnxruntime

    starts = {"h": "initial_h", "C": "initial_c"}
    feed = {"X": x} | dict(arrays) | {starts[s]: a[None] for s, a in state_0.items()}
    slots = ["X", "W", "R", "B", "", "initial_h", "initial_c", "P"]
    slots = slots[: 1 + max(slots.index(name) for name in feed)]
    ends = ["Y", "Y_h", "Y_c"][: 1 + len(state_0)]
    real = onnx.TensorProto.FLOAT
    node = onnx.helper.make_node(
        op,
        [name if name in feed else "" for name in slots],
        ends,
        hidden_size=state_0["h"].shape[1],
        **attributes,
    )
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(k, real, a.shape) for k, a in feed.items()],
        [onnx.helper.make_tensor_value_info(k, real, None) for k in ends],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, *last = session.run(ends, feed)
    return y[:, 0], {s: a[0] for s, a in zip(state_0, last, strict=True)}


def mxnet_layer(layer, arrays, x, state_0, **options):
    import mxnet

    hidden = state_0["C" if "C" in state_0 else "h"].shape[1]
    made = getattr(mxnet.gluon.rnn, layer)(hidden, input_size=x.shape[2], **options)
    made.initialize()
    for name, parameter in made.collect_params().items():
        parameter.set_data(mxnet.nd.array(arrays[name.partition("_l0_")[2]]))
    given = [mxnet.nd.array(a[None]) for a in state_0.values()]
    y, last = made(mxnet.nd.array(x), given)
    return y.asnumpy(), {s: a[0].asnumpy() for s, a in zip(state_0, last, strict=True)}


def mlx_layer(layer, arrays, x, state_0):
    import mlx.core
    import mlx.nn

    n = state_0["h"].shape[1]
    made = getattr(mlx.nn, layer)(x.shape[2], n)
    made.update({k: mlx.core.array(a) for k, a in arrays.items()})
    given = (mlx.core.array(a) for a in state_0.values())
    found = made(mlx.core.array(x.swapaxes(0, 1).copy()), *given)
    found = found if isinstance(found, tuple) else (found,)
    steps = [np.asarray(a).swapaxes(0, 1) for a in found]
    return steps[0], {s: a[-1] for s, a in zip(state_0, steps, strict=True)}


def flashrnn(function, gates, arrays, x, state_0):
    """Its plain backend; `W` is the layer before it, whose output has gates, heads and units."""
    import torch
    from flashrnn import flashrnn

    steps, batch, n = *x.shape[:2], state_0["h"].shape[1]
    tensor = {k: torch.tensor(a) for k, a in arrays.items()}
    before = (torch.tensor(x) @ tensor["W"].T).view(steps, batch, gates, 1, n).swapaxes(0, 1)
    initial = torch.stack([torch.tensor(a)[:, None, None] for a in state_0.values()])
    states, last = flashrnn(
        before,
        tensor["R"],
        tensor["b"],
        states=initial,
        function=function,
        backend="vanilla",
        dtype="float64",
    )
    y = states[0, :, :, 0].swapaxes(0, 1)
    return y.numpy(), {s: a[:, 0, 0].numpy() for s, a in zip(state_0, last, strict=True)}


def xlstm_cell(arrays, x, state_0):
    """The package's cell in plain torch, which stores these in a layout of its own."""
    import torch
    from xlstm.blocks.slstm.cell import sLSTMCell_vanilla, sLSTMCellConfig

    n = state_0["h"].shape[1]
    made = sLSTMCell_vanilla(
        sLSTMCellConfig(
            hidden_size=n, num_heads=1, backend="vanilla", enable_automatic_mixed_precision=False
        )
    ).double()
    kernel = made._recurrent_kernel_ext2int(torch.tensor(arrays["recurrent_kernel"]))
    made._recurrent_kernel_.data = kernel
    made._bias_.data = made._bias_ext2int(torch.tensor(arrays["bias"]))
    before = (torch.tensor(x) @ torch.tensor(arrays["W"]).T).swapaxes(0, 1)
    initial = torch.stack([torch.tensor(a) for a in state_0.values()])
    with torch.no_grad():
        y, last = made(before, state=initial)
    return y[:, 0].swapaxes(0, 1).numpy(), {
        s: a.numpy() for s, a in zip(state_0, last, strict=True)
    }
