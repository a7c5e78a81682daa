"""JAX: functions of arrays; their gradients are those of `jax.vjp`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from verify.adapters.functions import Adapted, adapt
from verify.adapters.limits import Limits
from verify.kernels import Array, Arrays

__all__ = ["jax_call"]


def jax_call(
    call: Callable[..., tuple[Any, Mapping[str, Any]]],
    *,
    cell: str | Cell,
    jit: bool = True,
    limits: Limits | None = None,
    **options: Any,
) -> Adapted:
    """A kernel from a function of JAX arrays.

        y, states = call(p, x, states)               call(p, x, states, lengths) with lengths

    A name in `arrays` with dots is a place in nested dicts, as Flax has them: 'hf.kernel'. Without
    JAX_ENABLE_X64=1 JAX has no float64, and float32 alone is judged.

    Args:
        jit: whether the function is compiled, once for shapes.
        limits, options: as for `verify.adapters.functions.adapt`.
    """
    import jax

    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    taken = Limits(lengths=False, empty=False) if limits is None else limits
    if not jax.config.jax_enable_x64:
        taken = replace(taken, dtypes=("float32",))
    asked = jax.jit(call) if jit else call

    def run(p: Arrays, x: Any, states: Arrays, *more: Any) -> tuple[Any, dict[str, Any], Any]:
        given = jax.tree.map(jax.numpy.asarray, (_nested(p), x, dict(states)))
        (y, last), pull = jax.vjp(lambda *a: asked(*a, *more), *given)
        ends = {n: np.asarray(a) for n, a in last.items() if a is not None}
        kinds = jax.tree.map(lambda a: a.dtype, (y, last))
        return None if y is None else np.asarray(y), ends, (pull, kinds)

    def back(p: Arrays, tape: Any, dy: Array, dstates: Arrays) -> dict[str, Array]:
        pull, (kind, kinds) = tape
        upstream = (
            None if kind is None else jax.numpy.asarray(dy, kind),
            {n: jax.numpy.asarray(dstates[n], k) for n, k in kinds.items()},
        )
        by_params, by_x, by_state = pull(upstream)
        inputs = by_x if isinstance(by_x, Mapping) else {loaded.inputs[0].name: by_x}
        found = _flat(by_params) | dict(inputs) | {f"{n}_0": a for n, a in by_state.items()}
        return {n: np.asarray(a) for n, a in found.items()}

    return adapt(run, back, cell=loaded, limits=taken, **options)


def _nested(arrays: Arrays) -> dict[str, Any]:
    """Names with dots as places in nested dicts."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place.setdefault(part, {})
        place[last] = array
    return found


def _flat(nested: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in nested.items():
        inner = isinstance(value, Mapping)
        found |= _flat(value, f"{before}{name}.") if inner else {f"{before}{name}": value}
    return found
