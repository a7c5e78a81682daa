"""Rows about gradients and paths: how a state moves with its own lag.

Words: a *memory* is a state that is not the output and whose equation names its own lag in a sum,
elementwise: s_t = k * s_{t-1} + ...; k is its *path factor*. *Direct* derivatives hold the other
states of step t-1 fixed; *total* ones follow every path.
"""

from collections.abc import Callable, Sized

from derive.gradients import Gradients
from derive.theorems.blocks import blocks, carousel, one_state
from derive.theorems.memory import no_memory, path, path_product
from derive.theorems.own_lag import no_own_lag, own_lag
from derive.theorems.recurrences import no_output_path, output_path, recurrent_jacobian
from derive.theorems.row import Identity, MustFail, Theorem
from derive.theorems.totals import exposed, total, total_is_path, totals_multiply
from derive.transposes import lost_term, reverse_sweep

__all__ = ["PATHS", "unless"]


def unless(found: Callable[[Gradients], Sized], reason: str) -> Callable[[Gradients], str]:
    """`reason`, for a cell in which nothing is found."""
    return lambda gradients: "" if len(found(gradients)) else reason


def _sweep(gradients: Gradients) -> list[Identity]:
    left, right = reverse_sweep(gradients)
    text = "dL/d(parameters, inputs, initial states) = the sums of the reverse sweep, for any T"
    latex = (
        r"\sum_{v}\langle \bar v_t, \mathrm{d}v_t\rangle = \sum_{u}\langle \bar u_t - "
        r"\text{upstream}, \mathrm{d}u_t\rangle"
    )
    return [Identity(text, latex, left, right, None)]


PATHS: tuple[Theorem, ...] = (
    Theorem(
        name="gradients",
        claim="the reverse sweep gives the gradient of the loss, for every parameter, input and "
        "initial state, for any T",
        absent=lambda gradients: "",
        identities=_sweep,
        hypotheses="all tangents dv and cotangents bar(v) are independent; slopes as in the table "
        "of primitives, each checked against its function",
        source="Linnainmaa (1976), doi:10.1007/BF01931367; Werbos (1990), doi:10.1109/5.58337",
        must_fail=MustFail("lstm", lost_term),
        induction="adding the identities of steps 1..T, carries cancel, and the rest is dL",
        kind="gradients",
    ),
    Theorem(
        name="path",
        claim="the direct derivative of a memory by its own lag is its path factor, diagonal",
        absent=no_memory,
        identities=path,
        hypotheses="the other states of step t-1 (the hidden trajectory) are held fixed",
        source="Hochreiter & Schmidhuber (1997), sec. 3; Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("peephole_lstm"),
    ),
    Theorem(
        name="path over T steps",
        claim="over T steps the direct derivative of a memory is the product of its path factors",
        absent=no_memory,
        identities=path_product,
        hypotheses="the whole trajectory of the other states is held fixed: this is the derivative "
        "along the memory's path, not the total derivative",
        source="Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("peephole_lstm"),
        induction="T = 0 is the identity; the step multiplies the product P of the first t-1 "
        "factors by the t-th",
    ),
    Theorem(
        name="total derivative",
        claim="the total one-step derivative of a memory is its path factor, plus what goes "
        "through the states that show it, each by itself",
        absent=unless(exposed, "no memory is shown by another state that the step reads"),
        identities=total,
        hypotheses="one step; what the memory shows at t-1 is followed, everything else of step "
        "t-1 is held fixed; dC_t/dh_{t-1} itself has all its paths",
        source="derived here",
        must_fail=MustFail("peephole_lstm"),
    ),
    Theorem(
        name="total derivative is the path",
        claim="the total one-step derivative of a memory is its path factor alone",
        absent=unless(exposed, "no memory is shown by another state that the step reads"),
        identities=total_is_path,
        hypotheses="none: this is a misreading of 'path'; gates read the hidden state, which shows "
        "the memory",
        source="a common misreading",
        must_fail=MustFail("lstm"),
        should_hold=False,
    ),
    Theorem(
        name="total derivatives multiply",
        claim="one-step total derivatives of one state may be multiplied over steps",
        absent=unless(totals_multiply, "no memory is shown, and there are several states"),
        identities=totals_multiply,
        hypotheses="none: with several states this is a misreading; what shows the memory at t-1 "
        "depends on the other states of t-2 too, so only the Jacobian of all states multiplies",
        source="a common misreading",
        must_fail=MustFail("lstm"),
        should_hold=False,
    ),
    Theorem(
        name="Jacobian of all states",
        claim="over T steps the derivative of all states together is the product of one-step "
        "Jacobians, and the reverse sweep carries its transpose",
        absent=one_state,
        identities=blocks,
        hypotheses="none: all states move, so that no path is left out; this is what multiplies",
        source="Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, sec. 2; Werbos (1990)",
        must_fail=MustFail("lstm", lost_term),
        induction="T = 0 is the identity; a step reads nothing but the states of the one before",
        kind="slope",
    ),
    Theorem(
        name="constant error carousel",
        claim="the direct derivative of a state by its own lag is the identity",
        absent=unless(carousel, "no state names its own lag in a sum, entry by entry"),
        identities=carousel,
        hypotheses="none: this is a misreading, unless the state is only added to; a forget gate "
        "makes it the gate",
        source="Hochreiter & Schmidhuber (1997), sec. 3.2; Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("lstm"),
        should_hold=False,
        kind="slope",
    ),
    Theorem(
        name="recurrent Jacobian",
        claim="the derivative of an activated state is its slope times its recurrent matrix",
        absent=unless(
            recurrent_jacobian, "no state is an activation of a product with its own lag"
        ),
        identities=recurrent_jacobian,
        hypotheses="the other states of step t-1 are held fixed",
        source="Elman (1990); Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, sec. 2",
        must_fail=MustFail(
            "input x[m]\nstate h[n]\ng = sigmoid(V @ h[t-1])\nh = tanh(W @ x + U @ h[t-1] + p * g)"
        ),
    ),
    Theorem(
        name="output path",
        claim="with gates and candidates held fixed, the output keeps its lag by its path factor",
        absent=no_output_path,
        identities=output_path,
        hypotheses="every gate and candidate, which read h_{t-1} as well, is held fixed: this is "
        "the additive path, not the derivative of the step",
        source="Cho et al. (2014), arXiv:1406.1078",
        must_fail=MustFail(
            "input x[m]\nstate h[n]\nz = sigmoid(W @ x)\np = U @ h[t-1]\nh = z * h[t-1] + p"
        ),
    ),
    Theorem(
        name="own lag",
        claim="the direct derivative of a state by its own lag is the sum of these paths, and the "
        "reverse sweep carries its transpose",
        absent=no_own_lag,
        identities=own_lag,
        hypotheses="the other states of step t-1 are held fixed; for states that no other row of "
        "this table is about",
        source="Linnainmaa (1976), doi:10.1007/BF01931367",
        must_fail=MustFail("indrnn", lost_term),
    ),
)
