"""The field's gradient checkers: rows, each called as its documentation shows.

All of them are told that the function has a first derivative in reverse mode alone, since that is
what a kernel has.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from layers import Layer, jax_layer, torch_layer

__all__ = ["BY_NAME", "CHECKERS", "TIGHT", "Checker", "accuses", "gradcheck", "missing"]

# By dtype: gradcheck as tight as it may be. docs/beside/detection.py tries others, and shows that
# ten times tighter it accuses right layers.
TIGHT: Mapping[str, Mapping[str, float]] = {
    "float64": {"eps": 1e-5, "atol": 1e-9, "rtol": 1e-9},
    "float32": {"eps": 1e-2, "atol": 1e-3, "rtol": 1e-3},
}


@dataclass(frozen=True)
class Checker:
    """A way to check gradients.

    Attributes:
        shown: how it is called, for a reader.
        package: what must be installed; '' for nothing but NumPy.
        check: raises, or returns False, where it finds something.
    """

    name: str
    shown: str
    package: str
    check: Callable[[Layer], Any]


def accuses(checker: Checker, made: Layer) -> bool:
    """Whether the checker finds anything: an exception of the layer is found as well."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return checker.check(made) is False
        except Exception:
            return True


def missing() -> dict[str, str]:
    """Packages that are not installed, with the checkers that need them."""
    found: dict[str, str] = {}
    for row in CHECKERS:
        if row.package and find_spec(row.package) is None:
            found[row.package] = ", ".join(filter(None, (found.get(row.package), row.name)))
    return found


def gradcheck(made: Layer, **options: Any) -> bool:
    """torch.autograd.gradcheck."""
    import torch

    torch.manual_seed(0)
    function, arguments = torch_layer(made)
    return torch.autograd.gradcheck(function, arguments, **options)


def _tight(made: Layer) -> bool:
    return gradcheck(made, **TIGHT[str(next(iter(made.arrays.values())).dtype)])


def _fast(made: Layer) -> bool:
    return gradcheck(made, fast_mode=True)


def _check_grads(made: Layer) -> None:
    from jax.test_util import check_grads

    with _wide(made):
        function, arguments = jax_layer(made)
        check_grads(function, arguments, order=1, modes=["rev"])


def _chex(made: Layer) -> None:
    import chex

    with _wide(made):
        function, arguments = jax_layer(made)
        chex.assert_numerical_grads(function, arguments, order=1, modes=["rev"])


@contextmanager
def _wide(made: Layer) -> Iterator[None]:
    """JAX computes in float64 where the arguments are; else as it does by default."""
    import jax

    with jax.enable_x64(next(iter(made.arrays.values())).dtype == np.float64):
        yield


def _differences(made: Layer) -> bool:
    """Central differences over all entries, of random weights times what is returned."""
    rng, step, arrays = np.random.default_rng(0), 1e-5, list(made.arrays.values())
    results, kept = made.forward(*(a.copy() for a in arrays))
    weights = [np.ones_like(a) if made.use.summed else rng.normal(size=a.shape) for a in results]
    weights = [w.astype(a.dtype) for w, a in zip(weights, results, strict=True)]
    found = made.backward(kept, weights)

    def loss(given: list[Any]) -> float:
        pairs = zip(weights, made.forward(*given)[0], strict=True)
        return float(sum(np.sum(w * a) for w, a in pairs))

    for place, (array, gradient) in enumerate(zip(arrays, found, strict=True)):
        slopes = np.zeros(array.shape)
        for entry in np.ndindex(array.shape):
            ends = []
            for moved in (step, -step):
                given = [a.copy() for a in arrays]
                given[place][entry] += moved
                ends.append(loss(given))
            slopes[entry] = (ends[0] - ends[1]) / (2 * step)
        if not np.allclose(gradient, slopes, rtol=1e-5, atol=1e-7):
            return False
    return True


CHECKERS: tuple[Checker, ...] = (
    Checker("gradcheck", "`torch.autograd.gradcheck(f, args)`", "torch", gradcheck),
    Checker("gradcheck, tight", "`gradcheck` with the tightest tolerances", "torch", _tight),
    Checker("gradcheck, fast", "`gradcheck(f, args, fast_mode=True)`", "torch", _fast),
    Checker(
        "check_grads",
        '`jax.test_util.check_grads(f, args, order=1, modes=["rev"])`',
        "jax",
        _check_grads,
    ),
    Checker(
        "chex",
        '`chex.assert_numerical_grads(f, args, order=1, modes=["rev"])`',
        "chex",
        _chex,
    ),
    Checker(
        "differences",
        "central differences, step 1e-5, `np.allclose(rtol=1e-5, atol=1e-7)`",
        "",
        _differences,
    ),
)
BY_NAME: Mapping[str, Checker] = {row.name: row for row in CHECKERS}
