"""Where an implementation is wrong, if it is not wrong everywhere."""

from collections.abc import Callable, Sequence

import numpy as np

from verify.kernels import Example

__all__ = ["condition"]

Feature = tuple[str, Callable[[Example], bool]]

FEATURES: tuple[Feature, ...] = (
    ("in float32", lambda e: e.dtype == np.float32),
    ("in float64", lambda e: e.dtype == np.float64),
    ("where lengths are unequal", lambda e: e.lengths is not None),
    ("where lengths are equal", lambda e: e.lengths is None),
    ("without initial states", lambda e: e.state_0 is None),
    ("with initial states", lambda e: e.state_0 is not None),
    *((f"for B = {b}", lambda e, b=b: e.batch == b) for b in (1, 2, 3)),
    *((f"for B >= {b}", lambda e, b=b: e.batch >= b) for b in (2, 3)),
    *((f"for T = {t}", lambda e, t=t: e.steps == t) for t in (1, 2, 3, 4)),
    *((f"for T >= {t}", lambda e, t=t: e.steps >= t) for t in range(2, 10)),
    ("for B = 1 or T = 1", lambda e: e.batch == 1 or e.steps == 1),
)


def condition(wrong: Sequence[Example], fine: Sequence[Example]) -> str:
    """What all wrong examples have and no other one has; '' if nothing that is known here."""
    for text, holds in FEATURES:
        if all(holds(e) for e in wrong) and not any(holds(e) for e in fine):
            return text
    return ""
