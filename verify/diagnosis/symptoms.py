"""What is seen where no cause is known: properties that fail, in plain words."""

from collections.abc import Collection, Sequence

import numpy as np

from verify.diagnosis.observing import Observation

__all__ = ["symptoms"]

# Of these the first few that hold are said: one mistake breaks many properties.
SHOWN = 3

# Properties of which one fails, and what that says.
ROWS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("second run",), "a second run gives something else"),
    (("runs", "runs backward"), "a call raises"),
    (("shapes", "shapes backward"), "a result has another shape: a sum or a broadcast too many"),
    (("batch",), "rows of a batch see each other"),
    (("causality",), "a step reads inputs that come later"),
    (("batch gradients",), "a parameter's gradient is not the sum over rows"),
    (("causality gradients",), "the gradient of an input takes part in what came before it"),
    (("padding", "padding gradients"), "what lies beyond a row's end is read"),
    (("lengths", "lengths gradients"), "a row that ends early is not that shorter sequence"),
    (("linearity",), "backward is not linear in the cotangents"),
    (("absent states",), "no initial states are not zeros"),
    (("absent cotangents",), "no cotangents are not zeros"),
    (("chaining", "chaining gradients"), "a sequence in two pieces is not the whole sequence"),
    (("unit order", "unit order gradients"), "units are not treated alike"),
)


def symptoms(failed: Collection[str], seen: Sequence[Observation]) -> tuple[str, ...]:
    """What failing properties and results say, the most telling first.

    Args:
        failed: names of properties.
        seen: what the implementation gave.
    """
    said = [text for names, text in ROWS if any(n in failed for n in names)]
    if any(_overflows(o) for o in seen):
        said.insert(0, "a result is not finite where the cell's is: something overflows")
    return tuple(said[:SHOWN])


def _overflows(o: Observation) -> bool:
    with np.errstate(all="ignore"):
        return any(
            bool((~np.isfinite(a) & np.isfinite(o.right.bounds[n])).any())
            for n, a in o.results.items()
        )
