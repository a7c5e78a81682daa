"""Cells of libraries, step by step, and fused operations, on arrays of their conventions.

The functions are as those of `library_layers`.
"""

from functools import wraps

import numpy as np

from verify.conventions import nested

__all__ = [
    "chainer_link",
    "chainer_n_step",
    "flax_cell",
    "haiku_core",
    "jax_rnn",
    "nnx_cell",
    "tf1_cell",
    "tf_block_gru",
    "tf_block_lstm",
]


def in_float64(compute):
    """JAX computes in 64 bits where it is told to: here alone."""

    @wraps(compute)
    def run(*arguments):
        import jax

        with jax.enable_x64(True):
            return compute(*arguments)

    return run


def by_steps(step, x, states):
    """A cell's step (x_t, states) -> (h, states), over time."""
    y = []
    for x_t in x:
        h, states = step(x_t, states)
        y.append(np.asarray(h))
    return np.stack(y), {name: np.asarray(state) for name, state in states.items()}


def tf1_cell(cell, arrays, x, state_0, **options):
    import tensorflow as tf
    from tf_keras.src.layers.rnn import legacy_cells

    made = getattr(legacy_cells, cell)(state_0["C" if "C" in state_0 else "h"].shape[1], **options)
    made.build(tf.TensorShape((x.shape[1], x.shape[2])))
    for variable in made.weights:
        variable.assign(arrays[variable.name.removesuffix(":0").partition("/")[2]])

    def step(x_t, states):
        order = ("C", "h") if "C" in states else ("h",)
        given = tuple(tf.constant(states[s]) for s in order)
        h, new = made(tf.constant(x_t), given if len(given) > 1 else given[0])
        new = new if isinstance(new, tuple) else (new,)
        return h, dict(zip(order, new, strict=True))

    return by_steps(step, x, state_0)


def tf_block_lstm(operation, arrays, x, state_0, **options):
    import tensorflow as tf

    empty = np.zeros(state_0["C"].shape[1], x.dtype)
    peepholes = {k: arrays.get(k, empty) for k in ("wci", "wcf", "wco")}
    found = getattr(tf.raw_ops, operation)(
        seq_len_max=len(x),
        x=x,
        cs_prev=state_0["C"],
        h_prev=state_0["h"],
        w=arrays["w"],
        b=arrays["b"],
        **peepholes,
        cell_clip=-1.0,
        use_peephole="wci" in arrays,
        **options,
    )
    return found.h.numpy(), {"h": found.h[-1].numpy(), "C": found.cs[-1].numpy()}


def tf_block_gru(arrays, x, state_0):
    import tensorflow as tf

    def step(x_t, states):
        h = tf.raw_ops.GRUBlockCell(x=x_t, h_prev=states["h"], **arrays).h
        return h, {"h": h}

    return by_steps(step, x, state_0)


@in_float64
def flax_cell(cell, arrays, x, state_0):
    from flax import linen

    made = getattr(linen, cell)(state_0["h"].shape[1], param_dtype=np.float64)

    def step(x_t, states):
        carry = (states["C"], states["h"]) if "C" in states else states["h"]
        carry, h = made.apply({"params": nested(arrays)}, carry, x_t)
        return h, dict(zip(("C", "h"), carry, strict=True)) if "C" in states else {"h": carry}

    return by_steps(step, x, state_0)


@in_float64
def nnx_cell(cell, arrays, x, state_0):
    import jax
    from flax import nnx

    made = getattr(nnx, cell)(
        x.shape[2], state_0["h"].shape[1], rngs=nnx.Rngs(0), param_dtype=np.float64
    )
    nnx.update(made, nested({k: jax.numpy.asarray(a) for k, a in arrays.items()}))

    def step(x_t, states):
        carry = (states["C"], states["h"]) if "C" in states else states["h"]
        carry, h = made(carry, x_t)
        return h, dict(zip(("C", "h"), carry, strict=True)) if "C" in states else {"h": carry}

    return by_steps(step, x, state_0)


@in_float64
def haiku_core(core, arrays, x, state_0):
    import haiku

    lstm = "C" in state_0

    def forward(x_t, states):
        made = getattr(haiku, core)(state_0["h"].shape[1], name="core")
        given = haiku.LSTMState(states["h"], states["C"]) if lstm else states["h"]
        h, new = made(x_t, given)
        return h, {"h": new.hidden, "C": new.cell} if lstm else {"h": new}

    run = haiku.without_apply_rng(haiku.transform(forward))
    params = {"core/linear" if lstm else "core": dict(arrays)}
    return by_steps(lambda x_t, states: run.apply(params, x_t, states), x, state_0)


@in_float64
def jax_rnn(arrays, x, state_0):
    """The module's own reference: its fast path is cuDNN's, on the same flat array."""
    import jax
    from jax.experimental import rnn

    sizes = {"input_size": x.shape[2], "hidden_size": state_0["h"].shape[1], "num_layers": 1}
    parts = rnn.unpack_lstm_weights(
        jax.numpy.asarray(arrays["weights"]), **sizes, bidirectional=False
    )
    y, h, c = rnn.lstm_ref(
        x.swapaxes(0, 1),
        state_0["h"][None],
        state_0["C"][None],
        *parts,
        seq_lengths=np.full(x.shape[1], len(x), np.int32),
        **sizes,
        dropout=0.0,
        bidirectional=False,
    )
    last = {"h": np.asarray(h[0]), "C": np.asarray(c[0])}
    return np.asarray(y).swapaxes(0, 1), last


def _filled(link, arrays):
    """Chainer's parameters have names such as '/upward/W'."""
    for name, parameter in link.namedparams():
        parameter.array = arrays[name.removeprefix("/").removeprefix("0/")]
    return link


def chainer_link(link, arrays, x, state_0):
    import chainer

    chainer.global_config.dtype = np.float64
    made = _filled(getattr(chainer.links, link)(x.shape[2], state_0["h"].shape[1]), arrays)

    def step(x_t, states):
        if "C" not in states:
            h = made(states["h"], x_t).array
            return h, {"h": h}
        c, h = made(states["C"], states["h"], x_t)
        return h.array, {"h": h.array, "C": c.array}

    return by_steps(step, x, state_0)


def chainer_n_step(link, arrays, x, state_0):
    import chainer

    chainer.global_config.dtype = np.float64
    made = _filled(getattr(chainer.links, link)(1, x.shape[2], state_0["h"].shape[1], 0), arrays)
    with chainer.using_config("train", False):
        *last, y = made(*(a[None] for a in state_0.values()), list(x.swapaxes(0, 1)))
    found = {s: a.array[0] for s, a in zip(state_0, last, strict=True)}
    return np.stack([a.array for a in y], axis=1), found
