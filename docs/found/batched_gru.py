"""MichaelMastro/Batched-Gated-Recurrent-Unit: GRU; one matrix for [1, x, h]."""
# ruff: noqa: D103

from theirs import text_of

from verify.adapters import adapt

file = "GRU.py"  # Python 2: / of whole numbers is //, and the tests print
text = text_of("Batched-Gated-Recurrent-Unit", file).split("# TEST CASES")[0]
theirs = {"xrange": range}
exec(compile(text.replace("shape[1] / 3", "shape[1] // 3"), file, "exec"), theirs)
GRU = theirs["GRU"]


def forward(p, x, s):
    y, h, cache = GRU.forward(x, p["W"], s["h"])
    return y, {"h": h}, cache


def backward(p, cache, dy, ds):
    dx, dW, dh = GRU.backward(dy, cache, ds["h"])
    return {"x": dx, "W": dW, "h_0": dh}


kernel = adapt(
    forward,
    backward,
    cell="gru_reset_before_z_new",
    vectors="row",
    dtypes=("float64",),
    arrays={"W": "[[b_z, b_r, b_g], [W_z.T, W_r.T, W_g.T], [U_z.T, U_r.T, U_g.T]]"},
)
