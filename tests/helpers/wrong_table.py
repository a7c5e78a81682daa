"""Ways to be wrong, one row each, with the properties that must each see it."""

from dataclasses import dataclass

import numpy as np
from wrong_kernels import (
    OneBuffer,
    WritesToOutputs,
    as_contiguous,
    backward,
    clipped,
    counted,
    ended_rows_dropped,
    fail,
    forward,
    full_lengths,
    grads,
    having,
    last_dropped,
    ones_for_none,
    rolled,
    spoiled_params,
    swapped,
    tape_spoiled,
    values,
    when,
    widened,
    written,
    zeros_for_none,
)

__all__ = ["WRONG", "Wrong"]


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
        "a state is given under another name",
        values(lambda y, s, *_: (y, {"h": s["h"], "C": None, "c": s["C"]})),
        ("names",),
    ),
    Wrong(
        "a gradient is given under another name",
        grads(lambda g, *_: {"h0" if n == "h_0" else n: a for n, a in g.items()}),
        ("names gradients",),
    ),
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
        ("gradients", "differences", "Taylor slope", "complex step"),
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
        "ends the process for no rows",
        forward(lambda self, call, p, x, s, n: call() if x.shape[1] else exit(3)),
        ("no rows",),
    ),
    Wrong(
        "mean over no rows",
        grads(lambda g, tape, *_: having(g, "b_f", g["b_f"] + (0 if tape[0].batch else np.nan))),
        ("no rows gradients",),
    ),
)
