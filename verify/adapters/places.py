"""Which entry of a cell's parameters stands where in somebody's arrays: both directions of a map.

A parameter that stands in several places is the sum of what stands there, as with two biases: the
first place has its value, the others have zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from verify.kernels import Array, Arrays

__all__ = ["Arrangement", "Place", "Shapes", "numbered"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Place:
    """One array: entry = factor * parameters[id] + constant.

    Attributes:
        ids: which entry of all parameters end to end; -1: none, it is the constant.
        first: whether the entry has the parameter's value, not zero for a further term of a sum.
    """

    ids: Array
    factor: Array
    constant: Array
    first: Array


@dataclass(frozen=True)
class Arrangement:
    """Both directions between the cell's parameters and somebody's arrays.

    Attributes:
        find: the places, from the parameters' shapes. It is asked once for shapes.
        own: whether somebody's arrays are the cell's parameters, which are then passed on.
    """

    find: Callable[[Shapes], Mapping[str, Place]]
    own: bool = False
    _known: dict[tuple[tuple[str, tuple[int, ...]], ...], Mapping[str, Place]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def places(self, params: Arrays) -> Mapping[str, Place]:
        """By somebody's names, for parameters of these shapes."""
        shapes = {n: np.shape(a) for n, a in params.items()}
        key = tuple(shapes.items())
        if key not in self._known:
            self._known[key] = self.find(shapes)
        return self._known[key]

    def arrays(self, params: Arrays) -> dict[str, Array]:
        """Somebody's arrays from the cell's parameters."""
        if self.own:
            return dict(params)
        flat = _flat(params)
        found = {}
        for name, place in self.places(params).items():
            values = np.where(place.first, place.factor * flat[place.ids], 0) + place.constant
            found[name] = values.astype(flat.dtype)
        return found

    def write_back(self, found: Arrays, params: Arrays) -> None:
        """Write to the parameters what somebody wrote to arrays made of them."""
        if self.own:
            return
        places, flat = self.places(params), _flat(params)
        for name, array in self.arrays(params).items():
            value = found.get(name)
            if not isinstance(value, np.ndarray) or array.tobytes() == value.tobytes():
                continue
            changed = (array != value) & places[name].first
            place = places[name]
            flat[place.ids[changed]] = ((value - place.constant) / place.factor)[changed]
            numbers = numbered({n: np.shape(a) for n, a in params.items()})
            for parameter, number in numbers.items():
                params[parameter][...] = flat[number]

    def gradients(self, given: Arrays, params: Arrays) -> dict[str, Array]:
        """Gradients for the cell's parameters; one of which an array is not given is left out.

        Where a parameter stands in several places, its entries come from each of them in turn, so
        that a wrong one of equal gradients shows.

        Raises:
            ValueError: a gradient has another shape than its array.
        """
        flat = _flat(params)
        total = np.zeros(flat.shape, np.result_type(flat.dtype, *given.values()))
        filled = np.zeros(flat.shape, bool)
        for name, place in self.places(params).items():
            if name not in given:
                continue
            gradient, ids = np.asarray(given[name]), place.ids
            if gradient.shape != ids.shape:
                shapes = f"{gradient.shape}, expected {ids.shape}"
                raise ValueError(f"the gradient of {name} has shape {shapes}")
            for part in (place.first, ~place.first):
                new = part & (ids >= 0) & (~filled[ids] | (ids % 2 == 1))
                total[ids[new]] = (gradient * place.factor)[new]
                filled[ids[part & (ids >= 0)]] = True
        numbers = numbered({n: np.shape(a) for n, a in params.items()})
        return {n: total[i] for n, i in numbers.items() if filled[i].all()}


def numbered(shapes: Shapes) -> dict[str, Array]:
    """Each entry's place with all parameters end to end."""
    found, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = np.arange(start, start + size).reshape(shape)
        start += size
    return found


def _flat(params: Arrays) -> Array:
    flat = [np.ravel(a) for a in params.values()]
    return np.concatenate(flat) if flat else np.zeros(0)
