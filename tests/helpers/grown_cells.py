"""Cells that use what papers use beyond gates: norms, matrix memories, scalars, kinks, lags."""

from derive.cell import Cell
from derive.language import parse

__all__ = ["CLASSIC", "GROWN", "grown"]

# Cells of the zoo that sweeps over many examples use; the whole zoo has a sweep of its own.
CLASSIC = ("rnn", "lstm", "peephole_lstm", "gru", "gru_reset_before")

GROWN = {
    "layer_norm_lstm": """
        input x[m]
        state h[n], C[n]
        parameter eps[1]
        z_f = W_f @ x + U_f @ h[t-1]
        c_f = z_f - mean(z_f)
        f = sigmoid(s_f * c_f / sqrt(mean(c_f * c_f) + 0.01) + b_f)
        i = sigmoid(W_i @ x + U_i @ h[t-1] + b_i)
        g = tanh(W_g @ x + U_g @ h[t-1] + b_g)
        C = f * C[t-1] + i * g
        c_C = C - mean(C)
        d_C = norm(c_C) / sqrt(n) + eps * eps
        h = sigmoid(W_o @ x + U_o @ h[t-1]) * tanh(s * c_C / d_C + b)""",
    "matrix_memory": """
        input x[m]
        state h[n], C[n, k], v[k], z[1]
        parameter w_f[m], w_i[m], b_f[1], b_i[1]
        q = W_q @ x
        key = W_k @ x / sqrt(k) + b_k
        a = dot(w_f, x) + b_f
        i = dot(w_i, x) + b_i
        z = max(a + z[t-1], i)
        keep = exp(a + z[t-1] - z)
        write = exp(i - z)
        C = keep * C[t-1] + write * outer(W_v @ x, key)
        v = keep * v[t-1] + write * key
        h = sigmoid(W_o @ x + b_o) * (C @ q) / max(abs(dot(v, q)), 1)""",
    "exponential_gates": """
        input x[m]
        state h[n], c[n], k[n], s[n]
        a = W_i @ x + R_i @ h[t-1] + b_i
        b = W_f @ x + R_f @ h[t-1] + b_f
        s = max(b + s[t-1], a)
        i = exp(a - s)
        f = exp(b + s[t-1] - s)
        c = f * c[t-1] + i * tanh(W_z @ x + R_z @ h[t-1] + b_z)
        k = f * k[t-1] + i
        h = sigmoid(W_o @ x + R_o @ h[t-1]) * c / k""",
    "lags": """
        input x[m]
        state h[n]
        f = sigmoid(W_f @ x + V_f @ x[t-1] + b_f)
        h = f * h[t-1] + (1 - f) * tanh(W @ x + V @ x[t-1] + U @ h[t-2])""",
    "attention": """
        input x[m]
        state h[n], M[k, n], u[1]
        a = M[t-1] @ (W_q @ x) / sqrt(n)
        p = softmax(a)
        u = sigmoid(b_u) * u[t-1] + logsumexp(a)
        h = tanh(M[t-1].T @ p + u * (W @ x))
        M = M[t-1] + outer(softmax(V @ x + c), h)
        """,
    "euler": """
        input x[m]
        state h[n]
        parameter dt[1], U[n, n]
        h = h[t-1] + dt * (relu(W @ x + U @ h[t-1] / sqrt(n) + b) - h[t-1])""",
    "kinks": """
        input x[m]
        state h[n], r[n]
        parameter w[1]
        z = W @ x + U @ h[t-1] + b
        r = frac(r[t-1] + tau * tau)
        o = heaviside(z) * relu(z) + min(abs(z), 0.5) * sign(b)
        k = stop_gradient(h[t-1] * h[t-1]) / 9
        h = h[t-1] * cos(w * r) / 2 + sin(o) * log(1 + exp(tau)) + k""",
}


def grown(name: str) -> Cell:
    """The grown cell of that name."""
    lines = GROWN[name].strip().splitlines()
    return parse("\n".join(line.strip() for line in lines) + "\n", name)
