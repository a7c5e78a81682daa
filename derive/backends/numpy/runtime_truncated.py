"""What emitted kernels share where time runs one way: truncated back-propagation through time.

The text below the line `# --- emitted ---` is copied into each of them as it stands.
"""

import numpy as np

from derive.backends.numpy.runtime import (
    _INPUTS,
    _NAME,
    _OUTPUT,
    _PARAMETERS,
    _STATES,
    _array,
    _inputs,
    _padding,
    _size,
    _states,
    backward,
    forward,
)


# --- emitted ---
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
