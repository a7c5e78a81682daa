"""Deriving back-propagation through time against SymPy's own differentiation, unrolled.

    python benchmarks/derivation.py [--limit 60] [--steps 1 2] [CELL ...]

SymPy is given the scalar loss of T steps with n = m = 1, written out, and asked for the derivative
by every parameter, input and initial state; the toolkit derives the recurrence, for all T, n and m.
Every SymPy run is a process of its own with a time limit. The second table derives the same cells
at sizes written into them as numbers: neither time nor the number of operations may change.
"""

import argparse
import re
import subprocess
import sys
import time
from statistics import median

import numpy as np
import sympy as sp

from derive import zoo
from derive.cell import lag
from derive.evaluate import lagged, run_step
from derive.gradients import gradients
from derive.language import parse
from derive.primitives import PRIMITIVES
from derive.single_assignment import single_assignment

REPEATS = 5


class Scalars:
    """Matrices of scalar SymPy expressions, for `derive.evaluate`: object arrays."""

    def constant(self, number, shape):
        return np.full(shape, number, dtype=object)

    def add(self, a, b):
        return a + b

    def multiply(self, a, b):
        return a * b

    def matmul(self, a, b):
        return a @ b

    def apply(self, name, z):
        return np.vectorize(PRIMITIVES[name].value, otypes=[object])(z)

    def transpose(self, a):
        return a.T

    def rows(self, a, start, stop):
        return a[start:stop]

    def stack(self, parts):
        return np.concatenate(parts)


def symbols(name, shape, sizes):
    rows, columns = (int(sp.sympify(d).subs(sizes)) for d in shape)
    return np.array(sp.symarray(name.replace("[t-1]", "_0"), (rows, columns)), dtype=object)


def unrolled(cell, steps):
    """Seconds, and operations, that SymPy needs for every derivative of the written-out loss."""
    sizes = dict.fromkeys(cell.dimensions, 1)
    draw = lambda variable, name: symbols(name, variable.now.shape, sizes)
    forward = single_assignment(cell)
    params = {p.name: draw(p, p.name) for p in cell.parameters}
    states = {s.name: draw(s, lag(s.name)) for s in cell.states}
    wanted = [*params.values(), *states.values()]
    start = time.perf_counter()
    loss = sp.S.Zero
    for t in range(1, steps + 1):
        inputs = {x.name: draw(x, f"{x.name}_{t}") for x in cell.inputs}
        wanted += inputs.values()
        known = run_step(forward, {**params, **inputs, **lagged(states)}, sizes, Scalars())
        states = {s.name: known[s.name] for s in cell.states}
        loss += np.sum(draw(cell.output, f"dy_{t}") * states[cell.output.name])
    for state in cell.states:
        loss += np.sum(draw(state, f"d{state.name}_T") * states[state.name])
    found = [sp.diff(loss, v) for array in wanted for v in array.flat]
    seconds = time.perf_counter() - start
    return seconds, int(sum(sp.count_ops(d) for d in found))


def derived(cell):
    """Seconds, and operations, that the toolkit needs; SymPy's cache is emptied before each run."""
    times = []
    for _ in range(REPEATS):
        sp.core.cache.clear_cache()
        start = time.perf_counter()
        found = gradients(cell)
        times.append(time.perf_counter() - start)
    sums = (*found.backward, *found.parameters, *found.inputs, *found.states)
    return median(times), sum(_operations(adjoint.value) for adjoint in sums)


def _operations(expr):
    """Nodes with arguments: sums, products, powers and functions of whole matrices."""
    return sum(1 for node in sp.preorder_traversal(expr) if node.args and node.is_Matrix)


def at_sizes(cell, factor):
    """The same cell with numbers for its sizes: 2, 3, … times the factor."""
    sizes = {str(d): str(factor * k) for k, d in enumerate(cell.dimensions, start=2)}
    put = lambda match: re.sub(r"\w+", lambda word: sizes.get(word[0], word[0]), match[0])
    return parse(re.sub(r"\[[^\]]*\]", put, str(cell)), cell.name)


def by_sympy(name, steps, limit):
    """What `unrolled` returns, from a process of its own; None if the time is up."""
    print(f"sympy: {name}, T = {steps} ...", file=sys.stderr)
    command = [sys.executable, __file__, "--unrolled", str(steps), name]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(command)}: {error.stderr.strip().splitlines()[-1]}")
    seconds, operations = run.stdout.split()
    return float(seconds), int(operations)


def compared(names, steps, limit):
    heads = "".join(f"{f'SymPy, T = {t}, s':>19}{'/ ours':>9}{'operations':>12}" for t in steps)
    print(f"{'':18}{'all T, n, m':>13}{'n = m = 1, for each T':>40}")
    print(f"{'cell':18}{'ours, ms':>13}{heads}")
    for name in names:
        own, _ = derived(zoo.load(name))
        line = f"{name:18}{own * 1e3:13.1f}"
        for t in steps:
            found = by_sympy(name, t, limit)
            if found:
                line += f"{found[0]:19.2f}{found[0] / own:9.1f}{found[1]:12d}"
            else:
                line += f"{f'> {limit:g}':>19}{f'> {limit / own:.0f}':>9}{'–':>12}"
        print(line, flush=True)


def grown(names):
    print(f"\n{'n, m = 2000, 3000 against 2, 3':31}{'time':>10}{'operations':>20}")
    for name in names:
        cell = zoo.load(name)
        small, large = (derived(at_sizes(cell, factor)) for factor in (1, 1000))
        print(f"{name:31}{large[0] / small[0]:10.2f}{f'{small[1]} -> {large[1]}':>20}", flush=True)
    print("T is not an argument of the derivation: one step and its recurrence hold for every T.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", metavar="CELL", help="default: the zoo")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2], help="T (default 1 2)")
    parser.add_argument("--limit", type=float, default=60, help="seconds for each SymPy run")
    parser.add_argument("--unrolled", type=int, metavar="T", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.cells or zoo.names()
    if options.unrolled:
        print(*unrolled(zoo.load(names[0]), options.unrolled))
        return
    compared(names, options.steps, options.limit)
    grown(names)


if __name__ == "__main__":
    main()
