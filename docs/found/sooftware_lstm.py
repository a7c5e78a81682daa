"""sooftware/TIL: LSTM, one step of rows, gates in the order f, g, i, o."""
# ruff: noqa: D103

from theirs import module

from verify.adapters import adapt_step

theirs = module("TIL", "LSTM", "Deep-Learning-from-Scratch-1_2/LSTM")


def forward(p, x, s):
    layer = theirs.LSTM(p["Wx"], p["Wh"], p["b"])
    h, C = layer.forward(x, s["h"], s["C"])
    return {"h": h, "C": C}, layer


def backward(p, layer, ds):
    dx, dh, dC = layer.backward(ds["h"], ds["C"])
    return {"x": dx, "h": dh, "C": dC, **dict(zip(("Wx", "Wh", "b"), layer.grads, strict=True))}


kernel = adapt_step(
    forward,
    backward,
    cell="lstm",
    arrays={
        "Wx": "[W_f.T, W_g.T, W_i.T, W_o.T]",
        "Wh": "[U_f.T, U_g.T, U_i.T, U_o.T]",
        "b": "[b_f, b_g, b_i, b_o]",
    },
)
