"""What an implementation takes and gives: everything else is not judged, and never accused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["FULL", "Limits", "NotGivenError", "not_given"]


class NotGivenError(NotImplementedError):
    """The implementation does not take this, or does not give it, and says so."""


@dataclass(frozen=True)
class Limits:
    """The part of the contract of `verify.kernels` that an implementation offers.

    Attributes:
        lengths: whether sequences of unequal lengths are taken.
        shortest: the smallest length that is taken.
        empty: whether T = 0 and B = 0 are taken.
        rows: the largest batch; None: any.
        dtypes: what it computes in.
        initial: the states that may be started anywhere, by name, the others start at zero; None:
            all of them.
        upstream: the results whose cotangents are taken, 'y' and the final states, as 'h_T';
            None: all that are given.
        final: the final states that are given, by name; None: all of them.
        outputs: whether y is given.
        absent: parameters that it has not: they are zero.
        absolute: functions that it computes with an error that is small in absolute terms only, as
            with tanh(z) = 2*sigmoid(2*z) - 1.
        precision: the name of a row of `verify.precisions`, if it computes in a lower precision
            than that of its inputs.
        finite: whether what lies beyond a row's end must be finite, too.
        sizes: the cell's dimensions that are fixed, by name.
        gradients: whether there are any.
        demanded: of 'dy' and 'dstate_T' those that backward must be given: zeros for None.
        notes: what else is not given, each with the reason.
    """

    lengths: bool = True
    shortest: int = 0
    empty: bool = True
    rows: int | None = None
    dtypes: tuple[str, ...] = ("float32", "float64")
    initial: tuple[str, ...] | None = None
    upstream: tuple[str, ...] | None = None
    final: tuple[str, ...] | None = None
    outputs: bool = True
    absent: tuple[str, ...] = ()
    absolute: tuple[str, ...] = ()
    precision: str = ""
    finite: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    gradients: bool = True
    demanded: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def starts(self, state: str) -> bool:
        """Whether an initial state is taken."""
        return self.initial is None or state in self.initial

    def takes(self, result: str) -> bool:
        """Whether a cotangent of 'y' or of a final state, as 'h_T', is taken."""
        if self.upstream is not None:
            return result in self.upstream
        return self.outputs if result == "y" else self.ends(result.removesuffix("_T"))

    def ends(self, state: str) -> bool:
        """Whether a final state is given."""
        return self.final is None or state in self.final


FULL = Limits()


def not_given(limits: Limits, states: tuple[str, ...]) -> dict[str, str]:
    """What an implementation does not take or give, each with the reason: lines of a report."""
    return dict(_lines(limits, states))


def _lines(limits: Limits, states: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if not limits.gradients:
        yield "gradients", "the implementation has no backward"
    if not limits.lengths:
        yield "sequences of unequal lengths", "the implementation takes no lengths"
    elif limits.shortest:
        yield f"lengths below {limits.shortest}", "the implementation does not take them"
    if limits.lengths and limits.finite:
        yield "NaN beyond a row's end", "the implementation multiplies it by zero"
    if limits.rows is not None:
        yield "larger batches", f"the implementation takes no more than {_rows(limits.rows)}"
    if not limits.empty:
        yield "no steps and no rows", "the implementation takes neither T = 0 nor B = 0"
    for dtype in ("float32", "float64"):
        if dtype not in limits.dtypes:
            yield dtype, f"the implementation computes in {' and '.join(limits.dtypes)}"
    if limits.absolute:
        names = ", ".join(limits.absolute)
        yield f"small values of {names}", "the implementation has them with an absolute error"
    if not limits.outputs:
        yield "y", "forward gives final states alone"
    for state in states:
        if not limits.starts(state):
            yield f"initial {state}", "the implementation starts it at zero"
        if not limits.ends(state):
            yield f"final {state}", "forward does not give it"
    if limits.gradients:
        for result in ("y", *(f"{s}_T" for s in states)):
            if not limits.takes(result):
                yield f"cotangents of {result}", "backward does not take them"
    if limits.absent:
        yield ", ".join(limits.absent), "the implementation has no such parameters: they are zero"
    if limits.sizes:
        sizes = ", ".join(f"{name} = {size}" for name, size in limits.sizes.items())
        yield "other sizes", f"the implementation has {sizes}"
    yield from limits.notes.items()


def _rows(count: int) -> str:
    return "one row" if count == 1 else f"{count} rows"
