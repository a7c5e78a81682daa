"""Cells that no paper has, each with one thing that a kernel can get wrong."""

from derive.cell import Cell
from derive.language import parse

__all__ = ["ODD", "odd"]

ODD = {
    "two_inputs": """
        input x[m], u[k]
        state h[n]
        h = tanh(W @ x + V @ u + U @ h[t-1] + b)""",
    "concatenated": """
        input x[m]
        state h[n]
        f = sigmoid(W @ [h[t-1], x] + b)
        h = f * h[t-1] + (1 - f) * tanh(V @ [h[t-1], x, f])""",
    "turned": """
        input x[m]
        state h[n]
        h = tanh(W.T @ x + U.T @ h[t-1] + b)""",
    "tied": """
        input x[m]
        state h[n]
        h = tanh(W @ x + U.T @ h[t-1] + U @ tanh(h[t-1]) + U @ (h[t-1] * h[t-1]))""",
    "all_hoisted": """
        input x[m]
        state C[n]
        f = sigmoid(W_f @ x + b_f)
        g = tanh(W_g @ x + b_g)
        C = f * C[t-1] + (1 - f) * g""",
    "softplus_of_parameters": """
        input x[m]
        state h[n]
        h = softplus(p) * h[t-1] + tanh(W @ x) * exp(-softplus(r))""",
    "product_of_parameters": """
        input x[m]
        state h[n]
        parameter d[k]
        h = sigmoid(A @ tanh(d)) * h[t-1] + W @ x""",
    "lag_never_read": """
        input x[m]
        state h[n], C[n]
        C = W @ x + U @ h[t-1]
        h = tanh(C)""",
    "no_lag_at_all": """
        input x[m]
        state h[n]
        h = tanh(W @ x + b)""",
    "copy_of_a_state": """
        input x[m]
        state h[n], p[n]
        p = h[t-1]
        h = tanh(W @ x + U @ h[t-1] + V @ p[t-1])""",
    "copy_of_an_input": """
        input x[m]
        state h[n], p[m]
        p = x
        h = tanh(W @ x + U @ h[t-1] + V @ p[t-1])""",
    "output_is_the_input": """
        input x[n]
        state h[n]
        h = x""",
    "whole_sizes": """
        input x[2]
        state h[3]
        h = tanh(W @ x + U @ h[t-1] + b)""",
    "one_unit": """
        input x[1]
        state h[1]
        f = sigmoid(V @ x + R @ h[t-1] + c)
        h = f * h[t-1] + tanh(W @ x + U @ h[t-1] + b)""",
    "state_of_another_size": """
        input x[m]
        state h[n], C[k]
        C = tanh(W @ x + U @ C[t-1])
        h = sigmoid(V @ C + R @ h[t-1])""",
    "linear_output": """
        input x[m]
        state y[n], s[k]
        s = tanh(W @ x + U @ s[t-1])
        y = V @ s + A @ y[t-1] + c""",
    "linear": """
        input x[m]
        state h[n]
        h = W @ x + U @ h[t-1] + b""",
    "two_biases": """
        input x[m]
        state h[n]
        h = tanh(W @ x + U @ h[t-1] + b + c)""",
    "no_parameters": """
        input x[n]
        state h[n]
        h = tanh(x + h[t-1])""",
    "numbers_and_powers": """
        input x[m]
        state h[n]
        h = (W @ x) / 3 + h[t-1] ** 3 / 7 - 0.1 * (1 - h[t-1]) ** 2""",
    "function_of_a_matrix": """
        input x[m]
        state h[n]
        h = tanh(exp(A) @ x + (sigmoid(R) * U) @ h[t-1] + b)""",
    # Names that the emitted source would like to use itself.
    "taken_names": """
        input x[m], first[k]
        state y[n], carry_h[n]
        gates = sigmoid(deltas @ x + M_back @ y[t-1] + M_x)
        factor = tanh(work_n_0 @ first + M_y_prev @ carry_h[t-1] + y_seq)
        carry_h = gates * carry_h[t-1] + (1 - gates) * factor
        y = gates * tanh(carry_h)""",
    "more_taken_names": """
        input k[m]
        state h[n], h_seq[n]
        M_h_prev = tanh(gates @ k + padding @ h[t-1] + dy_t)
        h_seq = M_h_prev * h_seq[t-1] + h_prev
        h = tanh(h_seq) * factor_t + delta_sums @ h_seq""",
    "input_called_padding": """
        input padding[m]
        state h[n]
        h = tanh(W @ padding + U @ h[t-1] + b)""",
    "input_called_digest": """
        input digest[m]
        state h[n]
        h = tanh(W @ digest + U @ h[t-1] + b)""",
    "gates_of_different_inputs": """
        input x[m], u[k]
        state h[n]
        f = sigmoid(W_f @ x + V_f @ u + U @ h[t-1])
        i = sigmoid(V_i @ u)
        h = f * h[t-1] + i""",
    "parameter_that_cancels": """
        input x[m]
        state h[n]
        h = tanh(W @ x + U @ h[t-1]) + p - p""",
}


def odd(name: str) -> Cell:
    """The odd cell of that name."""
    lines = ODD[name].strip().splitlines()
    return parse("\n".join(line.strip() for line in lines) + "\n", name)
