"""torch: modules with the signature y, state = module(x, state), and all that autograd sees."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from verify.adapters.arrangement import Given
from verify.adapters.functions import Adapted, adapt
from verify.adapters.holding import held, sizes_held, undrawn
from verify.adapters.limits import Limits
from verify.kernels import Array, Arrays

__all__ = ["torch_call", "torch_module"]

TAKEN = Limits(lengths=False, empty=False)


def torch_call(
    call: Callable[..., tuple[Any, Mapping[str, Any]]],
    *,
    cell: str | Cell,
    gradients: bool = True,
    limits: Limits = TAKEN,
    **options: Any,
) -> Adapted:
    """A kernel from a function of tensors; its gradients are autograd's.

        y, states = call(p, x, states)               call(p, x, states, lengths) with lengths

    This is the way for a `torch.autograd.Function`: call its `apply`. Tensors share their memory
    with the arrays that a kernel is given, with the same strides.

    Args:
        gradients: whether autograd is asked; without, forward alone is judged.
        options: as for `verify.adapters.functions.adapt`.
    """
    import torch

    def tensors(arrays: Mapping[str, Array]) -> dict[str, Any]:
        return {n: _tensor(a).requires_grad_(gradients) for n, a in arrays.items()}

    def run(p: Arrays, x: Any, states: Arrays, *more: Any) -> tuple[Any, dict[str, Any], Any]:
        several = isinstance(x, Mapping)
        inputs = tensors(x if several else {"": x})
        leaves, initial = tensors(p), tensors(states)
        with torch.set_grad_enabled(gradients):
            y, last = call(leaves, inputs if several else inputs[""], initial, *more)
        asked = {"": y} | dict(last)
        asked = {n: v for n, v in asked.items() if v is not None}
        given = {n: v.detach().cpu().numpy() for n, v in asked.items()}
        return given.pop("", None), given, (leaves, inputs, initial, asked)

    def back(p: Arrays, tape: Any, dy: Array, dstates: Arrays) -> dict[str, Array]:
        leaves, inputs, initial, asked = tape
        upstream = {n: _tensor(dy if n == "" else dstates[n]) for n in asked}
        paths = {n: v for n, v in asked.items() if v.requires_grad}
        if not paths:
            raise NotImplementedError("autograd sees no way from the results to anything")
        wanted = {n: v for n, v in inputs.items() if v.is_floating_point()}
        names = [
            *leaves,
            *(n or loaded.inputs[0].name for n in wanted),
            *(f"{n}_0" for n in initial),
        ]
        sources = [*leaves.values(), *wanted.values(), *initial.values()]
        found = torch.autograd.grad(
            list(paths.values()),
            sources,
            [upstream[n] for n in paths],
            retain_graph=True,
            allow_unused=True,
        )
        pairs = zip(names, sources, found, strict=True)
        return {n: np.asarray((torch.zeros_like(s) if g is None else g).cpu()) for n, s, g in pairs}

    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    return adapt(run, back if gradients else None, cell=loaded, limits=limits, **options)


def _tensor(array: Array) -> Any:
    """A tensor on the array's own memory, if torch can have such strides."""
    import torch

    usable = all(s >= 0 for s in array.strides) and array.flags.writeable
    return torch.from_numpy(array if usable else np.array(array))


def torch_module(
    module: Any,
    *,
    cell: str | Cell,
    arrays: Given = None,
    names: Mapping[str, str] | None = None,
    x: str | None = None,
    state: str | None = None,
    **options: Any,
) -> Adapted:
    """A kernel from a module with the signature y, state = module(x, state).

    The state is a tensor, or a tuple of them if the cell has several.

    Args:
        module: a module, whose sizes are then the only ones; or what makes one from the numbers of
            inputs and of units, as `torch.nn.LSTM` does.
        arrays: as for `adapt`; None means torch's convention where the cell has one and the module
            has parameters of such names, else the cell's own names.
        names: the module's parameter for each array; None: the one of the same name, perhaps with
            '_l0' behind it.
        x, state: axes; None: those of torch's recurrent layers for such a layer, else 'TBF', 'BF'.

    Raises:
        UsageError: the module's parameters are not those that are expected.
    """
    import torch

    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    states = [s.name for s in loaded.states]
    instance = module if isinstance(module, torch.nn.Module) else None

    @lru_cache(maxsize=32)
    def made(inputs: int, outputs: int, dtype: Any) -> Any:
        with undrawn():
            return (instance if instance is not None else module(inputs, outputs)).to(dtype)

    first = made(3, 2, torch.float32)
    shapes = {n: tuple(p.shape) for n, p in first.named_parameters()}
    found = held(arrays, loaded, "torch", tuple(shapes), names)
    layer = isinstance(first, torch.nn.RNNBase)
    axes = x or ("BTF" if getattr(first, "batch_first", False) else "TBF")

    def call(p: Any, xs: Any, initial: Any, lengths: Any = None) -> tuple[Any, dict[str, Any]]:
        sizes = (xs.shape[-1], next(iter(initial.values())).shape[-1])
        used = made(*sizes, xs.dtype)
        start = tuple(initial[s] for s in states)
        sequence = xs if lengths is None else _packed(xs, lengths, axes)
        start = start if len(states) > 1 else start[0]
        weights = {name: p[array] for array, name in found.own.items()}
        y, last = torch.func.functional_call(used, weights, (sequence, start))
        if lengths is not None:
            y = _padded(y, xs, axes)
        return y, dict(zip(states, last if len(states) > 1 else (last,), strict=True))

    limits = Limits(lengths=layer, shortest=1, empty=False, absent=found.absent)
    if instance is not None:
        options = {"sizes": options.get("sizes") or sizes_held(loaded, found, shapes), **options}
    return torch_call(
        call,
        cell=loaded,
        arrays=found.arrays,
        x=axes,
        state=state or ("1BF" if layer else "BF"),
        limits=limits,
        **options,
    )


def _packed(x: Any, lengths: Any, axes: str) -> Any:
    import torch

    return torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.as_tensor(np.array(lengths)), batch_first=axes == "BTF", enforce_sorted=False
    )


def _padded(y: Any, x: Any, axes: str) -> Any:
    import torch

    first = axes == "BTF"
    steps = x.shape[1 if first else 0]
    return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=first, total_length=steps)[0]
