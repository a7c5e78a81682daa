"""Gated recurrent unit, reset gate applied after the recurrent product (as PyTorch and cuDNN):
forward and backward through time, for batches.

Source: Cho et al. (2014), arXiv:1406.1078; reset after the product: torch.nn.GRU documentation;
z keeps the old state, as there.

Equations of step t; @ is the matrix product, * is elementwise:

    r = sigmoid(W_r @ x + U_r @ h[t-1] + b_r)
    z = sigmoid(W_z @ x + U_z @ h[t-1] + b_z)
    g = tanh(W_g @ x + b_g + r * (U_g @ h[t-1] + c_g))
    h = (1 - z) * g + z * h[t-1]

Shapes:

    x: (steps, batch, m)
    y: (steps, batch, n), which is h
    state h: (batch, n)
    W_r, W_z, W_g: (n, m)
    U_r, U_z, U_g: (n, n)
    b_r, b_z, b_g, c_g: (n)

    y, state_T, tape = forward(params, x, state_0=None, *, lengths=None)
    grads = backward(params, tape, dy=None, dstate_T=None)
    grads = truncated(params, x, state_0=None, dy=None, dstate_T=None, *, lengths=None, k1, k2)

None means zeros. lengths, whole numbers (batch,), are the sequences' own lengths: a state stays
as it is past its sequence's end, y is zero there, and what stands in x or dy there has no
effect. grads has an entry for each parameter, for each input, and for each initial state, under
its name with _0. The tape refers to x: do not change x before backward has run.

Theorems about the equations in real numbers. Their levels: decided, by bptt; kernel-checked, by
Coq too. `derive prove` has all of them, with hypotheses:

    dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, for any T [proved,
    kernel-checked]
    dh_t/dh_{t-2} = dh_t/dh_{t-1} times the same one step earlier, total [proved, decided; a
    common misreading]
    dh_t/dh_{t-1} = diag(z_t), gates and candidates held fixed [proved, decided]
    r_t in (0, 1) [proved, kernel-checked]
    z_t in (0, 1) [proved, kernel-checked]
    |h_t| <= max(|h_0|, 1) [proved, kernel-checked]
    |h_t| <= k^t |h_0| + (1 - k^t) / (1 - k), where z_t <= k < 1 [proved, kernel-checked]

Run this file to check its gradients against differences. Written by bptt 0.1.0 from the cell
gru, digest bb93a83fd8ba56f5.
"""


import sys

import numpy as np

__all__ = ["backward", "forward", "self_check", "truncated"]


_NAME = "gru"
_DIGEST = "bb93a83fd8ba56f5"
_PARAMETERS = {
    "W_r": ("n", "m"),
    "U_r": ("n", "n"),
    "b_r": ("n",),
    "W_z": ("n", "m"),
    "U_z": ("n", "n"),
    "b_z": ("n",),
    "W_g": ("n", "m"),
    "b_g": ("n",),
    "U_g": ("n", "n"),
    "c_g": ("n",),
}
_INPUTS = {
    "x": ("m",),
}
_STATES = {
    "h": ("n",),
}
_OUTPUT = ("n",)
# Complex numbers, in `forward` alone, are for the complex-step derivative.
_DTYPES = (np.float32, np.float64, np.complex128)


@np.errstate(over="ignore", under="ignore")
def forward(params, x, state_0=None, *, lengths=None):
    """Run a batch of sequences; shapes are in the module's docstring."""
    [x], dtype, sizes = _inputs(x, params, state_0)
    [
        W_r, U_r, b_r, W_z, U_z, b_z, W_g, b_g, U_g, c_g,
    ] = _parameters("forward", params, sizes, dtype)
    state_0 = _states("forward", "state_0", state_0, sizes, dtype)
    steps, batch = sizes["steps"], sizes["batch"]
    n = sizes["n"]
    m = sizes["m"]
    padding = _padding(lengths, steps, batch)
    if lengths is not None:
        x = np.where(padding, 0, x).astype(dtype, copy=False)
    # What needs no lagged state: for all steps in one call.
    gates = np.empty((steps, batch, 4*n), dtype)
    h_seq = np.empty((steps + 1, batch, n), dtype)
    h_seq[0] = state_0["h"]
    _flat(gates)[:, n:] = _flat(x) @ np.concatenate((W_r, W_z, W_g)).T
    gates[:, :, n:] += np.concatenate((b_r, b_z, b_g))
    gates[:, :, :n] = c_g
    # The rest, step by step.
    product_3_n = np.empty((batch, 3*n), dtype)
    blocks = _blocks(np.concatenate((U_g, U_r, U_z)).T, batch)
    product_3_n_blocks = _in_blocks(product_3_n, blocks)
    work_n_0 = np.empty((batch, n), dtype)
    for (
        gates_m_g_r_z, h_prev, gates_r_z, gates_g, r, m_g, h, g, z, rows, gates_t,
    ) in zip(
        gates[:, :, :3*n],
        h_seq[:-1],
        gates[:, :, n:3*n],
        gates[:, :, 3*n:],
        gates[:, :, n:2*n],
        gates[:, :, :n],
        h_seq[1:],
        gates[:, :, 3*n:],
        gates[:, :, 2*n:3*n],
        padding,
        gates,
        strict=True,
    ):
        np.matmul(h_prev, blocks, out=product_3_n_blocks)
        np.add(gates_m_g_r_z, product_3_n, out=gates_m_g_r_z)
        _sigmoid(gates_r_z, gates_r_z)
        np.multiply(r, m_g, out=work_n_0)
        np.add(gates_g, work_n_0, out=gates_g)
        _tanh(gates_g, gates_g)
        np.subtract(1, z, out=h)
        np.multiply(h, g, out=h)
        np.multiply(z, h_prev, out=work_n_0)
        np.add(h, work_n_0, out=h)
        if rows is not None:
            np.copyto(h, h_prev, where=rows)
            np.copyto(gates_t, 0, where=rows)
    y = np.array(h_seq[1:])
    if lengths is not None:
        np.copyto(y, 0, where=padding)
    state_T = {
        "h": np.array(h_seq[-1]),
    }
    tape = {
        "digest": _DIGEST,
        "dtype": dtype,
        "sizes": sizes,
        "padding": padding,
        "kept": (x, h_seq, gates,),
    }
    return y, state_T, tape


@np.errstate(over="ignore", under="ignore")
def backward(params, tape, dy=None, dstate_T=None):
    """Gradients of sum(dy * y) + sum(dstate_T * state_T), summed over steps and batch."""
    tape = _tape(tape)
    sizes, dtype = dict(tape["sizes"]), tape["dtype"]
    [
        W_r, U_r, b_r, W_z, U_z, b_z, W_g, b_g, U_g, c_g,
    ] = _parameters("backward", params, sizes, dtype)
    dy = _outputs(dy, tape, _OUTPUT)
    dstate_T = _states("backward", "dstate_T", dstate_T, sizes, dtype)
    steps, batch = sizes["steps"], sizes["batch"]
    n = sizes["n"]
    m = sizes["m"]
    padding = tape["padding"]
    [x, h_seq, gates] = tape["kept"]
    carry_h = np.array(dstate_T["h"], order="C")
    deltas = np.empty((steps, batch, 4*n), dtype)
    d_h_seq = np.empty((steps, batch, n), dtype)
    chunk = _chunk(4*n, batch, dtype)
    slab_n_0 = np.empty((min(chunk, steps), batch, n), dtype)
    slab_n_1 = np.empty((min(chunk, steps), batch, n), dtype)
    blocks_2 = _blocks(np.concatenate((U_g, U_r, U_z)), batch)
    carry_h_blocks = _in_blocks(carry_h, blocks_2)
    work_n_0 = np.empty((batch, n), dtype)
    for hi in range(steps, 0, -chunk):
        lo = max(0, hi - chunk)
        # What needs no cotangent: for many steps at once.
        r_part = gates[lo:hi, :, n:2*n]
        z_part = gates[lo:hi, :, 2*n:3*n]
        g_part = gates[lo:hi, :, 3*n:]
        m_g_part = gates[lo:hi, :, :n]
        h_prev_part = h_seq[lo:hi]
        np.subtract(1, z_part, out=deltas[lo:hi, :, :n])
        np.multiply(g_part, g_part, out=slab_n_0[:hi - lo])
        np.subtract(1, slab_n_0[:hi - lo], out=slab_n_0[:hi - lo])
        np.multiply(deltas[lo:hi, :, :n], slab_n_0[:hi - lo], out=deltas[lo:hi, :, :n])
        np.multiply(deltas[lo:hi, :, :n], r_part, out=deltas[lo:hi, :, :n])
        np.subtract(1, z_part, out=deltas[lo:hi, :, n:2*n])
        np.multiply(g_part, g_part, out=slab_n_0[:hi - lo])
        np.subtract(1, slab_n_0[:hi - lo], out=slab_n_0[:hi - lo])
        np.subtract(1, r_part, out=slab_n_1[:hi - lo])
        np.multiply(deltas[lo:hi, :, n:2*n], slab_n_0[:hi - lo], out=deltas[lo:hi, :, n:2*n])
        np.multiply(deltas[lo:hi, :, n:2*n], slab_n_1[:hi - lo], out=deltas[lo:hi, :, n:2*n])
        np.multiply(deltas[lo:hi, :, n:2*n], m_g_part, out=deltas[lo:hi, :, n:2*n])
        np.multiply(deltas[lo:hi, :, n:2*n], r_part, out=deltas[lo:hi, :, n:2*n])
        np.subtract(h_prev_part, g_part, out=deltas[lo:hi, :, 2*n:3*n])
        np.subtract(1, z_part, out=slab_n_0[:hi - lo])
        np.multiply(deltas[lo:hi, :, 2*n:3*n], slab_n_0[:hi - lo], out=deltas[lo:hi, :, 2*n:3*n])
        np.multiply(deltas[lo:hi, :, 2*n:3*n], z_part, out=deltas[lo:hi, :, 2*n:3*n])
        if padding[0] is not None:
            np.copyto(deltas[lo:hi], 0, where=padding[lo:hi])
        # The rest, step by step.
        for rows, d_h, dy_t, deltas_m_g_r_z_each, deltas_m_g_r_z, z in zip(
            padding[lo:hi][::-1],
            d_h_seq[lo:hi][::-1],
            dy[lo:hi][::-1],
            deltas[lo:hi, :, :3*n].reshape((hi - lo, batch, 3, n))[::-1],
            deltas[lo:hi, :, :3*n][::-1],
            gates[lo:hi, :, 2*n:3*n][::-1],
            strict=True,
        ):
            if rows is not None:
                held_h = np.where(rows, carry_h, 0)
                np.copyto(carry_h, 0, where=rows)
            np.add(dy_t, carry_h, out=d_h)
            np.multiply(deltas_m_g_r_z_each, d_h[:, None], out=deltas_m_g_r_z_each)
            np.matmul(deltas_m_g_r_z, blocks_2, out=carry_h_blocks)
            np.multiply(d_h, z, out=work_n_0)
            np.add(carry_h, work_n_0, out=carry_h)
            if rows is not None:
                np.add(carry_h, held_h, out=carry_h)
    # What no earlier step needs: for all steps in one call.
    deltas[:, :, 3*n:] = d_h_seq * (1 - 1 * gates[:, :, 2*n:3*n]) * (1 - 1 * gates[:, :, 3*n:] ** 2)
    outer_x = _flat(deltas[:, :, n:]).T @ _flat(x)
    outer_h_prev = _flat(deltas[:, :, :3*n]).T @ _flat(h_seq[:-1])
    delta_sums = np.ones(steps * batch, dtype) @ _flat(deltas)
    return {
        "W_r": outer_x[0:n],
        "U_r": outer_h_prev[n:2*n],
        "b_r": delta_sums[n:2*n],
        "W_z": outer_x[n:2*n],
        "U_z": outer_h_prev[2*n:3*n],
        "b_z": delta_sums[2*n:3*n],
        "W_g": outer_x[2*n:3*n],
        "b_g": delta_sums[3*n:4*n],
        "U_g": outer_h_prev[0:n],
        "c_g": delta_sums[0:n],
        "x": (_flat(deltas[:, :, n:]) @ np.concatenate((W_r, W_z, W_g))).reshape(steps, batch, m),
        "h_0": carry_h,
    }


def truncated(params, x, state_0=None, dy=None, dstate_T=None, *, lengths=None, k1, k2):
    """Gradients as `backward` gives them, but back through at most k2 steps: truncated BPTT.

    Windows end every k1 steps, and at each sequence's own last step. From a window's end at step e
    the cotangents of its outputs, and at the last one those of the final states, go back to step
    e - k2 + 1, and the state that this step begins from is held constant. Dropped are the terms
    that link an output of the window to what any step before that one reads: its parameters, its
    input, and the initial state. Where k2 < k1, the outputs of a window's first k1 - k2 steps are
    not used at all. Where k1 and k2 are T or more nothing is dropped.

    A state that only gathers, such as a summed loss, is truncated like any other: only its last
    k2 steps count. Give cotangents of each step's output instead.

    Source: Williams & Peng (1990), Neural Computation 2(4):490-501, BPTT(h; h') with h = k2 and
    h' = k1.
    """
    for name, value in (("k1", k1), ("k2", k2)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(
                f"{_NAME}.truncated: {name} is {value!r}, expected a whole number from 1 on"
            )
    arrays, dtype, sizes = _inputs(x, params, state_0)
    steps, batch = sizes["steps"], sizes["batch"]
    _padding(lengths, steps, batch)
    dstate_T = _states("truncated", "dstate_T", dstate_T, sizes, dtype)
    shape = ("steps", "batch", *_OUTPUT)
    if dy is None:
        dy = np.zeros([_size(d, sizes) for d in shape], dtype)
    dy = _array("truncated", "dy", dy, shape, sizes, dtype)
    inputs, rows = dict(zip(_INPUTS, arrays, strict=True)), np.arange(batch)

    def run(place, state, ends):
        """`forward` on steps of each sequence's own, (steps, batch), of which `ends` count."""
        given = {name: array[place, rows] for name, array in inputs.items()}
        given = given if len(given) > 1 else given.popitem()[1]
        return forward(params, given, state, lengths=ends if lengths is not None else None)

    ends = np.full(batch, steps) if lengths is None else np.array(lengths, int)
    windows = _windows(ends, int(k1), int(k2))
    held = _held(run, windows, ends, _states("forward", "state_0", state_0, sizes, dtype))
    grads = dict.fromkeys(_PARAMETERS, 0)
    grads |= {name: np.zeros_like(array) for name, array in inputs.items()}
    grads |= {f"{name}_0": 0 for name in _STATES}
    for (first, start, stop, runs), state in zip(windows, held, strict=True):
        place = start + np.arange((stop - start).max(initial=0))[:, None]
        inside = place < stop
        place = np.minimum(place, max(0, steps - 1))
        tape = run(place, state, stop - start)[2]
        due = np.where((inside & (place >= first))[..., None], dy[place, rows], 0)
        last = runs & (stop == ends)
        found = backward(params, tape, due, {k: _chosen(last, v) for k, v in dstate_T.items()})
        for name in _PARAMETERS:
            grads[name] = grads[name] + found[name]
        for name in _INPUTS:
            grads[name][place[inside], np.nonzero(inside)[1]] += found[name][inside]
        for name in _STATES:
            grads[f"{name}_0"] = grads[f"{name}_0"] + _chosen(
                runs & (start == 0), found[f"{name}_0"]
            )
    return grads


def _windows(ends, k1, k2):
    """For each window: its first step; where each sequence starts and stops; which take part."""
    found = []
    for first in range(0, max(1, ends.max(initial=0)), k1):
        runs = (ends > first) | (first == 0)
        stop = np.where(runs, np.minimum(first + k1, ends), 0)
        found.append((first, np.maximum(0, stop - k2), stop, runs))
    return found


def _held(run, windows, ends, state):
    """The states that the windows start from, each from one run over all steps."""
    held = [{name: np.zeros_like(array) for name, array in state.items()} for _ in windows]
    at = 0
    for cut in sorted({int(s) for _, start, _, runs in windows for s in start[runs]}):
        if cut > at:
            place = np.arange(at, cut)[:, None] + np.zeros(len(ends), int)
            state = run(place, state, np.clip(ends - at, 0, cut - at))[1]
            at = cut
        for (_, start, _, runs), kept in zip(windows, held, strict=True):
            for name, array in kept.items():
                array[runs & (start == cut)] = state[name][runs & (start == cut)]
    return held


def _chosen(rows, array):
    """`array`, but zero in all rows of the batch that are not chosen."""
    return np.where(rows.reshape((-1,) + (1,) * (array.ndim - 1)), array, 0)


def _sigmoid(z, y=None):
    """1/(1 + exp(-z)), into `y` if it is given."""
    if y is None:
        y = np.empty_like(z)
    np.multiply(z, -1, out=y)
    np.exp(y, out=y)
    np.add(y, 1, out=y)
    np.reciprocal(y, out=y)
    return y


def _tanh(z, y=None):
    """tanh(z), into `y` if it is given."""
    if y is None:
        y = np.empty_like(z)
    np.tanh(z, out=y)
    return y


def _flat(array):
    """(T, B, k) as (T*B, k)."""
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2])


def _chunk(width, batch, dtype):
    """How many steps to treat at once, so that their factors stay in the cache."""
    return max(1, (1 << 19) // max(1, width * batch * dtype.itemsize))


def _blocks(matrix, batch):
    """`matrix` (K, N) for products with (batch, K), in blocks of columns if that is faster.

    BLAS copies the operands of a large product before it multiplies; below some 10**6
    multiplications it does not, and at these shapes the copy costs more than it gains.
    """
    inner, columns = matrix.shape
    if batch > 1 and batch * inner * columns > 1_000_000:
        for width in (128, 64, 32):
            if columns % width == 0 and columns > width and batch * inner * width <= 1_000_000:
                blocks = matrix.reshape(inner, columns // width, width)
                return np.ascontiguousarray(blocks.transpose(1, 0, 2))
    return np.ascontiguousarray(matrix)


def _in_blocks(array, blocks):
    """The view of `array` (batch, N) that a product with `blocks` writes into."""
    if blocks.ndim == 2:
        return array
    count, _, width = blocks.shape
    return array.reshape(array.shape[0], count, width).transpose(1, 0, 2)


def _size(dim, sizes):
    """A size such as 'n', 'n + m' or '3' as a number; None if it is not known yet."""
    parts = [sizes.get(p, int(p) if p.isdigit() else None) for p in dim.split(" + ")]
    return None if None in parts else sum(parts)


def _shape(value):
    """The shape of what may be an array; () for what is none."""
    try:
        return np.shape(value)
    except ValueError:
        return ()


def _learned(params, x, state_0):
    """What the named sizes are: for each the one that most arguments agree on."""
    votes = {}
    tables = ((x, _INPUTS, ("steps", "batch")), (params, _PARAMETERS, ()))
    for given, table, lead in (*tables, (state_0, _STATES, ("batch",))):
        for name, dims in table.items():
            shape = _shape(given.get(name)) if hasattr(given, "get") else ()
            if len(shape) == len(lead) + len(dims):
                for dim, size in zip((*lead, *dims), shape, strict=True):
                    if dim.isidentifier():
                        votes.setdefault(dim, []).append(size)
    return {dim: max(sizes, key=sizes.count) for dim, sizes in votes.items()}


def _array(call, label, value, dims, sizes, dtype):
    """`value` as an array, after its dtype and shape were checked."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{_NAME}.{call}: {label} is not an array of numbers") from None
    if dtype is None and array.dtype.type not in _DTYPES:
        names = " or ".join(np.dtype(t).name for t in _DTYPES)
        raise TypeError(f"{_NAME}.{call}: {label} has dtype {array.dtype}, expected {names}")
    if dtype is not None and array.dtype != dtype:
        raise TypeError(
            f"{_NAME}.{call}: {label} has dtype {array.dtype}, expected {dtype} like the input"
        )
    expected = tuple(_size(dim, sizes) for dim in dims)
    if array.shape != expected:
        names = dict.fromkeys(p for d in dims for p in d.split(" + ") if p in sizes)
        shown = ", ".join(f"{name} = {sizes[name]}" for name in names)
        raise ValueError(
            f"{_NAME}.{call}: {label} has shape {array.shape}, expected ({', '.join(dims)})"
            + (f" with {shown}" if shown else "")
        )
    return array


def _named(call, label, given, expected):
    """`given` as a dict whose keys are all in `expected`."""
    if not hasattr(given, "keys"):
        raise TypeError(f"{_NAME}.{call}: {label} is a {type(given).__name__}, expected a dict")
    for key in given:
        if key not in expected:
            raise ValueError(
                f"{_NAME}.{call}: {label} has the key {key!r}, expected {', '.join(expected)}"
            )
    return given


def _parameters(call, params, sizes, dtype):
    """Every parameter, checked."""
    given = _named(call, "params", params, _PARAMETERS)
    for name in _PARAMETERS:
        if name not in given:
            raise ValueError(f"{_NAME}.{call}: params lacks {name!r}")
    return [
        _array(call, f"params[{name!r}]", given[name], dims, sizes, dtype)
        for name, dims in _PARAMETERS.items()
    ]


def _inputs(x, params, state_0):
    """Every input, checked; the first one fixes the dtype, all arguments the sizes."""
    if len(_INPUTS) == 1:
        given, labels = dict.fromkeys(_INPUTS, x), dict.fromkeys(_INPUTS, "x")
    else:
        given, labels = _named("forward", "x", x, _INPUTS), {n: f"x[{n!r}]" for n in _INPUTS}
    sizes = _learned(params, given, state_0)
    arrays, dtype = [], None
    for name, dims in _INPUTS.items():
        if name not in given:
            raise ValueError(f"{_NAME}.forward: x lacks {name!r}")
        lead = ("steps", "batch", *dims)
        array = _array("forward", labels[name], given[name], lead, sizes, dtype)
        arrays, dtype = [*arrays, array], array.dtype
    return arrays, dtype, sizes


def _states(call, label, given, sizes, dtype):
    """A state for each name, (B, size); what is not given is zero."""
    given = {} if given is None else _named(call, label, given, _STATES)
    arrays = {
        name: _array(call, f"{label}[{name!r}]", given[name], ("batch", *dims), sizes, dtype)
        for name, dims in _STATES.items()
        if given.get(name) is not None
    }
    for name, dims in _STATES.items():
        if name not in arrays:
            shape = [_size(dim, sizes) for dim in dims]
            if None in shape:
                raise ValueError(f"{_NAME}.{call}: {label}[{name!r}] is needed to fix its size")
            arrays[name] = np.zeros((sizes["batch"], *shape), dtype)
    return arrays


def _padding(lengths, steps, batch):
    """For each step the rows that are past their sequence's end, (B, 1); None for no lengths."""
    if lengths is None:
        return [None] * steps
    expected = f"expected whole numbers and (batch,) with batch = {batch}"
    try:
        array = np.asarray(lengths)
    except ValueError:
        raise ValueError(f"{_NAME}.forward: lengths is not an array, {expected}") from None
    array = array.astype(int) if array.shape == (0,) else array
    if array.dtype.kind not in "iu" or array.shape != (batch,):
        found = f"dtype {array.dtype} and shape {array.shape}"
        raise ValueError(f"{_NAME}.forward: lengths has {found}, {expected}")
    wrong = array[(array < 0) | (array > steps)]
    if wrong.size:
        raise ValueError(
            f"{_NAME}.forward: lengths must be from 0 to T = {steps}, found {wrong[0]}"
        )
    return np.arange(steps)[:, None, None] >= array[:, None]


def _outputs(dy, tape, dims):
    """The cotangents of the outputs, zero where there is padding."""
    padding, sizes, dtype = tape["padding"], dict(tape["sizes"]), tape["dtype"]
    shape = ("steps", "batch", *dims)
    if dy is None:
        return np.zeros([_size(d, sizes) for d in shape], dtype)
    array = _array("backward", "dy", dy, shape, sizes, dtype)
    return array if isinstance(padding, list) else np.where(padding, 0, array)


def _tape(tape):
    """The tape, if it is one of this kernel's."""
    if not isinstance(tape, dict) or str(tape.get("digest")) != _DIGEST:
        raise TypeError(f"{_NAME}.backward: tape is not what {_NAME}.forward returned")
    if tape["dtype"].kind == "c":
        raise TypeError(f"{_NAME}.backward: the tape is complex, expected float32 or float64")
    return tape


def _example(seed):
    """Distinct random arguments in float64: three sequences of unequal length."""
    random = np.random.default_rng(seed)
    dims = [d for table in (_STATES, _INPUTS, _PARAMETERS) for k in table.values() for d in k]
    atoms = dict.fromkeys(p for d in dims for p in d.split(" + ") if not p.isdigit())
    sizes = {name: 3 - k if k < 2 else 2 + k for k, name in enumerate(atoms)}

    def draw(*shape):
        return random.uniform(0.1, 0.9, shape) * random.choice([-1.0, 1.0], shape)

    steps, batch = 5, 3
    params = {k: draw(*(_size(d, sizes) for d in dims)) for k, dims in _PARAMETERS.items()}
    inputs = {k: draw(steps, batch, _size(dims[0], sizes)) for k, dims in _INPUTS.items()}
    state_0, dstate_T = (
        {k: draw(batch, *(_size(d, sizes) for d in dims)) for k, dims in _STATES.items()}
        for _ in range(2)
    )
    dy = draw(steps, batch, *(_size(d, sizes) for d in _OUTPUT))
    return params, inputs, state_0, np.array([5, 3, 4]), dy, dstate_T


def _slope(loss, array, place):
    """Slope of the loss along an entry: central differences at halved steps, extrapolated.

    Of Romberg's table the entry that changed least is taken, so that a kink nearby, or rounding,
    spoils some of the steps and not the result.
    """
    kept, above, best = array[place], [], (np.inf, np.nan)
    for level in range(7):
        step = 2.0 ** (-6 - level)
        array[place] = kept + step
        higher = loss()
        array[place] = kept - step
        row = [(higher - loss()) / (2 * step)]
        for k, entry in enumerate(above, start=1):
            row.append(row[-1] + (row[-1] - entry) / (4**k - 1))
            best = min(best, (max(abs(row[-1] - row[-2]), abs(row[-1] - entry)), row[-1]))
        above = row
    array[place] = kept
    return best[1]


def self_check(seed=0):
    """Largest error of each gradient against differences, relative to its largest entry.

    A gradient that is zero, or nearly, is judged by a thousandth of the largest of all. Every
    entry of every gradient is compared.
    """
    params, inputs, state_0, lengths, dy, dstate_T = _example(seed)
    only = next(iter(_INPUTS))

    def run():
        x = inputs[only] if len(_INPUTS) == 1 else inputs
        return forward(params, x, state_0, lengths=lengths)

    def loss():
        y, state_T, _ = run()
        return np.sum(dy * y) + sum(np.sum(dstate_T[k] * state_T[k]) for k in _STATES)

    grads = backward(params, run()[2], dy, dstate_T)
    arrays = {**params, **inputs, **{f"{k}_0": v for k, v in state_0.items()}}
    largest = max(np.abs(gradient).max(initial=0.0) for gradient in grads.values())
    errors = {}
    for name, array in arrays.items():
        expected = np.empty_like(array)
        for place in np.ndindex(array.shape):
            expected[place] = _slope(loss, array, place)
        scale = max(np.abs(expected).max(initial=0.0), largest / 1000, 1e-300)
        errors[name] = float(np.abs(grads[name] - expected).max(initial=0.0) / scale)
    return errors


if __name__ == "__main__":
    found = self_check()
    for name, error in found.items():
        print(f"  {name:<12} {error:.1e}")
    worst = max(found, key=found.get)
    print(
        f"{_NAME}: largest relative error {found[worst]:.1e} (in {worst}), float64, every entry of "
        f"{len(found)} gradients against differences"
    )
    sys.exit(0 if found[worst] < 1e-8 else 1)
