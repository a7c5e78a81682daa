"""Examples within the limits of an implementation, and the refusal of those that are not."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from verify.adapters.limits import FULL, Limits, NotGivenError
from verify.kernels import Array, Arrays, Example, shape_of, sizes_of

__all__ = ["refuse", "within"]


def within(limits: Limits, example: Example) -> Example:
    """The example with what the limits exclude taken away; its label says so.

    Sizes that are fixed are reached by cutting or repeating entries, which stay distinct.
    """
    if limits == FULL:
        return example
    made, said = example, []
    for reduce, what in _REDUCTIONS:
        reduced = reduce(limits, made)
        said += [what] if reduced is not made else []
        made = reduced
    return replace(made, label=f"{example.label}; {', '.join(said)}") if said else made


def refuse(limits: Limits, example: Example) -> None:
    """Raise unless the example is within the limits.

    Raises:
        NotGivenError: says what is not taken.
    """
    for reduce, what in _REDUCTIONS:
        if reduce(limits, example) is not example:
            raise NotGivenError(f"taken are examples with {what} alone")


def _sizes(limits: Limits, example: Example) -> Example:
    sizes = sizes_of(example)
    fixed = {dim: limits.sizes.get(str(dim), size) for dim, size in sizes.items()}
    if fixed == sizes:
        return example
    cell = example.cell
    shapes = {v.name: shape_of(v, fixed) for v in (*cell.parameters, *cell.inputs, *cell.states)}
    output = shapes[cell.output.name]

    def states(arrays: Arrays | None) -> Arrays | None:
        if arrays is None:
            return None
        return {n: _resized(a, (len(a), *shapes[n])) for n, a in arrays.items()}

    return replace(
        example,
        params={n: _resized(a, shapes[n]) for n, a in example.params.items()},
        inputs={n: _resized(a, (*a.shape[:2], *shapes[n])) for n, a in example.inputs.items()},
        state_0=states(example.state_0),
        dy=None if example.dy is None else _resized(example.dy, (*example.dy.shape[:2], *output)),
        dstate_T=states(example.dstate_T),
    )


def _resized(array: Array, shape: tuple[int, ...]) -> Array:
    """Entries cut or repeated along each axis; no two repeated ones stay equal."""
    if array.shape == shape:
        return array
    found = array
    for axis, size in enumerate(shape):  # what has no entries is of one size with its shape
        if found.shape[axis] != size:
            found = np.take(found, np.arange(size) % found.shape[axis], axis=axis)
    change = 1 - 0.3 * np.arange(found.size) / max(found.size, 1)
    return np.asarray(found * change.reshape(shape), array.dtype)


def _absent(limits: Limits, example: Example) -> Example:
    params = example.params
    if not any(np.any(params[n]) for n in limits.absent):
        return example
    zeros = {n: np.zeros_like(params[n]) for n in limits.absent}
    return replace(example, params={**params, **zeros})


def _dtype(limits: Limits, example: Example) -> Example:
    if str(example.dtype) in limits.dtypes:
        return example
    dtype = np.dtype(limits.dtypes[0])
    return _changed(example, lambda a: a.astype(dtype))


def _rows(limits: Limits, example: Example) -> Example:
    if limits.rows is None or example.batch <= limits.rows:
        return example
    kept = slice(None, limits.rows)
    ends = example.lengths
    shorter = replace(
        example,
        params=example.params,
        inputs={n: a[:, kept] for n, a in example.inputs.items()},
        state_0=_each(example.state_0, lambda a: a[kept]),
        dy=None if example.dy is None else example.dy[:, kept],
        dstate_T=_each(example.dstate_T, lambda a: a[kept]),
    )
    return replace(shorter, lengths=None if ends is None else np.asarray(ends)[kept])


def _full(limits: Limits, example: Example) -> Example:
    """There is no smaller example to turn to: what has no steps or rows gets one of zeros."""
    if limits.empty or (example.steps and example.batch):
        return example
    steps, batch = max(example.steps, 1), max(example.batch, 1)

    def sequence(a: Array) -> Array:
        return np.zeros((steps, batch, *a.shape[2:]), a.dtype)

    def row(a: Array) -> Array:
        return np.resize(a, (batch, *a.shape[1:]))

    return replace(
        example,
        inputs={n: sequence(a) for n, a in example.inputs.items()},
        state_0=_each(example.state_0, row),
        lengths=None,
        dy=None if example.dy is None else sequence(example.dy),
        dstate_T=_each(example.dstate_T, row),
    )


def _lengths(limits: Limits, example: Example) -> Example:
    ends = example.lengths
    if ends is None or (limits.lengths and not (np.asarray(ends) < limits.shortest).any()):
        return example
    if not limits.lengths:
        return replace(example, lengths=None)
    return replace(example, lengths=np.maximum(ends, limits.shortest))


def _finite(limits: Limits, example: Example) -> Example:
    """No example has anything else, but for those that a property makes."""
    if not limits.finite:
        return example
    arrays = [*example.inputs.values(), *([] if example.dy is None else [example.dy])]
    if all(np.isfinite(a).all() for a in arrays):
        return example
    return _changed(example, np.nan_to_num)


def _initial(limits: Limits, example: Example) -> Example:
    given = example.state_0
    if given is None or not any(np.any(a) for n, a in given.items() if not limits.starts(n)):
        return example
    if not any(limits.starts(n) for n in given):
        return replace(example, state_0=None)
    return replace(
        example, state_0={n: a if limits.starts(n) else np.zeros_like(a) for n, a in given.items()}
    )


def _upstream(limits: Limits, example: Example) -> Example:
    """Cotangents that are not taken are zero; something is always asked for if it was before."""
    finals, dy = example.dstate_T, example.dy
    named = {"y": dy} | {f"{n}_T": a for n, a in (finals or {}).items()}
    asked = {n: a for n, a in named.items() if a is not None and np.any(a)}
    if all(limits.takes(n) for n in asked):
        return example
    if not any(limits.takes(n) for n in asked):
        return _asked(limits, example)
    return replace(
        example,
        dy=dy if limits.takes("y") else None,
        dstate_T=_kept(limits, finals),
    )


def _kept(limits: Limits, finals: Arrays | None) -> Arrays | None:
    if finals is None or not any(limits.takes(f"{n}_T") for n in finals):
        return None
    return {n: a if limits.takes(f"{n}_T") else np.zeros_like(a) for n, a in finals.items()}


def _asked(limits: Limits, example: Example) -> Example:
    """Cotangents on something that takes them."""
    sizes, steps, batch = sizes_of(example), example.steps, example.batch
    rng = np.random.default_rng(1000 * steps + batch)

    def drawn(*shape: int) -> Array:
        return np.asarray(rng.uniform(0.2, 1.0, shape), example.dtype)

    shapes = {s.name: (batch, *shape_of(s, sizes)) for s in example.cell.states}
    if limits.takes("y"):
        dy = drawn(steps, *shapes[example.cell.output.name])
        return replace(example, dy=dy, dstate_T=None)
    finals = {n: drawn(*s) * limits.takes(f"{n}_T") for n, s in shapes.items()}
    return replace(
        example, dy=None, dstate_T={n: a.astype(example.dtype) for n, a in finals.items()}
    )


def _demanded(limits: Limits, example: Example) -> Example:
    """Zeros for what must be given."""
    sizes, made = sizes_of(example), example
    shapes = {s.name: shape_of(s, sizes) for s in example.cell.states}
    if "dy" in limits.demanded and made.dy is None:
        output = (example.steps, example.batch, *shapes[example.cell.output.name])
        made = replace(made, dy=np.zeros(output, example.dtype))
    if "dstate_T" in limits.demanded and made.dstate_T is None:
        ends = {n: np.zeros((example.batch, *s), example.dtype) for n, s in shapes.items()}
        made = replace(made, dstate_T=ends)
    return made


def _each(arrays: Arrays | None, change: Callable[[Array], Array]) -> Mapping[str, Array] | None:
    return None if arrays is None else {n: change(a) for n, a in arrays.items()}


def _changed(example: Example, change: Callable[[Array], Array]) -> Example:
    """Every array of numbers changed."""
    return replace(
        example,
        params={n: change(a) for n, a in example.params.items()},
        inputs={n: change(a) for n, a in example.inputs.items()},
        state_0=_each(example.state_0, change),
        dy=None if example.dy is None else change(example.dy),
        dstate_T=_each(example.dstate_T, change),
    )


# What is taken away, in this order, and what an example is then said to have.
_REDUCTIONS = (
    (_sizes, "the sizes that are fixed"),
    (_absent, "zeros for parameters that it has not"),
    (_dtype, "the precision that is given"),
    (_rows, "as many rows as are taken"),
    (_full, "at least one step and one row"),
    (_lengths, "the lengths that are taken"),
    (_finite, "finite numbers"),
    (_initial, "zeros for initial states that are not taken"),
    (_upstream, "cotangents that are taken"),
    (_demanded, "zeros for cotangents that are demanded"),
)
