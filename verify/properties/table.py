"""The properties, one row each, with the reason why each must hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from verify.properties import conduct, oracles, padding, relations, upstream
from verify.properties.trial import BrokenError, Failure, Skip, Trial

__all__ = ["PROPERTIES", "Check", "Property"]

Check = Callable[[Trial], Failure | Skip | None]


@dataclass(frozen=True)
class Property:
    """Something that must hold of an implementation on every example.

    Attributes:
        reason: why it must hold.
        needs: whether the check calls `backward`.
        every: judged on every so many examples only, where a check is expensive.
        first: whether it judges that there is a result at all.
    """

    name: str
    reason: str
    needs: Literal["forward", "backward"]
    check: Check
    every: int = 1
    first: bool = False

    def judge(self, trial: Trial) -> Failure | Skip | None:
        """The check, where a call that breaks is a failure as well."""
        broken = trial.broken if self.needs == "forward" else trial.broken_backward
        if broken is not None and not self.first:
            return Skip("no example ran")
        try:
            return self.check(trial)
        except BrokenError as error:
            return error.failure


# The first four judge whether there is anything that the others can judge.
PROPERTIES: tuple[Property, ...] = (
    Property(
        "runs",
        "an example within the contract is computed, not refused",
        "forward",
        conduct.runs,
        first=True,
    ),
    Property(
        "runs backward",
        "a tape of forward and any cotangents of the right shape have a gradient",
        "backward",
        conduct.runs_backward,
        first=True,
    ),
    Property(
        "shapes",
        "outputs are (T, B, n), final states are (B, n) by name",
        "forward",
        conduct.shapes,
        first=True,
    ),
    Property(
        "shapes backward",
        "a gradient has the shape of what it is the gradient of",
        "backward",
        conduct.shapes_gradients,
        first=True,
    ),
    Property(
        "values",
        "outputs and final states are what the cell's equations give, up to rounding",
        "forward",
        oracles.values,
    ),
    Property(
        "gradients",
        "the gradients of <dy, y> + <dstate_T, state_T> are those derived from the equations",
        "backward",
        oracles.gradients,
    ),
    Property(
        "differences",
        "a gradient is the derivative of what forward computes, whichever cell that is",
        "backward",
        oracles.differences,
        every=10,
    ),
    Property(
        "state path",
        "with the matrices that read lagged states zero, every unit lives on its own, so an "
        "initial state's gradient is the product over time of its direct coefficients",
        "backward",
        oracles.state_path,
        every=4,
    ),
    Property(
        "ranges",
        "primitives have ranges, and what is made of them lies where interval arithmetic says",
        "forward",
        oracles.ranges,
        every=3,
    ),
    Property(
        "chaining",
        "the states are all that one step hands to the next, so a sequence may be cut anywhere",
        "forward",
        relations.chaining,
        every=2,
    ),
    Property(
        "chaining gradients",
        "the carries are all that one step hands back, so backward may be cut where forward is",
        "backward",
        relations.chaining_gradients,
        every=2,
    ),
    Property(
        "causality",
        "a step reads inputs up to its own time",
        "forward",
        relations.causality,
        every=2,
    ),
    Property(
        "causality gradients",
        "an input cannot change what came before it",
        "backward",
        relations.causality_gradients,
        every=2,
    ),
    Property(
        "batch",
        "rows of a batch are separate sequences",
        "forward",
        relations.batch,
        every=2,
    ),
    Property(
        "batch gradients",
        "rows are separate, so parameters' gradients are sums over rows",
        "backward",
        relations.batch_gradients,
        every=2,
    ),
    Property(
        "unit order",
        "the equations name no unit: reordered parameters and states give reordered results",
        "forward",
        relations.units,
        every=3,
    ),
    Property(
        "unit order gradients",
        "the derivative of something that has no order of units has none",
        "backward",
        relations.units_gradients,
        every=3,
    ),
    Property(
        "padding",
        "what lies beyond a row's length does not exist",
        "forward",
        padding.garbage,
    ),
    Property(
        "padding gradients",
        "what lies beyond a row's length does not exist: nothing there has or gives a gradient",
        "backward",
        padding.garbage_gradients,
    ),
    Property(
        "NaN padding",
        "what lies beyond a row's length is not read, not even to be multiplied by zero",
        "forward",
        padding.nan,
    ),
    Property(
        "NaN padding gradients",
        "what lies beyond a row's length is not read, not even to be multiplied by zero",
        "backward",
        padding.nan_gradients,
    ),
    Property(
        "lengths",
        "a row that ends early is that shorter sequence, and its state stays as it ended",
        "forward",
        padding.rows,
        every=2,
    ),
    Property(
        "lengths gradients",
        "a row that ends early has the gradients of that shorter sequence",
        "backward",
        padding.rows_gradients,
        every=2,
    ),
    Property(
        "absent states",
        "no initial states means zeros",
        "forward",
        upstream.absent_states,
        every=4,
    ),
    Property(
        "absent cotangents",
        "no cotangents means zeros",
        "backward",
        upstream.absent_cotangents,
        every=4,
    ),
    Property(
        "linearity",
        "a derivative is a linear function of the cotangents",
        "backward",
        upstream.linearity,
        every=4,
    ),
    Property(
        "second run",
        "results depend on arguments alone, not on what ran before",
        "forward",
        conduct.twice,
    ),
    Property(
        "second backward",
        "backward reads a tape and does not use it up",
        "backward",
        conduct.twice_backward,
    ),
    Property(
        "separate tapes",
        "a tape belongs to its own forward run",
        "backward",
        conduct.tapes,
        every=2,
    ),
    Property(
        "arguments kept",
        "arguments belong to the caller: forward writes to none of them",
        "forward",
        conduct.untouched,
    ),
    Property(
        "arguments kept backward",
        "arguments and results belong to the caller: backward writes to none of them",
        "backward",
        conduct.untouched_backward,
    ),
    Property(
        "dtype",
        "results have the dtype of the inputs",
        "forward",
        conduct.dtype_values,
    ),
    Property(
        "dtype gradients",
        "gradients have the dtype of the inputs",
        "backward",
        conduct.dtype_gradients,
    ),
    Property(
        "strides",
        "an array is its entries, however they lie in memory",
        "forward",
        conduct.strided,
        every=2,
    ),
    Property(
        "strides gradients",
        "an array is its entries, however they lie in memory",
        "backward",
        conduct.strided_gradients,
        every=2,
    ),
    Property(
        "no steps",
        "a sequence of no steps ends where it starts",
        "forward",
        conduct.no_steps,
        every=8,
    ),
    Property(
        "no steps gradients",
        "a sequence of no steps hands cotangents of final states through, and uses no parameter",
        "backward",
        conduct.no_steps_gradients,
        every=8,
    ),
    Property(
        "no rows",
        "a batch of no rows is a batch",
        "forward",
        conduct.no_batch,
        every=8,
    ),
    Property(
        "no rows gradients",
        "a sum over no rows is zero",
        "backward",
        conduct.no_batch_gradients,
        every=8,
    ),
    Property(
        "states read",
        "results depend on the initial states wherever the equations say so",
        "forward",
        conduct.state_read,
        every=4,
    ),
)
