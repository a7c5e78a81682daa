"""Trains emitted kernels on two tasks that need memory: `python docs/memory/train.py`.

Cells and readouts are derived and emitted; nothing here differentiates. It prints its numbers and
writes results.json; then report.py writes memory.png and the tables of docs/memory.md.
"""

import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
from model import Model, emit, norm
from report import line, rounded, save, write
from tasks import TASKS, Array, Task

__all__ = ["RUNS", "SETTINGS", "Adam", "Run", "Settings", "begin", "lags", "learn"]


@dataclass(frozen=True)
class Run:
    """A cell of the zoo and how it is trained.

    Attributes:
        name: what pages call it.
        rate: Adam's learning rate.
        keep: the bias of the gate that keeps the memory, then that of the one that lets the
            input in, if it is another.
        bias: what the first starts with: a number; or None for log(u), u uniform from 1 to the
            lag, so that units remember for about 1 to lag steps, and -log(u) for the second.
            Source: Tallec & Ollivier (2018), arXiv:1804.11188, eq. (16).
    """

    name: str
    cell: str
    rate: float
    keep: tuple[str, ...] = ()
    bias: float | None = None


@dataclass(frozen=True)
class Settings:
    """Sizes of an experiment; `clip` bounds the norm of the gradient of all parameters."""

    lag: int = 100
    units: int = 32
    batch: int = 64
    updates: int = 1500
    window: int = 25
    clip: float = 1.0
    seeds: tuple[int, ...] = (0, 1, 2)
    tests: int = 2560


RUNS = (
    Run("RNN", "rnn", 0.001),
    Run("LSTM, forget bias 1", "lstm", 0.005, ("b_f",), 1.0),
    Run("LSTM", "lstm", 0.005, ("b_f", "b_i")),
    Run("GRU", "gru", 0.005, ("b_z",)),
)
SETTINGS = Settings()
FIRST, TRAINING, TEST, PROBE = range(4)  # streams of random numbers

Tree = dict[str, dict[str, Array]]


class Adam:
    """Kingma & Ba (2015), arXiv:1412.6980, algorithm 1, after the gradient is clipped."""

    def __init__(self, params: Tree, rate: float, clip: float) -> None:
        self.params, self.rate, self.clip, self.count = params, rate, clip, 0
        self.places = [(part, name) for part in params for name in params[part]]
        self.mean: dict[tuple[str, str], Any] = dict.fromkeys(self.places, 0.0)
        self.square: dict[tuple[str, str], Any] = dict.fromkeys(self.places, 0.0)

    def step(self, grads: Mapping[str, Mapping[str, Array]]) -> None:
        """Change the parameters in place."""
        self.count += 1
        whole = float(norm(grads[part][name] for part, name in self.places))
        scale = self.clip / max(whole, self.clip)
        for part, name in self.places:
            g, place = scale * grads[part][name], (part, name)
            self.mean[place] = 0.9 * self.mean[place] + 0.1 * g
            self.square[place] = 0.999 * self.square[place] + 0.001 * g * g
            mean = self.mean[place] / (1 - 0.9**self.count)
            square = self.square[place] / (1 - 0.999**self.count)
            self.params[part][name] -= self.rate * mean / (np.sqrt(square) + 1e-8)


def begin(model: Model, task: Task, run: Run, settings: Settings, seed: int) -> Tree:
    """Parameters before training: uniform within 1/sqrt(units), and the biases of `run`.

    The recurrent matrix of a cell without gates is orthogonal: it shrinks nothing that it carries.
    """
    random = stream(seed, FIRST)
    bound = settings.units**-0.5
    params = {
        part: {name: random.uniform(-bound, bound, shape) for name, shape in shapes.items()}
        for part, shapes in model.shapes(settings.units, *task.sizes).items()
    }
    bias = np.log(random.uniform(1, settings.lag, settings.units))
    for name, sign in zip(run.keep, (1, -1), strict=False):
        params["cell"][name] += sign * (bias if run.bias is None else run.bias)
    if not run.keep:
        params["cell"]["U"] = np.linalg.qr(random.normal(size=(settings.units,) * 2))[0]
    return params


def stream(seed: int, number: int) -> np.random.Generator:
    """Random numbers; every run with that seed draws the same."""
    return np.random.default_rng((seed, number))


def as_type(dtype: npt.DTypeLike, params: Tree) -> Tree:
    """A copy of the parameters."""
    return {
        part: {n: a.astype(dtype) for n, a in arrays.items()} for part, arrays in params.items()
    }


def lags(model: Model, task: Task, params: Tree, settings: Settings, seed: int) -> list[float]:
    """|dL/dstate| at each lag over that at the end, float64: the median over fresh sequences."""
    data = task.draw(stream(seed, PROBE), settings.lag, settings.batch)
    found = model.by_lag(as_type(np.float64, params), data, settings.lag)
    return rounded(np.median(found / found[0], axis=1))


def learn(name: str, run: Run, settings: Settings, seed: int) -> dict[str, Any]:
    """Train once, in float32.

    Returns:
        The mean loss of each window of updates, loss and number of wrong answers on fresh
        sequences, and gradients by lag before and after.
    """
    task = TASKS[name]
    model = emit(run.cell, task.readout)
    params = begin(model, task, run, settings, seed)
    before = lags(model, task, params, settings, seed)
    params = as_type(np.float32, params)
    adam, random, seen = Adam(params, run.rate, settings.clip), stream(seed, TRAINING), []
    for _ in range(settings.updates):
        data = task.draw(random, settings.lag, settings.batch).as_type(np.float32)
        loss, _, tapes = model.losses(params, data)
        adam.step(model.gradients(params, tapes))
        seen.append(task.shown[1] * loss.mean())
    data = task.draw(stream(seed, TEST), settings.lag, settings.tests).as_type(np.float32)
    loss, z, _ = model.losses(params, data)
    return {
        "task": name,
        "run": run.name,
        "seed": seed,
        "curve": rounded(np.reshape(seen, (-1, settings.window)).mean(axis=1)),
        "loss": rounded(task.shown[1] * loss.mean()),
        "wrong": int(task.wrong(z, data.target).sum()),
        "guessing": rounded(task.shown[1] * task.guessing(data.target)),
        "before": before,
        "after": lags(model, task, params, settings, seed),
    }


def main() -> None:
    """Every run of the page, two at a time."""
    if find_spec("matplotlib") is None:
        sys.exit("train.py: matplotlib is not installed; run `pip install matplotlib`")
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the processes
    start = time.perf_counter()
    jobs = [
        (task, run, SETTINGS, seed) for seed in SETTINGS.seeds for task in TASKS for run in RUNS
    ]
    found = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for result in pool.map(learn, *zip(*jobs, strict=True)):
            found.append(result)
            print(line(result, SETTINGS.tests), flush=True)
    minutes = round((time.perf_counter() - start) / 60, 1)
    results = {"settings": asdict(SETTINGS), "runs": list(map(asdict, RUNS)), "minutes": minutes}
    save({**results, "results": found})
    write()


if __name__ == "__main__":
    main()
