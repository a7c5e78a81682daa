"""How small an error is found, and how often: `python docs/beside/detection.py`.

One entry of one parameter's gradient of a right LSTM is made wrong by a relative error. Trials
differ in parameter, entry and arguments, and are the same for every checker. With all packages,
detection.json is written; `report.py` makes the picture and the page's tables from it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from checkers import CHECKERS, TIGHT, Checker, accuses, gradcheck, missing
from layers import USES, layer
from report import DETECTION, detection_table, save, write
from trials import Defect, Off, Run

import derive
from verify.adapters.limits import FULL, Limits
from verify.kernels import Kernel
from verify.loading import kernel_from_source
from verify.properties import PROPERTIES

__all__ = ["COMPLEX", "OWN", "RUNS", "SIZES", "TRIALS", "finders", "main", "share", "tightest"]

CELL = "lstm"
TRIALS = 20
# So many runs of `verify`, with seeds of their own, take turns.
RUNS = 5
SIZES = {
    "float64": tuple(10.0**-k for k in range(1, 16)),
    "float32": tuple(10.0**-k for k in range(1, 8)),
}

# The rows that ask nothing but the implementation's own forward pass, and the one that asks it at
# complex arguments, where it takes them.
OWN, COMPLEX = ("differences", "Taylor slope"), "complex step"

# What they are tried on: an LSTM without tanh on its output, which is not the cell.
ANOTHER = ("h = o * tanh(C)", "h = o * C")

# gradcheck's steps and tolerances that are tried.
STEPS = {"float64": (1e-6, 1e-5, 1e-4), "float32": (1e-3, 1e-2, 1e-1)}
TOLERANCES = {
    "float64": tuple(10.0**-k for k in range(7, 12)),
    "float32": tuple(10.0**-k for k in range(1, 6)),
}

Found = Callable[[float], bool]


@cache
def emitted(another: bool = False) -> Kernel:
    """The emitted kernel of the cell, or of what is not quite the cell."""
    text = str(derive.load(CELL))
    assert ANOTHER[0] in text
    cell = derive.parse(text.replace(*ANOTHER) if another else text, CELL)
    return kernel_from_source(derive.numpy_source(derive.backpropagate(cell)))


@cache
def run_of(dtype: str, seed: int) -> Run:
    """A run of `verify` on an implementation that computes in a dtype; float64 is both."""
    return Run.of(derive.load(CELL), seed, limits_of(dtype))


def limits_of(dtype: str) -> Limits:
    """What an implementation takes that computes in a dtype; float64 is both."""
    return FULL if dtype == "float64" else Limits(dtypes=(dtype,))


@cache
def by_rows(names: Sequence[str], another: bool, dtype: str, seed: int) -> Callable[..., bool]:
    """(defect, size of error) -> found by some rows of a run."""
    rows, kept = [row for row in PROPERTIES if row.name in names], {}

    @cache
    def found(defect: Defect, error: float) -> bool:
        off = Off(emitted(another), defect, error, kept, limits_of(dtype))
        return run_of(dtype, seed).finds(rows, off)

    # Without an error all defects are one.
    return lambda defect, error: found(defect if error else Defect("b_f", 0.0), error)


def finders(dtype: str, seed: int, names: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """For a trial, everybody who looks for its error: (name, size of error -> found)."""
    defect, turn = Defect.of(derive.load(CELL), seed), seed % RUNS
    derived = by_rows(("gradients",), False, dtype, turn)
    own = by_rows(OWN, True, dtype, turn)
    complex_step = by_rows((COMPLEX,), True, dtype, turn)
    yield "verify, derived", lambda error: derived(defect, error)
    yield "verify, own forward", lambda error: own(defect, error)
    if dtype == "float64":
        yield "verify, complex", lambda e: own(defect, e) or complex_step(defect, e)
    for row in CHECKERS:
        if row.name in names:
            yield row.name, lambda error, row=row: accuses(row, made(dtype, seed, error, defect))


def made(dtype: str, seed: int, error: float = 0.0, defect: Defect | None = None) -> Any:
    """The layer that a checker is given: every argument, all outputs and final states."""
    cell = derive.load(CELL)
    kernel = Off(emitted(), defect or Defect.of(cell, seed), error, {})
    return layer(cell, kernel, USES["all"], seed, np.dtype(dtype).type)


def share(found: Found, sizes: Sequence[float]) -> list[bool]:
    """Whether each size is found, from the largest; after two that are missed the rest are."""
    said: list[bool] = []
    for size in sizes:
        said.append(said[-2:] != [False, False] and found(size))
    return said


def tightest(dtype: str, trials: int) -> list[dict[str, Any]]:
    """For each step of gradcheck, the least tolerance with which no right layer is accused."""
    found = []
    for step in STEPS[dtype]:
        least = None
        for tolerance in TOLERANCES[dtype]:
            options = {"eps": step, "atol": tolerance, "rtol": tolerance}
            if not all(_passes(dtype, seed, options) for seed in range(trials)):
                break
            least = tolerance
        found.append({"eps": step, "tolerance": least})
    return found


def _passes(dtype: str, seed: int, options: dict[str, float]) -> bool:
    row = Checker("", "", "torch", lambda given: gradcheck(given, **options))
    return not accuses(row, made(dtype, seed))


def results(trials: int) -> dict[str, Any]:
    """Everything, for both dtypes."""
    began, gone = time.monotonic(), missing()
    names = [row.name for row in CHECKERS if row.package not in gone]
    found: dict[str, Any] = {
        "trials": trials,
        "rows": [*OWN, COMPLEX],
        "tight": TIGHT,
        "dtypes": {},
    }
    for dtype, sizes in SIZES.items():
        counts: dict[str, Any] = {}
        for seed in range(trials):
            for name, finder in finders(dtype, seed, names):
                row = counts.setdefault(
                    name, {"name": name, "right": 0, "found": [0] * len(sizes), "seconds": 0.0}
                )
                start = time.monotonic()
                accused = finder(0.0)
                row["right"] += accused
                if not accused:
                    said = share(finder, sizes)
                    row["found"] = [a + b for a, b in zip(row["found"], said, strict=True)]
                row["seconds"] += time.monotonic() - start
            print(f"\r{dtype}: {seed + 1} trials", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        rows = [row | {"seconds": round(row["seconds"], 1)} for row in counts.values()]
        tried = [] if "torch" in gone else tightest(dtype, trials)
        found["dtypes"][dtype] = {"sizes": list(sizes), "tightest": tried, "rows": rows}
    return found | {"minutes": round((time.monotonic() - began) / 60, 1)}


def main() -> None:
    """Run, print the tables, and keep the results if nothing is missing."""
    parser = argparse.ArgumentParser(description="how small an error is found, and how often")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"default {TRIALS}")
    parser.add_argument("--out", type=Path, default=DETECTION, help="where results are written")
    arguments = parser.parse_args()
    for package, names in missing().items():
        print(f"{package} is not installed: without {names}")
    found = results(arguments.trials)
    for dtype in SIZES:
        print(dtype, detection_table(found, dtype), sep="\n")
    if missing() and arguments.out == DETECTION:
        print("not written: results are kept where nothing is missing, or with --out FILE")
        return
    save(found, arguments.out)
    if arguments.out == DETECTION:
        write()


if __name__ == "__main__":
    main()
