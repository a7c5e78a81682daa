"""What surrounds the formulas of forward is wrong: states, time, lengths, rows."""

from verify.deviations import around, ends, recomputing, viewing
from verify.deviations.deviation import Deviation

__all__ = ["AROUND"]

SYSTEMATIC = "systematic"

AROUND: tuple[Deviation, ...] = (
    Deviation(
        "initial state ignored",
        "initial states are ignored or exchanged",
        "onnx-tensorflow #409",
        "forward",
        around.initial_states,
    ),
    Deviation(
        "initial state transformed",
        "an initial state goes through a function first",
        "minGRU-pytorch #9",
        "forward",
        around.state_transformed,
    ),
    Deviation(
        "state not carried",
        "a state is not updated from step to step",
        "burn #2701",
        "forward",
        around.not_carried,
    ),
    Deviation(
        "state reset",
        "a state starts at zero again every so many steps",
        "systematic: chunks that hand one state over",
        "forward",
        ends.state_reset,
    ),
    Deviation(
        "time reversed",
        "the sequence is read from its end",
        "onnxruntime #4187",
        "forward",
        around.reversed_time,
    ),
    Deviation(
        "inputs of another step",
        "inputs are off by one step",
        SYSTEMATIC,
        "forward",
        around.inputs_moved,
    ),
    Deviation(
        "output one step late",
        "outputs are off by one step",
        SYSTEMATIC,
        "forward",
        around.output_other,
    ),
    Deviation(
        "another value as output",
        "y is another value of the step",
        SYSTEMATIC,
        "forward",
        around.output_another,
    ),
    Deviation(
        "lengths ignored",
        "lengths of rows are ignored",
        "ONNX node tests: short sequence_lens",
        "forward",
        around.padding,
    ),
    Deviation(
        "ends off",
        "rows end at the wrong step",
        "systematic: t <= length",
        "forward",
        ends.ends_moved,
    ),
    Deviation(
        "states run on",
        "states are computed on beyond a row's end",
        SYSTEMATIC,
        "forward",
        ends.runs_on,
    ),
    Deviation(
        "final state of a step before",
        "a final state is not that after the last step",
        SYSTEMATIC,
        "forward",
        ends.earlier_states,
    ),
    Deviation(
        "outputs reversed",
        "outputs are in another order of steps",
        SYSTEMATIC,
        "forward",
        recomputing.outputs_reversed,
    ),
    Deviation(
        "axes exchanged by a reshape",
        "axes are exchanged by a reshape, not by a transpose: rows are mixed",
        "systematic: view for permute",
        "forward",
        viewing.inputs_viewed,
    ),
)
