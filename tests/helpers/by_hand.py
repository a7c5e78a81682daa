"""Two layers as people write them; nothing of them comes from a derivation."""

from types import ModuleType

LSTM = """
import numpy as np

def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def forward(params, x, state_0=None, *, lengths=None):
    n = len(params["b_f"])
    state_0 = state_0 or {}
    h = state_0.get("h", np.zeros((x.shape[1], n), x.dtype))
    C = state_0.get("C", np.zeros((x.shape[1], n), x.dtype))
    ends = np.full(x.shape[1], len(x)) if lengths is None else np.asarray(lengths)
    steps, y = [], np.zeros((len(x), x.shape[1], n), x.dtype)
    for t in range(len(x)):
        live = (t < ends)[:, None]
        now = np.where(live, x[t], 0)
        a = {k: now @ params["W_" + k].T for k in "fiog"}
        a = {k: a[k] + h @ params["U_" + k].T + params["b_" + k] for k in "fiog"}
        f, i, o, g = sigmoid(a["f"]), sigmoid(a["i"]), sigmoid(a["o"]), np.tanh(a["g"])
        C_new = f * C + i * g
        h_new = o * np.tanh(C_new)
        steps.append((live, now, h, C, f, i, o, g, C_new, h_new))
        y[t] = np.where(live, h_new, 0)
        h, C = np.where(live, h_new, h), np.where(live, C_new, C)
    return y, {"h": h, "C": C}, (x, steps)

def backward(params, tape, dy=None, dstate_T=None):
    x, steps = tape
    shape = (x.shape[1], len(params["b_f"]))
    ends = dstate_T or {}
    dh = np.array(ends.get("h", np.zeros(shape, x.dtype)))
    dC = np.array(ends.get("C", np.zeros(shape, x.dtype)))
    found = {name: np.zeros_like(a) for name, a in params.items()}
    dx = np.zeros_like(x)
    for t in reversed(range(len(x))):
        live, now, h, C, f, i, o, g, C_new, h_new = steps[t]
        kept_h, kept_C = np.where(live, 0, dh), np.where(live, 0, dC)
        d = np.where(live, dh + (0 if dy is None else dy[t]), 0)
        e = np.where(live, dC, 0) + d * o * (1 - np.tanh(C_new) ** 2)
        delta = {
            "f": e * C * f * (1 - f),
            "i": e * g * i * (1 - i),
            "o": d * np.tanh(C_new) * o * (1 - o),
            "g": e * i * (1 - g ** 2),
        }
        dh, dC = kept_h, kept_C + e * f
        for k in "fiog":
            found["W_" + k] += delta[k].T @ now
            found["U_" + k] += delta[k].T @ h
            found["b_" + k] += delta[k].sum(axis=0)
            dx[t] += delta[k] @ params["W_" + k]
            dh = dh + delta[k] @ params["U_" + k]
    return {**found, "x": dx, "h_0": dh, "C_0": dC}
"""

GRU = """
import numpy as np

def sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))

def forward(params, x, state_0=None, *, lengths=None):
    p, (T, B, _) = params, x.shape
    h = np.array((state_0 or {}).get("h", np.zeros((B, len(p["b_z"])), x.dtype)))
    ends = np.full(B, T) if lengths is None else np.asarray(lengths)
    live = np.arange(T)[:, None] < ends
    xs = np.where(live[:, :, None], x, 0).astype(x.dtype)
    steps, hs, y = [], [h], np.zeros((T, *h.shape), x.dtype)
    for t in range(T):
        m = live[t][:, None]
        r = sigmoid(xs[t] @ p["W_r"].T + h @ p["U_r"].T + p["b_r"])
        z = sigmoid(xs[t] @ p["W_z"].T + h @ p["U_z"].T + p["b_z"])
        q = h @ p["U_g"].T + p["c_g"]
        g = np.tanh(xs[t] @ p["W_g"].T + p["b_g"] + r * q)
        new = (1 - z) * g + z * h
        steps.append((m, r, z, q, g))
        h = np.where(m, new, h)
        hs.append(h)
        y[t] = np.where(m, new, 0)
    return y, {"h": h}, (xs, steps, hs)

def backward(params, tape, dy=None, dstate_T=None):
    p, (xs, steps, hs) = params, tape
    G, dx = {k: np.zeros_like(v) for k, v in p.items()}, np.zeros_like(xs)
    dh = np.array((dstate_T or {}).get("h", np.zeros_like(hs[0])))
    for t in range(len(xs) - 1, -1, -1):
        m, r, z, q, g = steps[t]
        h = hs[t]
        dnew = dh if dy is None else dh + np.where(m, dy[t], 0)
        dnew = np.where(m, dnew, 0)
        da_g = dnew * (1 - z) * (1 - g * g)
        da_z = dnew * (h - g) * z * (1 - z)
        da_r = da_g * q * r * (1 - r)
        dq = da_g * r
        for k, d, e in (("g", da_g, dq), ("z", da_z, da_z), ("r", da_r, da_r)):
            G["W_" + k] += d.T @ xs[t]
            G["b_" + k] += d.sum(0)
            G["U_" + k] += e.T @ h
            dx[t] += d @ p["W_" + k]
        G["c_g"] += dq.sum(0)
        back = dnew * z + dq @ p["U_g"] + da_z @ p["U_z"] + da_r @ p["U_r"]
        dh = np.where(m, back, dh)
    return {**G, "x": dx, "h_0": dh}
"""


def written(*edits: tuple[str, str], text: str = LSTM) -> ModuleType:
    """The text with pieces replaced, as a module."""
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    module = ModuleType("by_hand")
    exec(compile(text, "<by_hand>", "exec"), module.__dict__)
    return module
