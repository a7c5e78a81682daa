"""Rows about ranges and slopes: where values lie, and how fast a change shrinks or grows.

`derive.ranges` decides them; numbers through the cell's equations refute them.
"""

from derive.theorems.gates import gates_in_range, no_bare_output, output_in_range
from derive.theorems.growth import (
    convex,
    forgetful,
    forgetting,
    kept,
    linear,
    products,
    reached,
)
from derive.theorems.row import MustFail, Theorem
from derive.theorems.rows_paths import unless
from derive.theorems.slopes import exploding, powers, slopes, vanishing, vanishing_solved
from derive.theorems.stabilised import (
    normaliser_carried,
    normaliser_from_zero,
    shifted,
    unstabilised,
)

__all__ = ["RANGES"]

_REALS = "real numbers: in floating point an open end may be reached, as sigmoid(40) is 1"
_NO_LAG = "no state names its own lag in a sum, entry by entry"
_HEAD = "input x[m]\nstate h[n], C[n]\n"

RANGES: tuple[Theorem, ...] = (
    Theorem(
        name="gates",
        claim="every gate lies in the range of its function, within [0, 1]",
        absent=unless(gates_in_range, "no activation that is never negative multiplies a value"),
        identities=gates_in_range,
        hypotheses=_REALS,
        source="Hochreiter & Schmidhuber (1997), sec. 4",
        must_fail=MustFail("lstm_relu_gates"),
        kind="range",
        optional=True,
    ),
    Theorem(
        name="output in (-1, 1)",
        claim="every entry of the output is smaller than 1, for t >= 1",
        absent=no_bare_output,
        identities=output_in_range,
        hypotheses=f"t >= 1: nothing is said of the initial output; {_REALS}",
        source="Greff et al. (2017), doi:10.1109/TNNLS.2016.2582924",
        must_fail=MustFail("lstm_noaf"),
        kind="range",
        optional=True,
    ),
    Theorem(
        name="linear growth",
        claim="a state that is kept grows by a bounded amount a step",
        absent=unless(linear, "no state is kept, or 'convex combination' says more"),
        identities=linear,
        hypotheses="any parameters, inputs and initial states",
        source="derived here",
        must_fail=MustFail("lstm_relu_gates"),
        induction="T = 0 is equality; the step adds the bound of one step",
        kind="range",
        optional=True,
    ),
    Theorem(
        name="less than linear growth",
        claim="a state that is kept grows by less than 0.99 of that amount a step",
        absent=unless(reached, "no state grows by a bounded amount, and that without end"),
        identities=reached,
        hypotheses="none: this is a misreading; the bound of 'linear growth' is reached in the "
        "limit, as gates go to 1",
        source="derived here",
        must_fail=MustFail("lstm"),
        should_hold=False,
        kind="range",
    ),
    Theorem(
        name="convex combination",
        claim="a state stays within max(|s_0|, G), as a mean of its lag and a bounded candidate",
        absent=unless(kept, _NO_LAG),
        identities=convex,
        hypotheses="any parameters, inputs and initial states",
        source="Cho et al. (2014), arXiv:1406.1078; Greff et al. (2017), CIFG",
        must_fail=MustFail("lstm"),
        induction="T = 0 is equality; a step does not leave the bound",
        kind="range",
        optional=True,
    ),
    Theorem(
        name="bounded forgetting",
        claim="with path factors below k < 1 a state is bounded for ever, by k^t |s_0| + "
        "B (1 - k^t) / (1 - k)",
        absent=unless(forgetful, "no state is kept by a factor that may be below 1"),
        identities=forgetting,
        hypotheses="k < 1 is at least every path factor, at every step and in every entry",
        source="derived here",
        must_fail=MustFail(_HEAD + "f = sigmoid(W @ x)\nC = f * C[t-1] + V @ x\nh = tanh(C)"),
        induction="T = 0 is equality; k times the bound plus B is the next one",
        kind="range",
        optional=True,
    ),
    Theorem(
        name="shifted gates",
        claim="with gates sigmoid(a) and 1 - sigmoid(a - b) the least bound of a state is e^b",
        absent=unless(shifted, "no state is sigmoid(a) s + (1 - sigmoid(c)) g with two gates"),
        identities=shifted,
        hypotheses="b >= 0; a takes all values",
        source="van der Westhuizen & Lasenby (2018), arXiv:1804.04849; the bound: derived here",
        must_fail=MustFail(
            "input x[m]\nstate h[n]\ng = tanh(V @ x)\n"
            "h = sigmoid(W @ x) * h[t-1] + (1 - sigmoid(U @ x)) * g"
        ),
        induction="T = 0 is equality; a step does not leave the bound",
        kind="range",
        optional=True,
    ),
    Theorem(
        name="stabiliser",
        claim="the output does not depend on the stabiliser of exponential gates",
        absent=unless(unstabilised, "no state only scales other states that are divided"),
        identities=unstabilised,
        hypotheses="the states that it scales are scaled along; the normaliser is above 0",
        source="Beck et al. (2024), arXiv:2405.04517, appendix A.2",
        must_fail=MustFail(
            "input x[m]\nstate h[n], C[n], N[n], M[n]\ni = W @ x\nM = max(M[t-1], i)\n"
            "p = exp(i - M)\nq = exp(M[t-1] - M)\nC = q * C[t-1] + p * tanh(V @ x)\n"
            "N = q * N[t-1] + p\nh = C / N + 0.1 * M"
        ),
        kind="range",
        optional=True,
    ),
    Theorem(
        name="normaliser from zero",
        claim="a normaliser is at least 1 at every step, from zero states",
        absent=unless(normaliser_from_zero, "no state that others are divided by"),
        identities=normaliser_from_zero,
        hypotheses="all states start at 0, the stabiliser too",
        source="Beck et al. (2024), arXiv:2405.04517; github.com/NX-AI/xlstm, slstm.py",
        must_fail=MustFail("slstm"),
        induction="the first step is a case of its own; a later one keeps the bound",
        kind="range",
        optional=True,
    ),
    Theorem(
        name="normaliser from any state",
        claim="a normaliser is at least 1, whatever state is carried in",
        absent=unless(normaliser_carried, "no state that others are divided by"),
        identities=normaliser_carried,
        hypotheses="none: this is a misreading; it holds from the states that the cell reaches, "
        "not from every one",
        source="a common misreading",
        must_fail=MustFail("slstm_code"),
        should_hold=False,
        kind="range",
    ),
    Theorem(
        name="slopes",
        claim="the slope of every activation is bounded: 1/4 for the sigmoid, 1 for tanh",
        absent=unless(slopes, "no activation that is defined everywhere"),
        identities=slopes,
        hypotheses="every real argument; at a kink the slope that the table of primitives declares",
        source="Hochreiter (1991); Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, sec. 2",
        must_fail=MustFail("input x[m]\nstate h[n]\nh = tanh(exp(W @ x + U @ h[t-1]))"),
        kind="slope",
        optional=True,
    ),
    Theorem(
        name="vanishing",
        claim="a change shrinks at least as fast as the row sums of the recurrent matrix say",
        absent=unless(vanishing, "no state is an activation of a product with its own lag"),
        identities=vanishing,
        hypotheses="sufficient, not necessary: it says nothing where the bound is 1 or more, "
        "nothing about directions other than the worst, and not that a change does vanish slower",
        source="Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, sec. 2.1",
        must_fail=MustFail("input x[m]\nstate h[n]\nh = exp(W @ x + U @ h[t-1])"),
        induction="T = 0 is equality; each step multiplies by at most the same factor",
        kind="slope",
        optional=True,
    ),
    Theorem(
        name="0.9 and 1.1",
        claim="a factor of 0.9 a step vanishes in 100 steps, and one of 1.1 explodes",
        absent=unless(powers, "no single state is an activation of one product with its own lag"),
        identities=powers,
        hypotheses="one unit, at zero, where the slope of its function is 1; nothing else acts",
        source="Bengio, Simard & Frasconi (1994), doi:10.1109/72.279181",
        must_fail=MustFail("input x[m]\nstate h[n]\nh = sigmoid(W @ x + U @ h[t-1])"),
        kind="slope",
        optional=True,
    ),
    Theorem(
        name="product of path factors",
        claim="a product of path factors lies between the powers of their bounds",
        absent=unless(products, "no state is kept by a factor that may change"),
        identities=products,
        hypotheses="entry by entry; the product is the direct derivative over T steps, not the "
        "total one",
        source="Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail(_HEAD + "f = tanh(W @ x)\nC = f * C[t-1] + V @ x\nh = tanh(C)"),
        induction="T = 0 is 1; factors that are not negative keep both inequalities",
        kind="slope",
        optional=True,
    ),
    Theorem(
        name="cannot explode",
        claim="a change of a memory never grows, all paths of a step counted",
        absent=unless(exploding, "no memory is shown by another state that the step reads"),
        identities=exploding,
        hypotheses="none: this is a misreading of 'path'; what the gates read is in no bound",
        source="a common misreading; Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063",
        must_fail=MustFail("lstm"),
        should_hold=False,
        kind="slope",
    ),
    Theorem(
        name="solves vanishing gradients",
        claim="a change of a memory keeps a hundredth of its size over a step, whatever the gates",
        absent=unless(vanishing_solved, "no memory is shown by another state that the step reads"),
        identities=vanishing_solved,
        hypotheses="none: this is a misreading; a forget gate near 0 forgets, gradients too",
        source="a common misreading; Gers, Schmidhuber & Cummins (2000)",
        must_fail=MustFail("lstm"),
        should_hold=False,
        kind="slope",
    ),
)
