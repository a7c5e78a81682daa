"""How much slower the stepwise form of a kernel is than the fused one, for cells that have both.

python benchmarks/forms.py [CELL ...]
"""

import argparse
import statistics
import time
from types import ModuleType
from typing import Any

import numpy as np

from derive.backends.numpy import module as emission
from derive.backends.numpy.forms import form_of, is_fused
from derive.backends.numpy.stepwise import Stepwise
from derive.gradients import Gradients, gradients
from derive.zoo import load

SHAPES = ((100, 1, 64, 64), (100, 32, 64, 64), (100, 32, 256, 256))  # T, B, n, m
REPEATS = 7


def kernel(derived: Gradients, form: Any) -> ModuleType:
    """The emitted module in the form that is asked for."""
    emission.form_of = form
    try:
        source = emission.numpy_source(derived)
    finally:
        emission.form_of = form_of
    module = ModuleType("kernel")
    exec(compile(source, "<kernel>", "exec"), module.__dict__)
    return module


def seconds(module: ModuleType, cell: Any, shape: tuple[int, int, int, int]) -> float:
    """Median time of forward and backward together."""
    steps, batch, n, m = shape
    rng = np.random.default_rng(0)
    sizes = {"n": n, "m": m}
    params = {
        p.name: rng.normal(0, 0.1, [sizes[str(d)] for d in p.shape]).astype(np.float32)
        for p in cell.parameters
    }
    x = rng.normal(size=(steps, batch, m)).astype(np.float32)
    dy = rng.normal(size=(steps, batch, n)).astype(np.float32)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        _, _, tape = module.forward(params, x)
        module.backward(params, tape, dy)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", default=["lstm", "gru"])
    for name in parser.parse_args().cells:
        derived = gradients(load(name))
        if not is_fused(derived):
            print(f"{name}: has the stepwise form only")
            continue
        fused, stepwise = kernel(derived, form_of), kernel(derived, Stepwise)
        for shape in SHAPES:
            first, second = (seconds(k, derived.cell, shape) for k in (fused, stepwise))
            print(
                f"{name} T, B, n, m = {shape}: fused {1e3 * first:.1f} ms, stepwise "
                f"{1e3 * second:.1f} ms, ratio {second / first:.2f}"
            )


if __name__ == "__main__":
    main()
