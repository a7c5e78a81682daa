"""Right layers, 10,000 examples each: `python docs/right/run.py [--examples N] [NAME...]`.

Every part of a layer's run is a run of `verify` with a seed of its own, and goes to results.json
as it ends: stopped and started again, the script goes on. Layers whose packages are missing are
left out, and it says so.
"""

import argparse
import ast
import fcntl
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from layers import LAYERS, Layer, version_of  # noqa: E402
from report import ASKED, RESULTS, added, save  # noqa: E402

from derive import zoo  # noqa: E402
from derive.gradients import gradients  # noqa: E402
from verify.adapters.limits import FULL, Limits  # noqa: E402
from verify.adapters.restricting import within  # noqa: E402
from verify.isolation import Outcome  # noqa: E402
from verify.kernels import Array, Example, Kernel  # noqa: E402
from verify.properties import Trial  # noqa: E402
from verify.runner import run  # noqa: E402
from verify.sampling import pinned  # noqa: E402

__all__ = ["PART", "inputs", "main", "part_of", "parts_left"]

# A part of a run has so many examples, and a seed so far from the next part's.
PART, APART = 100, 1000


class Seen:
    """A journal that keeps nothing but which examples there were."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def find(self, label: str) -> Outcome | None:
        """Nothing is known before."""
        return None

    def write(self, label: str, outcome: Outcome) -> None:
        """Keep the example's label, unless its bounds are too wide: another one takes its place."""
        if not outcome.wide:
            self.labels.append(label)


def part_of(layer: Layer, part: int, examples: int = PART) -> dict[str, Any]:
    """One part of a layer's run, as it is added to the results."""
    start = time.perf_counter()
    cell, kernel, seen, seed = zoo.load(layer.cell), layer.made(part), Seen(), APART * part
    found = run(cell, kernel, examples=examples, seed=seed, journal=seen)  # type: ignore[arg-type]
    limits = getattr(kernel, "limits", FULL)
    return {
        "layer": layer.name,
        "versions": [version_of(layer)],
        "inputs": {inputs(): len(seen.labels)},
        "parts": {inputs(): [part]},
        "examples": len(seen.labels),
        "dtypes": Counter(_dtype(label, limits) for label in seen.labels),
        "replaced": found.replaced,
        "lowered": [found.precision] if found.detected else [],
        "judged": dict(found.judged),
        "not judged": dict(found.not_judged),
        "share": largest_share(layer, kernel, seed),
        "accusations": [
            {
                "part": part,
                "property": f.property,
                "parameter": f.parameter,
                "cause": f.cause,
                "example": f.example.label,
                "got": repr(f.got),
                "expected": repr(f.expected),
                "bound": repr(f.bound),
            }
            for f in found.findings
        ],
        "seconds": round(time.perf_counter() - start, 1),
    }


def _dtype(label: str, limits: Limits) -> str:
    """What an example was run in: what its label says, unless the layer has one dtype alone."""
    named = "float32" if ", float32," in label else "float64"
    return named if named in limits.dtypes else limits.dtypes[0]


def largest_share(layer: Layer, kernel: Kernel, seed: int) -> dict[str, float]:
    """The largest error as a share of its bound, by dtype, over the pinned examples of a part."""
    cell = zoo.load(layer.cell)
    derived, found = gradients(cell), {"float32": 0.0, "float64": 0.0}
    limits = getattr(kernel, "limits", FULL)
    for example in pinned(cell, seed):
        given = within(limits, example)
        for share in _shares(Trial(kernel, given, derived), given):
            found[str(given.dtype)] = max(found[str(given.dtype)], round(share, 4))
    return found


def _shares(trial: Trial, example: Example) -> Iterator[float]:
    right = trial.reference()
    pairs = [(trial.base.values, right.values, right.value_bounds)]
    if getattr(trial.kernel, "backward", None) is not None:
        pairs.append((trial.base_grads, right.grads, right.grad_bounds))
    for got, expected, bounds in pairs:
        for name, value in got.items():
            yield _share(value, expected[name], bounds[name])


def _share(value: Array, expected: Array, bound: Array) -> float:
    told = np.isfinite(bound) & (bound > 0)
    off = np.abs(value.astype(np.longdouble) - expected)[told]
    return float(np.max(off / bound[told], initial=0.0))


def inputs() -> str:
    """Which inputs examples are made of: a digest of the modules that make them, comments aside."""
    texts = [(ROOT / "verify" / name).read_text("utf-8") for name in _MODULES]
    code = "".join(ast.unparse(ast.parse(text)) for text in texts)
    return hashlib.sha256(code.encode()).hexdigest()[:12]


_MODULES = ("memory.py", "regimes.py", "cotangents.py", "strategies.py", "sampling.py")


def parts_left(results: Mapping[str, Any], name: str, examples: int) -> list[int]:
    """The parts that a layer still needs for so many examples of the present inputs."""
    row = results["layers"].get(name, {"parts": {}, "inputs": {}})
    lacking = -(-(examples - row["inputs"].get(inputs(), 0)) // PART)
    known, found, part = set(row["parts"].get(inputs(), ())), [], 0
    while len(found) < lacking:
        if part not in known:
            found.append(part)
        part += 1
    return found


@contextmanager
def kept() -> Iterator[dict[str, Any]]:
    """The results, to be changed; other runs of this script wait meanwhile."""
    with Path(__file__).open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"layers": {}}
        yield results
        save(results)


def can_run(layer: Layer) -> bool:
    """Whether the packages that it needs are here."""
    return layer.packages == "bptt" or all(map(find_spec, layer.packages.split()))


def _one(name: str, part: int) -> dict[str, Any]:
    return part_of(LAYERS[name], part)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is left; exit 1 where a layer was accused."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(LAYERS))
    parser.add_argument("--examples", type=int, default=ASKED)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in LAYERS]:
        parser.error(f"no layer '{unknown[0]}'; there are {', '.join(LAYERS)}")
    chosen = [LAYERS[name] for name in given.names or LAYERS]
    for layer in chosen:
        if not can_run(layer):
            print(f"{layer.name}: left out: {layer.packages} are not all here", file=sys.stderr)
    with kept() as results:
        tasks = [
            (layer.name, part)
            for layer in chosen
            if can_run(layer)
            for part in parts_left(results, layer.name, given.examples)
        ]
    tasks.sort(key=lambda task: task[1])  # all layers come forward together
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    accused = False
    with ProcessPoolExecutor(given.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        for future in as_completed([pool.submit(_one, *task) for task in tasks]):
            found = future.result()
            with kept() as results:
                added(results, found)
            accused |= bool(found["accusations"])
            print(
                f"{found['layer']}: {found['examples']} examples, "
                f"{len(found['accusations'])} accusations, {found['seconds']} s",
                flush=True,
            )
    return int(accused)


if __name__ == "__main__":
    sys.exit(main())
