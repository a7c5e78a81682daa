"""Matrix expressions -> a list of instructions: evaluated many times, looked at once.

`derive.evaluate` is the reference; this gives the same numbers, and shares equal parts. A search
for counterexamples evaluates the same expressions hundreds of times.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import sympy as sp

from derive.errors import RuleError
from derive.evaluate import Arithmetic, Array, Numbers, Sizes, known_number, whole, whole_shape
from derive.expressions import (
    Apply,
    BlockMatrix,
    Expr,
    HadamardPower,
    HadamardProduct,
    LogSumExp,
    MatAdd,
    MatMul,
    MatrixSlice,
    MatrixSymbol,
    Name,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    coefficient,
    parts_of,
)
from derive.single_assignment import Assignment

__all__ = ["Program", "Step", "names_in", "program", "step_program"]

_Places: TypeAlias = tuple[int, ...]
_Run: TypeAlias = Callable[[Arithmetic, Sequence[Any]], Any]


@dataclass(frozen=True)
class Program:
    """Instructions in order; `results` are the places of the values asked for."""

    names: tuple[tuple[str, int], ...]
    instructions: tuple[tuple[_Run, _Places], ...]
    results: _Places

    def run(self, values: Mapping[str, Array], dtype: npt.DTypeLike = np.float64) -> list[Array]:
        """The values of the expressions."""
        return [np.asarray(value) for value in self.run_in(Numbers(dtype), values)]

    def run_in(self, arithmetic: Arithmetic, values: Mapping[str, Any]) -> list[Any]:
        """The values of the expressions, in any arithmetic."""
        known = [values[name] for name, _ in self.names]
        for compute, places in self.instructions:
            known.append(compute(arithmetic, [known[place] for place in places]))
        return [known[place] for place in self.results]


@dataclass(frozen=True)
class Step:
    """All names that one step assigns, from parameters, inputs and lagged states."""

    names: tuple[str, ...]
    program: Program

    def run(
        self, values: Mapping[str, Array], dtype: npt.DTypeLike = np.float64
    ) -> dict[str, Array]:
        """The assigned names' values."""
        return dict(zip(self.names, self.program.run(values, dtype), strict=True))

    def run_in(self, arithmetic: Arithmetic, values: Mapping[str, Any]) -> dict[str, Any]:
        """The assigned names' values, in any arithmetic."""
        return dict(zip(self.names, self.program.run_in(arithmetic, values), strict=True))


def program(exprs: Iterable[Expr], sizes: Sizes) -> Program:
    """What evaluates these expressions for these sizes."""
    exprs = tuple(exprs)
    work = _Work(sizes, [n.name for n in names_in(exprs)])
    return work.finished(tuple(work.place(e) for e in exprs))


def step_program(forward: Sequence[Assignment], sizes: Sizes) -> Step:
    """What runs one step."""
    assigned = {a.name for a in forward}
    given = [n.name for n in names_in(a.value for a in forward) if n.name not in assigned]
    work = _Work(sizes, given)
    results = []
    for assignment in forward:
        place = work.place(assignment.value)
        work.named[assignment.name] = place
        results.append(place)
    return Step(tuple(a.name for a in forward), work.finished(tuple(results)))


def names_in(exprs: Iterable[Expr]) -> list[Name]:
    """The names in expressions, each once; a part that they share is looked at once."""
    found: dict[Name, None] = {}
    seen: set[int] = set()
    waiting: list[Any] = list(exprs)
    keep = list(waiting)  # so that no address is used twice
    while waiting:
        node = waiting.pop()
        if isinstance(node, MatrixSymbol):
            found[node] = None
        elif id(node) not in seen:
            seen.add(id(node))
            keep.append(node)
            waiting.extend(node.args)
    return list(found)


class _Work:
    def __init__(self, sizes: Sizes, names: Sequence[str]) -> None:
        self.sizes = sizes
        self.given = tuple((name, k) for k, name in enumerate(names))
        self.named = dict(self.given)
        self.instructions: list[tuple[_Run, _Places]] = []
        self.by_key: dict[tuple[Any, ...], int] = {}
        self.by_node: dict[int, int] = {}
        self.alive: list[Expr] = []

    def finished(self, results: _Places) -> Program:
        return Program(self.given, tuple(self.instructions), results)

    def place(self, node: Expr) -> int:
        if isinstance(node, MatrixSymbol):
            return self.named[node.name]
        if id(node) not in self.by_node:
            self.by_node[id(node)] = self.computed(node)
            self.alive.append(node)
        return self.by_node[id(node)]

    def emit(self, key: tuple[Any, ...], compute: _Run, places: _Places) -> int:
        whole_key = (*key, places)
        if whole_key not in self.by_key:
            self.instructions.append((compute, places))
            self.by_key[whole_key] = len(self.given) + len(self.instructions) - 1
        return self.by_key[whole_key]

    def constant(self, number: Any, shape: tuple[int, int]) -> int:
        value = known_number(number, self.sizes)
        return self.emit(("constant", value, shape), lambda a, _: a.constant(value, shape), ())

    def computed(self, node: Expr) -> int:
        number, rest = coefficient(node)
        if isinstance(rest, OneMatrix):
            return self.constant(number, whole_shape(node, self.sizes))
        if number != 1:
            factor = self.constant(number, whole_shape(node, self.sizes))
            return self.folded("times", lambda a, v: a.multiply(*v), [factor, self.place(rest)])
        if rest is not node:  # 3*(A/3) is A
            return self.place(rest)
        match node:
            case ZeroMatrix():
                return self.constant(sp.S.Zero, whole_shape(node, self.sizes))
            case MatAdd():
                places = [self.place(e) for e in node.args]
                return self.folded("plus", lambda a, v: a.add(*v), places)
            case HadamardProduct():
                places = [self.place(e) for e in node.args]
                return self.folded("times", lambda a, v: a.multiply(*v), places)
            case HadamardPower():
                places = [self.place(node.args[0])] * int(node.args[1])
                return self.folded("times", lambda a, v: a.multiply(*v), places)
            case MatMul():
                pair = (self.place(node.args[0]), self.place(node.args[1]))
                return self.emit(("matmul",), lambda a, v: a.matmul(*v), pair)
            case Transpose():
                inside = (self.place(node.args[0]),)
                return self.emit(("transpose",), lambda a, v: a.transpose(v[0]), inside)
            case Apply():
                name, inside = node.name, (self.place(node.argument),)
                return self.emit(("apply", name), lambda a, v: a.apply(name, v[0]), inside)
            case LogSumExp():
                inside = (self.place(node.argument),)
                return self.emit(("logsumexp",), lambda a, v: a.log_sum_exp(v[0]), inside)
            case BlockMatrix():
                pieces = tuple(self.place(p) for p in parts_of(node))
                return self.emit(("stack",), lambda a, v: a.stack(v), pieces)
            case MatrixSlice():
                start, stop = (whole(edge, self.sizes) for edge in node.rowslice[:2])
                inside = (self.place(node.parent),)
                key = ("rows", start, stop)
                return self.emit(key, lambda a, v: a.rows(v[0], start, stop), inside)
        raise RuleError(f"no value for {type(node).__name__}")

    def folded(self, key: str, compute: _Run, places: Sequence[int]) -> int:
        total = places[0]
        for place in places[1:]:
            total = self.emit((key,), compute, (total, place))
        return total
