"""What every emitted kernel shares: checks of arguments and the check of its own gradients.

The text below the line `# --- emitted ---` is copied into each kernel as it stands.
"""

import sys

import numpy as np

_NAME = _DIGEST = ""
_PARAMETERS = {}
_INPUTS = {}
_STATES = {}
_OUTPUT = ()
_DTYPES = ()


def forward(*args, **kwargs):
    """Emitted for each cell."""


def backward(*args, **kwargs):
    """Emitted for each cell."""


# --- emitted ---
def _size(dim, sizes):
    """A size such as 'n', 'n + m' or '3' as a number; None if it is not known yet."""
    parts = [sizes.get(p, int(p) if p.isdigit() else None) for p in dim.split(" + ")]
    return None if None in parts else sum(parts)


def _shape(value):
    """The shape of what may be an array; () for what is none."""
    try:
        return np.shape(value)
    except ValueError:
        return ()


def _learned(params, x, state_0):
    """What the named sizes are: for each the one that most arguments agree on."""
    votes = {}
    tables = ((x, _INPUTS, ("steps", "batch")), (params, _PARAMETERS, ()))
    for given, table, lead in (*tables, (state_0, _STATES, ("batch",))):
        for name, dims in table.items():
            shape = _shape(given.get(name)) if hasattr(given, "get") else ()
            if len(shape) == len(lead) + len(dims):
                for dim, size in zip((*lead, *dims), shape, strict=True):
                    if dim.isidentifier():
                        votes.setdefault(dim, []).append(size)
    return {dim: max(sizes, key=sizes.count) for dim, sizes in votes.items()}


def _array(call, label, value, dims, sizes, dtype):
    """`value` as an array, after its dtype and shape were checked."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{_NAME}.{call}: {label} is not an array of numbers") from None
    if dtype is None and array.dtype.type not in _DTYPES:
        names = " or ".join(np.dtype(t).name for t in _DTYPES)
        raise TypeError(f"{_NAME}.{call}: {label} has dtype {array.dtype}, expected {names}")
    if dtype is not None and array.dtype != dtype:
        raise TypeError(
            f"{_NAME}.{call}: {label} has dtype {array.dtype}, expected {dtype} like the input"
        )
    expected = tuple(_size(dim, sizes) for dim in dims)
    if array.shape != expected:
        names = dict.fromkeys(p for d in dims for p in d.split(" + ") if p in sizes)
        shown = ", ".join(f"{name} = {sizes[name]}" for name in names)
        raise ValueError(
            f"{_NAME}.{call}: {label} has shape {array.shape}, expected ({', '.join(dims)})"
            + (f" with {shown}" if shown else "")
        )
    return array


def _named(call, label, given, expected):
    """`given` as a dict whose keys are all in `expected`."""
    if not hasattr(given, "keys"):
        raise TypeError(f"{_NAME}.{call}: {label} is a {type(given).__name__}, expected a dict")
    for key in given:
        if key not in expected:
            raise ValueError(
                f"{_NAME}.{call}: {label} has the key {key!r}, expected {', '.join(expected)}"
            )
    return given


def _parameters(call, params, sizes, dtype):
    """Every parameter, checked."""
    given = _named(call, "params", params, _PARAMETERS)
    for name in _PARAMETERS:
        if name not in given:
            raise ValueError(f"{_NAME}.{call}: params lacks {name!r}")
    return [
        _array(call, f"params[{name!r}]", given[name], dims, sizes, dtype)
        for name, dims in _PARAMETERS.items()
    ]


def _inputs(x, params, state_0):
    """Every input, checked; the first one fixes the dtype, all arguments the sizes."""
    if len(_INPUTS) == 1:
        given, labels = dict.fromkeys(_INPUTS, x), dict.fromkeys(_INPUTS, "x")
    else:
        given, labels = _named("forward", "x", x, _INPUTS), {n: f"x[{n!r}]" for n in _INPUTS}
    sizes = _learned(params, given, state_0)
    arrays, dtype = [], None
    for name, dims in _INPUTS.items():
        if name not in given:
            raise ValueError(f"{_NAME}.forward: x lacks {name!r}")
        lead = ("steps", "batch", *dims)
        array = _array("forward", labels[name], given[name], lead, sizes, dtype)
        arrays, dtype = [*arrays, array], array.dtype
    return arrays, dtype, sizes


def _states(call, label, given, sizes, dtype):
    """A state for each name, (B, size); what is not given is zero."""
    given = {} if given is None else _named(call, label, given, _STATES)
    arrays = {
        name: _array(call, f"{label}[{name!r}]", given[name], ("batch", *dims), sizes, dtype)
        for name, dims in _STATES.items()
        if given.get(name) is not None
    }
    for name, dims in _STATES.items():
        if name not in arrays:
            shape = [_size(dim, sizes) for dim in dims]
            if None in shape:
                raise ValueError(f"{_NAME}.{call}: {label}[{name!r}] is needed to fix its size")
            arrays[name] = np.zeros((sizes["batch"], *shape), dtype)
    return arrays


def _padding(lengths, steps, batch):
    """For each step the rows that are past their sequence's end, (B, 1); None for no lengths."""
    if lengths is None:
        return [None] * steps
    expected = f"expected whole numbers and (batch,) with batch = {batch}"
    try:
        array = np.asarray(lengths)
    except ValueError:
        raise ValueError(f"{_NAME}.forward: lengths is not an array, {expected}") from None
    array = array.astype(int) if array.shape == (0,) else array
    if array.dtype.kind not in "iu" or array.shape != (batch,):
        found = f"dtype {array.dtype} and shape {array.shape}"
        raise ValueError(f"{_NAME}.forward: lengths has {found}, {expected}")
    wrong = array[(array < 0) | (array > steps)]
    if wrong.size:
        raise ValueError(
            f"{_NAME}.forward: lengths must be from 0 to T = {steps}, found {wrong[0]}"
        )
    return np.arange(steps)[:, None, None] >= array[:, None]


def _outputs(dy, tape, dims):
    """The cotangents of the outputs, zero where there is padding."""
    padding, sizes, dtype = tape["padding"], dict(tape["sizes"]), tape["dtype"]
    shape = ("steps", "batch", *dims)
    if dy is None:
        return np.zeros([_size(d, sizes) for d in shape], dtype)
    array = _array("backward", "dy", dy, shape, sizes, dtype)
    return array if isinstance(padding, list) else np.where(padding, 0, array)


def _tape(tape):
    """The tape, if it is one of this kernel's."""
    if not isinstance(tape, dict) or str(tape.get("digest")) != _DIGEST:
        raise TypeError(f"{_NAME}.backward: tape is not what {_NAME}.forward returned")
    if tape["dtype"].kind == "c":
        raise TypeError(f"{_NAME}.backward: the tape is complex, expected float32 or float64")
    return tape


def _example(seed):
    """Distinct random arguments in float64: three sequences of unequal length."""
    random = np.random.default_rng(seed)
    dims = [d for table in (_STATES, _INPUTS, _PARAMETERS) for k in table.values() for d in k]
    atoms = dict.fromkeys(p for d in dims for p in d.split(" + ") if not p.isdigit())
    sizes = {name: 3 - k if k < 2 else 2 + k for k, name in enumerate(atoms)}

    def draw(*shape):
        return random.uniform(0.1, 0.9, shape) * random.choice([-1.0, 1.0], shape)

    steps, batch = 5, 3
    params = {k: draw(*(_size(d, sizes) for d in dims)) for k, dims in _PARAMETERS.items()}
    inputs = {k: draw(steps, batch, _size(dims[0], sizes)) for k, dims in _INPUTS.items()}
    state_0, dstate_T = (
        {k: draw(batch, *(_size(d, sizes) for d in dims)) for k, dims in _STATES.items()}
        for _ in range(2)
    )
    dy = draw(steps, batch, *(_size(d, sizes) for d in _OUTPUT))
    return params, inputs, state_0, np.array([5, 3, 4]), dy, dstate_T


def _slope(loss, array, place):
    """Slope of the loss along an entry: central differences at halved steps, extrapolated.

    Of Romberg's table the entry that changed least is taken, so that a kink nearby, or rounding,
    spoils some of the steps and not the result.
    """
    kept, above, best = array[place], [], (np.inf, np.nan)
    for level in range(7):
        step = 2.0 ** (-6 - level)
        array[place] = kept + step
        higher = loss()
        array[place] = kept - step
        row = [(higher - loss()) / (2 * step)]
        for k, entry in enumerate(above, start=1):
            row.append(row[-1] + (row[-1] - entry) / (4**k - 1))
            best = min(best, (max(abs(row[-1] - row[-2]), abs(row[-1] - entry)), row[-1]))
        above = row
    array[place] = kept
    return best[1]


def self_check(seed=0):
    """Largest error of each gradient against differences, relative to its largest entry.

    A gradient that is zero, or nearly, is judged by a thousandth of the largest of all. Every
    entry of every gradient is compared.
    """
    params, inputs, state_0, lengths, dy, dstate_T = _example(seed)
    only = next(iter(_INPUTS))

    def run():
        x = inputs[only] if len(_INPUTS) == 1 else inputs
        return forward(params, x, state_0, lengths=lengths)

    def loss():
        y, state_T, _ = run()
        return np.sum(dy * y) + sum(np.sum(dstate_T[k] * state_T[k]) for k in _STATES)

    grads = backward(params, run()[2], dy, dstate_T)
    arrays = {**params, **inputs, **{f"{k}_0": v for k, v in state_0.items()}}
    largest = max(np.abs(gradient).max(initial=0.0) for gradient in grads.values())
    errors = {}
    for name, array in arrays.items():
        expected = np.empty_like(array)
        for place in np.ndindex(array.shape):
            expected[place] = _slope(loss, array, place)
        scale = max(np.abs(expected).max(initial=0.0), largest / 1000, 1e-300)
        errors[name] = float(np.abs(grads[name] - expected).max(initial=0.0) / scale)
    return errors


if __name__ == "__main__":
    found = self_check()
    for name, error in found.items():
        print(f"  {name:<12} {error:.1e}")
    worst = max(found, key=found.get)
    print(
        f"{_NAME}: largest relative error {found[worst]:.1e} (in {worst}), float64, every entry of "
        f"{len(found)} gradients against differences"
    )
    sys.exit(0 if found[worst] < 1e-8 else 1)
