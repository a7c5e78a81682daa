"""The lines that make layers of courses, books and small frameworks right, by the layer's name."""

from collections.abc import Iterable, Mapping

from repair import Repair

__all__ = ["COURSES"]

_TIL = "Deep-Learning-from-Scratch-1_2/LSTM/LSTM.py"
_NLP = "scratch/nlp.py"
_COURSE = "Sequence Models/Building a Recurrent Neural Network - Step by Step - v2.ipynb"
_LIGHT = "lightnn/layers/recurrent.py"
_WEIGHTS = "Wf, Wi, Wc, Wo = (parameters[k] for k in ('Wf', 'Wi', 'Wc', 'Wo'))"
_CARRIED = 'da_prevt, dc_prevt = gradients["da_prev"], gradients["dc_prev"]'
_BACK = "[sum(a * row[h] for a, row in zip(a_grad, self.u)) for h in range(self.hidden_dim)]"


def _lightnn(products: Iterable[int], means: Iterable[int]) -> tuple[Repair, ...]:
    return (
        Repair(
            "gradients of parameters are means over rows; that of x is not",
            "choice",
            (
                *((_LIGHT, line, " / nb_batch", "") for line in products),
                *((_LIGHT, line, "np.mean", "np.sum") for line in means),
            ),
        ),
    )


COURSES: Mapping[str, tuple[Repair, ...]] = {
    "coursera_lstm": (
        Repair(
            "weights are the notebook's global ones, not those of the cache",
            "bug",
            (
                (
                    f"{_COURSE}, cell 36",
                    26,
                    "parameters) = cache",
                    f"parameters) = cache; {_WEIGHTS}",
                ),
            ),
        ),
        Repair(
            "nothing is carried from the step after",
            "bug",
            ((f"{_COURSE}, cell 40", 53, 'gradients["dxt"]', f'gradients["dxt"]; {_CARRIED}'),),
        ),
    ),
    "data_science_rnn": (
        Repair(
            "nothing is carried from the step after",
            "choice",
            (
                (_NLP, 461, "self.hidden = ", "self.carry = self.hidden = "),
                (_NLP, 477, "[gradient[h] *", "[(gradient[h] + self.carry[h]) *"),
                (_NLP, 481, "= a_grad", f"= a_grad; self.carry = {_BACK}"),
            ),
        ),
    ),
    "jy_yoon_rnn": (
        Repair(
            "gradients are clipped to 5",
            "choice",
            (
                (
                    "RNN Implementation using NumPy.ipynb, cell 11",
                    20,
                    "np.clip(dparam, -5, 5, out=dparam)",
                    "pass",
                ),
            ),
        ),
    ),
    "dennybritz_rnn": (
        Repair(
            "back-propagation from each output ends after 4 steps",
            "choice",
            (("RNNLM.ipynb, cell 28", 17, "max(0, t-self.bptt_truncate)", "0"),),
        ),
    ),
    "sooftware_lstm": (
        Repair(
            "NumPy has no sigmoid",
            "bug",
            tuple(
                (_TIL, line, f"np.sigmoid({k})", f"1 / (1 + np.exp(-{k}))")
                for line, k in ((23, "f"), (25, "i"), (26, "o"))
            ),
        ),
        Repair(
            "the gradient of x is taken through the recurrent weights",
            "bug",
            ((_TIL, 64, "Wh.T", "Wx.T"),),
        ),
    ),
    "lightnn_rnn": _lightnn((225, 227), (230,)),
    "lightnn_lstm": _lightnn((*range(709, 713), *range(714, 718)), range(720, 724)),
    "lightnn_gru": _lightnn((*range(1102, 1105), *range(1106, 1109)), range(1111, 1114)),
    "giulio_zhou_rnn": (
        Repair(
            "the slope of the step after is missing in what is carried",
            "bug",
            (("network/rnn.py", 75, "= delta__h_t", "= dh_da * delta__h_t"),),
        ),
        Repair(
            "back-propagation ends after 10 steps",
            "choice",
            (("network/rnn.py", 4, "bptt_truncate=10", "bptt_truncate=10**6"),),
        ),
    ),
    "giulio_zhou_lstm": (
        Repair(
            "the candidate is a sigmoid",
            "choice",
            (
                ("network/lstm.py", 57, "sigmoid(", "np.tanh("),
                ("network/lstm.py", 100, "dsigmoid(", "dtanh("),
            ),
        ),
    ),
}
