"""The mutants of `verify mutants`, given to other checkers: `python docs/beside/mutants.py`.

What is not installed is said and left out: torch, jax, chex, onnx. With all of them, and as many
variants of a kind as the page says, mutants.json is written; `report.py` makes the page from it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from checkers import BY_NAME, CHECKERS, accuses, missing
from layers import USES, layer
from node_tests import node_tests, passes
from report import MUTANTS, kill_table, save, write

from derive.zoo import load
from verify.deviations.machine import kernel_of
from verify.deviations.model import Model
from verify.kernels import Kernel
from verify.mutants import Bench, Mutant, mutants_of

__all__ = ["CELLS", "Beside", "group", "main"]

CELLS = ("lstm", "gru")
# The node tests of GRU are of this cell; one of them has random weights, and passes no other.
NODES = "gru_reset_before"
EACH = 1

# These find no more, or no less, than another one with other tolerances, and are spared a run.
FINDS_MORE = {"gradcheck, tight": "gradcheck"}
FINDS_LESS = {"chex": "check_grads"}


@dataclass(frozen=True)
class Beside:
    """A cell's mutants, and what everybody says of them."""

    bench: Bench
    checkers: tuple[str, ...]
    nodes: tuple[Any, ...]

    @classmethod
    def of(cls, cell: str) -> "Beside":
        """With what is installed."""
        gone = missing()
        names = tuple(c.name for c in CHECKERS if c.package not in gone and c.package)
        right = kernel_of(Model.right(load(cell)))
        cases = node_tests(cell) if find_spec("onnx") else ()
        return cls(Bench.of(load(cell)), names, tuple(n for n in cases if passes(n, right)))

    def found(self, make: Callable[[], Kernel]) -> dict[str, list[str]]:
        """For each use, the checkers that find something; each is given a new kernel."""
        found: dict[str, list[str]] = {}
        for use in USES.values():
            found[use.name] = said = []
            for name in (n for n in self.checkers if use.asked is None or n in use.asked):
                if FINDS_MORE.get(name) in said:
                    said.append(name)
                elif FINDS_LESS.get(name, "") in ("", *said):
                    made = layer(self.bench.library.cell, make(), use)
                    said += [name] if accuses(BY_NAME[name], made) else []
        return found

    def record(self, mutant: Mutant) -> dict[str, Any] | None:
        """What everybody says of a mutant; None if it changes nothing in this cell."""
        model = mutant.variant.model
        failed = self.bench.failures(kernel_of(model), first=True) or self.bench.drawn(mutant)
        if not failed and self.bench.changes_nothing(mutant):
            return None
        return {
            "kind": mutant.deviation.name,
            "variant": mutant.variant.label,
            "group": group(self.bench, mutant),
            "verify": next(iter(failed), ""),
            "found": self.found(partial(kernel_of, model)),
            "nodes": sum(not passes(node, kernel_of(model)) for node in self.nodes),
        }


def group(bench: Bench, mutant: Mutant) -> str:
    """What is wrong: 'gradient', 'equations', or 'conduct'.

    - gradient: it is not the derivative of what forward computes.
    - equations: forward computes something else, and the gradient is that of what it computes.
    - conduct: it is right, but for what else it does, or for some sizes, lengths or dtypes.
    """
    model, side = mutant.variant.model, mutant.deviation.side
    if side in ("conduct", "sometimes"):
        return "conduct"
    made = layer(bench.library.cell, kernel_of(model), USES["all"])
    own = side == "forward" and (model.consistent or not accuses(BY_NAME["differences"], made))
    return "equations" if own else "gradient"


def rows(cell: str, each: int | None, workers: int) -> Iterator[dict[str, Any] | None]:
    """A record for each mutant of a cell."""
    library = Bench.of(load(cell)).library
    count = len(list(mutants_of(library, each)))
    if workers == 1:
        _prepare(cell, each)
        yield from map(_one, range(count))
        return
    with get_context("spawn").Pool(workers, _prepare, (cell, each)) as pool:
        yield from pool.imap(_one, range(count), chunksize=4)


_own: dict[str, Any] = {}


def _prepare(cell: str, each: int | None) -> None:
    beside = Beside.of(cell)
    _own.update(beside=beside, mutants=list(mutants_of(beside.bench.library, each)))


def _one(number: int) -> dict[str, Any] | None:
    found: dict[str, Any] | None = _own["beside"].record(_own["mutants"][number])
    return found


def nodes_alone(each: int | None) -> dict[str, Any]:
    """How many mutants of another cell the node tests find, of those whose forward is wrong."""
    beside = Beside.of(NODES)
    mutants = [m for m in mutants_of(beside.bench.library, each) if m.deviation.side == "forward"]
    wrong = [m.variant.model for m in mutants if not beside.bench.changes_nothing(m)]
    found = [any(not passes(n, kernel_of(model)) for n in beside.nodes) for model in wrong]
    names = [node.name for node in beside.nodes]
    return {"cell": NODES, "nodes": names, "mutants": len(wrong), "found": sum(found)}


def results(each: int | None, workers: int) -> dict[str, Any]:
    """Everything, for both cells."""
    began, cells = time.monotonic(), {}
    for cell in CELLS:
        found: list[dict[str, Any]] = []
        for number, record in enumerate(rows(cell, each, workers), 1):
            found += [] if record is None else [record]
            print(f"\r{cell}: {number} mutants", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        beside = Beside.of(cell)
        cells[cell] = {
            "right": beside.found(partial(kernel_of, Model.right(load(cell)))),
            "checkers": list(beside.checkers),
            "nodes": [node.name for node in beside.nodes],
            "mutants": found,
        }
    return {
        "each": each,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "workers": workers,
        "versions": versions(),
        "nodes_alone": nodes_alone(each),
        "cells": cells,
    }


def versions() -> dict[str, str]:
    """Of what is installed."""
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "jax", "chex", "onnx") if find_spec(name)}


def main() -> None:
    """Run, print the table, and keep it if nothing is missing."""
    parser = argparse.ArgumentParser(description="the mutants, given to other checkers")
    parser.add_argument("--each", type=int, default=EACH, help="variants of a kind (default 1)")
    parser.add_argument("--all", action="store_true", help="all variants")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--out", type=Path, default=MUTANTS, help="where results are written")
    arguments = parser.parse_args()
    gone = missing() | ({} if find_spec("onnx") else {"onnx": "its node tests"})
    for package, names in gone.items():
        print(f"{package} is not installed: without {names}")
    found = results(None if arguments.all else arguments.each, arguments.workers)
    print(kill_table(found), end="")
    if gone and arguments.out == MUTANTS:
        print("not written: results are kept where nothing is missing, or with --out FILE")
        return
    save(found, arguments.out)
    if arguments.out == MUTANTS:
        write()


if __name__ == "__main__":
    main()
