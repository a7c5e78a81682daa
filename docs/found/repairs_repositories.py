"""The lines that make layers from repositories right, in NumPy, by the layer's name."""

from collections.abc import Mapping

from repair import Repair

__all__ = ["REPOSITORIES"]

_SCRATCH = "mlfromscratch/deep_learning/layers.py"
_NPDL = "npdl/layers/recurrent.py"
_NOTE = "RNN_LSTM_from_scratch.ipynb"
_BACK = f"{_NOTE}, cell 73"


def _learn_dl() -> tuple[Repair, ...]:
    file = "lstm.py"
    gates = (173, 176, 179)
    carried = "dc = delta_k * og * (1 - tanh_c * tanh_c) + self.dc; self.dc = dc * fg"
    kept = "self.x_list = [*getattr(self, 'x_list', ()), x]"
    every = "sum(np.dot(d, e.T) for d, e in zip(self.delta_{}_list[1:], self.x_list))"
    inputs = ((230, "f"), (231, "i"), (232, "o"), (233, "ct"))
    return (
        Repair(
            "the bias gradient of i is that of f",
            "bug",
            ((file, 254, "delta_f_list", "delta_i_list"),),
        ),
        Repair(
            "the bias gradient of o is that of f",
            "bug",
            ((file, 256, "delta_f_list", "delta_o_list"),),
        ),
        Repair(
            "nothing is carried from C of the step after",
            "bug",
            (
                (file, 139, "= delta_h", "= delta_h; self.dc = 0"),
                (file, 168, "self.delta_h_list[k]", f"self.delta_h_list[k]; {carried}"),
                *((file, line, "(delta_k * og *", "(dc *") for line in gates),
                *((file, line + 1, "(1 - tanh_c * tanh_c) * ", "") for line in gates),
            ),
        ),
        Repair(
            "input weights get the gradient of the last step alone",
            "choice",
            (
                (file, 72, "self.times += 1", f"self.times += 1; {kept}"),
                *(
                    (file, line, f"np.dot(self.delta_{k}_list[-1], xt)", every.format(k))
                    for line, k in inputs
                ),
            ),
        ),
    )


REPOSITORIES: Mapping[str, tuple[Repair, ...]] = {
    "ml_from_scratch_rnn": (
        Repair(
            "the gradient of x has that of its own step alone",
            "bug",
            (
                (_SCRATCH, 181, "[:, t] = grad_wrt_state.dot(self.U)", "[:, t] += 0"),
                (
                    _SCRATCH,
                    185,
                    "grad_U +=",
                    "accum_grad_next[:, t_] += grad_wrt_state.dot(self.U); grad_U +=",
                ),
            ),
        ),
    ),
    "numpydl_rnn": (
        Repair(
            "the gradient of x is as wide as h",
            "bug",
            ((_NPDL, 163, "(pre_grad.shape)", "((*pre_grad.shape[:2], self.n_in))"),),
        ),
        Repair(
            "the bias gradient is the mean over rows; that of the weights is the sum",
            "bug",
            ((_NPDL, 170, "np.mean", "np.sum"), (_NPDL, 177, "np.mean", "np.sum")),
        ),
        Repair(
            "the slope of the step before is missing",
            "bug",
            (
                (
                    _NPDL,
                    173,
                    "np.dot(delta, self.U.T)",
                    "np.dot(delta, self.U.T) * self.activations[timestep2].derivative()",
                ),
            ),
        ),
    ),
    "numpydl_lstm": (
        Repair(
            "with the last output alone, the gradient stops after one step",
            "bug",
            ((_NPDL, 696, "[nb_seq - 1]", "list(range(nb_seq))[::-1]"),),
        ),
    ),
    "learn_dl_lstm": _learn_dl(),
    "rnn_lstm_in_numpy": (
        Repair(
            "1e-12 is added to arguments of sigmoid and tanh",
            "choice",
            tuple((f"{_NOTE}, cell {cell}", 9, "x + 1e-12", "x") for cell in (29, 31)),
        ),
        Repair(
            "tanh is NaN from where exp overflows, and inexact near 0",
            "bug",
            (
                (
                    f"{_NOTE}, cell 31",
                    10,
                    "(np.exp(x_safe)-np.exp(-x_safe))/(np.exp(x_safe)+np.exp(-x_safe))",
                    "np.tanh(x_safe)",
                ),
            ),
        ),
        Repair(
            "C[t] is taken for C of step t: it is that of the step before",
            "bug",
            (
                (_BACK, 61, "C[t-1]", "C[t]"),
                (_BACK, 74, "C[t]", "C[t+1]"),
                (_BACK, 83, "C[t]", "C[t+1]"),
            ),
        ),
        Repair(
            "slopes are those at the activated values",
            "bug",
            (
                (_BACK, 75, "sigmoid(o[t], derivative=True)", "o[t] * (1 - o[t])"),
                (_BACK, 83, "tanh(tanh(", "tanh(("),
                (_BACK, 85, "tanh(g[t], derivative=True)", "(1 - g[t]**2)"),
                (_BACK, 93, "sigmoid(i[t], True)", "i[t] * (1 - i[t])"),
            ),
        ),
        Repair(
            "the forget gate's slope is missing, its sigmoid is applied again",
            "bug",
            ((_BACK, 99, "sigmoid(f[t])", "f[t] * (1 - f[t])"),),
        ),
        Repair(
            "nothing is carried from the step after",
            "bug",
            ((_BACK, 109, "f[t] * dC", "f[t] * dC; dh_next, dC_next = dh_prev, dC_prev"),),
        ),
        Repair(
            "gradients are clipped to a norm of 0.25",
            "choice",
            ((_BACK, 114, "clip_gradient_norm(grads)", "grads"),),
        ),
    ),
}
