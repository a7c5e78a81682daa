"""Cells as parallel scans and chunked kernels compute them, with their gradients: right, or not."""

import numpy as np

__all__ = ["GatedSum", "LogScan"]


def sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


class LogScan:
    """h_t = f_t h_{t-1} + v_t as exp(a_t + log(sum(exp(log v_s - a_s)))), a_t = sum of log f_s.

    Args:
        slope: what the slope of log f is multiplied by; 1 is right.
        start: what is done to the initial state first; nothing is right.
    """

    def __init__(self, slope=1.0, start=lambda h: h):
        self.slope, self.start = slope, start

    def forward(self, params, x, state_0=None, *, lengths=None):
        if lengths is not None:
            raise NotImplementedError("lengths")
        p, n = params, params["b_z"].shape[0]
        h_0 = np.zeros((x.shape[1], n), x.dtype) if state_0 is None else state_0["h"]
        if (h_0 < 0).any():
            raise NotImplementedError("a state below zero")
        a_z, a = x @ p["W_z"].T + p["b_z"], x @ p["W_h"].T + p["b_h"]
        with np.errstate(divide="ignore"):
            log_h_0 = np.log(self.start(h_0))
        low = -np.logaddexp(0, -np.minimum(a, 0))  # of sigmoid, where a is below zero
        log_g = np.where(a >= 0, np.log(np.maximum(a, 0) + x.dtype.type(0.5)), low)
        log_v = np.concatenate([log_h_0[None], log_g - np.logaddexp(0, -a_z)])
        sums = np.cumsum(np.concatenate([np.zeros_like(h_0)[None], -np.logaddexp(0, a_z)]), axis=0)
        log_h = sums + np.logaddexp.accumulate(log_v - sums, axis=0)
        h = np.exp(log_h) if len(x) else h_0[None]
        y = h[1:].copy()
        return y, {"h": h[-1].copy()}, (x, a_z, a, log_v, sums, log_h, h)

    def backward(self, params, tape, dy=None, dstate_T=None):
        x, a_z, a, log_v, sums, log_h, h = tape
        dh = np.zeros_like(h)
        dh[1:] += 0 if dy is None else dy
        dh[-1] += 0 if dstate_T is None else dstate_T["h"]
        flow = dh * h  # the cotangent of log_h
        d_log_v = np.zeros_like(flow)
        for t in range(len(h)):
            parts = sums[t] + log_v[: t + 1] - sums[: t + 1]
            weights = np.exp(parts - np.where(h[t] > 0, log_h[t], 0))  # of v_s in h_t
            d_log_v[: t + 1] += flow[t] * weights
        d_log_f = np.cumsum((flow - d_log_v)[::-1], axis=0)[::-1][1:] * self.slope
        d_a_z = d_log_v[1:] * (1 - sigmoid(a_z)) - d_log_f * sigmoid(a_z)
        positive = a >= 0
        d_a = d_log_v[1:] * np.where(positive, 1 / (np.abs(a) + 0.5), 1 - sigmoid(a))
        found = {"x": d_a_z @ params["W_z"] + d_a @ params["W_h"]}
        for name, d in (("z", d_a_z), ("h", d_a)):
            found[f"W_{name}"] = np.einsum("tbn,tbm->nm", d, x)
            found[f"b_{name}"] = d.sum(axis=(0, 1))
        found["h_0"] = np.sum(dh * np.exp(sums), axis=0)
        return {n: np.asarray(g, x.dtype) for n, g in found.items()}


class GatedSum:
    """A gated sum whose gate's gradient is a sum of h dh - v dv, as linear attention's kernels have
    it; `slope` spoils it.
    """

    def __init__(self, slope=1.0):
        self.slope = slope

    def forward(self, params, x, state_0=None, *, lengths=None):
        if lengths is not None or not x.size:
            raise NotImplementedError("lengths, or nothing")
        z, v = x @ params["V"].T + params["b"], x @ params["W"].T
        h_0 = np.zeros_like(v[0]) if state_0 is None else state_0["h"]
        h, y = h_0, []
        for z_t, v_t in zip(z, v, strict=True):
            h = h * sigmoid(z_t) + v_t
            y.append(h)
        y = np.stack(y)
        return y.copy(), {"h": y[-1].copy()}, (x, z, v, y)

    def backward(self, params, tape, dy=None, dstate_T=None):
        x, z, v, y = tape
        dy = np.zeros_like(y) if dy is None else np.array(dy)
        dy[-1] += 0 if dstate_T is None else dstate_T["h"]
        dv, late = np.empty_like(v), np.zeros_like(v[0])
        for t in reversed(range(len(x))):
            dv[t] = dy[t] + late
            late = dv[t] * sigmoid(z[t])
        d_log_f = np.cumsum((y * dy - v * dv)[::-1], axis=0)[::-1] * self.slope
        dz = d_log_f * sigmoid(-z)
        sums = {"V": np.einsum("tbn,tbm->nm", dz, x), "W": np.einsum("tbn,tbm->nm", dv, x)}
        return {
            **sums,
            "b": dz.sum(axis=(0, 1)),
            "x": dz @ params["V"] + dv @ params["W"],
            "h_0": late,
        }
