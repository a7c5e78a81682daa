"""Wrong implementations of the LSTM, and the wrappers that `wrong_table` makes more of."""

from dataclasses import replace
from typing import Any

import numpy as np

from derive.zoo import load
from verify.references import reference_kernel

LSTM = load("lstm")
RIGHT = reference_kernel(LSTM)


class Wrapped:
    """A right kernel; subclasses spoil it."""

    def __init__(self, right: Any = RIGHT) -> None:
        self.right = right
        self.calls = 0

    def forward(self, params, x, state_0=None, *, lengths=None):
        return self.right.forward(params, x, state_0, lengths=lengths)

    def backward(self, params, tape, dy=None, dstate_T=None):
        return self.right.backward(params, tape, dy, dstate_T)


def forward(change):
    """An implementation whose forward is `change(self, right, params, x, state_0, lengths)`."""

    class Wrong(Wrapped):
        def forward(self, params, x, state_0=None, *, lengths=None):
            right = super().forward
            call = lambda p=params, x=x, s=state_0, n=lengths: right(p, x, s, lengths=n)
            return change(self, call, params, x, state_0, lengths)

    return Wrong


def backward(change):
    """An implementation whose backward is `change(self, right, params, tape, dy, dstate_T)`."""

    class Wrong(Wrapped):
        def backward(self, params, tape, dy=None, dstate_T=None):
            right = super().backward
            call = lambda p=params, k=tape, y=dy, s=dstate_T: right(p, k, y, s)
            return change(self, call, params, tape, dy, dstate_T)

    return Wrong


def values(change):
    """An implementation whose outputs and final states are changed after the fact."""

    def wrong(self, call, params, x, state_0, lengths):
        y, state_T, tape = call()
        y, state_T = change(y, dict(state_T), x, lengths)
        return y, state_T, tape

    return forward(wrong)


def grads(change):
    """An implementation whose gradients are changed after the fact."""
    return backward(lambda self, call, p, tape, dy, ds: change(dict(call()), tape, dy, ds))


def having(arrays, name, value):
    return {**arrays, name: value}


def fail(*_: Any) -> Any:
    raise ValueError("no such thing")


def when(condition, value):
    return fail() if condition else value


def swapped(params):
    p = dict(params)
    for kind in "WUb":
        p[f"{kind}_i"], p[f"{kind}_o"] = p[f"{kind}_o"], p[f"{kind}_i"]
    return p


def transposed(params):
    return {n: a.T if n.startswith("U") else a for n, a in params.items()}


def counted(self):
    self.calls += 1
    return self.calls


def written(array):
    if array is not None and array.size:
        array.flat[0] += 1
    return array


def last_dropped(dy):
    return None if dy is None else np.concatenate([dy[:-1], np.zeros_like(dy[-1:])])


def tape_spoiled(self, call, params, tape, dy, dstate_T):
    found = call()
    for step in tape[1].known:
        step["f"][...] *= 0.5
    return found


def one_buffer(self, call, params, x, state_0, lengths):
    y, state_T, tape = call()
    self.kept = tape
    return y, state_T, None


class OneBuffer(forward(one_buffer)):
    def backward(self, params, tape, dy=None, dstate_T=None):
        return super().backward(params, self.kept, dy, dstate_T)


class WritesToOutputs(values(lambda y, s, *_: (y, s))):
    def forward(self, params, x, state_0=None, *, lengths=None):
        self.results = super().forward(params, x, state_0, lengths=lengths)
        return self.results

    def backward(self, params, tape, dy=None, dstate_T=None):
        found = super().backward(params, tape, dy, dstate_T)
        written(self.results[0])
        return found


def as_contiguous(array):
    return array if array.flags.c_contiguous else array.ravel(order="K").reshape(array.shape)


def full_lengths(self, call, params, tape, dy, dstate_T):
    return call(k=(replace(tape[0], lengths=None), tape[1]))


def zeros_for_none(self, call, params, tape, dy, dstate_T):
    example = tape[0]
    shape = (example.batch, len(params["b_f"]))
    return call(s=dstate_T or {n: np.ones(shape, example.dtype) for n in "hC"})


def ones_for_none(self, call, params, x, state_0, lengths):
    shape = (x.shape[1], len(params["b_f"]))
    return call(s=state_0 or {n: np.ones(shape, x.dtype) for n in "hC"})


def clipped(found, *_):
    return {n: np.clip(a, -5, 5) for n, a in found.items()}


def ended_rows_dropped(self, call, params, tape, dy, dstate_T):
    lengths = tape[0].lengths
    if lengths is None or dstate_T is None:
        return call()
    whole = (np.asarray(lengths) == tape[0].steps)[:, None]
    return call(s={n: np.where(whole, a, 0).astype(a.dtype) for n, a in dstate_T.items()})


def rolled(found, tape, *_):
    return having(found, "x", np.roll(found["x"], 1, axis=0))


def widened(arrays):
    return {n: a.astype(np.float64) for n, a in arrays.items()}


def spoiled_params(tape):
    """A tape that holds the parameters with U transposed, names of the step as they were."""
    example, run = tape
    known = tuple(
        {n: np.swapaxes(v, -1, -2) if n.startswith("U") else v for n, v in step.items()}
        for step in run.known
    )
    return replace(example, params=transposed(example.params)), replace(run, known=known)
