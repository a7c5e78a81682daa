"""The lines that make layers from packages right, by the layer's name."""

from collections.abc import Mapping

from repair import Repair

__all__ = ["PACKAGES"]

_TANH = "epynn/commons/maths.py"
_OVERFLOW = Repair(
    "tanh is NaN from where exp overflows, and inexact near 0",
    "bug",
    ((_TANH, 196, "(np.exp(x)-np.exp(-x)) / (np.exp(x)+np.exp(-x))", "np.tanh(x)"),),
)
_ML = "numpy_ml/neural_nets/layers/layers.py"

PACKAGES: Mapping[str, tuple[Repair, ...]] = {
    "numpy_ml_layer": (
        Repair(
            "attributes are set that the class has without a setter",
            "bug",
            tuple(
                (_ML, line, f"self.{name} = ", f"vars(self)['{name}'] = ")
                for line, name in ((35, "gradients"), (36, "parameters"), (37, "derived_variables"))
            ),
        ),
        Repair("the cell takes no `n_in`", "bug", ((_ML, 4083, "n_in=self.n_in,", ""),)),
        Repair(
            "the gradient of x is taken for a pair; two rows are",
            "bug",
            ((_ML, 4151, "dLdXt, _ =", "dLdXt ="),),
        ),
    ),
    "epynn_lstm": (_OVERFLOW,),
    "epynn_gru": (_OVERFLOW,),
    "epynn_rnn": (
        _OVERFLOW,
        Repair(
            "gradients are clipped; its text says that they are not by default",
            "bug",
            (("epynn/rnn/models.py", 47, "clip_gradients=True", "clip_gradients=False"),),
        ),
    ),
    "torchrecurrent_lem": (
        Repair(
            "h reads the cell state of the step before",
            "bug",
            (("torchrecurrent/cells/lem_cell.py", 361, "b_c @", "new_c @"),),
        ),
    ),
    "mingru_pytorch_lstm": (
        Repair(
            "g is applied to the state that is handed in, from two steps on",
            "bug",
            (("minGRU_pytorch/minLSTM.py", 48, "log_g(prev_hidden)", "prev_hidden.log()"),),
        ),
    ),
}
