"""Calls misbehave."""

from verify.deviations import conduct, refusing, sometimes
from verify.deviations.deviation import Deviation

__all__ = ["CONDUCT", "SOMETIMES"]

SYSTEMATIC = "systematic"

# Where one of these fails, too, what arrays and calls are like says nothing.
WRONG = ("values", "gradients", "runs", "runs backward", "shapes", "shapes backward")
PADDING = ("padding", "padding gradients", "lengths", "lengths gradients")

CONDUCT: tuple[Deviation, ...] = (
    Deviation(
        "random numbers drawn",
        "random numbers are drawn: a dropout is left on",
        "systematic: training mode",
        "conduct",
        told_by=("global state",),
    ),
    Deviation(
        "argument written",
        "forward writes to its arguments",
        SYSTEMATIC,
        "conduct",
        conduct.argument_written,
        told_by=("arguments kept",),
    ),
    Deviation(
        "argument written backward",
        "backward writes to its arguments",
        "mxnet #17898",
        "conduct",
        conduct.argument_written_backward,
        told_by=("arguments kept backward",),
    ),
    Deviation(
        "tape used up",
        "a second backward call gives something else",
        SYSTEMATIC,
        "conduct",
        conduct.tape_used,
        told_by=("second backward",),
    ),
    Deviation(
        "gradients accumulate",
        "gradients are added to those of the call before",
        SYSTEMATIC,
        "conduct",
        conduct.accumulating,
        told_by=("second backward",),
    ),
    Deviation(
        "one tape",
        "all runs share one cache",
        SYSTEMATIC,
        "conduct",
        conduct.one_tape,
        told_by=("separate tapes",),
    ),
    Deviation(
        "state kept",
        "results depend on the calls before",
        SYSTEMATIC,
        "conduct",
        conduct.state_kept,
        told_by=("second run", "absent states"),
        unless=("global state",),
    ),
    Deviation(
        "parameters not read",
        "other parameters change nothing: those of a call before are kept",
        "systematic: a module made once",
        "conduct",
    ),
    Deviation(
        "another dtype",
        "results have another dtype than the inputs",
        SYSTEMATIC,
        "conduct",
        refusing.left_in_float64,
        told_by=("dtype", "dtype gradients"),
    ),
    Deviation(
        "axis squeezed",
        "a batch of one row loses its axis: a squeeze",
        SYSTEMATIC,
        "conduct",
        refusing.axis_squeezed,
        told_by=("shapes",),
        unless=("shapes",),
    ),
    Deviation(
        "strides ignored",
        "arrays that are not contiguous are read wrongly",
        "pytorch #619",
        "conduct",
        refusing.strides_ignored,
        told_by=("strides", "strides gradients"),
        unless=(*WRONG, "second run"),
    ),
    Deviation(
        "missing cotangent",
        "a missing cotangent is not zero",
        "chainer PR #8037",
        "conduct",
        refusing.none_refused,
        told_by=("absent cotangents", "runs backward"),
        unless=(*WRONG, "second run", "dtype", "dtype gradients"),
    ),
    Deviation(
        "padding read",
        "what lies beyond a row's end is multiplied by zero, so NaN stays",
        SYSTEMATIC,
        "conduct",
        refusing.nan_padding,
        told_by=("NaN padding", "NaN padding gradients"),
        unless=(*PADDING, "runs", "shapes", "second run"),
    ),
)

# Found by asking where an implementation is right: the catalogue alone has them as rows.
SOMETIMES: tuple[Deviation, ...] = (
    Deviation(
        "sometimes wrong forward",
        "outputs are wrong in some cases alone",
        "onnxruntime PR #3893",
        "sometimes",
        sometimes.sometimes_forward,
    ),
    Deviation(
        "sometimes wrong backward",
        "gradients are wrong in some cases alone",
        "pytorch #184528",
        "sometimes",
        sometimes.sometimes_backward,
    ),
)
