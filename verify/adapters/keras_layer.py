"""Keras: recurrent layers, on its torch or its JAX backend."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from derive import zoo
from derive.cell import Cell
from derive.errors import UsageError
from verify.adapters.arrangement import Given
from verify.adapters.functions import Adapted
from verify.adapters.holding import held, undrawn
from verify.adapters.limits import Limits

__all__ = ["keras_layer"]

# What a layer must be made with to give all that is asked for.
MADE = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}


def keras_layer(
    layer: Callable[..., Any],
    *,
    cell: str | Cell,
    arrays: Given = None,
    names: Mapping[str, str] | None = None,
    dtypes: tuple[str, ...] | None = None,
    **options: Any,
) -> Adapted:
    """A kernel from a layer with the signature y, *states = layer(x, initial_state, mask).

    Args:
        layer: a class of layers, made with the number of units, dtype and `MADE`; or a function of
            the number of units and of a dtype.
        arrays, names: as for `torch_module`.
        dtypes: what it computes in; None: float32 alone, because on torch Keras makes float64
            products in float32 (keras-team/keras #23704).

    Raises:
        UsageError: Keras runs on a backend without gradients here, or parameters are not found.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in _CALLS:
        raise UsageError(f"Keras runs on {backend}; set KERAS_BACKEND to {' or '.join(_CALLS)}")
    loaded = zoo.load(cell) if isinstance(cell, str) else cell
    states = [s.name for s in loaded.states]

    @lru_cache(maxsize=32)
    def made(units: int, inputs: int, dtype: str) -> Any:
        named = isinstance(layer, type)
        with undrawn():
            new = layer(units, dtype=dtype, **MADE) if named else layer(units, dtype)
            new.build((None, None, inputs))
        return new

    first = made(2, 3, "float32")
    found = held(arrays, loaded, "keras", tuple(v.name for v in first.trainable_variables), names)
    own = {name: array for array, name in found.own.items()}

    def call(p: Any, x: Any, initial: Any, lengths: Any = None) -> tuple[Any, dict[str, Any]]:
        used = made(initial[states[0]].shape[-1], x.shape[-1], str(x.dtype).split(".")[-1])
        mask = None
        if lengths is not None:
            mask = keras.ops.convert_to_tensor(np.arange(x.shape[1]) < np.array(lengths)[:, None])
        (y, *last), _ = used.stateless_call(
            [p[own[v.name]] for v in used.trainable_variables],
            [v.value for v in used.non_trainable_variables],
            x,
            initial_state=[initial[s] for s in states],
            mask=mask,
        )
        return y, dict(zip(states, last, strict=True))

    limits = Limits(empty=False, absent=found.absent, finite=True, dtypes=dtypes or ("float32",))
    if dtypes is None:
        notes = {"float64": "Keras on torch makes its products in float32 (keras #23704)"}
        limits = Limits(**{**vars(limits), "notes": notes})
    return _CALLS[backend](
        call, cell=loaded, arrays=found.arrays, x="BTF", limits=limits, **options
    )


def _torch(*given: Any, **options: Any) -> Adapted:
    from verify.adapters.torch_module import torch_call

    return torch_call(*given, **options)


def _jax(*given: Any, **options: Any) -> Adapted:
    from verify.adapters.jax_function import jax_call

    return jax_call(*given, **options)


_CALLS = {"torch": _torch, "jax": _jax}
