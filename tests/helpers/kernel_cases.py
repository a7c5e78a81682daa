"""The cells that emitted kernels are tested with: the zoo's core, and awkward ones."""

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
from core import CORE
from emitted import SIZES, kernel_of
from odd_cells import ODD, odd

from derive.gradients import Gradients, gradients
from derive.zoo import load
from verify.kernels import Example
from verify.strategies import make_example

__all__ = ["ALL", "DTYPES", "ZOO", "derived_for", "made"]

ZOO = CORE
ALL = (*ZOO, *ODD)
DTYPES = (np.float64, np.float32)


@cache
def derived_for(name: str) -> Gradients:
    """The gradients of a cell of the zoo or of an odd one."""
    return gradients(load(name) if name in ZOO else odd(name))


def made(name: str) -> tuple[ModuleType, Gradients, Callable[..., Example]]:
    """(a kernel of its own, gradients, function that makes examples) of a cell."""
    derived = derived_for(name)

    def example(steps=4, batch=3, seed=0, sizes=SIZES, **options):
        return make_example(
            derived.cell, steps=steps, batch=batch, sizes=sizes, seed=seed, **options
        )

    return kernel_of(derived), derived, example
