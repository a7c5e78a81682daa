"""erikvdplas/gru-rnn: lossFun for one sequence of characters, with a softmax built in."""
# ruff: noqa: D103

import numpy as np
from theirs import text_of

from verify.adapters import adapt, readout

text = text_of("gru-rnn", "main.py")  # what is left out reads a text and trains on it
marks = [text.index(mark) for mark in ("# Activation", "# Hyper", "def lossFun", "def sample")]
theirs = {"np": np}
exec(text[marks[0] : marks[1]] + text[marks[2] : marks[3]], theirs)
NAMES = ("Wy", "Wh", "Wr", "Wz", "Uh", "Ur", "Uz", "by", "bh", "br", "bz")


def run(p, x, s, dy):
    r = readout(dy)
    columns = {k: a @ x.T if k[0] == "W" else a for k, a in p.items()}  # a character for each step
    theirs.update(columns, Wy=r.W, by=r.b[:, None], vocab_size=len(x))
    return theirs["lossFun"](range(len(x)), r.targets[:, 0], s["h"])


def forward(p, x, s):
    dy = np.zeros((len(x), 1, len(s["h"])), x.dtype)
    y = np.stack([run(p, x[: t + 1], s, dy[: t + 1])[-1] for t in range(len(x))])
    return y, {"h": y[-1]}, (x, s)


def backward(p, tape, dy, ds):
    x, s = tape
    grads = dict(zip(NAMES, run(p, x, s, dy.transpose(0, 2, 1))[1:-1], strict=True))
    return {k: grads[k] @ x if k[0] == "W" else grads[k] for k in p}


kernel = adapt(
    forward,
    backward,
    cell="gru_reset_before",
    vectors="column",
    x="TF",
    y="TF1",
    state="F1",
    upstream=("y",),
    dtypes=("float64",),
    arrays={
        f"{a}{t}": f"{b}_{k}"
        for t, k in zip("zrh", "zrg", strict=True)
        for a, b in zip("WUb", "WUb", strict=True)
    },
)
