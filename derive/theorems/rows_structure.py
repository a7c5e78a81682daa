"""Rows about structure, and the laws of a step that tests of kernels rely on."""

from derive.theorems.biases import second_biases
from derive.theorems.laws import chaining, padding, reads_two_back, sequences
from derive.theorems.row import MustFail, Theorem
from derive.theorems.rows_paths import unless
from derive.theorems.structure import (
    counted,
    exchanged,
    means,
    squared_carry,
    swelling,
    truncated,
)
from derive.theorems.units import units

__all__ = ["STRUCTURE"]

STRUCTURE: tuple[Theorem, ...] = (
    Theorem(
        name="parameters",
        claim="k gates and candidates have k times the parameters of one",
        absent=swelling,
        identities=counted,
        hypotheses="one layer is W[n, m], U[n, n] and b[n], n and m the sizes of output and input",
        source="Greff et al. (2017), doi:10.1109/TNNLS.2016.2582924",
        must_fail=MustFail("gru"),
        kind="structure",
        optional=True,
    ),
    Theorem(
        name="second bias",
        claim="a second bias, beside a recurrent product, has the gradient of the first",
        absent=unless(second_biases, "no bias is added to a product with a lagged state"),
        identities=second_biases,
        hypotheses="the second bias c is added to the product that is named, before anything else",
        source="torch.nn.LSTM and torch.nn.GRU documentation: b_ih and b_hh",
        must_fail=MustFail("gru"),
        kind="structure",
        optional=True,
    ),
    Theorem(
        name="exchanged parameters",
        claim="the parameters of two gates may be exchanged",
        absent=unless(exchanged, "no two activations of one form with parameters of their own"),
        identities=exchanged,
        hypotheses="none: this is a misreading; exchanging the gates' names and their parameters "
        "is a renaming, exchanging either alone is another cell",
        source="a common mistake in conversions, as of gates in the order i, f, g, o",
        must_fail=MustFail("lstm"),
        should_hold=False,
        kind="structure",
    ),
    Theorem(
        name="running mean",
        claim="a state is the mean of all inputs so far",
        absent=unless(means, "no state counts the steps and weighs another one"),
        identities=means,
        hypotheses="the count starts at 0",
        source="Welford (1962), doi:10.1080/00401706.1962.10490022",
        must_fail=MustFail(
            "input x[n]\nstate s[n], N[1]\nN = N[t-1] + 1\ns = (1 - 1 / N) * s[t-1] + x / (N + 1)"
        ),
        induction="T = 0 is 0 = 0; a step adds x_t to T times the mean",
        kind="structure",
        optional=True,
    ),
    Theorem(
        name="truncation",
        claim="truncated back-propagation drops exactly what the carries at its cuts bring",
        absent=lambda gradients: "",
        identities=truncated,
        hypotheses="the forward pass is not cut; at a cut the carries of all states are set to 0",
        source="Williams & Peng (1990), doi:10.1162/neco.1990.2.4.490",
        must_fail=MustFail("lstm", squared_carry),
        induction="the sweep of each step is additive in what arrives, so the whole sweep is",
        kind="structure",
    ),
    Theorem(
        name="chaining",
        claim="T steps are S steps and T - S steps from the states in between",
        absent=lambda gradients: "",
        identities=chaining,
        hypotheses="the same parameters in both parts",
        source="derived here",
        must_fail=MustFail("lstm", reads_two_back),
        induction="the states after S steps are all that the next step reads",
        kind="law",
    ),
    Theorem(
        name="padding",
        claim="a sequence whose states are held past its end gives what the shorter one gives",
        absent=lambda gradients: "",
        identities=padding,
        hypotheses="past the end the states stay, and no loss is taken there",
        source="torch.nn.utils.rnn.pack_padded_sequence documentation",
        must_fail=MustFail("lstm", reads_two_back),
        induction="a held state is the same at every later step",
        kind="law",
    ),
    Theorem(
        name="independent sequences",
        claim="each sequence of a batch is computed by itself; parameters' gradients are sums",
        absent=lambda gradients: "",
        identities=sequences,
        hypotheses="the loss is a sum over sequences",
        source="derived here",
        must_fail=MustFail("lstm", reads_two_back),
        kind="law",
    ),
    Theorem(
        name="exchanged units",
        claim="exchanging units in every array that has their axis exchanges the results alike",
        absent=lambda gradients: "",
        identities=units,
        hypotheses="an axis of a parameter is made of the parts of what it meets",
        source="derived here",
        must_fail=MustFail("input x[m]\nstate h[n]\nh = tanh(V @ ([h[t-1], x] * [x, h[t-1]]))"),
        kind="law",
    ),
)
