"""A layer's gradient beside differences of its own forward, with nothing that verify judges by.

`python docs/found/confirm.py NAME` prints the entry that is furthest off, as JSON. Only inputs and
the adapter are shared with `verify`: what is compared are two numbers of the layer's own.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from layers import LAYERS

from derive import zoo
from verify.adapters.restricting import within
from verify.kernels import Example
from verify.loading import load_implementation
from verify.strategies import make_example


def main(name: str) -> int:
    """Print the worst entry of a layer."""
    (layer,) = [row for row in LAYERS if row.name == name]
    cell = zoo.load(layer.cell)
    kernel = load_implementation(f"{name}.py:kernel", cell=cell)
    sizes = {str(d): 2 + k for k, d in enumerate(cell.dimensions)}
    short, long = (
        within(kernel.limits, make_example(cell, steps=steps, batch=2, sizes=sizes, seed=5))
        for steps in (3, 12)
    )
    examples = [short, scaled(short, cotangents=64.0), scaled(short, inputs=4.0), long]
    print(json.dumps(first_seen(kernel, examples if short.dtype == np.float64 else [short])))
    return 0


def first_seen(kernel: Any, examples: Sequence[Example]) -> dict[str, Any]:
    """The worst entry of the first example on which one is wrong, else that of the first."""
    every = [worst(kernel, example) for example in examples]
    off = (e for e in every if abs(e["theirs"] - e["differences"]) > 1e-3 * abs(e["differences"]))
    return next(off, every[0])


def scaled(example: Example, inputs: float = 1.0, cotangents: float = 1.0) -> Example:
    """An example with larger inputs or cotangents, as for clipping or a bound."""
    return replace(
        example,
        inputs={n: inputs * a for n, a in example.inputs.items()},
        dy=None if example.dy is None else cotangents * example.dy,
        dstate_T=example.dstate_T and {n: cotangents * a for n, a in example.dstate_T.items()},
    )


def worst(kernel: Any, example: Example) -> dict[str, Any]:
    """The entry of a gradient that is furthest from a difference quotient, relative to both."""
    (x_name,) = example.inputs
    leaves = {**example.params, x_name: example.inputs[x_name]}
    leaves |= {f"{n}_0": abs(a) for n, a in (example.state_0 or {}).items()}  # as some ask
    leaves = {n: np.array(a) for n, a in leaves.items()}

    def run() -> tuple[Any, Mapping[str, Any], Any]:
        state = {n: leaves[f"{n}_0"] for n in example.state_0 or {}}
        params = {n: leaves[n] for n in example.params}
        return kernel.forward(params, leaves[x_name], state or None)

    def loss() -> float:
        y, last, _ = run()
        pairs = [(example.dy, y), *((a, last[n]) for n, a in (example.dstate_T or {}).items())]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        return sum(float(np.vdot(np.float64(a), np.float64(b))) for a, b in known)

    params = {n: leaves[n] for n in example.params}
    grads = kernel.backward(params, run()[2], example.dy, example.dstate_T)
    step = 1e-2 if example.dtype == np.float32 else 1e-4
    found: dict[str, Any] = {"entry": "", "theirs": 0.0, "differences": 0.0}
    for name, grad in grads.items():
        for place in np.ndindex(leaves[name].shape):
            here = leaves[name][place]
            quotients = []
            for size in (step, step / 2):
                values = []
                for moved in (here + size, here - size):
                    leaves[name][place] = moved
                    values.append(loss())
                quotients.append((values[0] - values[1]) / (2 * size))
            leaves[name][place] = here
            difference = (4 * quotients[1] - quotients[0]) / 3  # Richardson
            theirs = float(np.asarray(grad)[place])
            if abs(theirs - difference) >= abs(found["theirs"] - found["differences"]):
                entry = name + str(list(place))
                found = {"entry": entry, "theirs": theirs, "differences": difference}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
