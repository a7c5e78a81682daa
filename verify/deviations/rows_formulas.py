"""The formulas of backward are wrong."""

from verify.deviations import matrices, reading, recomputing, results, slopes, terms
from verify.deviations.deviation import Deviation

__all__ = ["FORMULAS"]

SYSTEMATIC = "systematic"

FORMULAS: tuple[Deviation, ...] = (
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
        "cotangent incomplete",
        "a cotangent is read before all of its terms are added",
        SYSTEMATIC,
        "backward",
        reading.incomplete,
    ),
    Deviation(
        "value held constant",
        "no gradient goes through a value",
        "fla PR #6",
        "backward",
        matrices.held_constant,
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
    *(
        Deviation(
            f"{what} {word}",
            f"a term of {of} is {said}",
            SYSTEMATIC,
            "backward",
            terms.multiplied(part, factor),
        )
        for part, what, of in (
            ("parameters", "parameter term", "a parameter's gradient"),
            ("inputs", "input term", "dx"),
            ("states", "recurrent term", "what is carried back"),
            ("backward", "inner term", "a cotangent"),
        )
        for word, said, factor in (
            ("doubled", "counted twice", 2),
            ("negated", "of the wrong sign", -1),
        )
    ),
    Deviation("slope omitted", "a slope is left out", "pytorch #11662", "backward", slopes.omitted),
    Deviation(
        "slope at the argument",
        "a slope's formula is given the argument for the value: 1 - C**2 for 1 - tanh(C)**2",
        SYSTEMATIC,
        "backward",
        slopes.at_argument,
    ),
    Deviation(
        "slope of the activated value",
        "a derivative is applied to a value that is activated already",
        SYSTEMATIC,
        "backward",
        slopes.activated,
    ),
    Deviation(
        "slope of another function",
        "a slope is that of another function",
        "pytorch #11662",
        "backward",
        slopes.of_another,
    ),
    Deviation(
        "slope negated", "a slope has the wrong sign", SYSTEMATIC, "backward", slopes.negated
    ),
    Deviation(
        "slope formula",
        "a slope's formula is wrong",
        SYSTEMATIC,
        "backward",
        slopes.other_formula,
    ),
    Deviation(
        "several slopes",
        "several slopes are wrong in the same way",
        SYSTEMATIC,
        "backward",
        slopes.several,
    ),
    Deviation(
        "slope lost on the way",
        "a slope is left out in some of what is made with it",
        SYSTEMATIC,
        "backward",
        reading.slope_lost,
    ),
    Deviation(
        "slope of another step",
        "a slope is taken at another step",
        SYSTEMATIC,
        "backward",
        slopes.stale,
    ),
    Deviation(
        "factor missing",
        "a factor of a gradient is missing",
        "fla #1071",
        "backward",
        terms.factor_missing,
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
        recomputing.state_of_before,
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
        for part, what, of in (
            ("parameters", "parameter term", "a parameter's gradient"),
            ("inputs", "input term", "dx"),
            ("states", "recurrent term", "what is carried back"),
            ("backward", "inner term", "a cotangent"),
        )
    ),
)
