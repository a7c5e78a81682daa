"""What holds of every step's functions and of every run: slopes, and running on from a state."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from derive.backends.coq.context import Context
from derive.backends.coq.functions import function_of
from derive.expressions import Apply

__all__ = ["laws"]

# How steep a function is at most, with the library's lemma.
STEEPNESS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sigmoid": ("/ 4", "sigm_steep"),
        "tanh": ("1", "tanh_steep"),
        "softplus": ("1", "softplus_steep"),
        "sin": ("1", "sin_steep"),
        "cos": ("1", "cos_steep"),
        "relu": ("1", "relu_steep"),
        "abs": ("1", "absolute_steep"),
    }
)


def laws(c: Context) -> Iterator[str]:
    """The slope of each function that the step applies; and chaining."""
    yield "(* ---------- slopes, and running on ---------- *)\n"
    used = [a.value.name for a in c.gradients.forward if isinstance(a.value, Apply)]
    for name in dict.fromkeys(used):
        if name in STEEPNESS:
            yield from _slope(name)
    yield "Theorem chaining p xs s0 S U :"
    yield "  run par inp st step p xs s0 (S + U) ="
    yield "  run par inp st step p (fun t => xs (S + t)%nat) (run par inp st step p xs s0 S) U."
    yield "Proof. apply run_chain. Qed."
    yield ""


def _slope(name: str) -> Iterator[str]:
    row, (most, lemma) = function_of(name), STEEPNESS[name]
    given = f"{row.smooth.format(z='y')} -> " if row.smooth else ""
    yield f"Theorem slope_of_{name} y :"
    yield f"  ({given}derivable_pt_lim {row.name} y (({row.slope}) y)) /\\"
    yield f"  Rabs (({row.slope}) y) <= {most}."
    yield f"Proof. split; [exact ({row.lemma} y) | exact ({lemma} y)]. Qed."
