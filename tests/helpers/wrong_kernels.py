"""Implementations of the LSTM that are each wrong in one way, and what must see it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derive.zoo import load
from verify.references import reference_kernel

__all__ = [
    "LSTM",
    "RIGHT",
    "WRONG",
    "Wrapped",
    "Wrong",
    "backward",
    "fail",
    "forward",
    "grads",
    "having",
    "values",
]

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


@dataclass(frozen=True)
class Wrong:
    """A wrong implementation, and properties that must each see that it is wrong."""

    what: str
    kernel: type
    caught_by: tuple[str, ...]


WRONG = (
    Wrong("forward raises", forward(fail), ("runs",)),
    Wrong(
        "forward exits",
        forward(lambda *_: exit(3)),
        ("runs",),
    ),
    Wrong("backward raises", backward(fail), ("runs backward",)),
    Wrong("y without a batch axis", values(lambda y, s, *_: (y[:, 0], s)), ("shapes",)),
    Wrong("a state is missing", values(lambda y, s, *_: (y, {"h": s["h"]})), ("shapes",)),
    Wrong(
        "a gradient is transposed",
        grads(lambda g, *_: having(g, "W_f", g["W_f"].T)),
        ("shapes backward",),
    ),
    Wrong(
        "gates i and o swapped",
        forward(lambda self, call, p, x, s, n: call(swapped(p))),
        ("values",),
    ),
    Wrong(
        "one gradient off by 1e-7",
        grads(lambda g, *_: having(g, "U_g", g["U_g"] * (1 + 1e-7))),
        ("gradients", "differences"),
    ),
    Wrong(
        "backward reads U transposed",
        backward(lambda self, call, p, tape, dy, s: call(k=spoiled_params(tape))),
        ("gradients", "differences"),
    ),
    Wrong(
        "last step's dy dropped",
        backward(lambda self, call, p, tape, dy, s: call(y=last_dropped(dy))),
        ("gradients", "differences", "chaining gradients"),
    ),
    Wrong(
        "no gradient of C_0",
        grads(lambda g, *_: having(g, "C_0", 0 * g["C_0"])),
        ("state path", "gradients", "chaining gradients", "no steps gradients"),
    ),
    Wrong(
        "output not squashed",
        values(lambda y, s, *_: (y * 30, s)),
        ("ranges", "values"),
    ),
    Wrong(
        "initial states ignored",
        forward(lambda self, call, p, x, s, n: call(s=None)),
        ("states read", "chaining", "values", "no steps"),
    ),
    Wrong(
        "cotangents of final states ignored",
        backward(lambda self, call, p, tape, dy, s: call(s=None)),
        ("chaining gradients", "gradients", "no steps gradients"),
    ),
    Wrong(
        "reads x one step ahead",
        forward(lambda self, call, p, x, s, n: call(x=np.concatenate([x[1:], x[-1:]]))),
        ("causality", "values"),
    ),
    Wrong("dx one step late", grads(rolled), ("causality gradients", "gradients")),
    Wrong(
        "rows leak",
        values(lambda y, s, *_: ((y + 0.1 * y.sum(1, keepdims=True)).astype(y.dtype), s)),
        ("batch", "values"),
    ),
    Wrong(
        "mean over the batch",
        grads(lambda g, tape, *_: having(g, "b_f", g["b_f"] / max(tape[0].batch, 1))),
        ("batch gradients", "gradients"),
    ),
    Wrong(
        "first unit scaled",
        values(lambda y, s, *_: (np.concatenate([y[..., :1] / 2, y[..., 1:]], -1), s)),
        ("unit order",),
    ),
    Wrong(
        "first unit's gradient dropped",
        grads(lambda g, *_: having(g, "W_o", np.concatenate([0 * g["W_o"][:1], g["W_o"][1:]]))),
        ("unit order gradients",),
    ),
    Wrong(
        "lengths ignored",
        forward(lambda self, call, p, x, s, n: call(n=None)),
        ("padding", "NaN padding", "lengths", "values"),
    ),
    Wrong(
        "lengths ignored backward",
        backward(full_lengths),
        ("padding gradients", "lengths gradients"),
    ),
    Wrong(
        "padding multiplied by zero",
        values(lambda y, s, x, n: (y + 0 * x.sum(axis=-1, keepdims=True), s)),
        ("NaN padding",),
    ),
    Wrong(
        "gradient times zero in padding",
        grads(lambda g, tape, *_: having(g, "x", g["x"] + 0 * tape[0].inputs["x"])),
        ("NaN padding gradients",),
    ),
    Wrong(
        "final state of the last step, not of the row's end",
        values(lambda y, s, x, n: (y, having(s, "h", y[-1] if len(y) else s["h"]))),
        ("lengths", "values"),
    ),
    Wrong(
        "rows that ended early get no cotangent",
        backward(ended_rows_dropped),
        ("lengths gradients", "gradients"),
    ),
    Wrong("no states means ones", forward(ones_for_none), ("absent states",)),
    Wrong("no cotangents means ones", backward(zeros_for_none), ("absent cotangents",)),
    Wrong(
        "missing dy raises",
        backward(lambda self, call, p, tape, dy, s: when(dy is None, call)()),
        ("absent cotangents", "runs backward"),
    ),
    Wrong("gradients clipped", grads(clipped), ("linearity",)),
    Wrong(
        "drifts from call to call",
        forward(lambda self, call, p, x, s, n: call(x=x + x.dtype.type(0.1 * counted(self)))),
        ("second run",),
    ),
    Wrong(
        "backward uses the tape up",
        backward(tape_spoiled),
        ("second backward",),
    ),
    Wrong("backward writes to y", WritesToOutputs, ("arguments kept backward",)),
    Wrong("one buffer for all tapes", OneBuffer, ("separate tapes",)),
    Wrong(
        "forward writes to x",
        forward(lambda self, call, p, x, s, n: (call(), written(x))[0]),
        ("arguments kept",),
    ),
    Wrong(
        "forward writes to a parameter",
        forward(lambda self, call, p, x, s, n: (call(), written(p["U_i"]))[0]),
        ("arguments kept",),
    ),
    Wrong(
        "backward writes to dy",
        backward(lambda self, call, p, tape, dy, s: (call(), written(dy))[0]),
        ("arguments kept backward",),
    ),
    Wrong(
        "forward gives float64",
        values(lambda y, s, *_: (y.astype(np.float64), s)),
        ("dtype",),
    ),
    Wrong("backward gives float64", grads(lambda g, *_: widened(g)), ("dtype gradients",)),
    Wrong(
        "strides of x ignored",
        forward(lambda self, call, p, x, s, n: call(x=as_contiguous(x))),
        ("strides",),
    ),
    Wrong(
        "strides of dy ignored",
        backward(
            lambda self, call, p, tape, dy, s: call(y=None if dy is None else as_contiguous(dy))
        ),
        ("strides gradients",),
    ),
    Wrong(
        "no steps refused",
        forward(lambda self, call, p, x, s, n: when(len(x) == 0, call)()),
        ("no steps",),
    ),
    Wrong(
        "no rows refused",
        forward(lambda self, call, p, x, s, n: when(x.shape[1] == 0, call)()),
        ("no rows",),
    ),
    Wrong(
        "mean over no rows",
        grads(lambda g, tape, *_: having(g, "b_f", g["b_f"] + (0 if tape[0].batch else np.nan))),
        ("no rows gradients",),
    ),
)
