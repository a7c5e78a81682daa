"""A kernel as the layer that a user would write around it: of arrays, for torch or for JAX.

A gradient checker is given a function and its arguments. Which arguments a person gives, and what
the function returns, is a row of `USES`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.cell import Cell
from verify.kernels import Array, Kernel

__all__ = ["USES", "Layer", "Use", "jax_layer", "layer", "torch_layer"]

HIDDEN, WIDTH, BATCH = 3, 2, 2


@dataclass(frozen=True)
class Use:
    """What a person gives to a checker.

    Attributes:
        steps: T.
        states: whether initial states are arguments; if not, none is given.
        results: which results the function returns: 'y' and final states, as 'h_T'; None for all.
        summed: whether it returns their sum.
        lengths: where rows end; None for none given.
        asked: the checkers that are asked; None for all.
    """

    name: str
    shown: str
    steps: int
    states: bool = True
    results: tuple[str, ...] | None = None
    summed: bool = False
    lengths: tuple[int, ...] | None = None
    asked: tuple[str, ...] | None = None


USES: Mapping[str, Use] = {
    use.name: use
    for use in (
        Use("all", "all arguments, outputs and states, T = 4", 4),
        Use("usual", "no initial state, `y.sum()`, T = 4", 4, False, ("y",), summed=True),
        Use("last", "all arguments, the last h, T = 8", 8, results=("h_T",)),
        Use(
            "lengths",
            "as in the first row, lengths 4 and 2",
            4,
            lengths=(4, 2),
            asked=("gradcheck",),
        ),
    )
}


@dataclass(frozen=True)
class Layer:
    """A kernel with arguments and results in an order.

    Attributes:
        arrays: the arguments' values, by the contract's names: x, h_0, parameters.
    """

    cell: Cell
    kernel: Kernel
    use: Use
    arrays: Mapping[str, Array]

    @property
    def results(self) -> tuple[str, ...]:
        """The names of what it returns."""
        every = ("y", *(f"{s.name}_T" for s in self.cell.states))
        return every if self.use.results is None else self.use.results

    def forward(self, *given: Array) -> tuple[list[Array], Any]:
        """(results, what `backward` needs)."""
        named = dict(zip(self.arrays, given, strict=True))
        params = {p.name: named[p.name] for p in self.cell.parameters}
        states = {s.name: named[f"{s.name}_0"] for s in self.cell.states if self.use.states}
        x = named[self.cell.inputs[0].name]
        lengths = None if self.use.lengths is None else np.array(self.use.lengths)
        y, ends, tape = self.kernel.forward(params, x, states or None, lengths=lengths)
        found = {"y": y} | {f"{name}_T": end for name, end in ends.items()}
        return [np.asarray(found[name]) for name in self.results], (params, tape)

    def backward(self, kept: Any, cotangents: Sequence[Array]) -> list[Array]:
        """Gradients of the arguments, in their order."""
        params, tape = kept
        given = dict(zip(self.results, cotangents, strict=True))
        dy = given.pop("y", None)
        nothing = np.zeros((BATCH, HIDDEN), next(iter(self.arrays.values())).dtype)
        ends = {s.name: given.get(f"{s.name}_T", nothing.copy()) for s in self.cell.states}
        grads = self.kernel.backward(params, tape, dy, ends if given else None)
        return [np.asarray(grads[name]) for name in self.arrays]


def layer(
    cell: Cell, kernel: Kernel, use: Use, seed: int = 0, dtype: type[np.floating[Any]] = np.float64
) -> Layer:
    """A layer at random arguments: parameters as torch.nn.LSTM draws them, the rest normal.

    Vectors of parameters, inputs and states have different sizes: 2 inputs, 3 units, 2 rows.
    """
    rng, sizes = np.random.default_rng(seed), {"n": HIDDEN, "m": WIDTH}
    shape = lambda variable: tuple(sizes[str(d)] for d in variable.shape)
    reach = 1 / np.sqrt(HIDDEN)
    arrays = {cell.inputs[0].name: rng.normal(size=(use.steps, BATCH, WIDTH))}
    for state in cell.states if use.states else ():
        arrays[f"{state.name}_0"] = rng.normal(size=(BATCH, HIDDEN))
    arrays |= {p.name: rng.uniform(-reach, reach, shape(p)) for p in cell.parameters}
    return Layer(cell, kernel, use, {name: a.astype(dtype) for name, a in arrays.items()})


def torch_layer(made: Layer) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A torch.autograd.Function around it, and its arguments, which all require a gradient."""
    import torch

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            results, ctx.kept = made.forward(*(a.detach().numpy() for a in given))
            return tuple(torch.from_numpy(a.copy()) for a in results)

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            found = made.backward(ctx.kept, [a.detach().numpy() for a in cotangents])
            return tuple(torch.from_numpy(a.copy()) for a in found)

    def function(*given: Any) -> Any:
        results = Function.apply(*given)
        return sum(a.sum() for a in results) if made.use.summed else results

    arrays = made.arrays.values()
    return function, tuple(torch.tensor(a, requires_grad=True) for a in arrays)


def jax_layer(made: Layer) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A jax.custom_vjp around it, through callbacks, and its arguments.

    Backward runs forward once more: a tape cannot leave a callback.
    """
    import jax

    spec = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype)
    plain = lambda given: [np.array(a) for a in given]
    sizes = {"y": (made.use.steps, BATCH, HIDDEN)}
    dtype = next(iter(made.arrays.values())).dtype
    results = [
        jax.ShapeDtypeStruct(sizes.get(name, (BATCH, HIDDEN)), dtype) for name in made.results
    ]
    arguments = [spec(a) for a in made.arrays.values()]

    def pulled(given: Any, cotangents: Any) -> list[Array]:
        return made.backward(made.forward(*plain(given))[1], plain(cotangents))

    @jax.custom_vjp
    def function(*given: Any) -> Any:
        return jax.pure_callback(lambda *a: made.forward(*plain(a))[0], results, *given)

    function.defvjp(
        lambda *given: (function(*given), given),
        lambda given, cotangents: tuple(jax.pure_callback(pulled, arguments, given, cotangents)),
    )
    arrays = tuple(jax.numpy.asarray(a) for a in made.arrays.values())
    if made.use.summed:
        return lambda *given: sum(a.sum() for a in function(*given)), arrays
    return function, arrays
