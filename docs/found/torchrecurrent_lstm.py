"""torchrecurrent: the layer PeepholeLSTM; gradients are autograd's."""

from theirs import module

from verify.adapters.torch_module import torch_module

theirs = module("torchrecurrent", "torchrecurrent")
arrays = {
    "weight_ih": "[[W_i], [W_f], [W_g], [W_o]]",
    "weight_hh": "[[U_i], [U_f], [U_g], [U_o]]",
    "weight_ph": "[p_i, p_f, p_o]",
    "bias_ih": "[b_i, b_f, b_g, b_o]",
    "bias_hh": "[b_i, b_f, b_g, b_o]",
}
kernel = torch_module(
    theirs.PeepholeLSTM,
    cell="peephole_lstm",
    state="1BF",
    arrays=arrays,
    names={name: f"cells.0.{name}" for name in arrays},
)
