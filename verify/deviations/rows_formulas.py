"""The formulas of backward are wrong."""

from verify.deviations import counts, matrices, pairs, reading, recomputing, results, slopes, terms
from verify.deviations.deviation import Deviation
from verify.deviations.rows_slopes import SLOPES

__all__ = ["FORMULAS"]

SYSTEMATIC = "systematic"

# A part of the derivation, what its terms are called, and of what they are.
_PARTS = (
    ("parameters", "parameter term", "a parameter's gradient"),
    ("inputs", "input term", "dx"),
    ("states", "recurrent term", "what is carried back"),
    ("backward", "inner term", "a cotangent"),
)

FORMULAS: tuple[Deviation, ...] = (
    Deviation(
        "Jacobian not transposed",
        "what is carried back is multiplied by the step's Jacobian, not by its transpose",
        SYSTEMATIC,
        "backward",
        pairs.jacobian_transposed,
    ),
    Deviation(
        "carry overwritten",
        "what is carried from the step after, or from outside, is written over: = for +=",
        "mxnet #4057",
        "backward",
        terms.overwritten,
    ),
    Deviation(
        "backward of the cell",
        "forward computes something else, and backward is that of the cell",
        SYSTEMATIC,
        "backward",
    ),
    Deviation(
        "recurrent path missing",
        "a way back to the step before is missing",
        SYSTEMATIC,
        "backward",
        terms.missing("states"),
    ),
    Deviation(
        "terms written over",
        "of several terms one is kept: = for +=",
        "mxnet #4057",
        "backward",
        terms.alone,
    ),
    Deviation(
        "input path missing",
        "a term of dx is missing",
        "systematic",
        "backward",
        terms.missing("inputs"),
    ),
    Deviation(
        "gradient zero",
        "a gradient is zero",
        "systematic: never computed",
        "backward",
        results.zeroed,
    ),
    Deviation(
        "normaliser held constant",
        "no gradient goes through a normaliser or stabiliser",
        "xLSTM appendix",
        "backward",
        matrices.normaliser_held,
        by_design=True,
    ),
    Deviation(
        "statistics held constant",
        "no gradient goes through the statistics of a normalisation",
        SYSTEMATIC,
        "backward",
        matrices.statistics_held,
        by_design=True,
    ),
    Deviation(
        "value held constant",
        "no gradient goes through a value",
        "fla PR #6",
        "backward",
        matrices.held_constant,
    ),
    Deviation(
        "term missing",
        "a term of a gradient is missing",
        "tensorflow #34171",
        "backward",
        terms.missing("backward"),
    ),
    Deviation(
        "parameter term missing",
        "a term of a parameter's gradient is missing",
        SYSTEMATIC,
        "backward",
        terms.missing("parameters"),
    ),
    Deviation(
        "cotangent incomplete",
        "a cotangent is read before all of its terms are added",
        SYSTEMATIC,
        "backward",
        reading.incomplete,
    ),
    *(
        Deviation(
            f"{what} {word}",
            f"a term of {of} is {said}",
            SYSTEMATIC,
            "backward",
            terms.multiplied(part, factor),
        )
        for part, what, of in _PARTS
        for word, said, factor in (
            ("doubled", "counted twice", 2),
            ("negated", "of the wrong sign", -1),
        )
    ),
    *SLOPES,
    Deviation(
        "factor missing",
        "a factor of a gradient is missing",
        "fla #1071",
        "backward",
        terms.factor_missing,
    ),
    Deviation(
        "gain missing",
        "a gain is left out on the way back",
        SYSTEMATIC,
        "backward",
        counts.gain_missing,
    ),
    Deviation(
        "sum for a mean",
        "on the way back a sum is taken for a mean over units, or a mean for a sum",
        SYSTEMATIC,
        "backward",
        counts.count_wrong,
    ),
    Deviation(
        "factors exchanged",
        "the cotangents of two factors of a product are exchanged",
        SYSTEMATIC,
        "backward",
        terms.factors_exchanged,
    ),
    Deviation(
        "matrix not transposed",
        "U for its transpose on the way back",
        "pytorch PR #95137",
        "backward",
        matrices.unturned,
    ),
    Deviation(
        "gradient transposed",
        "a square matrix's gradient is transposed",
        "pytorch PR #95137",
        "backward",
        matrices.gradient_turned,
    ),
    Deviation(
        "gradient of another parameter",
        "one parameter's gradient is given for another's",
        SYSTEMATIC,
        "backward",
        results.taken,
    ),
    Deviation(
        "delta of another gate",
        "a parameter's gradient is made with the wrong delta",
        "cuTAGI #77",
        "backward",
        matrices.delta_of_another,
    ),
    Deviation(
        "one delta for all gates",
        "several gates' gradients are made with one gate's delta",
        "cuTAGI #77",
        "backward",
        matrices.one_delta,
    ),
    Deviation(
        "deltas mixed",
        "deltas of gates are exchanged",
        "cuTAGI #77",
        "backward",
        matrices.deltas_exchanged,
    ),
    Deviation(
        "another value for a factor",
        "a gradient reads one value for another",
        SYSTEMATIC,
        "backward",
        terms.factor_replaced,
    ),
    Deviation(
        "column cut elsewhere",
        "the gradients of an input and of a state are cut from one column at the wrong place",
        "systematic: [h; x] against [x; h]",
        "backward",
        pairs.cut_elsewhere,
    ),
    Deviation(
        "part of a value",
        "a gradient reads a value without one of its summands",
        SYSTEMATIC,
        "backward",
        reading.part_of_value,
    ),
    Deviation(
        "complement in a gradient",
        "a gradient reads 1 - z for z",
        SYSTEMATIC,
        "backward",
        reading.complement,
    ),
    Deviation(
        "another value elsewhere",
        "a slope or a parameter's gradient reads one value for another",
        "systematic: copied from the gate above",
        "backward",
        reading.elsewhere,
    ),
    Deviation(
        "another matrix",
        "a gradient goes back through another parameter",
        SYSTEMATIC,
        "backward",
        reading.matrices,
    ),
    Deviation(
        "gate recomputed otherwise",
        "backward computes a gate again, with a constant that forward has not",
        "systematic: a forget bias in one of two places",
        "backward",
        recomputing.gate_offset,
    ),
    Deviation(
        "recomputed from the state before",
        "backward computes a value again, from the state of the step before",
        SYSTEMATIC,
        "backward",
        recomputing.from_before,
    ),
    Deviation(
        "slope raised",
        "a constant is added to a slope",
        "systematic: against vanishing gradients",
        "backward",
        families=slopes.raised,
    ),
    *(
        Deviation(
            f"{what} scaled",
            f"a term of {of} is scaled",
            SYSTEMATIC,
            "backward",
            families=terms.scaled(part),
        )
        for part, what, of in _PARTS
    ),
)
