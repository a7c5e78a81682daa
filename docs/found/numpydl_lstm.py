"""NumpyDL: BatchLSTM on (B, T, features), the last output returned, which is its default."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt

recurrent = module("NumpyDL", "npdl.layers.recurrent")


def forward(p, x, s):
    layer = recurrent.BatchLSTM(n_out=s["h"].shape[1], n_in=x.shape[2])
    layer.AllW = p["AllW"]
    last = layer.forward(x, c0=s["C"], h0=s["h"])
    return None, {"h": last, "C": layer.C[-1]}, layer


def backward(p, layer, dy, ds):
    dx = layer.backward(ds["h"], dcn=ds["C"])
    return {"x": dx, "h_0": layer.d_h0, "C_0": layer.d_c0, "AllW": layer.d_AllW}


rows = ("[b_i, b_f, b_o, b_g]", "[W_i.T, W_f.T, W_o.T, W_g.T]", "[U_i.T, U_f.T, U_o.T, U_g.T]")
kernel = adapt(
    forward,
    backward,
    cell="lstm",
    vectors="row",
    x="BTF",
    outputs=False,
    upstream=("h_T", "C_T"),
    dtypes=("float32",),
    arrays={"AllW": f"[[{'], ['.join(r.strip('[]') for r in rows)}]]"},
)
