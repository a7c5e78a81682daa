"""Karpathy's batched LSTM, as MichaelMastro's repository has it; one matrix for [1, x, h]."""
# ruff: noqa: D103

from theirs import text_of

from verify.adapters import adapt

file = "LSTM-Karpathy.py"  # Python 2: / of whole numbers is //, and the tests print
text = text_of("Batched-Gated-Recurrent-Unit", file).split("# TEST CASES")[0]
theirs = {"xrange": range}
exec(compile(text.replace("shape[1]/4", "shape[1]//4"), file, "exec"), theirs)
LSTM = theirs["LSTM"]


def forward(p, x, s):
    y, C, h, cache = LSTM.forward(x, p["W"], s["C"], s["h"])
    return y, {"h": h, "C": C}, cache


def backward(p, cache, dy, ds):
    dx, dW, dC, dh = LSTM.backward(dy, cache, ds["C"], ds["h"])
    return {"x": dx, "W": dW, "C_0": dC, "h_0": dh}


kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="row",
    dtypes=("float64",),
    arrays={
        "W": "[[b_i, b_f, b_o, b_g], [W_i.T, W_f.T, W_o.T, W_g.T], [U_i.T, U_f.T, U_o.T, U_g.T]]"
    },
)
