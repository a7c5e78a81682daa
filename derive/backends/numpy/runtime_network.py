"""`forward` and `backward` of every emitted network: layer by layer, each pass by its cell's own.

The text below the line `# --- emitted ---` is copied into each of them as it stands.
"""

import numpy as np

from derive.backends.numpy.runtime import (
    _DIGEST,
    _INPUTS,
    _OUTPUT,
    _PARAMETERS,
    _STATES,
    _inputs,
    _outputs,
    _padding,
    _parameters,
    _size,
    _states,
    _tape,
)

_LAYERS = ()


# --- emitted ---
@np.errstate(over="ignore", under="ignore")
def forward(params, x, state_0=None, *, lengths=None):
    """Run a batch of sequences; shapes are in the module's docstring."""
    arrays, dtype, sizes = _inputs(x, params, state_0)
    weights = _parameters("forward", params, sizes, dtype)
    weights = dict(zip(_PARAMETERS, weights, strict=True))
    state_0 = _states("forward", "state_0", state_0, sizes, dtype)
    padding = _padding(lengths, sizes["steps"], sizes["batch"])
    lengths = None if lengths is None else np.array(lengths, int)
    if lengths is not None:
        arrays = [np.where(padding, 0, a).astype(dtype, copy=False) for a in arrays]
    given = dict(zip(_INPUTS, arrays, strict=True))
    y, state_T, kept = arrays[0], {}, []
    for layer in _LAYERS:
        entering = y
        masked = entering * given[layer["mask"]] if layer["mask"] else entering
        parts, tapes = [], []
        for suffix, turned in layer["passes"]:
            inputs = [masked, *(given[name] for name in layer["reads"])]
            if turned:
                inputs = [_reversed(array, lengths) for array in inputs]
            part, final, tape = layer["forward"](
                [weights[f"{name}_{suffix}"] for name in layer["parameters"]],
                *inputs,
                {name: state_0[f"{name}_{suffix}"] for name in layer["states"]},
                padding,
                _sizes_of(layer, sizes),
                dtype,
            )
            if lengths is not None:
                part = np.where(padding, 0, part).astype(dtype, copy=False)
            parts.append(_reversed(part, lengths) if turned else part)
            state_T |= {f"{name}_{suffix}": array for name, array in final.items()}
            tapes.append(tape)
        y = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        y = y + entering if layer["residual"] else y
        kept.append((entering if layer["mask"] else None, tapes))
    masks = {name: given[name] for name in _INPUTS if any(name == k["mask"] for k in _LAYERS)}
    tape = {
        "digest": _DIGEST,
        "dtype": dtype,
        "sizes": sizes,
        "padding": padding,
        "lengths": lengths,
        "masks": masks,
        "kept": kept,
    }
    return np.array(y), state_T, tape


@np.errstate(over="ignore", under="ignore")
def backward(params, tape, dy=None, dstate_T=None):
    """Gradients of sum(dy * y) + sum(dstate_T * state_T), summed over steps and batch."""
    tape = _tape(tape)
    sizes, dtype, lengths = dict(tape["sizes"]), tape["dtype"], tape["lengths"]
    weights = _parameters("backward", params, sizes, dtype)
    weights = dict(zip(_PARAMETERS, weights, strict=True))
    dy = _outputs(dy, tape, _OUTPUT)
    dstate_T = _states("backward", "dstate_T", dstate_T, sizes, dtype)
    grads = {}
    for layer, (entering, tapes) in reversed(list(zip(_LAYERS, tape["kept"], strict=True))):
        width = dy.shape[2] // len(tapes)
        pulled = []
        for place, ((suffix, turned), kept) in enumerate(zip(layer["passes"], tapes, strict=True)):
            part = dy[:, :, place * width : (place + 1) * width]
            found = layer["backward"](
                [weights[f"{name}_{suffix}"] for name in layer["parameters"]],
                kept,
                _reversed(part, lengths) if turned else part,
                {name: dstate_T[f"{name}_{suffix}"] for name in layer["states"]},
                tape["padding"],
                _sizes_of(layer, sizes),
                dtype,
            )
            for name in layer["parameters"]:
                grads[f"{name}_{suffix}"] = found[name]
            for name in layer["states"]:
                grads[f"{name}_{suffix}_0"] = found[f"{name}_0"]
            inputs = [found[name] for name in layer["inputs"]]
            pulled.append([_reversed(a, lengths) if turned else a for a in inputs])
        dx, *others = (sum(arrays[1:], arrays[0]) for arrays in zip(*pulled, strict=True))
        grads |= zip(layer["reads"], others, strict=True)
        if layer["mask"]:
            grads[layer["mask"]] = dx * entering
            dx = dx * tape["masks"][layer["mask"]]
        dy = dx + dy if layer["residual"] else dx
    grads[next(iter(_INPUTS))] = dy
    return {name: grads[name] for name in (*_PARAMETERS, *_INPUTS, *(f"{s}_0" for s in _STATES))}


def _sizes_of(layer, sizes):
    """What the sizes of the layer's cell are."""
    own = {name: _size(text, sizes) for name, text in layer["sizes"].items()}
    return {"steps": sizes["steps"], "batch": sizes["batch"], **own}


def _reversed(array, lengths):
    """Each sequence backwards within its own length; what is past its end stays where it is."""
    if lengths is None:
        return array[::-1]
    steps = np.arange(array.shape[0])[:, None]
    place = np.where(steps < lengths, lengths - 1 - steps, steps)
    return array[place, np.arange(array.shape[1])]
